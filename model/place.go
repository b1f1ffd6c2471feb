package model

import "strings"

// Place returns the frame of a stack that is the place in the program: where its
// code blocks or unblocks, rather than how it does that. It is the innermost call
// that is not in a package like sync, time or net (see [IsMechanism]).
//
// Where all calls are in such packages, as in a goroutine of the runtime, it is what
// the goroutine was started for: the outermost call, without the closure that the
// compiler makes of a go statement with arguments.
//
// Place returns nil for nil. queries/*.sql decide the same in SQL; a test compares.
func (s *Stack) Place() *Frame {
	switch {
	case s == nil:
		return nil
	case s.place != nil:
		return s.place
	}
	return s.findPlace()
}

func (s *Stack) findPlace() *Frame {
	for _, f := range s.Frames {
		if !IsMechanism(f.Func) {
			return f
		}
	}
	for i := len(s.Frames) - 1; i > 0; i-- {
		if f := s.Frames[i]; !strings.Contains(f.Func, ".gowrap") {
			return f
		}
	}
	return s.Frames[0]
}

// IsMechanism reports whether a function belongs to a package by which programs
// block, so that its caller tells more.
func IsMechanism(fn string) bool {
	switch pkg := PackageOf(fn); pkg {
	case "runtime", "sync", "syscall", "time", "os", "net", "iter", "golang.org/x/sys/unix":
		return true
	default:
		return strings.HasPrefix(pkg, "internal/") || strings.HasPrefix(pkg, "runtime/") || strings.HasPrefix(pkg, "sync/")
	}
}

// UnknownFunc stands for a start function that the trace does not tell, wherever
// people read it.
const UnknownFunc = "(unknown start function)"

// UnknownTask stands for the type of a task from before the trace.
const UnknownTask = "(task from before the trace)"

// FuncName returns the name of a start function for people: fn, or [UnknownFunc]
// for "".
func FuncName(fn string) string {
	if fn == "" {
		return UnknownFunc
	}
	return fn
}

// ShortFunc returns the name of a function without the path to its package, as go
// tool pprof has it: http.(*conn).serve for net/http.(*conn).serve. For "" it
// returns [UnknownFunc].
func ShortFunc(fn string) string {
	return FuncName(fn[strings.LastIndexByte(withoutTypes(fn), '/')+1:])
}

// PackageOf returns the import path in the name of a function.
func PackageOf(fn string) string {
	path := withoutTypes(fn)
	slash := strings.LastIndexByte(path, '/') + 1
	if dot := strings.IndexByte(path[slash:], '.'); dot >= 0 {
		return path[:slash+dot]
	}
	return path
}

// withoutTypes returns the name of a function up to its type arguments, which have
// import paths of their own.
func withoutTypes(fn string) string {
	fn, _, _ = strings.Cut(fn, "[")
	return fn
}
