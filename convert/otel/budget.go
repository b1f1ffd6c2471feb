package otel

import (
	"cmp"
	"math"
	"slices"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/times"
)

// A trace has limits. Up to half of them are for what is on the critical paths of the
// longest tasks, see markPath. The rest is for the longest spans: people look for what
// takes long. Mostly, a span is worth no less than what is below it, so that the spans
// that are left out are leaves. Spans are kept until the root of their trace ends, or
// until too many are kept in all.

// maxKept limits the spans that are kept for all traces together.
const maxKept = 200_000

const (
	// maxSpare is the number of spans up to which the memory of a trace's kept spans is
	// used again.
	maxSpare = 1 << 10
	// maxSpares is for how many traces there is such memory.
	maxSpares = 64
)

// keptOver is how many times the budget of a trace is kept: what is on a critical path is
// known when the task ends, and may be short. The trace of the program has no such path:
// it keeps more than its budget so that it need not be cut for each span.
const (
	keptOver          = 8
	keptOverOfProgram = 2
)

// budget is the most that a trace may have. Spans and bytes are one currency: a span
// costs its share of the limit of spans or of the limit of bytes, whichever is larger.
type budget struct {
	spans, bytes int64 // 0 is no limit
}

func newBudget(o *Options) budget {
	const most = 1 << 30 // so that their product, and twice that, can be counted
	return budget{int64(min(max(o.MaxSpansPerTrace, 0), most)), int64(min(max(o.MaxBytesPerTrace, 0), most))}
}

// total returns what a trace may spend.
func (b budget) total() int64 {
	switch {
	case b.spans == 0 && b.bytes == 0:
		return math.MaxInt64
	case b.spans == 0:
		return b.bytes
	case b.bytes == 0:
		return b.spans
	}
	return b.spans * b.bytes
}

// cost returns the cost of a span of this size in bytes.
func (b budget) cost(size int) int64 {
	switch {
	case b.spans == 0 && b.bytes == 0:
		return 0
	case b.spans == 0:
		return int64(size)
	case b.bytes == 0:
		return 1
	}
	return max(b.bytes, int64(size)*b.spans)
}

// cost returns the cost of a span.
func (t *tree) cost(s *span) int64 { return t.budget.cost(t.sizes.size(s)) }

// kept is a span that is complete, but may be left out.
type kept struct {
	*span
	node *node // the node that the span is of; nil for a leaf
	up   *node // the node above it
	cost int64
	// worth is the duration of the longest task that has the span on its critical path,
	// as far as that is known; 0 for none.
	worth model.Time
}

func (k *kept) duration() model.Time { return k.end - k.start }

// late reports whether a span may be kept later than spans that ended after it: see endings.
func (k *kept) late() bool { return k.kind == kindCritical || k.kind == kindTask }

// onPath reports whether the span is worth more than because it is long.
func (k *kept) onPath() bool { return k.worth > k.duration() }

// emitNode takes the span of a node that ended.
func (t *tree) emitNode(n *node) {
	if n.certain { // something below it was sent already
		n.root.spent += t.cost(&n.span) - n.paid
		n.span.parent = t.parent(n.parent)
		t.send(n.root, &n.span)
		return
	}
	t.keep(n.root, kept{span: &n.span, node: n, up: n.parent})
}

// emitLeaf takes a span below a node.
func (t *tree) emitLeaf(up *node, s *span) { t.keep(up.root, kept{span: s, up: up}) }

// keep keeps a span until it is known whether there is a place for it.
func (t *tree) keep(r *root, k kept) {
	if r.verdict == unwanted {
		return
	}
	if n := r.node; n.paid == 0 && !n.linked { // the root is sent in any case
		n.paid = t.cost(&n.span)
		r.spent += n.paid
	}
	if k.node != nil {
		k.worth = k.node.worth
	}
	if k.kind == kindCritical { // on the path that the wait around it is on
		k.worth = max(k.worth, k.up.worth)
	}
	if max(k.duration(), k.worth) < r.shortest { // longer ones fill the budget
		t.leaveOut(r, k.node)
		return
	}
	k.cost = t.cost(k.span)
	if n := len(t.spare); r.kept == nil && n > 0 {
		r.kept, t.spare = t.spare[n-1], t.spare[:n-1]
	}
	r.kept = append(r.kept, k)
	r.keptCost += k.cost
	t.keptSpans++
	t.keptEver++
	over := int64(keptOver)
	if r.node.kind == kindProgram {
		over = keptOverOfProgram
	}
	if left := t.budget.total() - r.spent; r.keptCost/over > left {
		t.cut(r, left)
	}
	if r.ended || t.keptSpans > maxKept {
		t.release(r)
	}
}

// hopeless reports whether there is no place for the span of a node that ended: longer
// ones fill the budget.
func (t *tree) hopeless(n *node) bool {
	return !n.certain && n.root.verdict != unwanted && max(n.end-n.start, n.worth) < n.root.shortest
}

// cut leaves out what is worth least of the spans that are kept, so that the rest fits
// into what is left of the budget.
func (t *tree) cut(r *root, left int64) {
	order := make([]int, len(r.kept))
	for i := range order {
		order[i] = i
	}
	var spent int64
	fits := make([]bool, len(r.kept))
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &r.kept[i], &r.kept[j]
		return cmp.Or(cmp.Compare(b.worth, a.worth), cmp.Compare(b.duration(), a.duration()))
	})
	for _, i := range order {
		if k := &r.kept[i]; k.onPath() && spent+k.cost <= left/2 {
			spent += k.cost
			fits[i] = true
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(r.kept[j].duration(), r.kept[i].duration()) })
	shortest := r.kept[order[0]].duration()
	for _, i := range order {
		if fits[i] {
			continue
		}
		k := &r.kept[i]
		if spent += k.cost; spent > left {
			r.shortest = shortest
			break
		}
		fits[i], shortest = true, k.duration()
	}
	rest := r.kept[:0]
	r.keptCost = 0
	for i := range r.kept {
		if k := r.kept[i]; fits[i] {
			rest = append(rest, k)
			r.keptCost += k.cost
		} else {
			t.leaveOut(r, k.node)
			t.keptSpans--
		}
	}
	clear(r.kept[len(rest):])
	r.kept = rest
}

// leaveOut counts a span that is not sent: n's, or a leaf if n is nil. What is below it
// stands below its parent.
func (t *tree) leaveOut(r *root, n *node) {
	if n != nil {
		n.sent = false
	}
	r.leftOut++
	if r.ended {
		t.stats.LeftOut++ // its root cannot tell any more
	}
}

// release sends what is kept of a trace, as far as the budget goes, unless it is
// not wanted or that is not known yet.
func (t *tree) release(r *root) {
	if r.verdict == undecided && t.now-r.node.start >= t.minTask {
		t.want(r)
	}
	if r.verdict == undecided {
		return
	}
	if r.verdict == wanted {
		if left := t.budget.total() - r.spent; r.keptCost > left {
			t.cut(r, left)
		}
		for i := range r.kept {
			if n := r.kept[i].node; n != nil {
				n.certain = true
			}
		}
		// The goroutines below a task that the program sent itself tell what is left
		// out, each what is new.
		if last := r.lastGoroutine(); last != nil && r.node.linked {
			last.leftOut, r.told = r.leftOut-r.told, r.leftOut
		}
		r.spent += r.keptCost
		for i := range r.kept {
			k := &r.kept[i]
			k.parent = t.parent(k.up)
			t.send(r, k.span)
		}
	}
	t.keptSpans -= len(r.kept)
	if n := cap(r.kept); n > 0 && n <= maxSpare && len(t.spare) < maxSpares {
		clear(r.kept)
		t.spare = append(t.spare, r.kept[:0])
	}
	r.kept, r.keptCost = nil, 0
}

func (r *root) lastGoroutine() *span {
	for i := range slices.Backward(r.kept) {
		if k := &r.kept[i]; k.kind == kindGoroutine {
			return k.span
		}
	}
	return nil
}

// end ends a trace with its root: what is kept of it is sent, and then the root.
// What comes later is sent as long as there is a place for it.
func (t *tree) end(r *root) {
	n := r.node
	if !n.linked && r.verdict != unwanted {
		// The logs of the root take half of the bytes at most.
		for t.budget.bytes > 0 && len(n.events) > 0 && int64(t.sizes.size(&n.span)) > t.budget.bytes/2 {
			half := len(n.events) / 2
			n.eventsLeft += len(n.events) - half
			n.events = n.events[:half]
		}
		r.spent += t.cost(&n.span) - n.paid
	}
	t.release(r)
	r.ended = true
	t.critical.rootEnded(r)
	n.leftOut = r.leftOut
	if r.verdict != unwanted {
		t.stats.LeftOut += r.leftOut
	}
	if !n.linked && r.verdict == wanted {
		t.send(r, &n.span)
	}
}

// parent returns the ID of the span that the spans below a node have as their parent:
// the node's own, or else the nearest one above it that is sent.
func (t *tree) parent(n *node) spanID {
	for ; n != nil; n = n.parent {
		switch {
		case n.linked, n.certain, n.sent && n.root.node == n:
			return n.id
		case !n.sent:
			continue
		}
		// It is open still.
		if cost := t.cost(&n.span); cost <= t.budget.total()-n.root.spent {
			n.root.spent += cost
			n.paid, n.certain = cost, true
			return n.id
		}
		t.leaveOut(n.root, n)
	}
	return spanID{}
}

// sizes tells how large spans are when they are encoded. It has the sizes of stacks of its
// own: a mapping belongs to the goroutine that encodes.
type sizes struct {
	reasons *times.Reasons
	stacks  map[*model.Stack]int
}

// stack returns the size of the attributes of a stack.
func (z *sizes) stack(s *model.Stack) int {
	size, ok := z.stacks[s]
	if !ok {
		if len(z.stacks) >= maxStacks {
			clear(z.stacks)
		}
		size = len(appendStack(nil, s))
		z.stacks[s] = size
	}
	return size
}

// size returns an upper bound of the size of a span when it is encoded.
func (z *sizes) size(s *span) int {
	const (
		fixed = 320 // IDs, times, and attributes with numbers
		text  = 45  // of an attribute with a text, without the text
		place = 3 * text
	)
	size := fixed + len(s.name) + len(s.startFunc) + len(s.reason)
	if s.stack != nil {
		size += z.stack(s.stack)
	}
	if w := s.waker; w != nil {
		size += 2*text + len(w.startFunc)
		if f := w.stack.Place(); f != nil {
			size += place + len(f.Func) + len(f.File)
		}
	}
	if s.times != nil {
		size += 6 * text
		for reason, d := range s.times.Block {
			if d > 0 {
				size += text + len(z.reasons.Name(reason))
			}
		}
	}
	if s.path != nil {
		size += s.path.size()
	}
	if s.profile != (spanID{}) {
		size += text
	}
	if s.link != nil {
		size += linkSize
	}
	for _, e := range s.events {
		size += 2*text + len(e.category) + len(e.message)
	}
	return size
}
