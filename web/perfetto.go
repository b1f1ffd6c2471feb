package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/deeplink"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// slowestPaths is how many critical paths of each type a converted window has.
const slowestPaths = 10

// convert serves a window of a trace as a Perfetto trace. The headers say where the UI is
// to open it.
func (s *Server) convert(w http.ResponseWriter, r *http.Request, t *Trace) {
	q, err := parseQuery(r.URL.Query())
	at, atErr := parseOpening(r.URL.Query())
	if err := errors.Join(err, atErr); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.serveConverted(w, t.Name, func(f *os.File) (handover, error) { return s.convertTo(f, t, q, at) })
}

// serveConverted serves what convert writes to a file.
func (s *Server) serveConverted(w http.ResponseWriter, title string, convert func(*os.File) (handover, error)) {
	f, err := s.opts.TempFile()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	made, err := convert(f)
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
	h.Set("Trace2x-Title", url.PathEscape(title))
	if len(made.args) > 0 {
		h.Set("Trace2x-UI-Arguments", made.args.Encode())
	}
	if made.leftOut != "" {
		h.Set("Trace2x-Left-Out", url.PathEscape(made.leftOut))
	}
	io.Copy(w, f)
}

// opening is where in a trace the UI opens.
type opening struct {
	at, length time.Duration // since the trace began; negative for the whole window
	unit       *unitKey      // whose critical path is shown, nil for none
	selected   string        // see selectState
	lanes      []model.GoID  // goroutines whose lanes are shown above all others
}

// parseOpening reads it from the address of a window.
func parseOpening(v url.Values) (p opening, err error) {
	p.at, p.length = -1, -1
	if !v.Has("at") {
		return p, nil
	}
	if p.at, err = time.ParseDuration(v.Get("at")); err != nil {
		return p, err
	}
	if p.length, err = time.ParseDuration(v.Get("for")); err != nil {
		return p, err
	}
	switch p.selected = v.Get("select"); p.selected {
	case selectState, selectSlice, selectNone:
	default:
		return p, fmt.Errorf("select is not %s or %s", selectState, selectSlice)
	}
	for _, s := range v["lane"] {
		id, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return p, err
		}
		p.lanes = append(p.lanes, model.GoID(id))
	}
	if v.Has("kind") {
		key, err := parseUnit(v)
		p.unit = &key
		return p, err
	}
	return p, nil
}

// handover is what the UI gets besides a file.
type handover struct {
	args    url.Values // of its address
	leftOut string     // what the file does not have, to be small enough
}

// maxAttempts is how often a window is converted so that it is small enough.
const maxAttempts = 5

// convertTo converts a window into a file. If that gets too large, it has less detail.
func (s *Server) convertTo(f *os.File, t *Trace, q query, at opening) (handover, error) {
	opts := perfetto.Options{MinBlock: perfetto.DefaultMinBlock, Slowest: slowestPaths, Version: s.opts.Version, Budget: s.budget}
	if at.at < 0 {
		opts.ShortWaits = perfetto.DefaultShortWaits
	}
	if at.unit != nil {
		opts.Show = at.unit.is
	}
	part, aim := q.window(), s.budget
	end := part.To
	for attempt := 1; ; attempt++ {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return handover{}, err
		}
		if err := f.Truncate(0); err != nil {
			return handover{}, err
		}
		var to io.Writer = f
		if attempt < maxAttempts {
			to = output.UpTo(f, s.budget)
		}
		out := bufio.NewWriter(to)
		w := perfetto.NewWriter(out, opts)
		sum, err := t.readWindow(s.ctx, w, part)
		w.Close()
		switch {
		case attempt < maxAttempts && (errors.Is(err, perfetto.ErrBudget) || sum != nil && w.Size() > s.budget):
			aim = aim * 95 / 100
			opts.Budget = 0 // from now on, the exact size is worth more than the time
			w.Fit(aim).Apply(&opts, &part, end)
			continue
		case sum == nil:
			return handover{}, err
		}
		return handover{at.view(w, sum, t.whole.rep.Trace.Origin).Args(), opts.LeftOut}, out.Flush()
	}
}

// view is what the UI shows of a converted window. Origin is when the trace began.
func (at *opening) view(w *perfetto.Writer, sum *model.Summary, origin model.Time) *deeplink.View {
	view := &deeplink.View{Start: sum.Start, End: sum.End}
	if at.at >= 0 {
		begin, end := origin+model.Time(at.at), origin+model.Time(at.at+at.length)
		margin := max((end-begin)/4, model.Time(20*time.Microsecond))
		view.From, view.To = begin-margin, end+margin
		view.At, view.Note = begin, report.Duration(at.length)+" from here"
		view.Select, view.Length = at.selected, end-begin
		for _, g := range at.lanes {
			lane, found := w.Lane(g, begin)
			if !found {
				lane, found = w.Lane(g, end-1)
			}
			if found {
				view.Lanes = append(view.Lanes, lane)
			}
		}
	}
	if at.unit != nil {
		paths := w.Paths()
		for i := range paths {
			if at.unit.is(&paths[i].Unit) {
				view.Path = &paths[i]
			}
		}
	}
	return view
}
