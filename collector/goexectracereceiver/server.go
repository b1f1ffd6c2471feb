package goexectracereceiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/trace2x/trace2x/model"
)

// serve begins to take dumps over HTTP. Uploads end when run does.
func (d *dumps) serve(ctx, run context.Context, host component.Host, cfg *HTTPConfig) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+cfg.Path, func(w http.ResponseWriter, r *http.Request) { d.upload(run, w, r) })
	server, err := cfg.ToServer(ctx, host.GetExtensions(), d.set.TelemetrySettings, mux)
	if err != nil {
		return err
	}
	listener, err := cfg.ToListener(ctx)
	if err != nil {
		return err
	}
	d.server = server
	d.log.Info("Taking dumps over HTTP", zap.String("endpoint", listener.Addr().String()), zap.String("path", cfg.Path))
	d.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
	return nil
}

// retryAfter is how many seconds a client waits that cannot be served now.
const retryAfter = "5"

// upload takes a dump. It answers 200 when the pipelines have accepted all of it.
func (d *dumps) upload(run context.Context, w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(run, cancel)()

	refuse := func(status int, format string, args ...any) {
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryAfter)
		}
		http.Error(w, fmt.Sprintf(format, args...), status)
	}
	max := d.cfg.HTTP.Get().MaxRequestBodySize
	if r.ContentLength > max {
		w.Header().Set("Connection", "close")
		refuse(http.StatusRequestEntityTooLarge, "the dump has %d bytes; at most %d are taken", r.ContentLength, max)
		return
	}
	x := &dump{from: fromHTTP, name: "upload from " + r.RemoteAddr}
	if text := r.Header.Get(metadataHeader); text != "" {
		var err error
		if x.info, err = parseMetadata([]byte(text)); err != nil || len(text) > maxMetadata {
			refuse(http.StatusBadRequest, "the header %s is not what package recorder sends", metadataHeader)
			return
		}
	}
	if x.info.Time.IsZero() {
		x.info.Time = time.Now()
	}
	select {
	case d.uploads <- struct{}{}:
		defer func() { <-d.uploads }()
	default:
		w.Header().Set("Connection", "close")
		refuse(http.StatusServiceUnavailable, "too many dumps are being taken; send it again")
		return
	}
	data, status, err := readDump(r.Body, max, r.ContentLength)
	if err != nil {
		d.telemetry.dump(ctx, fromHTTP, foreign, int64(len(data)))
		w.Header().Set("Connection", "close") // the rest of the body is not read
		refuse(status, "%v", err)
		return
	}
	x.data, x.size = bytes.NewReader(data), int64(len(data))

	res, err := d.take(ctx, x)
	switch {
	case err != nil:
		refuse(http.StatusServiceUnavailable, "not accepted for now, send it again: %v", err)
	case res.outcome == foreign:
		refuse(http.StatusUnsupportedMediaType, "%v", res.err)
	case res.outcome == refused:
		refuse(http.StatusUnprocessableEntity, "refused by a pipeline, do not send it again: %v", res.err)
	default:
		w.Header().Set("Content-Type", "application/json")
		answer := `{"outcome":` + strconv.Quote(string(res.outcome)) + `,"spans":` + strconv.FormatInt(res.spans, 10) + "}\n"
		io.WriteString(w, answer)
	}
}

// readDump reads a body of at most max bytes, and no more than its beginning if it is no
// trace. The size is what the client says, -1 for nothing. The status is for the answer
// if there is an error.
func readDump(body io.Reader, max, size int64) (data []byte, status int, err error) {
	fail := func(err error) (int, error) {
		if errors.As(err, new(*http.MaxBytesError)) {
			return http.StatusRequestEntityTooLarge, fmt.Errorf("the dump has more than the %d bytes that are taken", max)
		}
		return http.StatusBadRequest, fmt.Errorf("the dump cannot be read: %w", err)
	}
	const head = 512
	buf := make([]byte, head)
	n, err := io.ReadFull(body, buf)
	data = buf[:n]
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		status, err = fail(err)
		return data, status, err
	}
	if err := model.CheckHeader(data); err != nil {
		return data, http.StatusUnsupportedMediaType, err
	}
	whole := bytes.NewBuffer(data)
	if size > head && size <= max {
		whole = bytes.NewBuffer(append(make([]byte, 0, size+bytes.MinRead), data...))
	}
	if _, err := io.Copy(whole, io.LimitReader(body, max+1-int64(n))); err != nil {
		status, err = fail(err)
		return whole.Bytes(), status, err
	}
	if int64(whole.Len()) > max {
		status, err = fail(&http.MaxBytesError{Limit: max})
		return nil, status, err
	}
	return whole.Bytes(), 0, nil
}
