package perfetto_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
)

// works collects where goroutines begin and resume to work for tasks: all of it, and what
// a flow from the task leads to.
type works struct {
	model.NopSink
	marks, flows []string
	of           map[*model.Task][]string // behind the first
	first        map[*model.Task]bool
}

func (w *works) WorkStart(work *model.Work) {
	t := work.Task
	w.marks = append(w.marks, fmt.Sprint(int64(work.Start), " at work for ", cmpName(t)))
	line := fmt.Sprint(t.ID, " G", work.Goroutine.ID, " ", int64(work.Start))
	switch {
	case !w.first[t] && !t.Before:
		w.flows = append(w.flows, line)
	case work.Start > t.Start && len(w.of[t]) < 64:
		w.of[t] = append(w.of[t], line)
	}
	w.first[t] = true
}

func (w *works) TaskEnd(t *model.Task) {
	if !t.Open {
		w.flows = append(w.flows, w.of[t]...)
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

// checkWorks: from a task that ended, flows lead to where goroutines begin and resume to
// work for it, from any other at least to the first.
func checkWorks(t *testing.T, c *converted, name string) {
	t.Helper()
	w := &works{of: make(map[*model.Task][]string), first: make(map[*model.Task]bool)}
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
