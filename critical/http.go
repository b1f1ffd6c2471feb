package critical

import (
	"strings"

	"github.com/trace2x/trace2x/model"
)

// A goroutine of net/http.(*conn).serve handles the requests of a connection one
// after the other. Before each it waits for the first bytes, in Peek or, for the
// first request, in readRequest. A request begins when such a wait ends, or with
// the goroutine if there was none, and ends when the next one begins or with the
// goroutine. If the bytes were there already, there was no wait: then one request ends,
// and the next begins, at the read.
//
// Between two reads there was a request only if net/http did what it does for each: it
// starts a goroutine that watches the connection, calls the handler, and finishes the
// response.

const (
	serveFunc      = "net/http.(*conn).serve"
	backgroundRead = "net/http.(*connReader).backgroundRead"
)

// conn is a connection that a goroutine serves.
type conn struct {
	// from is when the current or next request began. It is not known for a request
	// that was being handled when the trace began.
	from  model.Time
	known bool
	// handled says that there is a request. handler is the function that handles it,
	// and depth its place in the stack.
	handled bool
	handler string
	depth   int
	// next is when the server began to read the next request, 0 if it has not yet.
	// nextState is the state before that.
	next      model.Time
	nextState uint64
	nextStack *model.Stack
}

// conns are the connections of servers.
type conns struct {
	stacks []connStack // by ID
	// blocked is a goroutine of a connection that has begun to wait, and whose state
	// has not been looked at yet.
	blocked *model.Goroutine
}

// connStack is what a goroutine that serves a connection does, by its stack.
type connStack struct {
	doing   connDoing
	handler string
	depth   int32
}

type connDoing uint8

const (
	notLooked  connDoing = iota
	otherThing           // says nothing
	reading              // the first bytes of a request
	handling             // a request
)

// connStart checks whether a goroutine serves a connection. It is called when the start
// function is known.
func (f *Finder) connStart(g *model.Goroutine, gr *goroutine) {
	if g.Func == serveFunc && f.kinds.Has(HTTP) && gr.conn == nil {
		gr.conn = &conn{from: g.Start, known: !g.Before}
	}
}

// forgetConns forgets all connections: requests are no longer wanted.
func (f *Finder) forgetConns() {
	for gr := range f.slots.All() {
		gr.conn = nil
	}
	f.conns.blocked = nil
}

// connStack returns what a goroutine of a connection does, by its stack.
func (f *Finder) connStack(s *model.Stack) *connStack {
	if s == nil {
		return &connStack{doing: otherThing}
	}
	for s.ID >= len(f.conns.stacks) {
		f.conns.stacks = append(f.conns.stacks, make([]connStack, s.ID+1-len(f.conns.stacks))...)
	}
	x := &f.conns.stacks[s.ID]
	if x.doing == notLooked {
		*x = lookAtConn(s.Frames)
	}
	return x
}

// lookAtConn returns what a goroutine of a connection does, by the function that serve
// called.
func lookAtConn(frames []*model.Frame) connStack {
	last := len(frames) - 1
	if frames[last].Func != serveFunc {
		// The stack is cut at its outer end: only handlers call that deep.
		return connStack{doing: handling}
	}
	if last == 0 {
		return connStack{doing: otherThing}
	}
	switch called := frames[last-1].Func; {
	case called == "bufio.(*Reader).Peek", called == "net/http.(*conn).readRequest", strings.HasPrefix(called, "crypto/tls.(*Conn).Handshake"):
		return connStack{doing: reading}
	case called == "net/http.(*response).finishRequest", called == "net/http.(*connReader).startBackgroundRead":
		return connStack{doing: handling}
	case called != "net/http.serverHandler.ServeHTTP":
		return connStack{doing: otherThing}
	}
	// The innermost handler says most: those around it wrap it.
	x := connStack{doing: handling}
	for i, fr := range frames[:last] {
		if fr.Func == "net/http.HandlerFunc.ServeHTTP" || fr.Func == "net/http.(*ServeMux).ServeHTTP" || fr.Func == "net/http.serverHandler.ServeHTTP" {
			if i > 0 && !strings.HasPrefix(frames[i-1].Func, "net/http.") {
				x.handler, x.depth = frames[i-1].Func, int32(last-i)
				break
			}
		}
	}
	return x
}

// handling notes that a goroutine, which may serve a connection, was at a stack
// while it ran; created is the function of a goroutine that it started.
func (f *Finder) handling(g *model.Goroutine, s *model.Stack, created string) {
	c := f.goroutine(g).conn
	if c == nil {
		return
	}
	if x := f.connStack(s); x.doing == handling || created == backgroundRead {
		f.handles(g, c, x)
	}
}

// handles notes that a request is being handled.
func (f *Finder) handles(g *model.Goroutine, c *conn, x *connStack) {
	if c.nextState != 0 {
		// The request that was being read, without a wait.
		from := c.next
		f.requestEnd(g, c, c.next, c.nextState, c.nextStack, false)
		c.from, c.known = from, true
	}
	c.handled = true
	if x.handler != "" && int(x.depth) > c.depth {
		c.handler, c.depth = x.handler, int(x.depth)
	}
}

// connWaits looks at a goroutine that has begun to wait. If it waits for the next
// request, its request has ended. That is decided now, because when the wait ends the
// turn may be gone.
func (f *Finder) connWaits() {
	g := f.conns.blocked
	if g == nil {
		return
	}
	f.conns.blocked = nil
	s := g.Current()
	gr := f.goroutine(g)
	if c := gr.conn; c != nil && c.handled && idle(&s) && f.connStack(s.Stack).doing == reading {
		f.requestEnd(g, c, s.Start, gr.prev, s.Stack, false)
	}
}

// idle reports whether a goroutine waits for the network.
func idle(s *model.GoState) bool { return s.Kind == model.Waiting && s.Reason == "network" }

// connState takes a state of a goroutine that serves a connection.
func (f *Finder) connState(g *model.Goroutine, gr *goroutine, s *model.GoState) {
	c := gr.conn
	if s.Next == model.Waiting && !s.Open {
		f.conns.blocked = g
	}
	if s.Kind == model.Unknown {
		// The request from before the gap ended in the gap, or cannot be told
		// from a later one.
		if c.handled {
			f.requestEnd(g, c, s.Start, gr.prev, nil, true)
		}
		*c = conn{}
		return
	}
	if s.Stack == nil {
		return
	}
	switch x := f.connStack(s.Stack); {
	case x.doing == handling:
		f.handles(g, c, x)
	case x.doing != reading:
	case idle(s):
		c.from, c.known, c.nextState = s.End, !s.Open, 0
	case c.handled && c.nextState == 0:
		c.next, c.nextState, c.nextStack = s.Start, gr.prev, s.Stack
	}
}

// connEnd takes the end of a goroutine that serves a connection.
func (f *Finder) connEnd(g *model.Goroutine, gr *goroutine) {
	c := gr.conn
	if f.conns.blocked == g {
		f.conns.blocked = nil
	}
	switch {
	case !c.handled:
	case c.nextState != 0:
		f.requestEnd(g, c, c.next, c.nextState, c.nextStack, false)
	default:
		f.requestEnd(g, c, g.End, gr.cur, nil, g.Open)
	}
}

// requestEnd ends the request of a connection.
func (f *Finder) requestEnd(g *model.Goroutine, c *conn, end model.Time, n uint64, stack *model.Stack, open bool) {
	u := Unit{
		Kind: HTTP, Type: c.handler, Goroutine: g.ID, EndGoroutine: g.ID,
		Start: c.from, End: end, Cut: open || !c.known,
	}
	*c = conn{}
	if f.kinds.Has(HTTP) {
		f.end(u, n, stack)
	}
}
