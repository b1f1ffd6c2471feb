package web

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/model"
)

// slowestPaths is how many critical paths of each type a converted window has.
const slowestPaths = 10

// convert serves a window of a trace as a Perfetto trace. The headers say where the UI is
// to open it.
func (s *Server) convert(w http.ResponseWriter, r *http.Request, t *Trace) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f, err := s.opts.TempFile()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	args, err := s.convertTo(f, t, q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="trace.pftrace"`)
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Trace2x-Title", url.PathEscape(t.Name))
	if len(args) > 0 {
		h.Set("Trace2x-UI-Arguments", args.Encode())
	}
	io.Copy(w, f)
}

// convertTo converts a window into a file, and returns the arguments of the UI.
func (s *Server) convertTo(f *os.File, t *Trace, q query) (url.Values, error) {
	in, err := t.again()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out := bufio.NewWriter(f)
	p := perfetto.NewWriter(out, perfetto.Options{MinBlock: perfetto.DefaultMinBlock, Slowest: slowestPaths, Version: s.opts.Version})
	defer p.Close()
	sum, err := model.ReadWindow(s.ctx, in, p, q.window())
	if sum == nil {
		return nil, err
	}
	return nil, out.Flush()
}
