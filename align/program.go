package align

import (
	"slices"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Program is a [model.Sink] that notes what tells the time of a program's trace. It takes
// at most [MaxSpans] spans, of 40 bytes each.
type Program struct {
	model.NopSink
	// Name is what to call the program. No two programs have the same name.
	Name string

	start, end model.Time
	// epochs is what to add to the trace's times to get ns since 1970, of each of the
	// trace's clock snapshots.
	epochs []model.Time
	spans  []span
	more   int // spans that were not noted
}

// MaxSpans is the number of spans of a program that are noted. It is enough to compare
// clocks.
const MaxSpans = 1_000_000

// span is a span of OpenTelemetry that began in the trace.
type span struct {
	id, parent [8]byte
	start, end model.Time
	open       bool // until the trace ended
}

// New returns a sink for the trace of a program.
func New(name string) *Program { return &Program{Name: name} }

// Start returns when the trace began, in its own clock.
func (p *Program) Start() model.Time { return p.start }

func (p *Program) Begin(t *model.Trace) { p.start, p.end = t.Start, t.Start }

func (p *Program) Sync(s *model.Sync) {
	if s.Clock != nil {
		p.epochs = append(p.epochs, model.Time(s.Clock.Wall.UnixNano())-s.Clock.Trace)
	}
}

func (p *Program) TaskEnd(t *model.Task) {
	switch {
	case t.Span == nil:
	case len(p.spans) == MaxSpans:
		p.more++
	default:
		p.spans = append(p.spans, span{t.Span.SpanID, t.Span.Parent, t.Start, t.End, t.Open})
	}
}

func (p *Program) End(s *model.Summary) { p.end = s.End }

// epoch returns the median of what the snapshots say, and how far they are from each
// other: the clocks of the system were set, or run at different speeds.
func (p *Program) epoch() (median model.Time, spread time.Duration, known bool) {
	if len(p.epochs) == 0 {
		return 0, 0, false
	}
	sorted := slices.Sorted(slices.Values(p.epochs))
	return sorted[len(sorted)/2], time.Duration(sorted[len(sorted)-1] - sorted[0]), true
}
