package otel

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/model"
)

// Detail says how much becomes spans; each level has those before it.
type Detail int

const (
	Tasks      Detail = iota // tasks, and for the program GC cycles and pauses
	Regions                  // regions
	Goroutines               // goroutines at work for a task
	States                   // their long states
)

// ParseDetail reads the name of a level.
func ParseDetail(s string) (d Detail, ok bool) {
	for d, name := range detailNames {
		if s == name {
			return Detail(d), true
		}
	}
	return 0, false
}

func (d Detail) String() string { return detailNames[d] }

var detailNames = [...]string{"tasks", "regions", "goroutines", "states"}

// Options say what becomes spans. The zero value is useful: tasks only, without
// any limit; see [DefaultOptions].
type Options struct {
	// Window is the part of the trace that becomes spans.
	Window model.Window
	Detail Detail
	// MinSpan is the shortest state that becomes a span.
	MinSpan time.Duration
	// MaxSpansPerTrace limits the spans of a trace, and those below a task that
	// is a span, and MaxBytesPerTrace their size in protobuf, without the resource;
	// 0 is no limit. The spans that took longest are sent. How many are left out is
	// on the root span, in go.spans.left_out, or on the spans of goroutines below a
	// task that is a span, each with what is new.
	MaxSpansPerTrace, MaxBytesPerTrace int
	// MinTask keeps only root tasks that take at least this long, with all below
	// them. A task is a root if it has no parent, or if its parent is not selected; a
	// task that is a span also unless its parent is a span of the same trace.
	MinTask time.Duration
	// Selection limits the spans to those of some tasks, and the goroutines in them,
	// or in the trace of the program, to some. A goroutine whose start function the
	// trace tells later than where its span begins is not selected by Func.
	//
	// There is no trace for the program if the tasks are limited, also by MinTask.
	model.Selection
	// WallStart is the wall-clock time at which the trace begins, for traces
	// that do not tell: those of Go 1.24 and earlier. With the zero time these
	// start at Unix time 0.
	WallStart time.Time
	// Resource are the attributes of the program that was traced.
	Resource []attribute.KeyValue
	// Version is the version of trace2x, in the instrumentation scope.
	Version string
}

// DefaultOptions returns limits that spare the backend: Jaeger's page does not
// show many more spans, and Tempo refuses traces of more than 5 MB.
func DefaultOptions() Options {
	return Options{Detail: States, MinSpan: time.Millisecond, MaxSpansPerTrace: 10_000, MaxBytesPerTrace: 4_000_000}
}

// filtered reports whether only some of the tasks are wanted.
func (o *Options) filtered() bool { return o.MinTask > 0 || o.ByTask() }
