package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRecorder: many slow requests at once make one file, and none of them waits
// for it, even if nobody writes.
func TestRecorder(t *testing.T) {
	dir := t.TempDir()
	r, err := newRecorder(dir, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	handler := r.watch(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(2 * time.Millisecond)
		}
	}))
	serve := func(path string) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)) })
		}
		wg.Wait()
	}
	serve("/slow") // nobody is there to write

	go r.run(t.Context())
	var files []string
	for len(files) == 0 {
		serve("/slow")
		files, _ = filepath.Glob(filepath.Join(dir, "*.trace"))
	}
	serve("/slow")
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("%d files", len(entries))
	}
	data, err := os.ReadFile(files[0])
	if err != nil || !strings.HasPrefix(string(data), "go 1.") {
		t.Errorf("%s is not an execution trace: %v", files[0], err)
	}
}
