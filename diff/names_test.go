package diff_test

import (
	"testing"

	"github.com/trace2x/trace2x/diff"
)

// TestFunction: the names are those that Go 1.26 and Go 1.27 give to the same functions.
func TestFunction(t *testing.T) {
	for _, test := range []struct{ name, go127, want string }{
		{"main.main", "main.main", "main.main"},
		{"", "", ""},
		{"runtime.goexit", "runtime.goexit", "runtime.goexit"},
		{"net/http.(*conn).serve", "net/http.(*conn).serve", "net/http.(*conn).serve"},
		{"main.(*T).M.func1", "main.(*T).M.func2", "main.(*T).M.func"},
		{"main.(*T).M.func1.1", "main.(*T).M.func1.1", "main.(*T).M.func"},
		{"main.outer.inl.func1", "main.inl.func1", "main.inl.func"},
		{"main.outer.inl.func2", "main.inl.func1", "main.inl.func"},
		{"main.main.main.func2.func3", "main.main.func1.func1", "main.main.func"},
		{"main.main.seq.main-range1.func4", "main.main-range1.func1", "main.main.func"},
		{"main.(*G[...]).P.func1", "main.(*G[...]).P.func1", "main.(*G[...]).P.func"},
		{"example.com/a/b.v2.f.gowrap1", "example.com/a/b.v2.f.gowrap2", "example.com/a/b.f.func"},
		{"gopkg.in/yaml%2ev3.f.func1", "gopkg.in/yaml%2ev3.f.func1", "gopkg.in/yaml%2ev3.f.func"},
		{"main.T.V.func1", "main.T.V.func1", "main.V.func"},
		{"main.(*T).M-fm", "main.(*T).M-fm", "main.(*T).M"},
		{"main.f[go.shape.int].func1", "main.f[go.shape.int].func1", "main.f[go.shape.int].func"},
		{"main.f[a.b/c.d]", "main.f[a.b/c.d]", "main.f[a.b/c.d]"},
	} {
		if got := diff.Function(test.name); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if got := diff.Function(test.go127); got != test.want {
			t.Errorf("%s: %s, want %s", test.go127, got, test.want)
		}
	}
}
