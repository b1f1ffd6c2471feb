package chromium_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/e2e/chromium"
)

func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Chromium")
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<button>tab</button><script>
			let x = 0, tab = null;
			setTimeout(() => { x = 1; }, 50);
			const open = () => { tab = !!window.open("/second"); return tab; };
			document.querySelector("button").addEventListener("click", open);
		</script>`)
	}))
	defer site.Close()
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b, err := chromium.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Open(site.URL + "/first")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait("x == 1"); err != nil {
		t.Error(err)
	}
	var got struct {
		A int
		B []string
	}
	if err := p.Eval(`Promise.resolve({a: x + 1, b: ["ü", location.pathname]})`, &got); err != nil || got.A != 2 || fmt.Sprint(got.B) != "[ü /first]" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, script := range []string{`nonsense`, `Promise.reject(new ReferenceError("nonsense"))`, `(() => { throw new ReferenceError("nonsense"); })()`} {
		if err := p.Eval(script, nil); err == nil || !strings.Contains(err.Error(), "ReferenceError: nonsense") {
			t.Errorf("%s: %v", script, err)
		}
	}
	tab := true
	if err := p.Eval("open()", &tab); err != nil || tab {
		t.Errorf("a tab was opened without a click, or %v", err)
	}
	if err := p.Click("button"); err != nil {
		t.Error(err)
	}
	if err := p.Eval("tab", &tab); err != nil || !tab {
		t.Errorf("a click opened no tab: %v", err)
	}
	if err := p.Click("nothing"); err == nil {
		t.Error("a click on nothing")
	}
	pages, err := b.Pages()
	if err != nil {
		t.Fatal(err)
	}
	urls := make(map[string]bool)
	for _, p := range pages {
		urls[p.URL] = true
	}
	if !urls[site.URL+"/first"] || len(pages) < 2 {
		t.Errorf("pages %v", urls)
	}
	if _, err := b.Open("http://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "ERR_") {
		t.Errorf("a page that is not there: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Eval("1", nil); err == nil {
		t.Error("a page of a closed browser answers")
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "trace2x-chromium-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	if b, err = chromium.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	cancel()
	if _, err := b.Pages(); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}
