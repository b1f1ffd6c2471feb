package align

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/model"
)

const (
	µs = model.Time(time.Microsecond)
	ms = model.Time(time.Millisecond)
)

// truth is a program with a clock that is known: it shows the true time plus ahead, and its
// wall clock is wrong by wrong.
type truth struct {
	*Program
	ahead model.Time
}

func newTruth(name string, start, ahead, wrong model.Time, wall bool) *truth {
	p := &truth{New(name), ahead}
	p.Begin(&model.Trace{Start: start + ahead})
	if wall {
		for i := range model.Time(3) {
			at := start + i*100*ms
			p.Sync(&model.Sync{Clock: &model.ClockSnapshot{Trace: at + ahead, Wall: time.Unix(1_700_000_000, int64(at+wrong))}})
		}
	}
	p.End(&model.Summary{End: start + ahead + 1000*ms})
	return p
}

// span adds a span at a true time.
func (p *truth) span(id, parent uint64, start, end model.Time) {
	var s model.SpanContext
	binary.LittleEndian.PutUint64(s.SpanID[:], id)
	binary.LittleEndian.PutUint64(s.Parent[:], parent)
	p.TaskEnd(&model.Task{Span: &s, Start: start + p.ahead, End: end + p.ahead})
}

// addCall adds a call with what the network takes on the way there and back.
func addCall(id uint64, from, to *truth, start, there, serve, back model.Time) {
	from.span(id, 0, start, start+there+serve+back)
	to.span(id+1, id, start+there, start+there+serve)
}

func programs(list ...*truth) (out []*Program) {
	for _, p := range list {
		out = append(out, p.Program)
	}
	return out
}

func TestAlign(t *testing.T) {
	const start = 5000 * ms
	for _, test := range []struct {
		name    string
		make    func() []*truth
		offsets map[string]time.Duration
		want    []string // what is said of each clock
		within  model.Time
		calls   int
	}{
		{
			name: "wall clocks alone",
			make: func() []*truth {
				return []*truth{newTruth("a", start, 0, 0, true), newTruth("b", start+30*ms, 777*ms, 40*µs, true)}
			},
			want:   []string{"the others are aligned to it", "by the wall clocks; no calls check these"},
			within: 40 * µs,
		},
		{
			name: "calls agree with the wall clocks",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, true), newTruth("b", start, -2000*ms, 10*µs, true)
				addCall(1, a, b, start+10*ms, 50*µs, 3*ms, 100*µs)
				addCall(3, b, a, start+20*ms, 70*µs, 3*ms, 80*µs)
				return []*truth{a, b}
			},
			want:   []string{"the others", "by the wall clocks; right to within 60µs, as 2 calls tell"},
			within: 60 * µs, calls: 2,
		},
		{
			name: "calls contradict the wall clocks",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, true), newTruth("b", start, 100*ms, 9*ms, true)
				addCall(1, a, b, start+10*ms, 50*µs, 3*ms, 50*µs)
				addCall(3, a, b, start+20*ms, 500*µs, 3*ms, 300*µs)
				return []*truth{a, b}
			},
			want:   []string{"the others", "by the wall clocks, and moved by -9ms because calls contradict them; right to within 50µs, as 2 calls tell"},
			within: 50 * µs, calls: 2,
		},
		{
			name: "no wall clock, a call",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, false), newTruth("b", start, -300*ms, 0, false)
				addCall(1, a, b, start+10*ms, 50*µs, 3*ms, 90*µs)
				return []*truth{a, b}
			},
			want:   []string{"the others", "by the calls, without a wall clock; right to within 70µs, as 1 call tells"},
			within: 70 * µs, calls: 1,
		},
		{
			name: "a chain, and the first has no calls to the last",
			make: func() []*truth {
				a, b, c := newTruth("a", start, 0, 0, false), newTruth("b", start+1*ms, 50*ms, 0, false), newTruth("c", start+2*ms, -90*ms, 0, false)
				addCall(1, a, b, start+10*ms, 50*µs, 8*ms, 50*µs)
				addCall(5, b, c, start+12*ms, 20*µs, 3*ms, 20*µs)
				return []*truth{a, c, b}
			},
			want: []string{"the others", "by the calls, without a wall clock; right to within 20µs", "by the calls, without a wall clock; right to within 50µs"},
			// Errors add up along the chain.
			within: 70 * µs, calls: 2,
		},
		{
			name: "served for longer than the caller waited",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, true), newTruth("b", start, 0, 0, true)
				addCall(1, a, b, start+10*ms, 50*µs, 3*ms, 50*µs)
				a.span(7, 0, start+20*ms, start+21*ms) // it gave up
				b.span(8, 7, start+20*ms+30*µs, start+40*ms)
				a.span(9, 0, start+50*ms, start+52*ms) // it had the answer before the server was done
				b.span(10, 9, start+51*ms, start+52*ms+200*µs)
				return []*truth{a, b}
			},
			want:   []string{"the others", "by the wall clocks; right to within 50µs, as 3 calls tell; 2 of them served for longer than the caller waited"},
			within: 50 * µs, calls: 3,
		},
		{
			name: "nothing tells",
			make: func() []*truth {
				return []*truth{newTruth("a", start, 0, 0, true), newTruth("b", start, 60*ms, 0, false)}
			},
			want:   []string{"the others", "not known: "},
			within: 0, // they did begin together
		},
		{
			name: "the user tells",
			make: func() []*truth {
				return []*truth{newTruth("a", start, 0, 0, true), newTruth("b", start+12*ms, 60*ms, 500*ms, true)}
			},
			offsets: map[string]time.Duration{"b": 12 * time.Millisecond},
			want:    []string{"the others", "as the user gave it"},
		},
		{
			name: "it began before the first",
			make: func() []*truth {
				return []*truth{newTruth("a", start, 3*ms, 0, true), newTruth("b", start-400*ms, -4000*ms, 0, true)}
			},
			want: []string{"the others", "by the wall clocks"},
		},
		{
			name: "the first has no wall clock",
			make: func() []*truth {
				a, b, c := newTruth("a", start, 0, 0, false), newTruth("b", start, 7*ms, 0, true), newTruth("c", start, 8*ms, 5*µs, true)
				addCall(1, a, b, start+10*ms, 10*µs, 1*ms, 10*µs)
				return []*truth{a, b, c}
			},
			want:   []string{"the others", "by the calls, without", "by the wall clocks"},
			within: 15 * µs, calls: 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := test.make()
			r := Align(programs(list...), test.offsets)
			first := slices.MinFunc(list, func(a, b *truth) int { return int(a.start - a.ahead - b.start + b.ahead) })
			if r.Start != first.start {
				t.Errorf("it starts at %d, want %d", r.Start, first.start)
			}
			for i, p := range list {
				c := &r.Clocks[i]
				if !strings.HasPrefix(c.String(), test.want[i]) {
					t.Errorf("%s: %q, want %q", c.Name, c, test.want[i])
				}
				// What is at one true time is at one time of the common clock.
				off := model.Time(c.Shift) + p.ahead - model.Time(r.Clocks[0].Shift) - list[0].ahead
				if off < -test.within || off > test.within {
					t.Errorf("%s: off by %v, want %v at most", c.Name, time.Duration(off), time.Duration(test.within))
				}
				if p.start+model.Time(c.Shift) < r.Start {
					t.Errorf("%s begins before the common start", c.Name)
				}
			}
			if r.Calls != test.calls {
				t.Errorf("%d calls, want %d", r.Calls, test.calls)
			}
			checkSides(t, r)
		})
	}
}

// checkSides checks that two programs take part in each call.
func checkSides(t *testing.T, r *Result) {
	t.Helper()
	sides := make([]int, r.Calls)
	for _, spans := range r.Spans {
		for _, calls := range spans {
			for _, n := range calls {
				sides[n]++
			}
		}
	}
	for n, count := range sides {
		if count != 2 {
			t.Errorf("call %d has %d sides", n, count)
		}
	}
}

// TestStrange: what spans say may make no sense. Nothing is counted twice, and no error
// is negative.
func TestStrange(t *testing.T) {
	const start = 5000 * ms
	for _, test := range []struct {
		name   string
		make   func() []*truth
		offset time.Duration // of the last, if it is not 0
		want   string        // of the last
		calls  int
	}{
		{
			name: "the same trace twice",
			make: func() []*truth {
				a, b, c := newTruth("a", start, 0, 0, true), newTruth("b", start, 0, 0, true), newTruth("c", start, 0, 0, true)
				addCall(1, a, b, start+10*ms, 50*µs, 3*ms, 50*µs)
				c.spans = slices.Clone(b.spans)
				return []*truth{a, b, c}
			},
			want:  "by the wall clocks; right to within 50µs, as 1 call tells",
			calls: 2,
		},
		{
			name: "a span that is its own parent, and the same trace twice",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, true), newTruth("b", start, 0, 0, true)
				for _, p := range []*truth{a, b} {
					p.span(1, 1, start+ms, start+2*ms)
				}
				return []*truth{a, b}
			},
			want:  "by the wall clocks; right to within 0s, as 1 call tells",
			calls: 1,
		},
		{
			name: "spans that are each other's parents",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, true), newTruth("b", start, 0, 0, true)
				a.span(1, 2, start+1*ms, start+8*ms)
				b.span(2, 1, start+3*ms, start+7*ms)
				return []*truth{a, b}
			},
			want:  "by the wall clocks, and moved by -2ms because calls contradict them; right to within 0s, as 2 calls tell; 1 of them",
			calls: 2,
		},
		{
			name: "the clocks run at different speeds",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, true), newTruth("b", start, 0, 0, true)
				addCall(1, a, b, start+10*ms, -3*ms, 1*ms, 20*ms)
				addCall(3, b, a, start+100*ms, -5*ms, 1*ms, 20*ms)
				return []*truth{a, b}
			},
			want:  "by the wall clocks, and moved by -1ms because calls contradict them; 2 calls contradict each other by 8ms",
			calls: 2,
		},
		{
			name: "of other times",
			make: func() []*truth {
				return []*truth{newTruth("a", start, 0, 0, true), newTruth("b", start+1001*ms, 0, 0, true)}
			},
			want: "by the wall clocks; no calls check these; no other trace is of the same time",
		},
		{
			name: "the user is right",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, true), newTruth("b", start+ms, 100*ms, 9*ms, true)
				addCall(1, a, b, start+10*ms, 50*µs, 3*ms, 50*µs)
				return []*truth{a, b}
			},
			offset: time.Millisecond,
			want:   "as the user gave it; right to within 50µs, as 1 call tells",
			calls:  1,
		},
		{
			name: "the user is wrong",
			make: func() []*truth {
				a, b := newTruth("a", start, 0, 0, true), newTruth("b", start+ms, 100*ms, 9*ms, true)
				addCall(1, a, b, start+10*ms, 50*µs, 3*ms, 50*µs)
				return []*truth{a, b}
			},
			offset: 5 * time.Millisecond,
			want:   "as the user gave it; 1 call contradicts it by 3.95ms",
			calls:  1,
		},
	} {
		list := test.make()
		last := len(list) - 1
		offsets := map[string]time.Duration{}
		if test.offset != 0 {
			offsets[list[last].Name] = test.offset
		}
		r := Align(programs(list...), offsets)
		if got := r.Clocks[last].String(); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if r.Calls != test.calls {
			t.Errorf("%s: %d calls, want %d", test.name, r.Calls, test.calls)
		}
		checkSides(t, r)
		for i := range r.Clocks {
			if c := &r.Clocks[i]; c.Error < 0 || c.Refuted < 0 || c.Contradiction < 0 {
				t.Errorf("%s: %+v", test.name, c)
			}
		}
	}
}

func TestRounded(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		0: 0, 999: 999, 1234: 1240, -1234: -1230, 9e18 + 1: 9.01e18,
	} {
		if got := rounded(d); got != want {
			t.Errorf("%d: %d, want %d", d, got, want)
		}
	}
}

// TestRandom: with calls that take a random time on their way, the true shift is always
// within the reported error, and no server is out of its client by more.
func TestRandom(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		between := func(n model.Time) model.Time { return model.Time(r.Int64N(int64(n))) }
		a := newTruth("a", 5000*ms, 0, 0, r.IntN(2) > 0)
		b := newTruth("b", 5000*ms+between(100*ms), between(900*ms), between(6*ms)-3*ms, r.IntN(2) > 0)
		n := 1 + r.IntN(40)
		for i := range n {
			from, to := a, b
			if r.IntN(3) == 0 {
				from, to = b, a
			}
			addCall(uint64(2*i+1), from, to, 5000*ms+between(900*ms), between(2*ms), between(20*ms), between(2*ms))
		}
		res := Align(programs(a, b), nil)
		c := &res.Clocks[1]
		off := time.Duration(model.Time(c.Shift) + b.ahead - model.Time(res.Clocks[0].Shift) - a.ahead).Abs()
		if c.Calls != n || !c.Bounded || off > c.Error || c.Contradiction != 0 || c.Outlived != 0 {
			t.Errorf("seed %d: off by %v: %+v", seed, off, c)
		}
		for _, p := range []*truth{a, b} {
			for _, s := range p.spans {
				if s.parent == [8]byte{} {
					continue
				}
				other, shift := a, res.Clocks[1].Shift-res.Clocks[0].Shift
				if p == a {
					other, shift = b, -shift
				}
				client := other.spans[slices.IndexFunc(other.spans, func(x span) bool { return x.id == s.parent })]
				if early := client.start - s.start - model.Time(shift); early > model.Time(c.Error) {
					t.Errorf("seed %d: a server begins %d before its client", seed, early)
				}
				if late := s.end + model.Time(shift) - client.end; late > model.Time(c.Error) {
					t.Errorf("seed %d: a server ends %d after its client", seed, late)
				}
			}
		}
	}
}

// TestMany: spans beyond the bound are counted, and time is linear in them.
func TestMany(t *testing.T) {
	a, b := newTruth("a", 5000*ms, 0, 0, true), newTruth("b", 5000*ms, 0, 0, true)
	for i := range uint64(MaxSpans/2 + 10) {
		addCall(2*i+1, a, b, 5000*ms+model.Time(i), 1, 2, 1)
		if i%2 == 0 {
			a.span(1<<60+i, 0, 5000*ms, 5000*ms+1)
			a.span(1<<61+i, 0, 5000*ms, 5000*ms+1)
		}
	}
	r := Align(programs(a, b), nil)
	if len(a.spans) != MaxSpans || r.NotNoted != 20 {
		t.Errorf("%d spans noted, %d not", len(a.spans), r.NotNoted)
	}
	if n := r.Clocks[1].Calls; n < MaxSpans/2-20 {
		t.Errorf("%d calls", n)
	}
}

func TestTime(t *testing.T) {
	a, b := newTruth("a", 5000*ms, 0, 0, false), newTruth("b", 5000*ms, 0, 0, true)
	r := Align(programs(a, b), nil)
	if at, ok := r.Time(time.Unix(1_700_000_000, int64(5100*ms))); !ok || at != 5100*ms {
		t.Errorf("%d, %v", at, ok)
	}
	if _, ok := Align(programs(a), nil).Time(time.Now()); ok {
		t.Error("a time of day from nowhere")
	}
}

func ExampleAlign() {
	a, b := New("gateway"), New("checkout")
	for _, p := range []*Program{a, b} { // as model.Read(ctx, trace, p) does
		p.Begin(&model.Trace{})
		p.End(&model.Summary{End: model.Time(time.Second)})
	}
	r := Align([]*Program{a, b}, map[string]time.Duration{"checkout": 12 * time.Millisecond})
	for i := range r.Clocks {
		fmt.Println(r.Clocks[i].Name, r.Clocks[i].Shift, &r.Clocks[i])
	}
	// Output:
	// gateway 0s the others are aligned to it
	// checkout 12ms as the user gave it
}
