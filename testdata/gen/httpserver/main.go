// Command httpserver writes the execution trace of an HTTP server on the
// loopback interface and of its clients, all in one process.
//
// It exercises user tasks (a root task "handleRequest" for each request, with
// the subtasks "query" and "render"), nested regions, regions in other
// goroutines than the task's own, logs with and without a category, a contended
// mutex, buffered and unbuffered channels, select, fan-out to goroutines,
// garbage collection with mark assists and sweeps, file reads, sleeps and a
// stop-the-world that is not the collector's.
//
// It builds with Go 1.19 and later.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"strconv"
	"sync"
	"time"
)

// workers is the number of goroutines that a request fans out to.
const workers = 3

type config struct {
	duration time.Duration // how long the clients send requests
	clients  int           // how many of them there are
	pause    time.Duration // what each of them waits between two requests
	heap     int           // live heap in MiB
	garbage  int           // KiB that each request allocates
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("httpserver: ")
	var c config
	flag.DurationVar(&c.duration, "d", 1200*time.Millisecond, "send requests for this `duration`")
	flag.IntVar(&c.clients, "clients", 4, "`number` of clients")
	flag.DurationVar(&c.pause, "pause", 10*time.Millisecond, "`pause` of each client between two requests")
	flag.IntVar(&c.heap, "heap", 4, "live heap in `MiB`")
	flag.IntVar(&c.garbage, "garbage", 96, "`KiB` allocated by each request")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: httpserver [flags] output-file")
	}
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(100)
	if err := run(flag.Arg(0), c); err != nil {
		log.Fatal(err)
	}
}

func run(output string, c config) error {
	dir, err := os.MkdirTemp("", "httpserver")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	template := filepath.Join(dir, "template.html")
	if err := os.WriteFile(template, make([]byte, 16<<10), 0o600); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := newServer(c, template)
	web := &http.Server{Handler: http.HandlerFunc(s.handleRequest)}

	f, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := trace.Start(f); err != nil {
		return err
	}
	go web.Serve(ln) // returns http.ErrServerClosed
	err = s.serveClients(c, "http://"+ln.Addr().String())
	trace.Stop()
	web.Close()
	if err != nil {
		return err
	}
	return f.Close()
}

// A record is a node of the live heap and of the garbage.
type record struct {
	next *record
	name string
	data [12]int64
}

type server struct {
	template string
	garbage  int
	records  *record // keeps the live heap alive

	audit chan string
	done  chan struct{}

	mu   sync.Mutex // everybody fights for it
	hits map[string]int
}

func newServer(c config, template string) *server {
	return &server{
		template: template,
		garbage:  c.garbage << 10,
		records:  allocate(c.heap << 20),
		audit:    make(chan string, 8),
		done:     make(chan struct{}),
		hits:     make(map[string]int),
	}
}

// allocate returns a list of records that takes about size bytes.
func allocate(size int) *record {
	const recordSize = 128
	var list *record
	for n := 0; n < size; n += recordSize {
		list = &record{next: list, name: "record"}
	}
	return list
}

// serveClients runs the clients, and the goroutines that work beside the
// server, until the clients are done.
func (s *server) serveClients(c config, url string) error {
	var beside sync.WaitGroup
	beside.Add(2)
	go func() {
		defer beside.Done()
		s.auditor()
	}()
	go func() {
		defer beside.Done()
		s.watchMemory()
	}()

	errs := make(chan error) // unbuffered
	stop := time.Now().Add(c.duration)
	for i := 0; i < c.clients; i++ {
		go func(id int) { errs <- client(id, url, stop, c.pause) }(i)
	}
	var first error
	for i := 0; i < c.clients; i++ {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	close(s.done)
	beside.Wait()
	return first
}

// client sends requests one after the other until the time given.
func client(id int, url string, stop time.Time, pause time.Duration) error {
	for n := 0; time.Now().Before(stop); n++ {
		resp, err := http.Get(fmt.Sprintf("%s/?user=user%d&n=%d", url, id, n))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}

// auditor takes what the requests send to the audit channel.
func (s *server) auditor() {
	seen := make(map[string]int)
	for {
		select {
		case user := <-s.audit:
			seen[user]++
		case <-s.done:
			return
		}
	}
}

// watchMemory stops the world now and then to read the memory statistics.
func (s *server) watchMemory() {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			trace.Log(context.Background(), "memory", strconv.FormatUint(m.HeapAlloc, 10))
		case <-s.done:
			return
		}
	}
}

func (s *server) handleRequest(w http.ResponseWriter, r *http.Request) {
	ctx, task := trace.NewTask(r.Context(), "handleRequest")
	defer task.End()

	region := trace.StartRegion(ctx, "parse")
	user := r.URL.Query().Get("user")
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	region.End()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	trace.Log(ctx, "user", user)

	rows := s.query(ctx, user, n)
	if err := s.render(ctx, w, rows); err != nil {
		trace.Logf(ctx, "error", "render: %v", err)
	}
	select {
	case s.audit <- user:
	default: // the auditor is late
	}
}

// A row is one line of an answer.
type row struct {
	Worker int
	Sum    int64
	Hits   int
}

// query fans out to goroutines and collects their rows.
func (s *server) query(ctx context.Context, user string, n int) []row {
	ctx, task := trace.NewTask(ctx, "query")
	defer task.End()

	results := make(chan row, workers)
	var wg sync.WaitGroup
	wg.Add(workers)
	for i := 0; i < workers; i++ {
		go func(i int) {
			defer wg.Done()
			s.work(ctx, user, i, results)
		}(i)
	}
	trace.WithRegion(ctx, "collect", wg.Wait)
	close(results)

	var rows []row
	for r := range results {
		r.Sum += int64(n)
		rows = append(rows, r)
	}
	return rows
}

// work is what one goroutine does for a query.
func (s *server) work(ctx context.Context, user string, i int, results chan<- row) {
	defer trace.StartRegion(ctx, "worker").End()

	hits := s.lookup(ctx, user)
	var sum int64
	for r := allocate(s.garbage / workers); r != nil; r = r.next {
		sum += int64(len(r.name)) + r.data[i]
	}
	results <- row{Worker: i, Sum: sum, Hits: hits}
}

// lookup counts a hit of the user, with the mutex held for a while.
func (s *server) lookup(ctx context.Context, user string) int {
	defer trace.StartRegion(ctx, "lookup").End()

	s.mu.Lock()
	defer s.mu.Unlock()
	spin(50 * time.Microsecond)
	s.hits[user]++
	return s.hits[user]
}

func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// render reads the template and writes the rows to the client.
func (s *server) render(ctx context.Context, w io.Writer, rows []row) error {
	ctx, task := trace.NewTask(ctx, "render")
	defer task.End()

	region := trace.StartRegion(ctx, "template")
	page, err := os.ReadFile(s.template)
	region.End()
	if err != nil {
		return err
	}
	time.Sleep(100 * time.Microsecond)

	defer trace.StartRegion(ctx, "encode").End()
	trace.Logf(ctx, "", "%d rows under %d bytes of template", len(rows), len(page))
	var body []byte
	trace.WithRegion(ctx, "marshal", func() {
		body, err = json.Marshal(rows)
	})
	if err != nil {
		return err
	}
	_, err = w.Write(body)
	return err
}
