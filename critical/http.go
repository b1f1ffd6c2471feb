package critical

import (
	"cmp"
	"slices"
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

// With HTTP/2, a goroutine handles one request, and its life is the request.

const (
	serveFunc      = "net/http.(*conn).serve"
	backgroundRead = "net/http.(*connReader).backgroundRead"
	network        = "network" // the reason of a wait
)

// HandlerNotSeen is the type of a request whose handler the trace does not tell: it has a
// stack only where a goroutine blocks, makes a system call, is preempted, starts or wakes
// another goroutine, or is annotated or sampled, and the handler did none of these.
const HandlerNotSeen = "(handler not seen)"

// http2Funcs start a handler for a request of HTTP/2: in net/http, in the package that it
// is made of, and where that moves to.
var http2Funcs = []string{
	"net/http.(*http2serverConn).runHandler",
	"golang.org/x/net/http2.(*serverConn).runHandler",
	"net/http/internal/http2.(*serverConn).runHandler",
}

// http2Serves serve a connection of HTTP/2, and http2Reads read its frames: the methods
// beside http2Funcs.
var http2Serves, http2Reads = http2Methods("serve"), http2Methods("readFrames")

func http2Methods(name string) (out []string) {
	for _, f := range http2Funcs {
		out = append(out, strings.TrimSuffix(f, "runHandler")+name)
	}
	return out
}

// conn is a connection that a goroutine serves, or its one request.
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
	nextStack int32
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
func (h *history) connStart(gr *goroutine, slot int32) {
	if fn := h.funcs[gr.fn]; Serves(fn) && h.kinds.Has(HTTP) && !gr.serves {
		gr.serves = true
		x := h.origins.At(int(slot))
		h.conns[slot] = &conn{from: x.start, known: !x.before, handled: fn != serveFunc}
	}
}

// Serves reports whether goroutines of a start function serve HTTP connections, or
// handle a request of HTTP/2.
func Serves(fn string) bool { return fn == serveFunc || slices.Contains(http2Funcs, fn) }

// WatchesConn reports whether goroutines of a start function watch a connection while a
// request is handled, or read the frames of all requests of one of HTTP/2.
func WatchesConn(fn string) bool { return fn == backgroundRead || slices.Contains(http2Reads, fn) }

// AwaitsRequest reports whether a goroutine that serves a connection is at the read of
// the next request, by its stack, or serves one of HTTP/2 as a whole: its requests are
// handled by other goroutines.
func AwaitsRequest(s *model.Stack) bool {
	return lookAtConn(s.Frames).doing == reading || slices.ContainsFunc(s.Frames, func(f *model.Frame) bool { return slices.Contains(http2Serves, f.Func) })
}

// connStack returns what a goroutine of a connection does, by its stack.
func (h *history) connStack(stack int32) *connStack {
	if stack == 0 {
		return &connStack{doing: otherThing}
	}
	for int(stack) >= len(h.doing) {
		h.doing = append(h.doing, make([]connStack, int(stack)+1-len(h.doing))...)
	}
	x := &h.doing[stack]
	if x.doing == notLooked {
		*x = lookAtConn(h.stacks[stack].Frames)
	}
	return x
}

// lookAtConn returns what a goroutine of a connection does, by the function that serve
// called.
func lookAtConn(frames []*model.Frame) connStack {
	last := len(frames) - 1
	switch {
	case slices.Contains(http2Funcs, frames[last].Func):
		return handlerIn(frames)
	case frames[last].Func != serveFunc:
		// The stack is cut at its outer end: only handlers call that deep.
		return handlerIn(frames)
	case last == 0:
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
	return handlerIn(frames)
}

// handlerIn returns which handler is at work. The innermost one says most: those around
// it wrap it.
func handlerIn(frames []*model.Frame) connStack {
	last := len(frames) - 1
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

// handling notes that a goroutine that serves a connection was at a stack while it ran;
// created is the function of a goroutine that it started.
func (h *history) handling(gr *goroutine, slot, stack int32, created string) {
	if x := h.connStack(stack); x.doing == handling || created == backgroundRead {
		h.handles(gr, h.conns[slot], x)
	}
}

// handles notes that a request is being handled.
func (h *history) handles(gr *goroutine, c *conn, x *connStack) {
	if c.nextState != 0 {
		// The request that was being read, without a wait.
		from := c.next
		h.requestEnd(gr, c, c.next, c.nextState, c.nextStack, false)
		c.from, c.known = from, true
	}
	c.handled = true
	c.named(x)
}

// named notes the handler that a stack has, if it says more than the one before.
func (c *conn) named(x *connStack) {
	if x.handler != "" && int(x.depth) > c.depth {
		c.handler, c.depth = x.handler, int(x.depth)
	}
}

// connWasSeen takes a stack of a goroutine at a moment in the past. It only names the
// handler of the request that the goroutine was in then, if that is still the current one.
func (h *history) connWasSeen(e *event) {
	if !h.slots.At(int(e.slot)).serves {
		return
	}
	if c := h.conns[e.slot]; c.known && c.nextState == 0 && e.at >= c.from {
		c.named(h.connStack(e.stack))
	}
}

// connWaits looks at a goroutine that has begun to wait. If it waits for the next
// request, its request has ended. That is decided now, because when the wait ends the
// turn may be gone.
func (h *history) connWaits(e *event) {
	gr := h.slots.At(int(e.slot))
	if c := h.conns[e.slot]; gr.serves && c.handled && e.reason == reasonNetwork && h.connStack(e.stack).doing == reading {
		h.requestEnd(gr, c, e.at, gr.prev, e.stack, false)
	}
}

// connState takes a state of a goroutine that serves a connection.
func (h *history) connState(gr *goroutine, e *event) {
	c := h.conns[e.slot]
	if e.kind == model.Unknown {
		// The request from before the gap ended in the gap, or cannot be told
		// from a later one.
		if c.handled {
			h.requestEnd(gr, c, gr.start, gr.prev, 0, true)
		}
		*c = conn{}
		return
	}
	if e.stack == 0 {
		return
	}
	switch x := h.connStack(e.stack); {
	case x.doing == handling:
		h.handles(gr, c, x)
	case x.doing != reading:
	case e.kind == model.Waiting && e.reason == reasonNetwork:
		*c = conn{from: e.at, known: !e.edge, handled: c.handled}
	case c.handled && c.nextState == 0:
		c.next, c.nextState, c.nextStack = gr.start, gr.prev, e.stack
	}
}

// connEnd takes the end of a goroutine that serves a connection.
func (h *history) connEnd(gr *goroutine, e *event) {
	c := h.conns[e.slot]
	switch {
	case !c.handled:
	case c.nextState != 0:
		h.requestEnd(gr, c, c.next, c.nextState, c.nextStack, false)
	default:
		h.requestEnd(gr, c, e.at, gr.cur, 0, e.edge)
	}
}

// requestEnd ends the request of a connection.
func (h *history) requestEnd(gr *goroutine, c *conn, end model.Time, n uint64, stack int32, open bool) {
	u := Unit{
		Kind: HTTP, Type: cmp.Or(c.handler, HandlerNotSeen), Func: h.funcs[gr.fn], Goroutine: gr.id, EndGoroutine: gr.id,
		Start: c.from, End: end, Cut: open || !c.known,
	}
	*c = conn{}
	if h.kinds.Has(HTTP) {
		h.end(u, n, stack)
	}
}
