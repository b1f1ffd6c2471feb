package model

import (
	"fmt"
	"testing"

	exptrace "golang.org/x/exp/trace"
)

func TestRegions(t *testing.T) {
	region := func(f *feed, kind exptrace.EventKind, at on, typ string) {
		emit(f, kind, at, exptrace.Region{Task: exptrace.BackgroundTask, Type: typ}, exptrace.NoStack)
	}
	begin := func(f *feed, at on, typ string) { region(f, exptrace.EventRegionBegin, at, typ) }
	end := func(f *feed, at on, typ string) { region(f, exptrace.EventRegionEnd, at, typ) }
	tests := []struct {
		name string
		// G1 is from before the trace, and so is G2 with G3, which it began.
		feed   func(f *feed, main, young on)
		want   []string
		misuse map[string]int
	}{
		{
			name: "nest, and one is from before the trace",
			feed: func(f *feed, main, young on) {
				end(f, main, "old")
				begin(f, main, "outer")
				begin(f, main, "inner")
				end(f, main, "inner")
				begin(f, main, "")
				end(f, main, "")
				end(f, main, "outer")
			},
			want: []string{
				"region G1 old at 10 task 0 false", "region-end G1 old <10-60",
				"region G1 outer at 70 task 0 false", "region G1 inner at 80 task 0 false", "region-end G1 inner 80-90",
				"region G1  at 100 task 0 false", "region-end G1  100-110", "region-end G1 outer 70-120",
			},
		},
		{
			name: "overlap",
			feed: func(f *feed, main, young on) {
				begin(f, main, "a")
				begin(f, main, "b")
				end(f, main, "a")
				begin(f, main, "c")
				end(f, main, "b")
				end(f, main, "c")
				begin(f, main, "d")
				end(f, main, "d")
			},
			want: []string{
				"region G1 a at 60 task 0 false", "region G1 b at 70 task 0 false", "region-end G1 a 60-80",
				"region G1 c at 90 task 0 false", "region-end G1 b 70-100", "region-end G1 c 90-110",
				"region G1 d at 120 task 0 false", "region-end G1 d 120-130",
			},
			misuse: map[string]int{"region ended that is not the innermost one": 2},
		},
		{
			name: "of the same name: the innermost ends",
			feed: func(f *feed, main, young on) {
				begin(f, main, "a")
				begin(f, main, "b")
				begin(f, main, "a")
				begin(f, main, "b")
				end(f, main, "a")
				end(f, main, "a")
				end(f, main, "b")
				end(f, main, "b")
			},
			want: []string{
				"region G1 a at 60 task 0 false", "region G1 b at 70 task 0 false", "region G1 a at 80 task 0 false",
				"region G1 b at 90 task 0 false", "region-end G1 a 80-100", "region-end G1 a 60-110",
				"region-end G1 b 90-120", "region-end G1 b 70-130",
			},
			misuse: map[string]int{"region ended that is not the innermost one": 2},
		},
		{
			name: "ends on another goroutine",
			feed: func(f *feed, main, young on) {
				begin(f, main, "a")
				end(f, young, "a")
				begin(f, main, "b")
				end(f, main, "b")
			},
			want: []string{
				"region G1 a at 60 task 0 false", "region-end G1 a 60-70", "region G1 b at 80 task 0 false", "region-end G1 b 80-90",
			},
			misuse: map[string]int{"region ended on another goroutine": 1},
		},
		{
			name: "ends on another goroutine, and is one of several",
			feed: func(f *feed, main, young on) {
				begin(f, main, "a")
				begin(f, main, "a")
				end(f, young, "a")
				end(f, main, "a")
				end(f, main, "a")
			},
			want: []string{
				"region G1 a at 60 task 0 false", "region G1 a at 70 task 0 false", "region-end G1 a 70-90", "region-end G1 a 60-100",
			},
			misuse: map[string]int{"region ended on another goroutine, nobody knows which of several": 1},
		},
		{
			name: "ends without a beginning",
			feed: func(f *feed, main, young on) {
				end(f, young, "a")
				begin(f, young, "b")
				end(f, young, "a")
				end(f, young, "b")
			},
			want:   []string{"region G3 b at 70 task 0 false", "region-end G3 b 70-90"},
			misuse: map[string]int{"region ended that has not begun": 2},
		},
		{
			name: "is never ended, and that of no goroutine is lost",
			feed: func(f *feed, main, young on) {
				begin(f, young, "a")
				begin(f, nowhere, "lost")
				f.goroutine(young, 3, exptrace.GoRunning, exptrace.GoNotExist, "")
			},
			want: []string{
				"region G3 a at 60 task 0 false", "G3 running 50-80", "run P1 G3 50-80", "region-end G3 a 60-80", "end G3 ",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t)
			main := f.begin()
			f.goroutine(main, 3, exptrace.GoNotExist, exptrace.GoRunnable, "")      // 40
			f.goroutine(idle(1, 2), 3, exptrace.GoRunnable, exptrace.GoRunning, "") // 50
			f.sink.got = nil
			tt.feed(f, main, on{3, 1, 2})
			f.want(tt.want...)
			f.wantMisuse(tt.misuse)
			f.wantInconsistent()
		})
	}
}

// Finding the region that ends takes no longer the more are open, and those that
// have ended are forgotten, in whatever order a program ends them.
func TestRegionsOutOfOrder(t *testing.T) {
	const n = 2000
	region := func(f *feed, kind exptrace.EventKind, at on, typ string) {
		emit(f, kind, at, exptrace.Region{Task: exptrace.BackgroundTask, Type: typ}, exptrace.NoStack)
	}
	f := newFeed(t)
	main := f.begin()
	for i := range n {
		region(f, exptrace.EventRegionBegin, main, fmt.Sprint(i))
	}
	for i := range n { // the outermost first
		region(f, exptrace.EventRegionEnd, main, fmt.Sprint(i))
	}
	g := f.b.find(1)
	if g.outOfOrder != nil || len(g.regions) > 0 || len(f.b.openRegions) > 0 {
		t.Errorf("%d regions, %d kinds of them are remembered, none is open", len(g.regions), len(f.b.openRegions))
	}
	f.wantMisuse(map[string]int{"region ended that is not the innermost one": n - 1})
	// For ever two that overlap: there is always one open.
	region(f, exptrace.EventRegionBegin, main, "0")
	for i := range n {
		region(f, exptrace.EventRegionBegin, main, fmt.Sprint(i+1))
		region(f, exptrace.EventRegionEnd, main, fmt.Sprint(i))
	}
	if len(f.b.openRegions) != 2 || len(g.regions) > 2 || len(g.outOfOrder.freeDepths) > 1 {
		t.Errorf("%d kinds of regions, %d regions and %d depths are remembered, one is open", len(f.b.openRegions), len(g.regions), len(g.outOfOrder.freeDepths))
	}
}
