// Package perfettoui stands for ui.perfetto.dev in tests of how it gets a trace:
// a page that takes one as the UI does, in both ways that
// https://perfetto.dev/docs/visualization/deep-linking-to-perfetto-ui describes,
// under the content security policy of the UI. It does not show the trace: package
// traceprocessor tests what the UI makes of a trace.
package perfettoui

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/trace2x/trace2x/e2e/chromium"
)

//go:embed page.html
var page string

// New starts a server of the page. The page may fetch from these sources, as in
// http://127.0.0.1:9001, besides its own. The caller closes the server.
func New(sources ...string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "connect-src 'self' "+strings.Join(sources, " "))
		fmt.Fprint(w, page)
	}))
}

// Trace is what the page took.
type Trace struct {
	Title  string
	Size   int
	SHA256 string // in hexadecimal
}

// Took waits until the page has taken a trace, or failed to.
func Took(p *chromium.Page) (t Trace, err error) {
	if err := p.Wait("took || failed"); err != nil {
		return t, err
	}
	var failed string
	if err := p.Eval("failed", &failed); err != nil {
		return t, err
	}
	if failed != "" {
		return t, fmt.Errorf("the UI says %s", failed)
	}
	return t, p.Eval("took", &t)
}

// Messages returns the number of messages that other pages have posted to this one.
func Messages(p *chromium.Page) (n int, err error) {
	return n, p.Eval("messages", &n)
}
