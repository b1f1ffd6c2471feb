package pprof_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/convert/pprof"
	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// label is a label of a sample, "" for none.
func label(s *profile.Sample, name string) string {
	return strings.Join(s.Label[name], ", ")
}

func criticalProfile(t *testing.T, name string, opts pprof.Options) (*profile.Profile, pprof.Stats) {
	t.Helper()
	opts.Type = pprof.Critical
	c := pprof.New(opts)
	converttest.Read(t, testtrace.Data(t, name), c)
	var out bytes.Buffer
	if err := c.Profile().Write(&out); err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	return p, c.Stats()
}

// TestCriticalSums: of all traces, a profile has what the sums of package critical
// have, by type of unit, state, reason and goroutine, to the nanosecond; of all units
// and of the slowest.
func TestCriticalSums(t *testing.T) {
	units := make(map[critical.Kind]int64)
	for _, name := range testtrace.Readable(t) {
		for _, kinds := range []critical.Kinds{0, critical.KindsOf(critical.Region), critical.KindsOf(critical.HTTP), critical.KindsOf(critical.GoroutineLife)} {
			sums := critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: kinds}, Slowest: -1})
			converttest.Read(t, testtrace.Data(t, name), sums)
			rep := sums.Report()
			for _, slowest := range []float64{0, 1} {
				p, stats := criticalProfile(t, name, pprof.Options{CriticalOptions: pprof.CriticalOptions{Unit: kinds, Slowest: slowest}})
				got, want := make(map[string]int64), make(map[string]int64)
				var count, total int64
				for _, x := range rep.Types {
					of := x.All
					if slowest > 0 {
						of = x.Tail
					}
					count += of.Units
					total += int64(of.Total)
					if slowest == 0 {
						units[x.Kind] += of.Units
						if of.Total != x.Total {
							t.Errorf("%s: %v of %v", name, of.Total, x.Total)
						}
					}
					for _, s := range of.Segments {
						want[fmt.Sprintf("%q %v %q %v %s", x.Name, s.State, s.Reason, s.Own, s.Func)] += int64(s.Time)
					}
				}
				for _, s := range p.Sample {
					got[fmt.Sprintf("%q %s %q %s %s", label(s, "unit"), label(s, "state"), label(s, "reason"), label(s, "own"), label(s, "func"))] += s.Value[1]
				}
				if stats.Units != count || stats.Time != total || stats.Missing != 0 {
					t.Errorf("%s: %d units with %d ns, %d missing, want %d with %d", name, stats.Units, stats.Time, stats.Missing, count, total)
				}
				if !maps.Equal(got, want) {
					for _, k := range slices.Sorted(maps.Keys(got)) {
						if got[k] != want[k] {
							t.Errorf("%s, units %v, slowest %v %%: %d, want %d: %s", name, kinds, slowest, got[k], want[k], k)
						}
					}
					t.Errorf("%s, units %v, slowest %v %%: %d sums, want %d", name, kinds, slowest, len(got), len(want))
				}
			}
		}
	}
	for _, k := range critical.AllKinds {
		if units[k] < 100 {
			t.Errorf("only %d units of kind %v", units[k], k)
		}
	}
}

// TestCriticalChain: the stack of what was waited for is on top of that of the wait.
func TestCriticalChain(t *testing.T) {
	p, _ := criticalProfile(t, "chain", pprof.Options{Selection: model.Selection{Task: regexp.MustCompile("^chain$")}})
	chained := regexp.MustCompile(`^main\.(goroutine.|main)$`)
	ms := make(map[string]float64)
	for _, s := range p.Sample {
		var chain []string
		for _, l := range s.Location {
			if fn := l.Line[0].Function.Name; chained.MatchString(fn) {
				chain = append(chain, strings.TrimPrefix(fn, "main."))
			}
		}
		ms[strings.Join(chain, " < ")+" "+label(s, "state")] += float64(s.Value[1]) / 1e6
	}
	for chain, want := range map[string]float64{"goroutineA < main running": 5, "goroutineB < goroutineA < main running": 10, "goroutineC < goroutineB < goroutineA < main running": 20} {
		if got := ms[chain]; got < want-.5 || got > want+.5 {
			t.Errorf("%s: %.2f ms, want %.0f", chain, got, want)
		}
	}
}

// TestCriticalSpans: the slowest spans have their IDs as labels.
func TestCriticalSpans(t *testing.T) {
	want := make(map[string]int64)
	f := critical.NewFinder(critical.Options{Kinds: critical.KindsOf(critical.Task)}, func(u *critical.Unit) {
		if u.Span != nil && !u.Cut {
			want[fmt.Sprintf("%x %x", u.Span.TraceID, u.Span.SpanID)] += int64(u.Duration())
		}
	})
	converttest.Read(t, testtrace.Data(t, "spanlink"), f)

	all, stats := criticalProfile(t, "spanlink", pprof.Options{})
	slowest, _ := criticalProfile(t, "spanlink", pprof.Options{CriticalOptions: pprof.CriticalOptions{Slowest: 100}})
	bySpan := func(p *profile.Profile) (spans map[string]int64, total int64) {
		spans = make(map[string]int64)
		for _, s := range p.Sample {
			if label(s, "span_id") != "" {
				spans[label(s, "trace_id")+" "+label(s, "span_id")] += s.Value[1]
			}
			total += s.Value[1]
		}
		return spans, total
	}
	if got, total := bySpan(slowest); !maps.Equal(got, want) || total != stats.Time || len(got) < 30 {
		t.Errorf("%v in %d, want %v in %d", got, total, want, stats.Time)
	}
	// Of all units, only those of the slowest hundredth: one of each type.
	got, total := bySpan(all)
	for span, ns := range got {
		if want[span] != ns {
			t.Errorf("%s: %d, want %d", span, ns, want[span])
		}
	}
	if len(got) == 0 || len(got) >= len(want) || total != stats.Time {
		t.Errorf("%d of %d spans in %d, want %d", len(got), len(want), total, stats.Time)
	}
}

// TestCriticalLimits: limits choose units.
func TestCriticalLimits(t *testing.T) {
	for _, tt := range []struct {
		opts  pprof.Options
		unit  critical.Kind
		units int64
	}{
		{pprof.Options{}, critical.Task, 1194},
		{pprof.Options{Selection: model.Selection{Task: regexp.MustCompile("^handleRequest$")}}, critical.Task, 398},
		{pprof.Options{Selection: model.Selection{TaskID: 2}}, critical.Task, 1},
		{pprof.Options{Region: regexp.MustCompile("^lookup$")}, critical.Region, 1194},
		{pprof.Options{CriticalOptions: pprof.CriticalOptions{Unit: critical.KindsOf(critical.HTTP), Slowest: 10}}, critical.HTTP, 40},
	} {
		_, stats := criticalProfile(t, "httpserver", tt.opts)
		if stats.Unit != critical.KindsOf(tt.unit) || stats.Units != tt.units {
			t.Errorf("%+v: %d of %v, want %d of %v", tt.opts, stats.Units, stats.Unit, tt.units, tt.unit)
		}
	}
	if _, stats := criticalProfile(t, "httpserver", pprof.Options{Selection: model.Selection{Goroutines: []model.GoID{1 << 40}}}); stats.Units != 0 || stats.Count != 0 {
		t.Errorf("%+v of a goroutine that is not there", stats)
	}
}
