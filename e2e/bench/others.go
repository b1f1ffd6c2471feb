package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/e2e/traceprocessor"
	"github.com/trace2x/trace2x/model"
)

// spans measures the conversion to OTLP, with a server that throws everything away.
func (b *bench) spans(t *trace) error {
	discard := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer discard.Close()
	minTask, err := b.slowestTasks(t.file)
	if err != nil {
		return err
	}
	us, err := b.inTurn(
		[]string{b.self, "bare", t.file},
		[]string{b.trace2x, "otel", "--endpoint", discard.URL, "--min-task", minTask.String(), t.file},
		[]string{b.trace2x, "otel", "--endpoint", discard.URL, t.file},
	)
	if err != nil {
		return err
	}
	bare, few, all := us[0], us[1], us[2]
	b.row(t, "`trace2x otel --min-task` for 1 % of the tasks, wall ÷ bare read loop", "≤ 1.0", "%.2f", ratio(few.wall, bare.wall))
	m := regexp.MustCompile(`([\d,]+) spans accepted`).FindStringSubmatch(all.out)
	if m == nil {
		return fmt.Errorf("no spans: %s", all.out)
	}
	n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
	if err != nil {
		return err
	}
	b.row(t, "the same, all kept: spans per second", "≥ 783,000", "%.0f (%d spans, wall ÷ bare read loop %.2f)", float64(n)/all.wall.Seconds(), n, ratio(all.wall, bare.wall))
	return nil
}

// slowestTasks returns the duration that 1 % of the tasks reach.
func (b *bench) slowestTasks(trace string) (time.Duration, error) {
	u, err := measure(b.trace2x, "summary", "--json", trace)
	if err != nil {
		return 0, err
	}
	var report struct {
		Tasks []struct {
			Latency struct {
				P99 int64 `json:"p99_ns"`
			}
		}
	}
	if err := json.Unmarshal([]byte(u.out), &report); err != nil {
		return 0, fmt.Errorf("the summary: %w", err)
	}
	if len(report.Tasks) == 0 || report.Tasks[0].Latency.P99 == 0 {
		return 0, errors.New("no tasks in the summary")
	}
	return time.Duration(report.Tasks[0].Latency.P99), nil
}

// loads measures what the file of a trace costs in the trace processor.
func (b *bench) loads(t *trace) error {
	file := filepath.Join(b.dir, "loaded.pftrace")
	defer os.Remove(file)
	if _, err := measure(b.trace2x, "perfetto", "-o", file, t.file); err != nil {
		return err
	}
	us, err := b.inTurn([]string{b.self, "bare", t.file})
	if err != nil {
		return err
	}
	cpu, peak, err := b.loadingOf(file)
	if err != nil {
		return err
	}
	// 25 and 235 before the bars were set.
	b.row(t, "loading the file in the trace processor, CPU time ÷ bare read loop's", "≤ 15", "%.1f (%.1f s, %.1f µs per event)", ratio(cpu, us[0].cpu), cpu.Seconds(), cpu.Seconds()*1e6/float64(t.events))
	b.row(t, "its peak memory there, bytes per event", "≤ 165", "%.0f (%.0f MB)", float64(peak)/float64(t.events), float64(peak)/1e6)
	return nil
}

// loadingOf returns the CPU time that the trace processor takes to load a file, on top of
// what it takes to start, and its peak memory.
func (b *bench) loadingOf(file string) (cpu time.Duration, peak int64, err error) {
	empty := filepath.Join(b.dir, "empty.pftrace")
	if _, err := measure(b.trace2x, "perfetto", "-o", empty, "testdata/traces/chain.trace"); err != nil {
		return 0, 0, err
	}
	start, _, err := traceprocessor.Load(context.Background(), empty)
	if err != nil {
		return 0, 0, err
	}
	cpu, peak, err = traceprocessor.Load(context.Background(), file)
	return cpu - start, peak, err
}

// plain compares how long the trace processor takes to load the output with
// how long it takes for a slice for each state of a goroutine.
func (b *bench) plain(t *trace) error {
	native, plain := filepath.Join(b.dir, "native.pftrace"), filepath.Join(b.dir, "plain.pftrace")
	if _, err := measure(b.trace2x, "perfetto", "-o", native, t.file); err != nil {
		return err
	}
	if err := plainSlices(t.file, plain); err != nil {
		return err
	}
	var took [2]time.Duration
	for range b.runs {
		for i, file := range []string{native, plain} {
			cpu, _, err := b.loadingOf(file)
			if err != nil {
				return err
			}
			if took[i] == 0 || cpu < took[i] {
				took[i] = cpu
			}
		}
	}
	b.row(t, "loading it in the trace processor ÷ the states as plain slices, CPU time", "≤ 0.6", "%.2f (%.1f s)", ratio(took[0], took[1]), took[0].Seconds())
	return nil
}

// stateSlices writes each state of a goroutine as a slice on a track of its own.
type stateSlices struct {
	model.NopSink
	w     *bufio.Writer
	known map[model.GoID]bool
}

func plainSlices(trace, file string) error {
	in, err := os.Open(trace)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	s := &stateSlices{w: bufio.NewWriter(out), known: make(map[model.GoID]bool)}
	if _, err := model.Read(context.Background(), in, s); err != nil {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	return out.Close()
}

func (s *stateSlices) put(p *perfettopb.TracePacket) {
	p.TrustedPacketSequenceId = proto.Uint32(1)
	data, err := proto.Marshal(p)
	if err != nil {
		panic(err) // messages of numbers and ASCII names
	}
	s.w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), data))
}

func (s *stateSlices) GoroutineState(g *model.Goroutine, st *model.GoState) {
	track := proto.Uint64(uint64(g.ID))
	if !s.known[g.ID] {
		s.known[g.ID] = true
		s.put(&perfettopb.TracePacket{Data: &perfettopb.TracePacket_TrackDescriptor{TrackDescriptor: &perfettopb.TrackDescriptor{
			Uuid: track, Name: proto.String(fmt.Sprintf("G%d", g.ID)),
		}}})
	}
	name := st.Kind.String()
	if st.Reason != "" {
		name = st.Reason
	}
	event := func(t model.Time, e *perfettopb.TrackEvent) {
		e.TrackUuid = track
		s.put(&perfettopb.TracePacket{Timestamp: proto.Uint64(uint64(t)), Data: &perfettopb.TracePacket_TrackEvent{TrackEvent: e}})
	}
	event(st.Start, &perfettopb.TrackEvent{Type: perfettopb.TrackEvent_TYPE_SLICE_BEGIN.Enum(), NameField: &perfettopb.TrackEvent_Name{Name: name}})
	event(st.End, &perfettopb.TrackEvent{Type: perfettopb.TrackEvent_TYPE_SLICE_END.Enum()})
}

// goTool compares with go tool trace, up to the JSON for its viewer.
func (b *bench) goTool(ctx context.Context, t *trace) error {
	us, err := b.inTurn([]string{b.trace2x, "perfetto", "-o", filepath.Join(b.dir, "ours.pftrace"), t.file})
	if err != nil {
		return err
	}
	ours := us[0]
	cmd := exec.CommandContext(ctx, "go", "tool", "trace", "-http=127.0.0.1:0", t.file)
	// Not its browser.
	cmd.Env = append(os.Environ(), "BROWSER=true")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(stderr)
	address := ""
	for address == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			address = strings.TrimSpace(url)
		}
	}
	if address == "" {
		return fmt.Errorf("go tool trace did not listen: %v", lines.Err())
	}
	go io.Copy(io.Discard, stderr)
	resp, err := http.Get(address + "/jsontrace?view=proc")
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	took := time.Since(start)
	if err != nil {
		return err
	}
	// "go" itself, the parent in the group, only waits.
	theirs, err := childMemory(cmd.Process.Pid)
	if err != nil {
		return err
	}
	killTree(cmd.Process.Pid)
	cmd.Wait()
	b.row(t, "time to a file that the UI opens ÷ `go tool trace` to its JSON", "≤ 1/25", "1/%.0f (%.2f s; %.1f s, %.0f MB of JSON)", ratio(took, ours.wall), ours.wall.Seconds(), took.Seconds(), float64(n)/1e6)
	b.row(t, "memory of the two", "≤ 1/20", "1/%.0f (%.0f MB; %.0f MB)", float64(theirs)/float64(ours.rss), float64(ours.rss)/1e6, float64(theirs)/1e6)
	return nil
}
