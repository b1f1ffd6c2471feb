// Package inturn runs functions beside the caller, one after the other.
package inturn

// Line runs functions in the order in which it gets them, each in a goroutine of its own
// that ends with it: no goroutine is left behind if a line is given up. The zero Line is
// ready to use. Its methods are for one goroutine.
type Line struct{ last chan struct{} }

// Go has f run when all functions before it have returned. It does not wait.
func (l *Line) Go(f func()) {
	before, done := l.last, make(chan struct{})
	l.last = done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		f()
	}()
}

// Wait returns when all functions have returned.
func (l *Line) Wait() {
	if l.last != nil {
		<-l.last
	}
}
