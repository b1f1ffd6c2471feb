package pprof

import (
	"cmp"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/model"
)

// waker is who ended a wait.
type waker struct {
	scheduler bool
	fn        string       // start function of the goroutine, "" if unknown
	place     *model.Frame // nil if unknown
}

func (w waker) compare(o waker) int {
	number := func(w waker) (scheduler, place int) {
		if w.scheduler {
			scheduler = 1
		}
		if w.place != nil {
			place = w.place.ID
		}
		return scheduler, place
	}
	ws, wp := number(w)
	os, op := number(o)
	return cmp.Or(cmp.Compare(ws, os), strings.Compare(w.fn, o.fn), cmp.Compare(wp, op))
}

// wakers gives wakers numbers; 0 is none.
type wakers struct {
	numbering[waker]
	places []*model.Frame // by Stack.ID; nil if it is not known yet
}

func (ws *wakers) id(by *model.Waker) int32 {
	w := waker{scheduler: by.Goroutine == nil, place: ws.place(by.Stack)}
	if by.Goroutine != nil {
		w.fn = by.Goroutine.Func
	}
	return ws.numbering.id(w)
}

// place returns the place for which a stack stands, nil for none.
func (ws *wakers) place(s *model.Stack) *model.Frame {
	if s == nil {
		return nil
	}
	for s.ID >= len(ws.places) {
		ws.places = append(ws.places, nil)
	}
	if ws.places[s.ID] == nil {
		ws.places[s.ID] = s.Place()
	}
	return ws.places[s.ID]
}

// label adds the labels of a waker.
func (w waker) label(s *profile.Sample) {
	s.Label["waker"] = []string{"goroutine"}
	if w.scheduler {
		s.Label["waker"] = []string{"scheduler"}
	}
	if w.fn != "" {
		s.Label["waker_func"] = []string{w.fn}
	}
	if f := w.place; f != nil {
		s.Label["waker_place"] = []string{f.Func}
		s.Label["waker_file"] = []string{f.File}
		s.NumLabel = map[string][]int64{"waker_line": {int64(f.Line)}}
	}
}
