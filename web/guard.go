package web

import (
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
)

// guard lets only those requests through that the user's own pages make. What could ask
// besides these is other pages in the user's browser, and other users of the machine or
// the network. All paths begin with one that cannot be guessed. A page of another origin
// is refused before its path matters, also one that reaches this server under a name of
// its own (DNS rebinding).
type guard struct {
	// hosts are the values of Host that are allowed, with the port. If anyAddress is set,
	// so are all IP addresses, which no name server can make lead elsewhere.
	hosts      []string
	port       string
	anyAddress bool
}

// newGuard returns the guard of a server that listens on an address.
func newGuard(address net.Addr) *guard {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return &guard{}
	}
	g := &guard{port: port, hosts: []string{"localhost:" + port}}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		g.hosts = append(g.hosts, address.String())
		return g
	}
	g.anyAddress = true
	if name, err := os.Hostname(); err == nil {
		g.hosts = append(g.hosts, strings.ToLower(name)+":"+port)
	}
	return g
}

// knows reports whether a request names this server.
func (g *guard) knows(host string) bool {
	if slices.Contains(g.hosts, strings.ToLower(host)) {
		return true
	}
	name, port, err := net.SplitHostPort(host)
	return err == nil && g.anyAddress && port == g.port && net.ParseIP(name) != nil
}

// refuses answers a request that another site makes, and reports whether it did.
func (g *guard) refuses(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, forms would have no origin
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	if !g.knows(r.Host) {
		http.Error(w, "unknown host", http.StatusMisdirectedRequest)
		return true
	}
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if origin != "" && origin != "http://"+r.Host || site == "cross-site" || site == "same-site" {
		http.Error(w, "not for this origin", http.StatusForbidden)
		return true
	}
	return false
}
