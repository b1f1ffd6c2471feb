package report

import (
	"strings"

	"github.com/trace2x/trace2x/model"
)

// waitsByDesign reports whether a goroutine that is blocked throughout a trace is as it
// should be: it sleeps, or waits for the network, for a signal, for the end of the
// program, or for the next query or request of a pool of connections.
func waitsByDesign(g *model.Goroutine, s *model.GoState) bool {
	if s.Reason == "network" || s.Reason == "sleep" || g.Func == "main.main" || g.ID == mainGoroutine {
		return true
	}
	switch pkg := model.PackageOf(g.Func); pkg {
	case "net/http", "golang.org/x/net/http2", "os/signal", "database/sql", "internal/poll", "testing", "google.golang.org/grpc":
		return true
	default:
		if strings.HasPrefix(pkg, "google.golang.org/grpc/") {
			return true
		}
	}
	if s.Stack != nil {
		for _, f := range s.Stack.Frames {
			if strings.HasPrefix(f.Func, "net/http.(*Server).Serve") || strings.HasPrefix(f.Func, "os/signal.") {
				return true
			}
		}
	}
	return false
}

// mainGoroutine is the ID of the goroutine that runs main.main.
const mainGoroutine = 1

// signalLoop is the start function of the goroutine that os/signal has as soon as a
// program asks for signals.
const signalLoop = "os/signal.loop"

// byDesign reports whether goroutines that are blocked throughout at a place are as they
// should be, by what else is in the trace.
func (b *Builder) byDesign(key leakKey, l *leak) bool {
	return b.isPool(key, l) || b.mayAwaitSignal(key, l)
}

// mayAwaitSignal reports whether a goroutine may be the one that waits for the signals
// that the program asked for: it is alone, and waits to receive something.
func (b *Builder) mayAwaitSignal(key leakKey, l *leak) bool {
	return b.leaks.signals && l.count == 1 && (key.reason == "chan receive" || key.reason == "select")
}

// isPool reports whether a place at which goroutines of a function are blocked
// throughout is one at which others of them wait for work and get it: most waits there
// end, and a goroutine waits again after that.
func (b *Builder) isPool(key leakKey, l *leak) bool {
	grp := b.groups.byFunc[l.fn]
	if grp == nil || key.stack == nil {
		return false
	}
	others := grp.count - l.count
	site := b.share.blocking.sites[siteKey{b.ledger.Reasons.Index(key.reason), b.places.of(key.stack).place}]
	if site == nil {
		return false
	}
	ended := site.spread.N - l.count
	return others > 0 && ended >= 2*others
}
