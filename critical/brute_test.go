package critical_test

import (
	"errors"
	"io"
	"slices"
	"sort"
	"strings"

	exptrace "golang.org/x/exp/trace"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// brute finds the units of a trace and their paths with all states in memory,
// straight from what golang.org/x/exp/trace reads.
type brute struct {
	start      exptrace.Time
	now        exptrace.Time
	goroutines map[exptrace.GoID]*bruteG
	tasks      map[exptrace.TaskID]*bruteUnit
	units      []*bruteUnit
	all        []*bruteG
	samples    []bruteSample
}

type bruteSample struct {
	at    exptrace.Time
	g     exptrace.GoID
	stack []exptrace.StackFrame
}

// bruteG is a goroutine: IDs of goroutines of C threads are used again.
type bruteG struct {
	id       exptrace.GoID
	before   bool
	fn       string // "" for one from before the trace
	creator  *bruteG
	creation []exptrace.StackFrame
	states   []*bruteState
	regions  []*bruteUnit
	assists  []bruteAssist
	made     []bruteMade // for goroutines that serve connections
	ended    bool
}

type bruteAssist struct {
	start, end exptrace.Time
	open       bool
	stack      []exptrace.StackFrame
}

// bruteMade is a goroutine that another one made, or woke up, and where.
type bruteMade struct {
	at    exptrace.Time
	fn    string
	stack []exptrace.StackFrame
	made  bool
}

type bruteState struct {
	start, end exptrace.Time
	open       bool
	before     bool
	kind       exptrace.GoState
	reason     string
	stack      []exptrace.StackFrame
	waker      *bruteG
	wakerStack []exptrace.StackFrame
}

type bruteUnit struct {
	kind       critical.Kind
	typ        string
	task       exptrace.TaskID
	began      exptrace.GoID
	g          *bruteG
	start, end exptrace.Time
	stack      []exptrace.StackFrame
}

type bruteSegment struct {
	start, end exptrace.Time
	g          *bruteG // nil if unknown
	kind       exptrace.GoState
	reason     string
	before     bool
	depth      int
	stack      []exptrace.StackFrame
}

func frames(s exptrace.Stack) []exptrace.StackFrame {
	fs := slices.Collect(s.Frames())
	if len(fs) == 1 && fs[0].PC == 0 && fs[0].Func == "" {
		return nil
	}
	return fs
}

// readBrute reads a trace, up to an error if there is one.
func readBrute(r io.Reader) (*brute, error) {
	tr, err := exptrace.NewReader(r)
	if err != nil {
		return nil, err
	}
	b := &brute{goroutines: make(map[exptrace.GoID]*bruteG), tasks: make(map[exptrace.TaskID]*bruteUnit)}
	for n := 0; ; n++ {
		e, err := tr.ReadEvent()
		if errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			if n == 0 {
				b.start = e.Time()
			}
			b.event(&e)
			continue
		}
		for _, g := range b.all {
			if !g.ended {
				last := g.states[len(g.states)-1]
				last.end, last.open = b.now, true
			}
			if g.fn == "net/http.(*conn).serve" {
				b.requests(g)
			}
		}
		return b, err
	}
}

func (b *brute) event(e *exptrace.Event) {
	b.now = e.Time()
	g := b.goroutines[e.Goroutine()]
	switch e.Kind() {
	case exptrace.EventStateTransition:
		if st := e.StateTransition(); st.Resource.Kind == exptrace.ResourceGoroutine {
			b.transition(e, &st, g)
		}
	case exptrace.EventRangeBegin, exptrace.EventRangeActive, exptrace.EventRangeEnd:
		if r := e.Range(); r.Name == "GC mark assist" && r.Scope.Kind == exptrace.ResourceGoroutine {
			b.assist(e, b.goroutines[r.Scope.Goroutine()])
		}
	case exptrace.EventStackSample:
		if fs := frames(e.Stack()); g != nil && fs != nil {
			b.samples = append(b.samples, bruteSample{e.Time(), e.Goroutine(), fs})
		}
	case exptrace.EventTaskBegin:
		t := e.Task()
		b.tasks[t.ID] = &bruteUnit{kind: critical.Task, typ: t.Type, task: t.ID, began: e.Goroutine(), start: e.Time()}
	case exptrace.EventTaskEnd:
		if u := b.tasks[e.Task().ID]; u != nil {
			delete(b.tasks, u.task)
			u.g, u.end, u.stack = g, e.Time(), frames(e.Stack())
			b.units = append(b.units, u)
		}
	case exptrace.EventRegionBegin:
		r := e.Region()
		g.regions = append(g.regions, &bruteUnit{kind: critical.Region, typ: r.Type, task: r.Task, began: g.id, g: g, start: e.Time()})
	case exptrace.EventRegionEnd:
		if n := len(g.regions); n > 0 {
			b.leave(g, e.Time(), frames(e.Stack()))
		}
	}
}

func (b *brute) assist(e *exptrace.Event, g *bruteG) {
	if g == nil {
		return
	}
	n := len(g.assists)
	active := n > 0 && g.assists[n-1].open
	switch {
	case e.Kind() == exptrace.EventRangeBegin:
		g.assists = append(g.assists, bruteAssist{start: e.Time(), open: true, stack: frames(e.Stack())})
	case !active:
		g.assists = append(g.assists, bruteAssist{start: b.start, open: true})
		if e.Kind() == exptrace.EventRangeEnd {
			g.assists[n].end, g.assists[n].open = e.Time(), false
		}
	case e.Kind() == exptrace.EventRangeEnd:
		g.assists[n-1].end, g.assists[n-1].open = e.Time(), false
	}
}

// leave ends the innermost region of a goroutine.
func (b *brute) leave(g *bruteG, t exptrace.Time, stack []exptrace.StackFrame) {
	n := len(g.regions)
	u := g.regions[n-1]
	g.regions = g.regions[:n-1]
	u.end, u.stack = t, stack
	b.units = append(b.units, u)
}

func (b *brute) transition(e *exptrace.Event, st *exptrace.StateTransition, current *bruteG) {
	id := st.Resource.Goroutine()
	from, to := st.Goroutine()
	g, t := b.goroutines[id], e.Time()
	switch {
	case from == exptrace.GoNotExist:
		g = &bruteG{id: id, creator: current, creation: frames(e.Stack())}
		if fs := frames(st.Stack); len(fs) > 0 {
			g.fn = fs[0].Func
		}
		g.states = append(g.states, &bruteState{start: t, kind: to})
		b.goroutines[id] = g
		b.all = append(b.all, g)
		if current != nil {
			current.made = append(current.made, bruteMade{t, g.fn, g.creation, true})
		}
		return
	case g == nil:
		if to == exptrace.GoNotExist {
			return
		}
		g = &bruteG{id: id, before: true}
		if fs := frames(st.Stack); len(fs) > 0 && len(fs) < 128 {
			g.fn = fs[len(fs)-1].Func
		}
		g.states = append(g.states, &bruteState{start: b.start, before: true, kind: to, reason: "?", stack: frames(st.Stack)})
		b.goroutines[id] = g
		b.all = append(b.all, g)
		return
	case from == exptrace.GoUndetermined || from == to:
		return
	}
	if fs := frames(st.Stack); g.fn == "" && len(fs) > 0 && len(fs) < 128 {
		g.fn = fs[len(fs)-1].Func
	}
	last := g.states[len(g.states)-1]
	last.end = t
	if from == exptrace.GoWaiting && to == exptrace.GoRunnable && current != nil && current != g {
		last.waker, last.wakerStack = current, frames(e.Stack())
		current.made = append(current.made, bruteMade{t, "", last.wakerStack, false})
	}
	if to == exptrace.GoNotExist {
		for len(g.regions) > 0 {
			b.leave(g, t, nil)
		}
		g.ended = true
		delete(b.goroutines, id)
		if !g.before && !strings.HasPrefix(g.fn, "runtime.") {
			b.units = append(b.units, &bruteUnit{kind: critical.GoroutineLife, typ: g.fn, began: id, g: g, start: g.states[0].start, end: t})
		}
		return
	}
	next := &bruteState{start: t, kind: to}
	if from == exptrace.GoRunning {
		next.reason, next.stack = st.Reason, frames(st.Stack)
	}
	g.states = append(g.states, next)
}

// requests finds the HTTP requests that a goroutine handled.
func (b *brute) requests(g *bruteG) {
	// What happened, in order: reads with and without a wait, and signs of a request.
	type what struct {
		at, end   exptrace.Time
		stack     []exptrace.StackFrame
		doing     string
		wait      bool
		open      bool
		handler   string
		fromBelow int
	}
	look := func(w what, fs []exptrace.StackFrame) what {
		w.stack = fs
		n := len(fs)
		if n == 0 {
			return w
		}
		if fs[n-1].Func != "net/http.(*conn).serve" {
			w.doing = "handling"
			return w
		}
		if n == 1 {
			return w
		}
		switch fs[n-2].Func {
		case "bufio.(*Reader).Peek", "net/http.(*conn).readRequest", "crypto/tls.(*Conn).HandshakeContext":
			w.doing = "reading"
		case "net/http.(*response).finishRequest", "net/http.(*connReader).startBackgroundRead":
			w.doing = "handling"
		case "net/http.serverHandler.ServeHTTP":
			w.doing = "handling"
			for i := n - 2; i > 0; i-- {
				f := fs[i].Func
				if strings.HasPrefix(f, "net/http.") && strings.HasSuffix(f, ".ServeHTTP") && !strings.HasPrefix(fs[i-1].Func, "net/http.") &&
					(strings.Contains(f, "HandlerFunc") || strings.Contains(f, "ServeMux") || strings.Contains(f, "serverHandler")) {
					w.handler, w.fromBelow = fs[i-1].Func, n-i
				}
			}
		}
		return w
	}
	var all []what
	for _, s := range g.states {
		all = append(all, look(what{at: s.start, end: s.end, open: s.open, wait: s.kind == exptrace.GoWaiting && (s.reason == "network" || s.reason == "?")}, s.stack))
	}
	for _, m := range g.made {
		w := look(what{at: m.at, end: m.at}, m.stack)
		if m.fn == "net/http.(*connReader).backgroundRead" {
			w.doing = "handling"
		}
		all = append(all, w)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at < all[j].at })

	from, known := g.states[0].start, !g.before
	handled, handler, depth := false, "", 0
	var read *what // without a wait
	end := func(t exptrace.Time, stack []exptrace.StackFrame, complete bool) {
		if complete && known {
			b.units = append(b.units, &bruteUnit{kind: critical.HTTP, typ: handler, began: g.id, g: g, start: from, end: t, stack: stack})
		}
		handled, handler, depth, read = false, "", 0, nil
	}
	for i := range all {
		w := &all[i]
		switch {
		case w.doing == "handling":
			if read != nil {
				at := read.at
				end(at, read.stack, true)
				from, known = at, true
			}
			handled = true
			if w.handler != "" && w.fromBelow > depth {
				handler, depth = w.handler, w.fromBelow
			}
		case w.doing == "reading" && w.wait:
			if handled {
				end(w.at, w.stack, true)
			}
			from, known, read = w.end, !w.open, nil
		case w.doing == "reading" && handled && read == nil:
			read = w
		}
	}
	switch {
	case !handled:
	case read != nil:
		end(read.at, read.stack, true)
	default:
		end(g.states[len(g.states)-1].end, nil, g.ended)
	}
}

// path is the critical path of a unit, the newest segment first.
func (b *brute) path(u *bruteUnit) []bruteSegment {
	if u.g == nil {
		return []bruteSegment{{start: u.start, end: u.end}}
	}
	var out []bruteSegment
	b.walk(&out, u.g, u.end, u.start, u.stack, 0)
	return out
}

// walk is the definition: what did g do just before t?
func (b *brute) walk(out *[]bruteSegment, g *bruteG, t, floor exptrace.Time, stopped []exptrace.StackFrame, depth int) {
	for t > floor {
		i := sort.Search(len(g.states), func(i int) bool { return g.states[i].start >= t }) - 1
		if i < 0 {
			if g.creator == nil {
				*out = append(*out, bruteSegment{start: floor, end: t, depth: depth})
				return
			}
			stopped, g = g.creation, g.creator
			continue
		}
		s := g.states[i]
		start := max(s.start, floor)
		if s.kind == exptrace.GoWaiting && s.waker != nil {
			b.walk(out, s.waker, t, start, s.wakerStack, depth+1)
		} else {
			seg := bruteSegment{start: start, end: t, g: g, kind: s.kind, reason: s.reason, before: s.before, depth: depth, stack: g.place(i, stopped)}
			if s.kind == exptrace.GoRunning {
				g.splitAssists(out, seg, s)
			} else {
				*out = append(*out, seg)
			}
		}
		t, stopped = start, s.stack
	}
}

// samplesIn has the samples that were taken in a segment.
func (b *brute) samplesIn(seg bruteSegment) (in []bruteSample) {
	for _, s := range b.samples {
		if seg.g != nil && seg.kind == exptrace.GoRunning && s.g == seg.g.id && s.at >= seg.start && s.at < seg.end {
			in = append(in, s)
		}
	}
	return in
}

// splitAssists adds a segment in which a goroutine ran, those parts apart in which
// it assisted the garbage collector.
func (g *bruteG) splitAssists(out *[]bruteSegment, seg bruteSegment, s *bruteState) {
	for i := len(g.assists) - 1; i >= 0; i-- {
		a := g.assists[i]
		if a.open || a.end > s.end && !s.open {
			a.end = s.end
			a.stack = nil // it goes on after this state
		}
		if a.start >= seg.end || a.end <= seg.start || a.end <= a.start {
			continue
		}
		if a.end < seg.end {
			rest := seg
			rest.start = a.end
			*out = append(*out, rest)
			seg.end = a.end
		}
		part := seg
		part.start, part.reason = max(a.start, seg.start), "GC mark assist"
		if a.stack != nil {
			part.stack = a.stack
		}
		*out = append(*out, part)
		seg.end = part.start
		if a.stack != nil {
			seg.stack = a.stack
		}
	}
	if seg.start < seg.end {
		*out = append(*out, seg)
	}
}

// place returns where a goroutine was in its state i, and stopped at the end of it.
func (g *bruteG) place(i int, stopped []exptrace.StackFrame) []exptrace.StackFrame {
	if g.states[i].kind == exptrace.GoRunning && stopped != nil {
		return stopped
	}
	for ; i >= 0; i-- {
		if stack := g.states[i].stack; stack != nil {
			return stack
		}
	}
	return g.creation
}

// kind of a state as the model has it.
var modelKinds = map[exptrace.GoState]model.StateKind{
	exptrace.GoNotExist: model.Unknown, exptrace.GoUndetermined: model.Unknown, exptrace.GoRunnable: model.Runnable,
	exptrace.GoRunning: model.Running, exptrace.GoWaiting: model.Waiting, exptrace.GoSyscall: model.Syscall,
}
