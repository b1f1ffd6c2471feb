// Command load writes a large execution trace, for benchmarks: a server under
// load from clients in the same process, where each request fans out to many
// goroutines that do not live long.
//
// With -fresh, each request has a connection of its own: goroutines of the server and of
// the client for it, system calls, and short waits in the handler.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/trace"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// What a request makes in the trace, on average, beside what its goroutines
// make: measured with Go 1.26 on two cores.
const (
	eventsPerRequest   = 40
	eventsPerTask      = 10 // more if there are tasks
	eventsPerGoroutine = 6
	eventsPerQuery     = 6
	eventsPerFresh     = 32 // more with a connection for each request
)

type config struct {
	events   int           // how many are wanted
	duration time.Duration // how long it may take
	clients  int
	fanout   int // goroutines per request
	queries  int // per goroutine, to the pool
	tasks    bool
	fresh    bool // a connection for each request
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	var c config
	flag.IntVar(&c.events, "events", 3_000_000, "stop when the trace has about this `number` of events")
	flag.DurationVar(&c.duration, "d", time.Minute, "stop after this `duration` at the latest")
	flag.IntVar(&c.clients, "clients", 8, "`number` of clients")
	flag.IntVar(&c.fanout, "fanout", 6, "`number` of goroutines for each request")
	flag.IntVar(&c.queries, "queries", 2, "`number` of queries that each goroutine sends to the pool of workers")
	flag.BoolVar(&c.tasks, "tasks", true, "make a task for each request, with regions and logs")
	flag.BoolVar(&c.fresh, "fresh", false, "make a connection for each request")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: load [flags] output-file")
	}
	runtime.GOMAXPROCS(2)
	if err := run(flag.Arg(0), c); err != nil {
		log.Fatal(err)
	}
}

func run(output string, c config) error {
	dir, err := os.MkdirTemp("", "load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ln, err := c.listen(dir)
	if err != nil {
		return err
	}
	s := &server{config: c, pool: make(chan query)}
	for range workers {
		go s.work()
	}
	web := &http.Server{Handler: s}
	go web.Serve(ln) // returns http.ErrServerClosed
	defer web.Close()

	f, err := os.Create(output)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := trace.Start(f); err != nil {
		return err
	}
	requests, err := s.attack(ln.Addr())
	trace.Stop()
	if err != nil {
		return err
	}
	log.Printf("%d requests and %d goroutines in %v", requests, requests*int64(c.fanout),
		time.Since(start).Round(time.Millisecond))
	return f.Close()
}

// listen returns the listener of the server. With a connection for each request, it is of
// a Unix socket in dir: the system has not enough ports for so many.
func (c config) listen(dir string) (net.Listener, error) {
	if c.fresh {
		return net.Listen("unix", filepath.Join(dir, "socket"))
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// requests returns how many requests it takes to make the events wanted.
func (c config) requests() int64 {
	each := eventsPerRequest + c.fanout*(eventsPerGoroutine+c.queries*eventsPerQuery)
	if c.tasks {
		each += eventsPerTask
	}
	if c.fresh {
		each += eventsPerFresh
	}
	return int64((c.events + each - 1) / each)
}

// workers is the size of the pool.
const workers = 3

type server struct {
	config config
	pool   chan query

	mu   sync.Mutex
	hits map[string]int
}

// attack sends requests until there are enough of them, and returns how many
// there were.
func (s *server) attack(addr net.Addr) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.duration)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: s.config.clients,
		DisableKeepAlives:   s.config.fresh,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, addr.Network(), addr.String())
		},
	}}
	defer client.CloseIdleConnections()

	var left, served atomic.Int64
	left.Store(s.config.requests())
	errs := make(chan error)
	for id := range s.config.clients {
		go func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				if err := get(client, fmt.Sprintf("http://server/?user=user%d", id)); err != nil {
					errs <- err
					return
				}
				served.Add(1)
			}
			errs <- nil
		}()
	}
	var err error
	for range s.config.clients {
		err = errors.Join(err, <-errs)
	}
	return served.Load(), err
}

func get(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("user")
	if s.config.fresh {
		time.Sleep(20 * time.Microsecond)
	}
	if !s.config.tasks {
		io.WriteString(w, strconv.Itoa(s.sum(user)))
		return
	}
	ctx, task := trace.NewTask(r.Context(), "handleRequest")
	defer task.End()
	trace.Log(ctx, "user", user)
	var sum int
	trace.WithRegion(ctx, "sum", func() { sum = s.sum(user) })
	trace.WithRegion(ctx, "encode", func() { io.WriteString(w, strconv.Itoa(sum)) })
}

// sum fans out to goroutines and adds up what they send.
func (s *server) sum(user string) int {
	parts := make(chan int)
	for i := range s.config.fanout {
		go s.part(i, user, parts)
	}
	sum := 0
	for range s.config.fanout {
		sum += <-parts
	}
	return sum
}

func (s *server) part(i int, user string, parts chan<- int) {
	block := make([]int, 256)
	for j := range block {
		block[j] = i * j
	}
	sum := s.hit(user) + block[len(block)-1]
	answer := make(chan int)
	for range s.config.queries {
		s.pool <- query{user, answer}
		sum += <-answer
	}
	parts <- sum
}

// query asks for the length of a user's name.
type query struct {
	user   string
	answer chan<- int
}

// work answers queries.
func (s *server) work() {
	for q := range s.pool {
		q.answer <- len(q.user)
	}
}

func (s *server) hit(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hits == nil {
		s.hits = make(map[string]int)
	}
	s.hits[user]++
	return s.hits[user]
}
