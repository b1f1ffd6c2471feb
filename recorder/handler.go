package recorder

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Handler returns a handler for dumps on demand. GET answers with the window, as
// /debug/pprof/trace does, and its metadata in MetadataHeader. POST dumps it as
// [Recorder.Snapshot] does, with the reason of the query, and answers with the
// metadata, the file and the size as JSON.
//
// A trace tells names of functions, tasks and spans: let only those reach the handler
// who may know.
func (r *Recorder) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		reason := req.URL.Query().Get("reason")
		if reason == "" {
			reason = "on demand"
		}
		switch req.Method {
		case http.MethodGet:
			r.serveWindow(w, req, reason)
		case http.MethodPost:
			d, err := r.Snapshot(req.Context(), reason)
			if err != nil {
				httpError(w, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(struct {
				Metadata
				File  string `json:"file,omitempty"`
				Bytes int64  `json:"bytes"`
			}{d.Metadata, d.File, d.Bytes})
		default:
			w.Header().Set("Allow", "GET, POST")
			http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
		}
	})
}

func (r *Recorder) serveWindow(w http.ResponseWriter, req *http.Request, reason string) {
	m := r.metadata(reason, time.Now())
	var window bytes.Buffer
	if err := r.window(req.Context(), func(fr io.WriterTo) error {
		_, err := fr.WriteTo(&window)
		return err
	}); err != nil {
		httpError(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+fileName(m)+ofTrace+`"`)
	h.Set("Content-Length", strconv.Itoa(window.Len()))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(MetadataHeader, m.json())
	w.Write(window.Bytes())
}

func httpError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, ErrNotRecorded) || errors.Is(err, ErrStopped) {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), status)
}
