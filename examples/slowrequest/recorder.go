package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"runtime/trace"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"
)

const (
	// window is how much of the execution trace is kept at least: more than the
	// slowest request takes, since only spans that began in it are linked.
	window = 10 * time.Second
	// windowBytes is the most memory that it may take.
	windowBytes = 32 << 20
	// settle is how long a slow request is given to end its span after its
	// handler has returned.
	settle = 100 * time.Millisecond
	// pause is the shortest time between two files.
	pause = 30 * time.Second
)

// recorder writes the flight recorder's window to a file when a request was
// slow: one file at a time, not too often, and never in the way of a request.
type recorder struct {
	flight    *trace.FlightRecorder
	dir       string
	threshold time.Duration
	slow      chan slowRequest
}

type slowRequest struct {
	path  string
	took  time.Duration
	trace oteltrace.TraceID
}

func newRecorder(dir string, threshold time.Duration) (*recorder, error) {
	r := &recorder{
		flight:    trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: window, MaxBytes: windowBytes}),
		dir:       dir,
		threshold: threshold,
		slow:      make(chan slowRequest),
	}
	return r, r.flight.Start()
}

func (r *recorder) stop() { r.flight.Stop() }

// watch reports the slow requests of a handler. Inside of otelhttp's handler, it
// knows the distributed trace.
func (r *recorder) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		start := time.Now()
		next.ServeHTTP(w, req)
		took := time.Since(start)
		if took < r.threshold {
			return
		}
		select {
		case r.slow <- slowRequest{req.URL.Path, took, oteltrace.SpanContextFromContext(req.Context()).TraceID()}:
		default: // another one is being written, or was a moment ago
		}
	})
}

// run writes the files until ctx ends.
func (r *recorder) run(ctx context.Context) {
	for {
		select {
		case s := <-r.slow:
			time.Sleep(settle)
			if file, err := r.write(s); err != nil {
				log.Printf("%s took %v: %v", s.path, s.took, err)
			} else {
				log.Printf("%s took %v: wrote %s", s.path, s.took, file)
			}
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// write writes the window. The name has the ID of the distributed trace, so that
// one is found from the other; the file appears when it is complete.
func (r *recorder) write(s slowRequest) (string, error) {
	f, err := os.CreateTemp(r.dir, "slow-*.tmp")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name()) // is gone if all went well
	defer f.Close()
	if _, err := r.flight.WriteTo(f); err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	name := filepath.Join(r.dir, fmt.Sprintf("slow-%s.trace", s.trace))
	return name, os.Rename(f.Name(), name)
}
