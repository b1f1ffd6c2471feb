package critical_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trace2x/trace2x/critical"
)

// handleSlow and handleQuick are handlers of a server without annotations.
//
//go:noinline
func handleSlow(w http.ResponseWriter, r *http.Request) {
	time.Sleep(3 * time.Millisecond)
	io.Copy(w, r.Body)
}

//go:noinline
func handleQuick(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", 10)) }

// TestRequestsHTTP2 is TestRequests for HTTP/2, where requests of one connection overlap.
func TestRequestsHTTP2(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", handleSlow)
	mux.HandleFunc("/quick", handleQuick)
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()

	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		t.Fatal(err)
	}
	const clients, each = 4, 30
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range each {
				path := "/quick"
				if i%3 == 0 {
					path = "/slow"
				}
				resp, err := server.Client().Get(server.URL + path)
				if err != nil {
					t.Error(err)
					return
				}
				if resp.ProtoMajor != 2 {
					t.Errorf("a response of %s", resp.Proto)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	time.Sleep(20 * time.Millisecond)
	trace.Stop()

	checkRequests(t, buf.Bytes(), clients*each, clients*each/3)
}

// TestRequests traces an ordinary server: as many requests must be found as its
// clients made.
func TestRequests(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", handleSlow)
	mux.HandleFunc("/quick", handleQuick)
	server := httptest.NewServer(mux)
	defer server.Close()

	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		t.Fatal(err)
	}
	const clients, each = 8, 60
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: c == 0}}
			defer client.CloseIdleConnections()
			for i := range each {
				var resp *http.Response
				var err error
				switch i % 4 {
				case 0:
					resp, err = client.Post(server.URL+"/slow", "text/plain", strings.NewReader(strings.Repeat("y", 100+i*997)))
				case 1:
					resp, err = client.Get(server.URL + "/slow")
				default:
					resp, err = client.Get(server.URL + "/quick")
				}
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if c == 1 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	time.Sleep(20 * time.Millisecond)
	trace.Stop()

	checkRequests(t, buf.Bytes(), clients*each, clients*each/2)
}

// checkRequests checks that a trace of a server has as many requests as its clients made,
// and so many of them of handleSlow.
func checkRequests(t *testing.T, data []byte, made, slow int64) {
	t.Helper()
	sums := critical.NewSums(critical.SumOptions{})
	if err := read(data, sums); err != nil {
		t.Fatal(err)
	}
	r := sums.Report()
	checkSums(t, r)
	if r.Kinds != critical.KindsOf(critical.HTTP) {
		t.Fatalf("kinds %b", r.Kinds)
	}
	var found, slowFound int64
	for _, typ := range r.Types {
		found += typ.Count
		t.Logf("%q: %d, p50 %v, max %v, %d cut", typ.Name, typ.Count, typ.P50, typ.Max, typ.Cut)
		if strings.HasSuffix(typ.Name, ".handleSlow") {
			slowFound = typ.Count
			if typ.P50 < 3*time.Millisecond {
				t.Errorf("half of the slow ones took %v", typ.P50)
			}
		}
	}
	if found != made || slowFound != slow {
		t.Errorf("%d requests found, %d of them slow; %d were made", found, slowFound, made)
	}
}
