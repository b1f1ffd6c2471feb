package pprof

import (
	"cmp"
	"container/heap"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/model"
)

// CriticalOptions choose the units of work whose critical paths a profile has.
type CriticalOptions struct {
	// Unit is the kinds of units. If it is empty, the other options choose: tasks if
	// they limit tasks, regions if they limit regions, and lives of goroutines if
	// they limit start functions. Otherwise it is the first of critical.AllKinds that
	// the trace has.
	Unit critical.Kinds
	// Slowest limits the profile to the slowest units of each type: to this many
	// percent, up to 100, and to one at least. 0 is no limit.
	Slowest float64
}

// MaxTail is the largest number of units of a type that are kept to find the slowest
// ones. It is lower for traces with very many types or very long paths.
const MaxTail = 4096

// maxTailParts bounds the memory of the units that are kept: the sum of their kinds of
// segments.
const maxTailParts = 1 << 20

// maxChain is the largest number of goroutines, each waiting for the next, below a
// stack. The outermost ones are kept, which say most about the unit. Without a limit,
// the profile of a long chain grows with the square of its length.
const maxChain = 8

// CriticalStats says which units a profile of critical paths has.
type CriticalStats struct {
	// Unit is the kind of the units, none if there are no units.
	Unit critical.Kinds
	// Units is the number of units in the profile. Missing is the number of units
	// that Options.Slowest asks for and that were not kept.
	Units, Missing int64
}

// CriticalCollector is a [model.Sink] that adds up the critical paths of units of
// work, see package critical. The values of a sample are the number of segments of
// paths, and their time in ns. The times add up to exactly the latencies of the units.
//
// The stack of a segment is where the goroutine waited, made a system call or was
// preempted; if it ran, where it stopped; and the start function if the trace has no
// stack. Below it are the stacks of the goroutines that waited for this one, the unit's
// own outermost. The labels are
//
//   - "unit": the type of the unit;
//   - "state" and "reason";
//   - "func": the start function of the goroutine;
//   - "own": whether the goroutine began or ended the unit;
//   - "trace_id" and "span_id", for the slowest units that are spans: a hundredth of
//     their type, or as many as Slowest says, or with Options.Spans as many as are kept.
type CriticalCollector struct {
	model.Sink // both of these
	finder     *critical.Finder
	extent     extent

	opts    Options
	spans   map[model.TaskID]*model.SpanContext // of open tasks, by Options.Spans
	types   map[unitType]*units
	reasons names
	funcs   names
	chains  numbering[chain] // 0 is no wait
	keys    numbering[pathKey]
	limit   int // of units.slow
	kept    int // parts of all units.slow
	most    int // units in one of units.slow, at most

	// Memory for the current unit, used again for the next one: its waits as chains,
	// and its segments by key.
	at    []int32
	depth []int32
	parts []value // by key; none has 0
	used  []int32
}

var _ Profiler = (*CriticalCollector)(nil)

type unitType struct {
	kind critical.Kind
	name string
}

func (a unitType) compare(b unitType) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
}

// units is all units of a type.
type units struct {
	count int64
	all   map[int32]*value // by key
	slow  slowUnits
}

// chain is a wait on a path, and the waits around it.
type chain struct {
	outer int32
	stack *model.Stack // nil if unknown
	fn    int32        // of the goroutine that waited
	more  bool         // it stands for all waits within the outer one
}

// pathKey is what segments are added up by.
type pathKey struct {
	chain, reason, fn int32
	state             model.StateKind
	own               bool
	stack             *model.Stack // nil if unknown
}

// slowUnit is a unit that may be one of the slowest.
type slowUnit struct {
	duration model.Time
	n        int64 // its number in its type: of two equally slow ones, the first counts as slower
	span     *model.SpanContext
	parts    []keyValue
}

type keyValue struct {
	key int32
	value
}

// slowUnits is a heap, with the fastest one first.
type slowUnits []slowUnit

func (s slowUnits) Len() int           { return len(s) }
func (s slowUnits) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s slowUnits) Less(i, j int) bool { return bySlowness(s[i], s[j]) > 0 }
func (s *slowUnits) Push(x any)        { *s = append(*s, x.(slowUnit)) }
func (s *slowUnits) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	(*s)[last] = slowUnit{}
	*s = (*s)[:last]
	return x
}

// bySlowness compares units so that the slowest comes first.
func bySlowness(a, b slowUnit) int {
	return cmp.Or(cmp.Compare(b.duration, a.duration), cmp.Compare(a.n, b.n))
}

// NewCriticalCollector returns a collector of the profile that opts describe.
func NewCriticalCollector(opts Options) *CriticalCollector {
	c := &CriticalCollector{
		opts:  opts,
		spans: make(map[model.TaskID]*model.SpanContext),
		types: make(map[unitType]*units),
		limit: MaxTail,
		parts: make([]value, 1),
	}
	c.opts.Unit = opts.unit()
	// Options.Spans knows a task only until that ends.
	c.finder = critical.NewFinder(critical.Options{Kinds: c.opts.Unit, Aside: opts.Spans == nil}, c.found)
	c.Sink = model.Tee(&c.extent, c.finder)
	return c
}

// unit returns the kinds of units that the options ask for, none for the first kind that
// the trace has.
func (o *Options) unit() critical.Kinds {
	switch {
	case o.Unit != 0:
		return o.Unit
	case o.ByTask():
		return critical.KindsOf(critical.Task)
	case o.Region != nil:
		return critical.KindsOf(critical.Region)
	case o.Func != nil:
		return critical.KindsOf(critical.GoroutineLife)
	}
	return 0
}

// wants reports whether the options ask for a unit.
func (o *Options) wants(u *critical.Unit) bool {
	if o.Goroutines != nil && !slices.Contains(o.Goroutines, u.Goroutine) {
		return false
	}
	if o.ByTask() && (u.Kind != critical.Task ||
		o.TaskID != model.BackgroundTask && u.Task != o.TaskID ||
		o.Task != nil && !o.Task.MatchString(u.Type) ||
		o.TraceID != [16]byte{} && (u.Span == nil || u.Span.TraceID != o.TraceID)) {
		return false
	}
	if o.Region != nil && (u.Kind != critical.Region || !o.Region.MatchString(u.Type)) {
		return false
	}
	return o.Func == nil || u.Func != "" && o.Func.MatchString(u.Func)
}

// found adds a unit up, in another goroutine unless Options.Spans is set.
func (c *CriticalCollector) found(u *critical.Unit) {
	if u.Cut || !c.opts.wants(u) {
		return
	}
	t := c.types[unitType{u.Kind, u.Type}]
	if t == nil {
		t = &units{all: make(map[int32]*value)}
		c.types[unitType{u.Kind, u.Type}] = t
	}
	t.count++
	c.split(u.Path(0))
	for _, k := range c.used {
		sum := t.all[k]
		if sum == nil {
			sum = &value{}
			t.all[k] = sum
		}
		sum.count += c.parts[k].count
		sum.time += c.parts[k].time
	}
	c.remember(t, u)
	for _, k := range c.used {
		c.parts[k] = value{}
	}
	c.used = c.used[:0]
}

// split adds a path up by key.
func (c *CriticalCollector) split(p *critical.Path) {
	c.at, c.depth = c.at[:0], c.depth[:0]
	for i := range p.Waits {
		w := &p.Waits[i]
		var outer, depth int32
		if w.Wait >= 0 {
			outer, depth = c.at[w.Wait], c.depth[w.Wait]
		}
		x := chain{outer: outer, stack: w.Stack, fn: c.funcs.id(w.Func)}
		switch {
		case depth > maxChain:
			c.at, c.depth = append(c.at, outer), append(c.depth, depth)
			continue
		case depth == maxChain:
			x = chain{outer: outer, more: true}
		}
		c.at, c.depth = append(c.at, c.chains.id(x)), append(c.depth, depth+1)
	}
	for i := range p.Segments {
		s := &p.Segments[i]
		k := pathKey{reason: c.reasons.id(s.Reason), fn: c.funcs.id(s.Func), state: s.State, own: s.Own, stack: s.Stack}
		if s.Wait >= 0 {
			k.chain = c.at[s.Wait]
		}
		id := c.keys.id(k)
		if int(id) == len(c.parts) {
			c.parts = append(c.parts, value{})
		}
		if c.parts[id].count == 0 {
			c.used = append(c.used, id)
		}
		c.parts[id].count++
		c.parts[id].time += int64(s.End - s.Start)
	}
}

// TaskStart implements [model.Sink].
func (c *CriticalCollector) TaskStart(t *model.Task) {
	if c.opts.Spans != nil {
		if s := c.opts.Spans.Task(t); s != nil {
			c.spans[t.ID] = s
		}
	}
	c.Sink.TaskStart(t)
}

// TaskEnd implements [model.Sink].
func (c *CriticalCollector) TaskEnd(t *model.Task) {
	c.Sink.TaskEnd(t)
	delete(c.spans, t.ID)
}

// spanOf returns the span that a unit is, nil for none.
func (c *CriticalCollector) spanOf(u *critical.Unit) *model.SpanContext {
	if c.opts.Spans == nil || u.Kind != critical.Task {
		return u.Span
	}
	if s := c.spans[u.Task]; s != nil && *s != (model.SpanContext{}) {
		return s
	}
	return nil
}

// remember keeps the parts of a unit as long as it may be one of the slowest.
func (c *CriticalCollector) remember(t *units, u *critical.Unit) {
	span := c.spanOf(u)
	if c.opts.Slowest == 0 && span == nil {
		return // only spans get labels
	}
	x := slowUnit{duration: u.End - u.Start, n: t.count, span: span}
	if len(t.slow) >= c.limit {
		if bySlowness(x, t.slow[0]) > 0 {
			return
		}
		c.forget(t)
	}
	x.parts = make([]keyValue, len(c.used))
	for i, k := range c.used {
		x.parts[i] = keyValue{k, c.parts[k]}
	}
	c.kept += len(x.parts)
	heap.Push(&t.slow, x)
	c.most = max(c.most, len(t.slow))
	for c.kept > maxTailParts && c.limit > 1 {
		c.limit /= 2
		for _, t := range c.types {
			for len(t.slow) > c.limit {
				c.forget(t)
			}
		}
	}
}

// forget drops the fastest unit of those that are kept of a type.
func (c *CriticalCollector) forget(t *units) {
	c.kept -= len(heap.Pop(&t.slow).(slowUnit).parts)
}

// kindsOfUnits returns the kinds of the units that the profile has.
func (c *CriticalCollector) kindsOfUnits() (kinds critical.Kinds) {
	if c.opts.Unit != 0 {
		return c.opts.Unit
	}
	for _, k := range critical.AllKinds {
		for t, x := range c.types {
			if t.kind == k && k.Enough(x.count) {
				return critical.KindsOf(k)
			}
		}
	}
	return 0
}

// tail returns the slowest units of a type, the slowest first, and how many of them the
// trace has.
func (c *CriticalCollector) tail(t *units) (tail slowUnits, count int64) {
	percent := c.opts.Slowest
	switch {
	case percent == 0 && c.opts.Spans == nil:
		percent = 1 // the units that have labels
	case percent == 0:
		percent = 100
	}
	count = min(int64(math.Ceil(float64(t.count)*percent/100)), t.count)
	tail = slices.SortedFunc(slices.Values(t.slow), bySlowness)
	return tail[:min(count, int64(len(tail)))], count
}

// pathSample is a sample before it is encoded.
type pathSample struct {
	keyValue
	unit string
	span *model.SpanContext // nil for all of a type together
}

// samples returns what the profile has, always in the same order.
func (c *CriticalCollector) samples() (out []pathSample, stats CriticalStats) {
	kinds := c.kindsOfUnits()
	types := slices.SortedFunc(maps.Keys(c.types), unitType.compare)
	for _, key := range types {
		t := c.types[key]
		if !kinds.Has(key.kind) || !key.kind.Enough(t.count) {
			continue
		}
		stats.Unit |= critical.KindsOf(key.kind)
		tail, count := c.tail(t)
		rest := make(map[int32]value) // without a span of their own
		switch {
		case c.opts.Slowest == 0:
			stats.Units += t.count
			for k, v := range t.all {
				rest[k] = *v
			}
		default:
			stats.Units += int64(len(tail))
			stats.Missing += count - int64(len(tail))
		}
		for _, u := range tail {
			for _, p := range u.parts {
				v := rest[p.key]
				if u.span == nil { // there is a limit, else it is not kept
					rest[p.key] = value{v.count + p.count, v.time + p.time}
					continue
				}
				if c.opts.Slowest == 0 {
					rest[p.key] = value{v.count - p.count, v.time - p.time}
				}
				out = append(out, pathSample{p, key.name, u.span})
			}
		}
		for _, k := range slices.Sorted(maps.Keys(rest)) {
			if v := rest[k]; v.count > 0 {
				out = append(out, pathSample{keyValue{k, v}, key.name, nil})
			}
		}
	}
	return out, stats
}

// Stats returns what the profile has. It is complete when the trace has ended.
func (c *CriticalCollector) Stats() (s Stats) {
	samples, critical := c.samples()
	s.CriticalStats = critical
	type stack struct {
		chain int32
		stack *model.Stack
		start int32
	}
	stacks := make(map[stack]bool)
	for _, x := range samples {
		k := c.keys.value(x.key)
		at := stack{k.chain, k.stack, 0}
		if k.stack == nil {
			at.start = k.fn
		}
		stacks[at] = true
		s.Count += x.count
		s.Time += x.time
	}
	s.Stacks = len(stacks)
	return s
}

// Len returns how many samples Flush would return.
func (c *CriticalCollector) Len() int {
	if c.opts.Spans == nil || c.opts.Slowest != 0 {
		return 0
	}
	return c.kept
}

// Full reports whether tasks of a type would be forgotten if more of them ended before
// Flush is called.
func (c *CriticalCollector) Full() bool { return c.opts.Spans != nil && c.most >= c.limit }

// Flush returns the profile of the tasks that are spans and have ended since the last
// call, and forgets them. The rest is in Profile, when the trace has ended. It is for
// Options.Spans without Options.Slowest: with it, no task has to be forgotten.
func (c *CriticalCollector) Flush() *profile.Profile {
	var out []pathSample
	types := slices.SortedFunc(maps.Keys(c.types), unitType.compare)
	for _, key := range types {
		t := c.types[key]
		if key.kind == critical.Task { // of other kinds, none may count in the end
			for _, u := range slices.SortedFunc(slices.Values(t.slow), bySlowness) {
				for _, p := range u.parts {
					all := t.all[p.key]
					all.count -= p.count
					all.time -= p.time
					out = append(out, pathSample{p, key.name, u.span})
				}
			}
		}
		t.slow = nil
	}
	c.kept, c.most = 0, 0
	return c.encode(out)
}

// Profile returns the profile of what has been read and not flushed, as
// [Collector.Profile] does.
func (c *CriticalCollector) Profile() *profile.Profile {
	samples, _ := c.samples()
	return c.encode(samples)
}

func (c *CriticalCollector) encode(samples []pathSample) *profile.Profile {
	e := newEncoder(c.opts.Type, &c.extent)
	for _, x := range samples {
		k := c.keys.value(x.key)
		s := &profile.Sample{Value: []int64{x.count, x.time}, Label: map[string][]string{
			"state": {k.state.String()},
			"own":   {strconv.FormatBool(k.own)},
		}}
		label := func(name, value string) {
			if value != "" {
				s.Label[name] = []string{value}
			}
		}
		label("unit", x.unit)
		label("reason", c.reasons.value(k.reason))
		label("func", c.funcs.value(k.fn))
		labelSpan(s, x.span)
		switch {
		case k.stack != nil:
			s.Location = e.stack(nil, k.stack)
		case k.state == model.Unknown:
			s.Location = append(s.Location, e.start("("+c.reasons.value(k.reason)+")"))
		default:
			s.Location = append(s.Location, e.start(c.funcs.value(k.fn)))
		}
		for w := k.chain; w != 0; w = c.chains.value(w).outer {
			switch x := c.chains.value(w); {
			case x.more:
				s.Location = append(s.Location, e.start("(more goroutines that waited)"))
			case x.stack != nil:
				s.Location = e.stack(s.Location, x.stack)
			default:
				s.Location = append(s.Location, e.start(c.funcs.value(x.fn)))
			}
		}
		e.p.Sample = append(e.p.Sample, s)
	}
	return e.p
}
