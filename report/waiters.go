package report

import (
	"strings"

	"github.com/trace2x/trace2x/model"
)

// waitsByDesign reports whether a goroutine that is blocked throughout a trace is as it
// should be: it waits for the network, for a signal, for the end of the program, or for
// the next query or request of a pool of connections.
func waitsByDesign(g *model.Goroutine, s *model.GoState) bool {
	if s.Reason == "network" || g.Func == "main.main" || g.ID == mainGoroutine {
		return true
	}
	switch pkg := model.PackageOf(g.Func); pkg {
	case "net/http", "golang.org/x/net/http2", "os/signal", "database/sql", "internal/poll", "testing":
		return true
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
