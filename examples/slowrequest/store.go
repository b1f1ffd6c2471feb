package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// store is what is slow in this service: its index takes half a second to build,
// with a lock that every request needs.
type store struct {
	mu    sync.Mutex
	carts int
}

func (s *store) cart(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "cart %d\n", s.nextCart())
}

func (s *store) nextCart() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carts++
	return s.carts
}

func (s *store) reindex(duration time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	time.Sleep(duration)
}
