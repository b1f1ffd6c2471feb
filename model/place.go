package model

import "strings"

// Place returns the call for which the stack stands: where the code of the program
// blocks or unblocks, rather than how it does that. It is the innermost call that
// is not an [IsMechanism]; if there is none, the function that the goroutine was
// started for. It is nil for no stack.
func (s *Stack) Place() *Frame {
	if s == nil {
		return nil
	}
	for _, f := range s.Frames {
		if !IsMechanism(f.Func) {
			return f
		}
	}
	for i := len(s.Frames) - 1; i > 0; i-- {
		// Not the closure that the compiler makes of a go statement with arguments.
		if f := s.Frames[i]; !strings.Contains(f.Func, ".gowrap") {
			return f
		}
	}
	return s.Frames[0]
}

// IsMechanism reports whether a function belongs to a package by which programs
// block, such as sync, time or net, so that its caller tells more.
func IsMechanism(fn string) bool {
	switch pkg := PackageOf(fn); pkg {
	case "runtime", "sync", "syscall", "time", "os", "net", "golang.org/x/sys/unix":
		return true
	default:
		return strings.HasPrefix(pkg, "internal/") || strings.HasPrefix(pkg, "runtime/")
	}
}

// PackageOf returns the import path in the name of a function.
func PackageOf(fn string) string {
	fn, _, _ = strings.Cut(fn, "[") // type arguments have import paths too
	slash := strings.LastIndexByte(fn, '/') + 1
	if dot := strings.IndexByte(fn[slash:], '.'); dot >= 0 {
		return fn[:slash+dot]
	}
	return fn
}
