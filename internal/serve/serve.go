// Package serve hands one file of this machine to the Perfetto UI in the user's
// browser, and nothing else to nobody else.
//
// The UI is a page of another origin that fetches the file from 127.0.0.1, where
// its content security policy allows one port, [FetchPort]. If that is taken, a
// page of this server hands the file over: it opens the UI in a new tab and
// posts the bytes there. Both ways are described in
// https://perfetto.dev/docs/visualization/deep-linking-to-perfetto-ui.
//
// What could ask besides the UI is other pages in the user's browser, and other
// users of the machine. The file has an unguessable path; a page of another
// origin, also one that reaches 127.0.0.1 under a name of its own (DNS
// rebinding), is refused before its path matters.
package serve

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trace2x/trace2x/internal/address"
)

const (
	// FetchPort is the one port of 127.0.0.1 from which the UI may fetch.
	FetchPort = 9001
	// PerfettoUI is the UI that everybody can use.
	PerfettoUI = "https://ui.perfetto.dev"
)

// Options say how a file is handed over.
type Options struct {
	// UI is the address of the Perfetto UI, http or https.
	UI *url.URL
	// Port of 127.0.0.1; 0 for any that is free.
	Port int
	// Page hands the file over by a page of this server. That is needed on a port
	// other than FetchPort.
	Page bool
}

// ParseUI checks the address of a UI.
func ParseUI(raw string) (*url.URL, error) {
	u, err := address.Parse(raw)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%s is not the http or https address of a page", address.Printable(raw))
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("%s has more than a host and a path", address.Printable(raw))
	}
	return u, nil
}

// Server serves one file, until it was fetched.
type Server struct {
	ui     *url.URL
	page   bool
	hosts  [2]string // that a request may name
	folder string    // path of the page, "/…/"
	path   string    // of the file, below folder

	ln      net.Listener
	file    io.ReaderAt
	size    int64
	fetched chan struct{}
	once    sync.Once
}

// New listens on 127.0.0.1 for requests of a file with this name, in which other
// characters that plain file names do not have are replaced. The caller ends the
// server with Serve or Close.
func New(name string, opts Options) (*Server, error) {
	ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(opts.Port)))
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		ln.Close()
		return nil, err
	}
	s := &Server{
		ui: opts.UI, page: opts.Page,
		hosts:   [2]string{"127.0.0.1:" + port, "localhost:" + port},
		folder:  "/" + rand.Text() + "/",
		ln:      ln,
		fetched: make(chan struct{}),
	}
	s.path = s.folder + plain(name)
	return s, nil
}

// plain keeps of a name what needs no escaping in a URL.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("-._", r)) {
			return r
		}
		return '_'
	}, name)
	if strings.Trim(name, ".") == "" {
		return "trace"
	}
	return name
}

// Link is the address that a browser has to open.
func (s *Server) Link() string {
	if s.page {
		return "http://" + s.hosts[0] + s.folder
	}
	return s.uiPage() + "?url=" + url.QueryEscape("http://"+s.hosts[0]+s.path)
}

// uiPage is the UI's first page.
func (s *Server) uiPage() string { return strings.TrimSuffix(s.ui.String(), "/") + "/#!/" }

// origin is the UI's, as browsers write it: without the scheme's own port.
func (s *Server) origin() string {
	host := strings.ToLower(s.ui.Host)
	if s.ui.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	return s.ui.Scheme + "://" + host
}

// Serve serves the first size bytes of file until they were fetched once, and
// returns nil, or until ctx ends, and returns its error. It does not close the
// file.
func (s *Server) Serve(ctx context.Context, file io.ReaderAt, size int64) error {
	s.file, s.size = file, size
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(s.ln) }()
	select {
	case <-s.fetched:
		// Not Shutdown: a browser opens connections that it may need later, for
		// which that would wait. The system sends on what it was given.
		srv.Close()
		return nil
	case <-ctx.Done():
		srv.Close()
		return ctx.Err()
	case err := <-failed:
		return err
	}
}

// Close ends a server that does not serve.
func (s *Server) Close() error { return s.ln.Close() }

// ServeHTTP answers the requests that the UI, or the page, makes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin") // no embedding; CORS is not touched by it
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Origin")

	if r.Host != s.hosts[0] && r.Host != s.hosts[1] {
		http.Error(w, "unknown host", http.StatusMisdirectedRequest)
		return
	}
	// The UI is of another origin, and its requests say so. The page's own
	// requests, and opening the page, need not.
	origin := r.Header.Get("Origin")
	if s.page && origin != "" && origin != "http://"+r.Host || !s.page && origin != s.origin() {
		http.Error(w, "not for this origin", http.StatusForbidden)
		return
	}
	if !s.page {
		h.Set("Access-Control-Allow-Origin", origin)
	}
	isFile := r.URL.Path == s.path
	isPage := s.page && r.URL.Path == s.folder
	switch {
	case !isFile && !isPage:
		http.NotFound(w, r)
	case r.Method == http.MethodOptions && !s.page:
		// Only Chrome's Private Network Access asks the server before the UI's
		// request. Its successor, Local Network Access, asks the user instead.
		h.Set("Access-Control-Allow-Methods", http.MethodGet)
		if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
			h.Set("Access-Control-Allow-Private-Network", "true")
		}
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	case isPage:
		s.servePage(w)
	default:
		s.serveFile(w)
	}
}

// serveFile serves the file whole, whatever range was asked for.
func (s *Server) serveFile(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Accept-Ranges", "none")
	h.Set("Content-Length", strconv.FormatInt(s.size, 10))
	n, err := io.Copy(w, io.NewSectionReader(s.file, 0, s.size))
	if err == nil && n == s.size {
		err = http.NewResponseController(w).Flush()
	}
	if err != nil || n != s.size {
		return // the browser sees that it is cut, and may ask again
	}
	s.once.Do(func() { close(s.fetched) })
}

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

func (s *Server) servePage(w http.ResponseWriter) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// frame-ancestors: a page that frames this one could have it post the trace.
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'nonce-"+nonce+
		"'; style-src 'nonce-"+nonce+"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	page.Execute(w, map[string]string{
		"Nonce":  nonce,
		"Name":   strings.TrimPrefix(s.path, s.folder),
		"UI":     s.uiPage(),
		"Origin": s.origin(),
	})
}
