package jaegertest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ErrNotFound is what the error of Trace is if Jaeger has no such trace (yet).
var ErrNotFound = errors.New("trace not found")

// Services returns the names of the services that have spans, sorted.
func (j *Jaeger) Services(ctx context.Context) ([]string, error) {
	var services []string
	if err := j.query(ctx, &services, "/api/services"); err != nil {
		return nil, fmt.Errorf("jaegertest: services: %w", err)
	}
	slices.Sort(services)
	return services, nil
}

// Traces returns the traces that have a span of the service, of any time, with
// their spans of all services. If there are more than limit, it returns those that
// were stored last; a limit of 0 means all of them. They come in the order of
// their first spans' starts.
func (j *Jaeger) Traces(ctx context.Context, service string, limit int) ([]Trace, error) {
	var traces []Trace
	err := j.query(ctx, &traces, "/api/traces?"+url.Values{
		"service": {service},
		"limit":   {strconv.Itoa(cmp.Or(limit, maxTraces))},
		// Without these Jaeger looks for the spans of the last two days only.
		"start": {"0"},
		"end":   {strconv.FormatInt(math.MaxInt64/1000, 10)}, // in µs; Jaeger counts in ns
	}.Encode())
	if err != nil {
		return nil, fmt.Errorf("jaegertest: traces of %s: %w", service, err)
	}
	slices.SortFunc(traces, func(a, b Trace) int {
		return cmp.Or(cmp.Compare(a.start(), b.start()), cmp.Compare(a.TraceID, b.TraceID))
	})
	return traces, nil
}

// Trace returns the trace with the ID, in hex, as far as it has been stored.
func (j *Jaeger) Trace(ctx context.Context, id string) (Trace, error) {
	var traces []Trace
	err := j.query(ctx, &traces, "/api/traces/"+url.PathEscape(id))
	if err == nil && len(traces) != 1 {
		err = fmt.Errorf("%d traces", len(traces))
	}
	if err != nil {
		return Trace{}, fmt.Errorf("jaegertest: trace %s: %w", id, err)
	}
	return traces[0], nil
}

// query asks the query service and stores the data of its answer in data.
func (j *Jaeger) query(ctx context.Context, data any, path string) error {
	text, err := j.get(ctx, j.Query+path)
	if err != nil {
		return err
	}
	answer := struct {
		Data   any       `json:"data"`
		Errors apiErrors `json:"errors"`
	}{Data: data}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		return answer.Errors
	}
	return nil
}

// apiErrors are the errors in an answer of the query service.
type apiErrors []struct {
	Msg string `json:"msg"`
}

func (e apiErrors) Error() string {
	var b strings.Builder
	for i, err := range e {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Msg)
	}
	return b.String()
}

// get returns the body of a successful response.
func (j *Jaeger) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := j.client.Do(request)
	if err != nil {
		return nil, j.explain(ctx, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, j.explain(ctx, err)
	}
	switch {
	case response.StatusCode == http.StatusOK:
		return body, nil
	case response.StatusCode == http.StatusNotFound && bytes.Contains(body, []byte(ErrNotFound.Error())):
		return nil, ErrNotFound
	}
	err = fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(body))
	if response.StatusCode >= 500 {
		err = j.log.addTo(err)
	}
	return nil, err
}
