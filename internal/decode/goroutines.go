package decode

import "github.com/trace2x/trace2x/internal/idtable"

// goroutineTable finds goroutines by their IDs. It makes them many at a time, to spare
// the collector.
type goroutineTable struct {
	all   idtable.Table[goroutine]
	slab  []goroutine // not yet used
	freed []*goroutine
}

const slabOf = 64

func (t *goroutineTable) find(id int64) *goroutine { return t.all.Find(id) }

// add makes a goroutine that is not there.
func (t *goroutineTable) add(id int64, status uint8) *goroutine {
	var g *goroutine
	if n := len(t.freed); n > 0 {
		g, t.freed = t.freed[n-1], t.freed[:n-1]
	} else {
		if len(t.slab) == 0 {
			t.slab = make([]goroutine, slabOf)
		}
		g, t.slab = &t.slab[0], t.slab[1:]
	}
	g.id, g.status = id, status
	t.all.Add(id, g)
	return g
}

func (t *goroutineTable) remove(g *goroutine) {
	t.all.Remove(g.id)
	*g = goroutine{}
	t.freed = append(t.freed, g)
}
