package model

import "testing"

func TestPlace(t *testing.T) {
	for _, test := range []struct {
		name   string
		frames []string // the innermost first
		want   string
	}{
		{"the caller of a package by which programs block", []string{"sync.(*Mutex).Lock", "main.lock", "main.main"}, "main.lock"},
		{"the innermost call", []string{"main.f", "main.main"}, "main.f"},
		{"a package of the standard library that does more than block", []string{"internal/poll.(*FD).Read", "net.(*conn).Read", "net/http.(*conn).serve"}, "net/http.(*conn).serve"},
		{"golang.org/x/sys", []string{"syscall.Syscall6", "golang.org/x/sys/unix.EpollWait", "main.poll"}, "main.poll"},
		{"sync/...", []string{"sync/x.Wait", "main.wait"}, "main.wait"},
		{"what a goroutine of the runtime was started for", []string{"runtime.gopark", "runtime.goparkunlock", "runtime.bgsweep", "runtime.gcenable.gowrap1"}, "runtime.bgsweep"},
		{"nothing but a closure of the compiler", []string{"runtime.gcenable.gowrap1"}, "runtime.gcenable.gowrap1"},
	} {
		s := &Stack{}
		for _, fn := range test.frames {
			s.Frames = append(s.Frames, &Frame{Func: fn})
		}
		if got := s.Place().Func; got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if (*Stack)(nil).Place() != nil {
		t.Error("no stack has a place")
	}
}

func TestShortFunc(t *testing.T) {
	for fn, want := range map[string]string{
		"main.main":               "main.main",
		"net/http.(*conn).serve":  "http.(*conn).serve",
		"a/b.f[github.com/x/y.T]": "b.f[github.com/x/y.T]",
		UnknownFunc:               UnknownFunc,
		"":                        UnknownFunc,
	} {
		if got := ShortFunc(fn); got != want {
			t.Errorf("%q: %q, want %q", fn, got, want)
		}
	}
}

func TestPackageOf(t *testing.T) {
	for fn, want := range map[string]string{
		"main.main":                                   "main",
		"net/http.(*conn).serve":                      "net/http",
		"internal/poll.(*FD).Read":                    "internal/poll",
		"main.work[github.com/x/y.T]":                 "main",
		"github.com/a/b.c/d.F[go.shape.int].func1":    "github.com/a/b.c/d",
		"example.com/v2.(*T[example.org/q.R]).Method": "example.com/v2",
		"": "",
	} {
		if got := PackageOf(fn); got != want {
			t.Errorf("%q: %q, want %q", fn, got, want)
		}
	}
}
