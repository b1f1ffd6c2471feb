package critical

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trace2x/trace2x/internal/histogram"
	"github.com/trace2x/trace2x/model"
)

// SumOptions say what to sum up.
type SumOptions struct {
	Options
	// Slowest is the number of the slowest units of each type whose paths are kept; 0
	// for 10, negative for none. If the paths of all types together are very long,
	// fewer are kept; if there are also very many types, some types have none.
	Slowest int
	// Only says which units count, also among those that are Cut; nil for all.
	Only func(*Unit) bool
	// Each is called for each unit that counts, also for those that are Cut, in the order
	// of the ends; nil for none. With Aside, that is on another goroutine, and the last
	// call returns before Report does.
	Each func(*Unit)
	// Keep says which other units' paths are kept; nil for none. Their number is not
	// bounded.
	Keep func(*Unit) bool
}

// Sums is a [model.Sink] that sums up the critical paths of a trace.
type Sums struct {
	*Finder
	opts  SumOptions
	types map[typeKey]*typ

	kinds  map[segmentKey]int32
	keys   []segmentKey
	places places
	recent [256]recentKind

	// sums has all units by kind of segment, parts the current unit. touched has the
	// kinds that the current one has.
	sums    []sum
	parts   []part
	touched []int32

	// placeStacks are the numbers of stacks that stand for the places of other traces.
	placeStacks map[place]int32

	kept   []Kept
	limit  int // of typ.slow
	weight int // of all typ.slow
	// slowest is the limit of typ.paths. paths is the number of segments and waits in
	// all of them, maxPaths its limit.
	slowest, paths, maxPaths int
	stats                    Stats
}

// MaxTail is the largest number of units in the tail of a type. It is lower for
// traces with very many types.
const MaxTail = 4096

// maxWeight bounds the memory of all tails, in parts.
const maxWeight = 1 << 19

// maxPaths bounds the memory of the paths of the slowest units of all types: the number
// of segments and waits, of some 140 bytes.
const maxPaths = 1 << 18

// MaxSegments is the largest number of segments of a path that is kept: the newest
// ones, and one with the reason [LeftOut] in place of the others.
const MaxSegments = 1000

// MinLives is the number of goroutines with a start function that must have ended for
// their lives to be units.
const MinLives = 20

// PercentileError is the largest relative error of a percentile.
const PercentileError = histogram.MaxError

// Bucket is a number of units with about one latency, which is off by a relative
// [PercentileError] at most.
type Bucket = histogram.Bucket

// Stats says how much the paths tell.
type Stats struct {
	// Units is the number of complete units. CutOff is the number of those whose path
	// begins before what is kept, and CutOffTime the time that their paths miss.
	Units, CutOff int64
	CutOffTime    time.Duration
}

// Kept is a unit whose path is kept.
type Kept struct {
	Unit
	Path *Path
}

type typeKey struct {
	kind Kind
	name string
}

// typ is all units of a type.
type typ struct {
	typeKey
	id         int32
	count, cut int64
	total      model.Time
	longest    model.Time
	latency    histogram.Histogram
	kinds      []int32 // of segments
	slow       slow    // candidates for the tail, which is known at the end
	paths      []Kept
	noPaths    bool // there is no room for paths
}

// segmentKey is what time on paths is added up by.
type segmentKey struct {
	typ       int32
	place, fn int32
	reason    uint16
	state     model.StateKind
	own       bool
}

type recentKind struct {
	key   segmentKey
	kind  int32
	known bool
}

// part is the share of one kind of segment in a unit.
type part struct {
	kind int32
	ns   model.Time
	via  via
}

// sum is the share of one kind of segment in many units.
type sum struct {
	ns    model.Time
	units int64
	via   via
}

// via is the longest segment of a kind, and the wait of the unit's own goroutine around
// it.
type via struct {
	ns     model.Time
	stack  int32
	reason uint16 // 0 for none
}

func (v *via) add(o via) {
	if o.ns > v.ns {
		*v = o
	}
}

// NewSums returns a sink that sums up a whole trace.
func NewSums(opts SumOptions) *Sums {
	if opts.Slowest == 0 {
		opts.Slowest = 10
	}
	s := &Sums{opts: opts, types: make(map[typeKey]*typ), kinds: make(map[segmentKey]int32), limit: MaxTail, slowest: opts.Slowest, maxPaths: maxPaths}
	s.Finder = NewFinder(opts.Options, s.add)
	return s
}

// add counts a unit.
func (s *Sums) add(u *Unit) {
	if s.opts.Only != nil && !s.opts.Only(u) {
		return
	}
	if s.opts.Each != nil {
		s.opts.Each(u)
	}
	key := typeKey{u.Kind, u.Type}
	t := s.typ(key)
	if u.Cut {
		t.cut++
		return
	}
	d := u.End - u.Start
	t.count++
	t.total += d
	t.longest = max(t.longest, d)
	t.latency.Add(d)

	s.split(t, u)
	for _, k := range s.touched {
		p, x := &s.parts[k], &s.sums[k]
		x.ns += p.ns
		x.units++
		x.via.add(p.via)
	}
	s.remember(t, u)
	s.keep(t, u)
	for _, k := range s.touched {
		s.parts[k] = part{}
	}
	s.touched = s.touched[:0]
}

// MaxTypes is how many types of units are told apart. Units of later types have the type
// [model.Other] of their kind. A program that gives each task its own name has millions of types.
const MaxTypes = 10_000

// typ returns the units of a type.
func (s *Sums) typ(key typeKey) *typ {
	t := s.types[key]
	if t == nil && len(s.types) >= MaxTypes {
		key.name = model.Other
		t = s.types[key]
	}
	if t == nil {
		t = &typ{typeKey: key, id: int32(len(s.types))}
		s.types[key] = t
	}
	return t
}

// split adds up the path of a unit by kinds of segments.
func (s *Sums) split(t *typ, u *Unit) {
	s.stats.Units++
	var cut model.Time
	path := u.walk()
	for i := range path.segments {
		x := &path.segments[i]
		d := x.end - x.start
		if x.kind == model.Unknown && x.reason == reasonCutOff {
			cut += d
		}
		k := s.kind(t, x.stack, x.fn, x.reason, x.kind, u.own(x.goid))
		p := &s.parts[k]
		if p.ns == 0 {
			p.kind = k
			s.touched = append(s.touched, k)
		}
		p.ns += d
		if d > p.via.ns {
			p.via = via{ns: d}
			if w := x.wait; w >= 0 {
				for path.waits[w].outer >= 0 {
					w = path.waits[w].outer
				}
				p.via.stack, p.via.reason = path.waits[w].stack, path.waits[w].reason
			}
		}
	}
	if cut > 0 {
		s.stats.CutOff++
		s.stats.CutOffTime += time.Duration(cut)
	}
}

// kind returns the number of a kind of segment of a type.
func (s *Sums) kind(t *typ, stack, fn int32, reason uint16, state model.StateKind, own bool) int32 {
	key := segmentKey{t.id, s.places.of(stack, s.history.stacks), fn, reason, state, own}
	// Most segments are of a few kinds, and looking them up in the map would take most
	// of the time.
	last := &s.recent[(uint32(key.place)*7+uint32(fn)*31+uint32(reason)*5+uint32(state)+uint32(t.id)*3)%uint32(len(s.recent))]
	if last.known && last.key == key {
		return last.kind
	}
	k, ok := s.kinds[key]
	if !ok {
		k = int32(len(s.keys))
		s.kinds[key] = k
		s.keys = append(s.keys, key)
		s.sums, s.parts = append(s.sums, sum{}), append(s.parts, part{})
		t.kinds = append(t.kinds, k)
	}
	*last = recentKind{key, k, true}
	return k
}

// slow has the slowest units, the fastest of them first.
type slow []slowUnit

type slowUnit struct {
	latency time.Duration
	n       int64 // its number in the type: of two equally slow ones, the first counts as slower
	unit    *Unit
	parts   []part
}

func (s slow) Len() int { return len(s) }
func (s slow) Less(i, j int) bool {
	return s[i].latency < s[j].latency || s[i].latency == s[j].latency && s[i].n > s[j].n
}
func (s slow) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *slow) Push(x any)   { *s = append(*s, x.(slowUnit)) }
func (s *slow) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	(*s)[last] = slowUnit{}
	*s = (*s)[:last]
	return x
}

// weight returns the memory that a unit takes, in parts.
func (x *slowUnit) weight() int { return 8 + len(x.parts) }

// remember keeps a unit as long as it may be in the tail.
func (s *Sums) remember(t *typ, u *Unit) {
	full := len(t.slow) >= s.limit
	if full && u.Duration() <= t.slow[0].latency {
		return
	}
	x := slowUnit{latency: u.Duration(), n: t.count, parts: make([]part, 0, len(s.touched))}
	for _, k := range s.touched {
		x.parts = append(x.parts, s.parts[k])
	}
	s.weight += x.weight()
	if full {
		fastest := &t.slow[0]
		s.weight -= fastest.weight()
		x.unit = fastest.unit // its memory
		*fastest = x
		heap.Fix(&t.slow, 0)
	} else {
		x.unit = new(Unit)
		heap.Push(&t.slow, x)
	}
	*x.unit = *u
	x.unit.detach()
	s.limitSlow()
}

// limitSlow bounds the memory of all tails.
func (s *Sums) limitSlow() {
	for s.weight > maxWeight && s.limit > 1 {
		s.limit /= 2
		for _, t := range s.types {
			for len(t.slow) > s.limit {
				s.forget(t)
			}
		}
	}
}

// forget drops the fastest of the slow units.
func (s *Sums) forget(t *typ) {
	x := heap.Pop(&t.slow).(slowUnit)
	s.weight -= x.weight()
}

// keep keeps the path of a unit if it is one of the slowest, or Keep wants it.
func (s *Sums) keep(t *typ, u *Unit) {
	n := s.slowest
	isSlow := n > 0 && !t.noPaths && (len(t.paths) < n || u.Duration() > t.paths[n-1].Duration())
	isWanted := s.opts.Keep != nil && s.opts.Keep(u)
	if !isSlow && !isWanted {
		return
	}
	k := Kept{*u, u.Path(MaxSegments)}
	k.detach()
	s.history.addRan(k.Path.Segments)
	if isWanted {
		s.kept = append(s.kept, k)
	}
	if !isSlow {
		return
	}
	s.keepSlow(t, k)
}

// keepSlow keeps a path if it is one of the slowest of its type.
func (s *Sums) keepSlow(t *typ, k Kept) {
	n := s.slowest
	if n <= 0 || t.noPaths || len(t.paths) >= n && k.Duration() <= t.paths[n-1].Duration() {
		return
	}
	i, _ := slices.BinarySearchFunc(t.paths, k, func(a, b Kept) int {
		return cmp.Or(cmp.Compare(b.Duration(), a.Duration()), -1) // behind its equals
	})
	t.paths = slices.Insert(t.paths, i, k)
	s.paths += k.Path.size()
	s.cutPaths(t, n)
	for s.paths > s.maxPaths && s.slowest > 1 {
		s.slowest /= 2
		for _, t := range s.types {
			s.cutPaths(t, s.slowest)
		}
	}
	if s.paths > s.maxPaths {
		s.cutPaths(t, 0)
		t.noPaths = true
	}
}

// cutPaths keeps only the paths of the n slowest units of a type.
func (s *Sums) cutPaths(t *typ, n int) {
	for last := len(t.paths) - 1; last >= n; last-- {
		s.paths -= t.paths[last].Path.size()
		t.paths[last] = Kept{}
		t.paths = t.paths[:last]
	}
}

func (p *Path) size() int { return len(p.Segments) + len(p.Waits) }

// places numbers the places of stacks.
type places struct {
	byStack []int32
	ids     map[place]int32
	frames  []*model.Frame
}

type place struct {
	fn, file string
	line     int
}

func placeKey(f *model.Frame) place { return place{f.Func, f.File, f.Line} }

// of returns the number of the place of a stack, 0 for none.
func (p *places) of(stack int32, stacks []*model.Stack) int32 {
	if stack == 0 {
		return 0
	}
	for int(stack) >= len(p.byStack) {
		p.byStack = append(p.byStack, 0)
	}
	id := &p.byStack[stack]
	if *id == 0 {
		if p.ids == nil {
			p.ids, p.frames = make(map[place]int32), []*model.Frame{nil}
		}
		f := stacks[stack].Place()
		key := placeKey(f)
		if *id = p.ids[key]; *id == 0 {
			*id = int32(len(p.frames))
			p.ids[key] = *id
			p.frames = append(p.frames, f)
		}
	}
	return *id
}

// Report is what the critical paths of a trace add up to.
type Report struct {
	// Kinds are the kinds that the options asked for. If they asked for none, it is
	// the first of [AllKinds] that the trace has, or none.
	Kinds Kinds
	// Types has all units by kind and type, the type with the most time first.
	Types []*Type
	// Kept has the units that SumOptions.Keep wanted, in the order of their ends.
	Kept []Kept
	Stats
}

// Type is all units of a type.
type Type struct {
	Kind Kind
	// Name is [model.Other] for all types after the first [MaxTypes].
	Name string
	// Count is the number of complete units. Cut is the number of units that began
	// before the trace or had not ended with it; nothing else has them.
	Count, Cut int64
	// Total is the sum of the latencies. P50, P90 and P99 are off by a relative
	// [PercentileError] at most. All else is exact.
	Total, P50, P90, P99, Max time.Duration
	// Latencies is how many units had which latency, the shortest first.
	Latencies []Bucket
	// All is the sum of the critical paths of all units, Tail of the slowest
	// hundredth: at least one unit, at most [MaxTail].
	All, Tail PathSum
	// TailUnits are the units of the tail, the slowest first. They have no path.
	TailUnits []Unit
	// Slowest has the slowest units with their paths, the slowest first; see
	// SumOptions.Slowest.
	Slowest []Kept
	// Ran is what held the Ps while units that are both in the tail and in Slowest
	// were runnable.
	Ran RanSum
}

// PathSum is the sum of critical paths.
type PathSum struct {
	Units int64
	// Total is the sum of the latencies. The segments add up to it.
	Total time.Duration
	// Segments has one entry for each state, reason, function and place, the largest
	// first.
	Segments []SegmentSum
}

// SegmentSum is the sum of the segments of a kind.
type SegmentSum struct {
	State  model.StateKind
	Reason string
	Own    bool
	// Func is the start function of the goroutine. Place is the place of
	// Segment.Stack, nil if unknown.
	Func  string
	Place *model.Frame
	Time  time.Duration
	// Units is how many paths have such segments.
	Units int64
	// WaitReason and WaitPlace describe the wait of the unit's own goroutine around
	// the longest such segment; "" and nil for none.
	WaitReason string
	WaitPlace  *model.Frame
}

// Report returns the sums of a trace that has ended.
func (s *Sums) Report() *Report {
	s.finish()
	r := &Report{Kinds: s.opts.Kinds, Stats: s.stats, Kept: s.kept}
	if r.Kinds == 0 {
		for _, k := range AllKinds {
			if r.Kinds == 0 && s.hasAny(k) {
				r.Kinds = KindsOf(k)
			}
		}
	}
	for _, t := range s.types {
		if r.Kinds.Has(t.kind) && (t.kind != GoroutineLife || t.count >= MinLives) {
			r.Types = append(r.Types, s.report(t))
		}
	}
	slices.SortFunc(r.Types, func(a, b *Type) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	r.Kept = slices.DeleteFunc(slices.Clone(s.kept), func(k Kept) bool { return !r.Kinds.Has(k.Kind) })
	return r
}

// hasAny reports whether there are units of a kind to report.
func (s *Sums) hasAny(k Kind) bool {
	for _, t := range s.types {
		if t.kind == k && k.Enough(t.count) {
			return true
		}
	}
	return false
}

func (s *Sums) report(t *typ) *Type {
	out := &Type{
		Kind: t.kind, Name: t.name, Count: t.count, Cut: t.cut,
		Total: time.Duration(t.total), Max: time.Duration(t.longest),
		P50: t.latency.Quantile(.5, t.longest), P90: t.latency.Quantile(.9, t.longest), P99: t.latency.Quantile(.99, t.longest),
		Latencies: t.latency.Buckets(), Slowest: slices.Clone(t.paths),
	}
	all := make(map[int32]*sum)
	for _, k := range t.kinds {
		all[k] = &s.sums[k]
	}
	out.All = s.pathSum(t.count, all)

	tail := slices.Clone(t.slow)
	slices.SortFunc(tail, func(a, b slowUnit) int {
		return cmp.Or(cmp.Compare(b.latency, a.latency), cmp.Compare(a.n, b.n))
	})
	tail = tail[:min(int(math.Ceil(float64(t.count)/100)), len(tail))]
	sums := make(map[int32]*sum)
	for i := range tail {
		out.TailUnits = append(out.TailUnits, *tail[i].unit)
		for _, p := range tail[i].parts {
			x := sums[p.kind]
			if x == nil {
				x = &sum{}
				sums[p.kind] = x
			}
			x.ns += p.ns
			x.units++
			x.via.add(p.via)
		}
	}
	out.Tail = s.pathSum(int64(len(tail)), sums)
	out.Ran = ranSum(out.Slowest[:min(len(tail), len(out.Slowest))])
	return out
}

func (s *Sums) pathSum(units int64, sums map[int32]*sum) PathSum {
	out := PathSum{Units: units, Segments: make([]SegmentSum, 0, len(sums))}
	for k, x := range sums {
		key := s.keys[k]
		seg := SegmentSum{
			State: key.state, Reason: s.history.reasons[key.reason], Own: key.own, Func: s.history.funcs[key.fn],
			Time: time.Duration(x.ns), Units: x.units, WaitReason: s.history.reasons[x.via.reason],
		}
		if key.place != 0 {
			seg.Place = s.places.frames[key.place]
		}
		if w := s.places.of(x.via.stack, s.history.stacks); w != 0 {
			seg.WaitPlace = s.places.frames[w]
		}
		out.Total += seg.Time
		out.Segments = append(out.Segments, seg)
	}
	slices.SortFunc(out.Segments, func(a, b SegmentSum) int {
		return cmp.Or(
			cmp.Compare(b.Time, a.Time), cmp.Compare(b.Units, a.Units), cmp.Compare(a.State, b.State), strings.Compare(a.Reason, b.Reason),
			strings.Compare(a.Func, b.Func), comparePlaces(a.Place, b.Place), compareBools(a.Own, b.Own),
		)
	})
	return out
}

func comparePlaces(a, b *model.Frame) int {
	if a == nil || b == nil {
		return compareBools(a != nil, b != nil)
	}
	return cmp.Or(strings.Compare(a.Func, b.Func), strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
