package recorder

import (
	"context"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/trace2x/trace2x/spanlink"
)

// Recorder is a flight recorder, and the span processor that it needs. It is safe for
// concurrent use.
type Recorder struct {
	opts     Options
	link     sdktrace.SpanProcessor
	resource atomic.Pointer[resource.Resource]
	slow     chan slowSpan
	ready    atomic.Bool // to take a slow span; false for MinInterval after a dump
	quit     func()      // ends run, once
	quitting chan struct{}
	stopped  chan struct{}      // run has ended
	giveUp   context.CancelFunc // of the dump that is being made

	// busy is held while a dump is made: Go allows one at a time.
	busy   chan struct{}
	flight *trace.FlightRecorder // under busy
	closed bool                  // under busy

	stats counters
	once  complaints
}

var _ sdktrace.SpanProcessor = (*Recorder)(nil)

// slowSpan is what made a dump.
type slowSpan struct {
	context oteltrace.SpanContext
	name    string
	took    time.Duration
	inner   bool // a part of another span of this program, which may still go on
}

// Start starts the flight recorder. If somebody else has started one, it is started as
// soon as that one has stopped and a dump is wanted; spans are linked all the same, in
// the traces of others. The error is about the options.
func Start(opts Options) (*Recorder, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	ctx, giveUp := context.WithCancel(context.Background())
	r := &Recorder{
		opts:     opts,
		link:     spanlink.NewProcessor(),
		slow:     make(chan slowSpan, 1),
		quitting: make(chan struct{}),
		stopped:  make(chan struct{}),
		giveUp:   giveUp,
		busy:     make(chan struct{}, 1),
		flight:   trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: opts.Window, MaxBytes: opts.WindowBytes}),
	}
	r.quit = sync.OnceFunc(func() { close(r.quitting) })
	r.resource.Store(opts.Resource)
	r.ready.Store(true)
	r.once.log = opts.Logger
	r.start()
	go r.run(ctx)
	return r, nil
}

// start starts the flight recorder, unless it runs, and reports whether it has run
// before.
func (r *Recorder) start() bool {
	if r.flight.Enabled() {
		return true
	}
	if err := r.flight.Start(); err != nil {
		r.stats.notRecorded.Add(1)
		r.once.complain(recording, "recorder: cannot record the execution trace", err)
	} else {
		r.once.works(recording)
	}
	return false
}

// OnStart links a span that starts.
func (r *Recorder) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	if r.resource.Load() == nil {
		r.resource.CompareAndSwap(nil, s.Resource())
	}
	r.link.OnStart(ctx, s)
}

// OnEnd links a span that ends, and makes a dump if it was slow. It does not wait.
func (r *Recorder) OnEnd(s sdktrace.ReadOnlySpan) {
	r.link.OnEnd(s)
	took := s.EndTime().Sub(s.StartTime())
	if (r.opts.SlowSpan <= 0 || took < r.opts.SlowSpan || !s.SpanContext().IsSampled()) && (r.opts.Slow == nil || !r.opts.Slow(s)) {
		return
	}
	r.stats.slowSpans.Add(1)
	if !r.ready.Load() {
		return
	}
	select {
	case r.slow <- slowSpan{s.SpanContext(), s.Name(), took, s.Parent().IsValid() && !s.Parent().IsRemote()}:
	default: // another one is about to make a dump
	}
}

// ForceFlush does nothing: dumps do not wait to be written.
func (r *Recorder) ForceFlush(context.Context) error { return nil }

// Shutdown stops the recording. It waits until a dump that is being made is written and
// posted, or until ctx ends: then that dump is given up.
func (r *Recorder) Shutdown(ctx context.Context) error {
	r.quit()
	defer r.giveUp()
	select {
	case <-r.stopped:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	r.closed = true
	r.flight.Stop()
	return nil
}

// lock waits until no dump is being made.
func (r *Recorder) lock(ctx context.Context) error {
	select {
	case r.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *Recorder) unlock() { <-r.busy }

const (
	// settle is how long a dump waits for the spans around a slow one to end too. Each
	// that does is waited for anew, up to longestSettle in all.
	settle        = 100 * time.Millisecond
	longestSettle = time.Second
)

// run makes dumps because of slow spans, until Shutdown. The end of ctx gives up the
// one that is being made.
func (r *Recorder) run(ctx context.Context) {
	defer close(r.stopped)
	for {
		var s slowSpan
		select {
		case s = <-r.slow:
		case <-r.quitting:
			return
		}
		s = r.outermost(s)
		r.ready.Store(false)
		m := r.metadata("slow span", time.Now())
		m.TraceID, m.SpanID, m.Span, m.SpanDuration = s.context.TraceID().String(), s.context.SpanID().String(), s.name, s.took.Nanoseconds()
		if d, err := r.dump(ctx, m); err == nil {
			r.opts.Logger.Info("recorder: a slow span made a dump", "span", s.name, "took", s.took, "trace_id", m.TraceID, "bytes", d.Bytes, "file", d.File)
		}
		select {
		case <-time.After(r.opts.MinInterval):
		case <-r.quitting:
			return
		}
		select {
		case <-r.slow: // from before the dump
		default:
		}
		r.ready.Store(true)
	}
}

// outermost waits for the spans around s that end within a moment, and returns the last
// one.
func (r *Recorder) outermost(s slowSpan) slowSpan {
	latest := time.NewTimer(longestSettle)
	defer latest.Stop()
	for s.inner {
		select {
		case o := <-r.slow:
			if o.context.TraceID() == s.context.TraceID() && o.took >= s.took {
				s = o
			}
		case <-time.After(settle):
			return s
		case <-latest.C:
			return s
		case <-r.quitting:
			return s
		}
	}
	return s
}

// complaints logs each kind of failure once, until it works again.
type complaints struct {
	log  interface{ Warn(string, ...any) }
	mu   sync.Mutex
	made [kinds]bool
}

// kind is what can fail.
type kind int

const (
	recording kind = iota
	writing
	posting
	kinds
)

func (c *complaints) complain(k kind, text string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.made[k] {
		c.made[k] = true
		c.log.Warn(text+"; this is logged once until it works again", "error", err)
	}
}

func (c *complaints) works(k kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made[k] = false
}
