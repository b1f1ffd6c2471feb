package report

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/trace2x/trace2x/critical"
	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// Place is a place in the code.
type Place struct {
	// Func is the function with its import path, "" if the trace does not tell.
	Func string `json:"func"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// short is the place without paths.
func (p Place) short() string {
	if p.Func == "" {
		return "(unknown place)"
	}
	return fmt.Sprintf("%s %s:%d", shortFunc(p.Func), address.Name(path.Base(p.File)), p.Line)
}

func (p Place) compare(o Place) int {
	return cmp.Or(strings.Compare(p.Func, o.Func), strings.Compare(p.File, o.File), cmp.Compare(p.Line, o.Line))
}

// places remembers the place for which a stack stands, see [model.Stack.Place].
type places struct {
	stacks []stack // by Stack.ID
	places map[Place]*Place
}

// stack is what is known of a stack.
type stack struct {
	place *Place
	mutex bool    // in a call that locks a mutex
	idle  bool    // for the next HTTP request
	sites []*site // of waits with this stack, one for each reason
	// started is the start function of the last goroutine that was created with this
	// stack and has ended, growth where those are counted; nil for none.
	started string
	growth  *growth
}

// unknown is the place of what has no stack.
var unknown Place

// of returns what is known of a stack, which may be nil.
func (p *places) of(s *model.Stack) *stack {
	id := 0
	if s != nil {
		id = s.ID
	}
	for id >= len(p.stacks) {
		p.stacks = append(p.stacks, stack{})
	}
	st := &p.stacks[id]
	if st.place == nil {
		p.fill(st, s)
	}
	return st
}

func (p *places) fill(st *stack, s *model.Stack) {
	at := s.Place()
	if at == nil {
		st.place = &unknown
		return
	}
	for _, f := range s.Frames {
		st.mutex = st.mutex || lockFuncs[f.Func]
		if !model.IsMechanism(f.Func) {
			break
		}
	}
	st.idle = critical.AwaitsRequest(s)
	st.place = p.place(placeOf(at))
}

// place returns the one pointer for a place.
func (p *places) place(at Place) *Place {
	known := p.places[at]
	if known == nil {
		if p.places == nil {
			p.places = make(map[Place]*Place)
		}
		known = &at
		p.places[at] = known
	}
	return known
}

func placeOf(f *model.Frame) Place { return Place{f.Func, f.File, f.Line} }

func placesOf(s *model.Stack) []Place {
	if s == nil {
		return nil
	}
	out := make([]Place, 0, len(s.Frames))
	for _, f := range s.Frames {
		out = append(out, placeOf(f))
	}
	return out
}

// lockFuncs wait for a mutex that another goroutine holds.
var lockFuncs = map[string]bool{
	"sync.(*Mutex).Lock":          true,
	"sync.(*RWMutex).Lock":        true,
	"sync.(*RWMutex).RLock":       true,
	"internal/sync.(*Mutex).Lock": true,
}
