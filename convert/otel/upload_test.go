package otel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/trace2x/trace2x/convert/otel/otlptest"
)

func testSpans(n int) []*tracepb.Span {
	spans := make([]*tracepb.Span, n)
	for i := range spans {
		spans[i] = testSpan(i)
	}
	return spans
}

// upload sends spans as a conversion does.
func upload(ctx context.Context, c Client, spans ...*tracepb.Span) (Result, error) {
	u := newUploader(ctx, c, testEnvelope())
	for _, s := range spans {
		u.add(encode(s))
	}
	return u.close()
}

// testLimits make many batches of few spans.
var testLimits = limits{bytes: 1 << 20, spans: 100, waiting: 4, inFlight: 2}

// testClient is a client that answers with a function.
type testClient struct {
	otlptest.Received
	calls  atomic.Int64
	closed atomic.Int64
	answer func(ctx context.Context, call int, spans []*tracepb.Span) (Answer, error)
}

func (c *testClient) limits() limits { return testLimits }

func (c *testClient) Close() error { c.closed.Add(1); return nil }

func (c *testClient) Export(ctx context.Context, request []byte) (Answer, error) {
	call := int(c.calls.Add(1))
	resource := decode(request)
	answer, err := c.answer(ctx, call, resource.ScopeSpans[0].Spans)
	if err == nil {
		c.Add([]*tracepb.ResourceSpans{resource})
	}
	return answer, err
}

func TestUploader(t *testing.T) {
	c := &testClient{answer: func(context.Context, int, []*tracepb.Span) (Answer, error) { return Answer{}, nil }}
	r, err := upload(t.Context(), c, testSpans(499)...)
	if err != nil || r.Accepted != 499 || r.Rejected != 0 || len(r.Reasons) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if spans, requests := c.Count(); spans != 499 || requests != 5 {
		t.Errorf("%d spans in %d requests", spans, requests)
	}
	if c.closed.Load() != 1 {
		t.Errorf("closed %d times", c.closed.Load())
	}
	if r, err := upload(t.Context(), c); err != nil || r.Accepted != 0 {
		t.Errorf("no spans: %+v, %v", r, err)
	}
}

func TestUploaderClosed(t *testing.T) {
	c := &testClient{answer: func(context.Context, int, []*tracepb.Span) (Answer, error) { return Answer{}, nil }}
	u := newUploader(t.Context(), c, testEnvelope())
	u.add(encode(testSpan(1)))
	first, err := u.close()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := u.close(); err != nil || again.Accepted != first.Accepted || c.closed.Load() != 1 {
		t.Errorf("closed again: %+v, %v", again, err)
	}
	u.add(encode(testSpan(2)))
	if r, err := u.close(); err == nil || r.Rejected != 1 {
		t.Errorf("added after the end: %+v, %v", r, err)
	}
}

// A backend that does not answer stops the caller, with a bounded number of
// batches in memory.
func TestUploaderBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := &testClient{answer: func(context.Context, int, []*tracepb.Span) (Answer, error) { <-release; return Answer{}, nil }}
		u := newUploader(t.Context(), c, testEnvelope())
		var added atomic.Int64
		done := make(chan Result)
		go func() {
			for _, s := range testSpans(2500) {
				u.add(encode(s))
				added.Add(1)
			}
			r, _ := u.close()
			done <- r
		}()
		synctest.Wait()
		l := c.limits()
		// One more waits to be sent: the span that came after it begins the next.
		if got, want := added.Load(), int64((l.waiting+l.inFlight+1)*l.spans); got != want {
			t.Errorf("%d spans added while none was taken, want %d", got, want)
		}
		if n := c.calls.Load(); n != int64(l.inFlight) {
			t.Errorf("%d uploads at the same time", n)
		}
		close(release)
		if r := <-done; r.Accepted != 2500 {
			t.Errorf("%+v", r)
		}
	})
}

func TestUploaderCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		c := &testClient{answer: func(ctx context.Context, _ int, _ []*tracepb.Span) (Answer, error) {
			<-ctx.Done()
			return Answer{}, ctx.Err()
		}}
		u := newUploader(ctx, c, testEnvelope())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start := time.Now()
		for _, s := range testSpans(5000) { // blocks until canceled
			u.add(encode(s))
		}
		if u.Err() != cause {
			t.Errorf("err is %v", u.Err())
		}
		r, err := u.close()
		if !errors.Is(err, cause) || r.Rejected != 5000 || r.Reasons["interrupted"] != 5000 {
			t.Errorf("%+v, %v", r, err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v", d)
		}
		if c.closed.Load() != 1 {
			t.Error("not closed")
		}
	})
}

// What is refused is counted, and the rest is sent all the same.
func TestUploaderRefused(t *testing.T) {
	c := &testClient{answer: func(_ context.Context, _ int, spans []*tracepb.Span) (Answer, error) {
		if n := spanNumber(spans[0]); n == 100 || n == 300 {
			return Answer{}, errors.New("400 Bad Request")
		}
		return Answer{}, nil
	}}
	r, err := upload(t.Context(), c, testSpans(1000)...)
	if err == nil || r.Accepted != 800 || r.Rejected != 200 || r.Reasons["400 Bad Request"] != 200 {
		t.Errorf("%+v, %v", r, err)
	}
	const want = "200 of 1000 spans were not accepted: 400 Bad Request"
	if err != nil && err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestUploaderGivesUp(t *testing.T) {
	for name, test := range map[string]struct {
		err      error
		maxCalls int64
	}{
		"refused":          {errors.New("no"), maxFailed + 1},
		"time ran out":     {&SendError{Cause: Passing, Reason: "no"}, 2},
		"unusable":         {&SendError{Cause: Unusable, Reason: "no"}, 2},
		"always too large": {&SendError{Cause: TooLarge, Reason: "no"}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			c := &testClient{answer: func(context.Context, int, []*tracepb.Span) (Answer, error) { return Answer{}, test.err }}
			u := newUploader(t.Context(), c, testEnvelope())
			for _, s := range testSpans(5000) {
				u.add(encode(s))
			}
			if u.Err() == nil || !errors.Is(u.Err(), test.err) {
				t.Errorf("err is %v", u.Err())
			}
			r, err := u.close()
			if !errors.Is(err, test.err) || r.Rejected != 5000 || r.Reasons["no"] != 5000 {
				t.Errorf("%+v, %v", r, err)
			}
			if n := c.calls.Load(); n > test.maxCalls {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// A batch that gets nowhere does not stop others that do.
func TestUploaderGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &testClient{answer: func(_ context.Context, _ int, spans []*tracepb.Span) (Answer, error) {
			if n := spanNumber(spans[0]); n == 100 || n == 500 {
				time.Sleep(time.Minute)
				return Answer{}, &SendError{Cause: Passing, Reason: "connection closed"}
			}
			time.Sleep(time.Second)
			return Answer{}, nil
		}}
		r, _ := upload(t.Context(), c, testSpans(3000)...)
		if r.Accepted != 2800 || r.Rejected != 200 {
			t.Errorf("%+v", r)
		}
	})
}

func TestUploaderTooLarge(t *testing.T) {
	c := &testClient{answer: func(_ context.Context, _ int, spans []*tracepb.Span) (Answer, error) {
		if len(spans) > 150 || len(spans[0].Name) > 1<<20 {
			return Answer{}, &SendError{Cause: TooLarge, Reason: "413"}
		}
		return Answer{}, nil
	}}
	spans := testSpans(5000)
	for n := 2500; n < 2510; n++ { // more than maxFailed
		spans[n].Name = strings.Repeat("x", 2<<20)
	}
	largeBatches := struct{ Client }{c}
	r, err := upload(t.Context(), largeBatches, spans...)
	if err == nil || r.Accepted != 4990 || r.Rejected != 10 || r.Reasons["413"] != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	if got, _ := c.Count(); got != 4990 {
		t.Errorf("%d spans", got)
	}
}

func TestUploaderPartialSuccess(t *testing.T) {
	c := &testClient{answer: func(_ context.Context, call int, spans []*tracepb.Span) (Answer, error) {
		switch spanNumber(spans[0]) {
		case 0:
			return Answer{Rejected: 3, Message: "too old"}, nil
		case 100:
			return Answer{Message: "use\nnew\x1b[31m paths"}, nil
		case 200:
			return Answer{Rejected: 1 << 40}, nil // more than there were
		case 300:
			return Answer{Rejected: -5, Message: "odd"}, nil
		}
		return Answer{}, nil
	}}
	r, err := upload(t.Context(), c, testSpans(500)...)
	if err == nil || r.Accepted != 500-103 || r.Rejected != 103 {
		t.Errorf("%+v, %v", r, err)
	}
	if want := map[string]int64{"too old": 3, "the backend did not say why": 100}; !maps.Equal(r.Reasons, want) {
		t.Errorf("reasons %v", r.Reasons)
	}
	if len(r.Warnings) != 2 || !strings.Contains(strings.Join(r.Warnings, "|"), "use new [31m paths") {
		t.Errorf("warnings %q", r.Warnings)
	}
	if err != nil && !strings.HasSuffix(err.Error(), "the backend did not say why (and for 1 other reasons)") {
		t.Errorf("error %q", err)
	}
}

func TestUploaderManyReasons(t *testing.T) {
	c := &testClient{answer: func(_ context.Context, call int, _ []*tracepb.Span) (Answer, error) {
		return Answer{Rejected: 1, Message: fmt.Sprint("reason ", call)}, nil
	}}
	r, _ := upload(t.Context(), c, testSpans(5000)...)
	if len(r.Reasons) != maxReasons+1 || r.Reasons[otherReasons] != 30 || r.Rejected != 50 {
		t.Errorf("%+v", r)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":              "",
		" a\n\tb\x00c ": "a b c",
		"read tcp 10.0.0.1:4711->1.2.3.4:4318: EOF": "read tcp 1.2.3.4:4318: EOF",
		"read tcp [::1]:4711->[::1]:4318: EOF":      "read tcp [::1]:4318: EOF",
		"a\xffb":                                    "a?b",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	for _, s := range []string{strings.Repeat("a", 1e6), strings.Repeat("😀", 1000)} {
		if got := clean(s); len(got) > 300 || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}

// benchmarkUpload measures from add to the client's end.
func benchmarkUpload(b *testing.B, client func() Client) {
	spans := testSpans(10_000)
	b.ReportAllocs()
	for b.Loop() {
		r, err := upload(b.Context(), client(), spans...)
		if err != nil || r.Accepted != int64(len(spans)) {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(b.N*len(spans))/b.Elapsed().Seconds(), "spans/s")
}

func BenchmarkUploader(b *testing.B) {
	c := &testClient{answer: func(context.Context, int, []*tracepb.Span) (Answer, error) { return Answer{}, nil }}
	benchmarkUpload(b, func() Client { return c })
}
