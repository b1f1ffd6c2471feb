// Package serve hands files of this machine to the Perfetto UI in the user's
// browser, and nothing else to nobody else.
//
// The UI is a page of another origin that fetches a file from 127.0.0.1, where
// its content security policy allows one port, [FetchPort]. If that is taken, a
// page of this server hands the file over: it opens the UI in a new tab and
// posts the bytes there. Both ways are described in
// https://perfetto.dev/docs/visualization/deep-linking-to-perfetto-ui. Both keep the
// arguments of the UI's address, which say where in the trace it opens.
//
// [Listen] takes the port, [Server.Add] adds a file at any time and returns what has
// its link, and [Server.Serve] answers requests until it is told to end. A file can be
// fetched once; then the server lets go of it.
//
// What could ask besides the UI is other pages in the user's browser, and other
// users of the machine. A file has an unguessable path; a page of another
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

// Options say how files are handed over.
type Options struct {
	// UI is the address of the Perfetto UI, http or https.
	UI *url.URL
	// Port of 127.0.0.1; 0 for any that is free.
	Port int
	// Page hands files over by a page of this server. That is needed on a port other
	// than FetchPort.
	Page bool
}

// File is a file to hand over.
type File struct {
	// Name is the name that the UI shows. Characters that plain file names do not have
	// are replaced.
	Name string
	// Content has Size bytes. The server does not close it.
	Content io.ReaderAt
	Size    int64
	// Args are arguments of the UI's address, such as those of package deeplink. They
	// are copied.
	Args url.Values
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

// Server hands files over. It may be used from several goroutines.
type Server struct {
	ui    *url.URL
	page  bool
	hosts [2]string // that a request may name
	ln    net.Listener

	mu    sync.Mutex
	files map[string]*Offer // by folder
}

// Offer is a file that the server has for the UI.
type Offer struct {
	server  *Server
	file    File
	folder  string // path of the page, "/…/"
	args    string // of the UI's address: "", or "?…"
	fetched chan struct{}
	once    sync.Once
}

// Listen listens on 127.0.0.1. The caller ends the server with Serve or Close.
func Listen(opts Options) (*Server, error) {
	ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(opts.Port)))
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		ln.Close()
		return nil, err
	}
	return &Server{
		ui: opts.UI, page: opts.Page,
		hosts: [2]string{"127.0.0.1:" + port, "localhost:" + port},
		ln:    ln,
		files: make(map[string]*Offer),
	}, nil
}

// Add offers a file to the UI until it was fetched or withdrawn.
func (s *Server) Add(f File) *Offer {
	f.Name = plain(f.Name)
	o := &Offer{server: s, file: f, folder: "/" + rand.Text() + "/", fetched: make(chan struct{})}
	if len(f.Args) > 0 {
		o.args = "?" + f.Args.Encode()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[o.folder] = o
	return o
}

// Link returns the address that a browser has to open.
func (o *Offer) Link() string {
	if o.server.page {
		return o.url("")
	}
	link := o.server.uiPage() + "?url=" + url.QueryEscape(o.url(o.file.Name))
	if o.args != "" {
		link += "&" + o.args[1:]
	}
	return link
}

func (o *Offer) url(name string) string { return "http://" + o.server.hosts[0] + o.folder + name }

// Fetched is closed when the file has been fetched.
func (o *Offer) Fetched() <-chan struct{} { return o.fetched }

// Withdraw makes the server forget the file. A browser that is reading it may end that.
func (o *Offer) Withdraw() {
	o.server.mu.Lock()
	defer o.server.mu.Unlock()
	delete(o.server.files, o.folder)
}

// done marks the file as fetched.
func (o *Offer) done() {
	o.Withdraw()
	o.once.Do(func() { close(o.fetched) })
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

// Serve answers requests until ctx ends, and returns its error.
func (s *Server) Serve(ctx context.Context) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(s.ln) }()
	// Not Shutdown: a browser opens connections that it may need later, for which that
	// would wait. The system sends on what it was given.
	defer srv.Close()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-failed:
		return err
	}
}

// Close ends a server that does not serve.
func (s *Server) Close() error { return s.ln.Close() }

// offer returns the offer that a path belongs to, and the rest of the path; nil for
// none.
func (s *Server) offer(path string) (o *Offer, rest string) {
	folder, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok {
		return nil, ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files["/"+folder+"/"], rest
}

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
	o, name := s.offer(r.URL.Path)
	isFile := o != nil && name == o.file.Name
	isPage := o != nil && s.page && name == ""
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
		o.servePage(w)
	default:
		o.serveFile(w)
	}
}

// serveFile serves the file whole, whatever range was asked for.
func (o *Offer) serveFile(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Accept-Ranges", "none")
	h.Set("Content-Length", strconv.FormatInt(o.file.Size, 10))
	n, err := io.Copy(w, io.NewSectionReader(o.file.Content, 0, o.file.Size))
	if err == nil && n == o.file.Size {
		err = http.NewResponseController(w).Flush()
	}
	if err != nil || n != o.file.Size {
		return // the browser sees that it is cut, and may ask again
	}
	o.done()
}

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

func (o *Offer) servePage(w http.ResponseWriter) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// frame-ancestors: a page that frames this one could have it post the trace.
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'nonce-"+nonce+
		"'; style-src 'nonce-"+nonce+"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	page.Execute(w, map[string]string{
		"Nonce":  nonce,
		"Name":   o.file.Name,
		"UI":     o.server.uiPage() + o.args,
		"Origin": o.server.origin(),
	})
}
