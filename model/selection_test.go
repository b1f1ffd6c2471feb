package model

import (
	"regexp"
	"testing"
)

func TestSelectionOfGoroutines(t *testing.T) {
	for _, test := range []struct {
		name            string
		s               Selection
		g               Goroutine
		selected, known bool
	}{
		{"everything", Selection{}, Goroutine{ID: 1}, true, true},
		{"its ID", Selection{Goroutines: []GoID{1, 2}}, Goroutine{ID: 2}, true, true},
		{"another ID", Selection{Goroutines: []GoID{1, 2}}, Goroutine{ID: 3}, false, true},
		{"its function", Selection{Func: regexp.MustCompile("^main")}, Goroutine{Func: "main.f"}, true, true},
		{"another function", Selection{Func: regexp.MustCompile("^main")}, Goroutine{Func: "domain.f"}, false, true},
		{"an unknown function", Selection{Func: regexp.MustCompile("")}, Goroutine{}, false, false},
		{"another ID of an unknown function", Selection{Goroutines: []GoID{1}, Func: regexp.MustCompile("")}, Goroutine{ID: 2}, false, true},
	} {
		if selected, known := test.s.Goroutine(&test.g); selected != test.selected || known != test.known {
			t.Errorf("%s: %v, known: %v", test.name, selected, known)
		}
	}
}

func TestSelectedTasks(t *testing.T) {
	here, elsewhere := [16]byte{1}, [16]byte{2}
	root := &Task{ID: 1, Type: "root"}
	sub := &Task{ID: 2, Type: "sub", Parent: root, ParentID: 1}
	span := &Task{ID: 3, Type: "span", Before: true, Span: &SpanContext{TraceID: here}}
	below := &Task{ID: 4, Type: "below", Parent: span, ParentID: 3}
	other := &Task{ID: 5, Type: "other", Parent: span, ParentID: 3, Span: &SpanContext{TraceID: elsewhere}}
	all := []*Task{root, sub, span, below, other}
	for _, test := range []struct {
		name  string
		s     Selection
		want  []*Task
		found Found
	}{
		{"everything", Selection{}, all, Found{Tasks: 2}},
		{"an ID, with the subtasks", Selection{TaskID: 1}, []*Task{root, sub}, Found{Tasks: 1}},
		{"a type", Selection{Task: regexp.MustCompile("^sub$")}, []*Task{sub}, Found{Tasks: 1}},
		{"a type, with the spans below", Selection{Task: regexp.MustCompile("^span$")}, []*Task{span, below, other}, Found{Tasks: 1}},
		{"a distributed trace", Selection{TraceID: here}, []*Task{span, below}, Found{Tasks: 1, Spans: 1, SpansBefore: 1}},
		{"both", Selection{TraceID: elsewhere, TaskID: 1}, nil, Found{Spans: 1}},
	} {
		var found Found
		ts := NewSelectedTasks(&test.s, &found)
		want := make(map[*Task]bool)
		for _, task := range test.want {
			want[task] = true
		}
		for _, task := range all {
			if got := ts.Start(task); got != want[task] || ts.Has(task) != got {
				t.Errorf("%s: %s: %v", test.name, task.Type, got)
			}
		}
		for _, task := range all {
			if got := ts.End(task); got != want[task] || ts.Has(task) {
				t.Errorf("%s: %s ends: %v", test.name, task.Type, got)
			}
		}
		if found != test.found {
			t.Errorf("%s: found %+v, want %+v", test.name, found, test.found)
		}
	}
}
