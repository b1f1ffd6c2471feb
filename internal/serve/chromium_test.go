package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/e2e/chromium"
	"github.com/trace2x/trace2x/e2e/perfettoui"
)

// site serves a page.
func site(t *testing.T, script string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!DOCTYPE html><title>site</title><script>%s</script>", script)
	}))
	t.Cleanup(s.Close)
	return s
}

// perfettoUI is a UI that may fetch from any port of this machine.
func perfettoUI(t *testing.T) *httptest.Server {
	s := perfettoui.New("http://127.0.0.1:*")
	t.Cleanup(s.Close)
	return s
}

func wantTook(t *testing.T, p *chromium.Page, data []byte, name string) {
	t.Helper()
	sum := sha256.Sum256(data)
	want := perfettoui.Trace{Title: name, Size: len(data), SHA256: hex.EncodeToString(sum[:])}
	if got, err := perfettoui.Took(p); err != nil || got != want {
		t.Errorf("the UI has %+v, %v; want %+v", got, err, want)
	}
}

func open(t *testing.T, b *chromium.Browser, url string) *chromium.Page {
	t.Helper()
	p, err := b.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFetch(t *testing.T) {
	b := chromium.StartTest(t)
	u := perfettoUI(t)
	s := serve(t, "x.pftrace", noise, Options{UI: ui(t, u.URL)})
	wantTook(t, open(t, b, s.Link()), noise, "x.pftrace")
	s.wantFetched(t)
	s = s.add(File{Name: "y.pftrace", Content: strings.NewReader("Y"), Size: 1, Args: url.Values{"visStart": {"12"}}})
	p := open(t, b, s.Link())
	wantTook(t, p, []byte("Y"), "y.pftrace")
	var hash string
	if err := p.Eval("location.hash", &hash); err != nil || !strings.HasSuffix(hash, "&visStart=12") {
		t.Errorf("fragment %q, %v", hash, err)
	}
}

// A UI on the internet, as ui.perfetto.dev: the browser asks the user whether it
// may reach this machine.
func TestFetchFromInternet(t *testing.T) {
	u := perfettoUI(t)
	b := chromium.StartTest(t, "--ip-address-space-overrides="+u.Listener.Addr().String()+"=public")
	if err := b.Grant(u.URL, "loopbackNetwork"); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "x.pftrace", noise, Options{UI: ui(t, u.URL)})
	wantTook(t, open(t, b, s.Link()), noise, "x.pftrace")
	s.wantFetched(t)
}

// A page of another origin gets nothing, even if it knows the path.
func TestOthers(t *testing.T) {
	b := chromium.StartTest(t, "--host-resolver-rules=MAP rebound.example 127.0.0.1")
	u, evil := perfettoUI(t), perfettoUI(t)
	s := serve(t, "x.pftrace", noise, Options{UI: ui(t, u.URL)})
	p := open(t, b, evil.URL+strings.TrimPrefix(s.Link(), u.URL))
	if got, err := perfettoui.Took(p); err == nil || !strings.Contains(err.Error(), "TypeError: Failed to fetch") {
		t.Errorf("another origin got %+v, %v", got, err)
	}
	for _, test := range []struct{ script, want string }{
		{`fetch(URL).catch(e => "" + e)`, "TypeError: Failed to fetch"},
		{`fetch(URL, {mode: "no-cors"}).then(r => r.type, e => "" + e)`, "TypeError: Failed to fetch"},
		{`fetch(URL, {method: "POST"}).then(r => r.type, e => "" + e)`, "TypeError: Failed to fetch"},
		{`fetch(URL, {headers: {"X-Preflight": "1"}}).then(r => r.type, e => "" + e)`, "TypeError: Failed to fetch"},
		{`new Promise(r => { const i = new Image(); i.onload = () => r("loaded"); i.onerror = () => r("error"); i.src = URL; })`, "error"},
	} {
		var got string
		if err := p.Eval(strings.ReplaceAll(test.script, "URL", fmt.Sprintf("%q", s.fileURL())), &got); err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", test.script, got, err, test.want)
		}
	}
	// A name that leads here makes this server an origin of the attacker's.
	rebound := open(t, b, strings.Replace(s.fileURL(), "127.0.0.1", "rebound.example", 1))
	var text string
	if err := rebound.Eval("document.body.innerText", &text); err != nil || strings.TrimSpace(text) != "unknown host" {
		t.Errorf("under another name: %.100q, %v", text, err)
	}
	s.wantServing(t)

	wantTook(t, open(t, b, s.Link()), noise, "x.pftrace")
	s.wantFetched(t)
}

// opened returns the tab that the page opened.
func opened(t *testing.T, b *chromium.Browser, prefix string) *chromium.Page {
	t.Helper()
	pages, err := b.Pages()
	if err != nil {
		t.Fatal(err)
	}
	var found []*chromium.Page
	for _, p := range pages {
		if strings.HasPrefix(p.URL, prefix) {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d tabs with %s", len(found), prefix)
	}
	return found[0]
}

const handedOver = `document.getElementById("state").textContent.startsWith("The Perfetto UI has the trace")`

func TestPage(t *testing.T) {
	u := perfettoUI(t)
	s := serve(t, "x.pftrace", noise, Options{UI: ui(t, u.URL), Page: true})
	b := chromium.StartTest(t, "--disable-popup-blocking")
	s = s.add(File{
		Name: "y.pftrace", Content: strings.NewReader("Y"), Size: 1,
		Args: url.Values{"visStart": {"12"}, "startupCommands": {`[{"id": "</script>+"}]`}},
	})
	p := open(t, b, s.Link())
	if err := p.Wait(handedOver); err != nil {
		t.Fatal(err)
	}
	tab := opened(t, b, u.URL)
	wantTook(t, tab, []byte("Y"), "y.pftrace")
	var hash string
	if err := tab.Eval("location.hash", &hash); err != nil || hash != "#!/?startupCommands=%5B%7B%22id%22%3A+%22%3C%2Fscript%3E%2B%22%7D%5D&visStart=12" {
		t.Errorf("fragment %q, %v", hash, err)
	}
	s.wantFetched(t)
}

// A browser that blocks the tab leaves the page with a button, which works also
// when the server has ended.
func TestPageButton(t *testing.T) {
	u := perfettoUI(t)
	s := serve(t, "x.pftrace", noise, Options{UI: ui(t, u.URL), Page: true})
	b := chromium.StartTest(t)
	p := open(t, b, s.Link())
	if err := p.Wait(`document.getElementById("state").textContent.startsWith("Your browser does not let")`); err != nil {
		t.Fatal(err)
	}
	s.wantFetched(t)
	if err := p.Click("button:not([hidden])"); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(handedOver); err != nil {
		t.Fatal(err)
	}
	wantTook(t, opened(t, b, u.URL), noise, "x.pftrace")
}

// A UI that leads elsewhere does not take the trace there.
func TestPageElsewhere(t *testing.T) {
	evil := site(t, `
		let messages = 0, sent = 0;
		addEventListener("message", () => { messages++; });
		setInterval(() => { opener.postMessage("PONG", "*"); sent++; }, 10);`)
	u := httptest.NewServer(http.RedirectHandler(evil.URL, http.StatusFound))
	t.Cleanup(u.Close)
	s := serve(t, "x.pftrace", noise, Options{UI: ui(t, u.URL), Page: true})
	b := chromium.StartTest(t, "--disable-popup-blocking")
	p := open(t, b, s.Link())
	if err := p.Wait(`document.getElementById("state").textContent.startsWith("Waiting for")`); err != nil {
		t.Fatal(err)
	}
	tab := opened(t, b, evil.URL)
	if err := tab.Wait("sent > 50"); err != nil {
		t.Fatal(err)
	}
	if n, err := perfettoui.Messages(tab); err != nil || n != 0 {
		t.Errorf("%d messages, %v", n, err)
	}
}

// A page that frames ours sees nothing in it.
func TestPageFramed(t *testing.T) {
	u := perfettoUI(t)
	s := serve(t, "x.pftrace", noise, Options{UI: ui(t, u.URL), Page: true})
	b := chromium.StartTest(t)
	evil := open(t, b, site(t, "").URL)
	if err := evil.Eval(fmt.Sprintf(`new Promise(r => {
		const f = document.createElement("iframe");
		f.onload = r;
		f.src = %q;
		document.body.append(f);
	})`, s.Link()), nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.ended:
		t.Error("the framed page read the trace")
	case <-time.After(time.Second):
	}
}
