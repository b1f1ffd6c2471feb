package perfetto_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// works collects where goroutines begin and resume to work for tasks, and what a flow
// from the task leads to.
type works struct {
	model.NopSink
	marks, flows []string
	of           map[*model.Task][]mark
	ended        map[string][]model.Time // how long tasks took, by type
}

type mark struct {
	g  model.GoID
	at model.Time
}

func (w *works) WorkStart(work *model.Work) {
	w.of[work.Task] = append(w.of[work.Task], mark{work.Goroutine.ID, work.Start})
}

func (w *works) TaskEnd(t *model.Task) {
	marks := w.of[t]
	marks = marks[:min(len(marks), 65)]
	if !t.Open {
		typ, took := cmpName(t), t.End-t.Start
		slower := 0
		for _, d := range w.ended[typ] {
			if d >= took {
				slower++
			}
		}
		w.ended[typ] = append(w.ended[typ], took)
		if slower >= 1000 {
			return
		}
	}
	for i, m := range marks {
		w.marks = append(w.marks, fmt.Sprint(int64(m.at), " at work for ", cmpName(t)))
		if i == 0 && !t.Before || !t.Open && m.at > t.Start {
			w.flows = append(w.flows, fmt.Sprint(t.ID, " G", m.g, " ", int64(m.at)))
		}
	}
}

func cmpName(t *model.Task) string {
	switch {
	case t.TypeUnknown:
		return model.UnknownTask
	case t.Type == "":
		return "(no name)"
	}
	return t.Type
}

// checkWorks: from a slow task that ended, flows lead to where goroutines begin and resume
// to work for it, from one that is open to the first of these.
func checkWorks(t *testing.T, c *converted, name string) {
	t.Helper()
	w := &works{of: make(map[*model.Task][]mark), ended: make(map[string][]model.Time)}
	if _, err := model.Read(t.Context(), bytes.NewReader(testtrace.Data(t, name)), w); err != nil && !model.IsDamage(err) {
		t.Fatal(err)
	}
	same(t, "marks of work", c.query(t, "select ts, name from slice where category = 'work'"), w.marks)
	same(t, "flows from tasks", c.query(t, `
		select extract_arg(o.arg_set_id, 'debug.task'), l.goroutine, l.ts
		from flow join slice o on o.id = flow.slice_out join on_lane l on l.id = flow.slice_in
		where o.category = 'task' and l.category = 'work'`), w.flows)
	same(t, "flows from or to elsewhere", c.query(t, `
		select o.category, i.category from flow join slice o on o.id = slice_out join slice i on i.id = slice_in
		where (o.category = 'task') != (i.category = 'work')`), nil)
}
