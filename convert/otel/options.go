package otel

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/model"
)

// Detail says how much becomes spans. Each level includes the levels before it.
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

// Options say what becomes spans. The zero value means tasks only, without any limit.
// See also [DefaultOptions].
type Options struct {
	// Window is the part of the trace that becomes spans.
	Window model.Window
	Detail Detail
	// MinSpan is the shortest state that becomes a span.
	MinSpan time.Duration
	// MaxSpansPerTrace limits the spans of a trace, and the spans below a task that
	// the program sent itself. MaxBytesPerTrace limits their size in protobuf,
	// without the resource. 0 is no limit. The spans that took longest are sent. The
	// root span has the number of those left out, in go.spans.left_out. Below a task
	// that the program sent itself, the spans of goroutines have it, each with the
	// number since the one before.
	MaxSpansPerTrace, MaxBytesPerTrace int
	// CriticalPath adds what the critical path of each task consists of. With the
	// detail States, it also adds, below each wait for another goroutine, what that
	// goroutine did, and a link to the task that it was at work for. It takes 32 MB
	// to look back.
	CriticalPath bool
	// MinTask keeps only root tasks that take at least this long, with all below
	// them. A task is a root if it has no parent, or if its parent is not selected. A
	// task that is a span is also a root if its parent is not a span of the same
	// trace.
	MinTask time.Duration
	// Selection limits the spans to some tasks and to some goroutines. Func does not
	// select a goroutine whose start function is still unknown when its span begins.
	//
	// There is no trace for the program if the tasks are limited, also by MinTask.
	model.Selection
	// ProfileIDs adds pyroscope.profile.id to the spans of tasks and to those of goroutines
	// at work for them: the ID of the span to which the samples of package profiles lead.
	ProfileIDs bool
	// WallStart is the wall-clock time at which the trace begins. It is for traces
	// of Go 1.24 and earlier, which do not have it. With the zero time they start at
	// Unix time 0.
	WallStart time.Time
	// Resource are the attributes of the program that was traced.
	Resource []attribute.KeyValue
	// Version is the version of trace2x, in the instrumentation scope.
	Version string
}

// DefaultOptions returns limits that spare the backend: Jaeger's page does not
// show many more spans, and Tempo refuses traces of more than 5 MB.
func DefaultOptions() Options {
	return Options{Detail: States, MinSpan: time.Millisecond, MaxSpansPerTrace: 10_000, MaxBytesPerTrace: 4_000_000, CriticalPath: true}
}

// filtered reports whether only some of the tasks are wanted.
func (o *Options) filtered() bool { return o.MinTask > 0 || o.ByTask() }
