package critical_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/pprof"
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

//go:noinline
func handleLog(w http.ResponseWriter, r *http.Request) { trace.Log(r.Context(), "path", r.URL.Path) }

//go:noinline
func handleRegion(w http.ResponseWriter, r *http.Request) { trace.StartRegion(r.Context(), "r").End() }

//go:noinline
func handleTask(w http.ResponseWriter, r *http.Request) {
	_, task := trace.NewTask(r.Context(), "t")
	task.End()
}

//go:noinline
func handleStop(w http.ResponseWriter, r *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
}

// handleSpin only computes, for long enough that the CPU profiler takes a sample.
//
//go:noinline
func handleSpin(w http.ResponseWriter, r *http.Request) {
	n := 0
	for start := time.Now(); time.Since(start) < 60*time.Millisecond; {
		n++
	}
	_ = n
}

//go:noinline
func handleUnseen(w http.ResponseWriter, r *http.Request) {}

// Handlers that never block are known from everything that has a stack. One that leaves
// none has a name that says so.
func TestHandlersThatNeverBlock(t *testing.T) {
	handlers := map[string]http.HandlerFunc{"Log": handleLog, "Region": handleRegion, "Task": handleTask, "Stop": handleStop, "Spin": handleSpin, "Unseen": handleUnseen}
	mux := http.NewServeMux()
	for name, h := range handlers {
		mux.HandleFunc("/"+name, h)
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		t.Fatal(err)
	}
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	const each = 10
	for range each {
		for name := range handlers {
			resp, err := server.Client().Get(server.URL + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	pprof.StopCPUProfile()
	trace.Stop()

	sums := critical.NewSums(critical.SumOptions{Options: critical.Options{Kinds: critical.KindsOf(critical.HTTP)}})
	if err := read(buf.Bytes(), sums); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int64)
	for _, typ := range sums.Report().Types {
		found[typ.Name[strings.LastIndex(typ.Name, ".")+1:]] += typ.Count + typ.Cut
	}
	for name := range handlers {
		if n := found["handle"+name]; name != "Unseen" && n != each {
			t.Errorf("%d of %s", n, name)
		}
	}
	// The runtime may have preempted it all the same.
	if n := found[critical.HandlerNotSeen] + found["handleUnseen"]; n != each || found[critical.HandlerNotSeen] == 0 || found[""] > 0 {
		t.Errorf("%d requests that left nothing", n)
	}
	t.Log(found)
}

// checkRequests checks that a trace of a server has as many requests as its clients made,
// and that slow of them are of handleSlow.
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
