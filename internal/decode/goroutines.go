package decode

// goroutineTable finds goroutines by their IDs.
type goroutineTable struct {
	all    map[int64]*goroutine
	recent [1 << 12]*goroutine // some of them, by the end of their IDs
	free   []*goroutine
}

func newGoroutineTable() goroutineTable {
	return goroutineTable{all: make(map[int64]*goroutine)}
}

func (t *goroutineTable) find(id int64) *goroutine {
	recent := &t.recent[uint64(id)%uint64(len(t.recent))]
	if g := *recent; g != nil && g.id == id {
		return g
	}
	g := t.all[id]
	if g != nil {
		*recent = g
	}
	return g
}

// add makes a goroutine that is not there.
func (t *goroutineTable) add(id int64, status uint8) *goroutine {
	var g *goroutine
	if n := len(t.free); n > 0 {
		g, t.free = t.free[n-1], t.free[:n-1]
	} else {
		g = new(goroutine)
	}
	g.id, g.status = id, status
	t.all[id] = g
	t.recent[uint64(id)%uint64(len(t.recent))] = g
	return g
}

func (t *goroutineTable) remove(g *goroutine) {
	delete(t.all, g.id)
	if recent := &t.recent[uint64(g.id)%uint64(len(t.recent))]; *recent == g {
		*recent = nil
	}
	*g = goroutine{ranges: g.ranges[:0]}
	t.free = append(t.free, g)
}
