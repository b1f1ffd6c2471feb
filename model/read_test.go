package model_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

func TestInvariants(t *testing.T) {
	for _, name := range testtrace.All(t) {
		t.Run(name, func(t *testing.T) {
			v := modeltest.NewValidator(model.NopSink{})
			sum, err := model.Read(context.Background(), bytes.NewReader(testtrace.Data(t, name)), v)
			var damage *model.Damage
			var format *model.FormatError
			switch {
			case errors.As(err, &format):
				t.Log(err)
				return
			case errors.As(err, &damage):
				t.Log(err)
			case err != nil:
				t.Fatal(err)
			}
			for _, err := range v.Errors {
				t.Error(err)
			}
			t.Logf("%d events, %d goroutines, %d generations, unknown %v", sum.Events, sum.Goroutines, sum.Generations, sum.Unknown)
		})
	}
}

// traceData returns the bytes of a trace of the repository.
func traceData(t testing.TB, name string) []byte {
	t.Helper()
	return testtrace.Data(t, strings.TrimSuffix(name, ".trace"))
}

func TestDamage(t *testing.T) {
	tests := []struct {
		name   string
		file   string
		size   int // of what is read of the file; 0 for all
		want   model.Damage
		behind int    // generations that are read behind the damage
		format string // text of the FormatError instead
	}{
		{
			name: "truncated", file: "truncated.trace",
			want: model.Damage{Generations: 3, Offset: 48462, Lost: 2172, Truncated: true},
		},
		{
			name: "damaged", file: "damaged.trace", behind: 1,
			want: model.Damage{Generations: 2, Offset: 31946, Lost: 13891},
		},
		{name: "truncated Go 1.21", file: "truncated-go1.21.trace", format: "damaged or truncated Go 1.21 trace"},
		{
			name: "only a header", file: "chain.trace", size: 16,
			want: model.Damage{Offset: 16, Truncated: true},
		},
		{
			name: "within the only generation", file: "chain.trace", size: 2000,
			want: model.Damage{Offset: 2000, Lost: 2000 - 16, Truncated: true},
		},
		{
			name: "without the end of the generation", file: "chain.trace", size: 3919,
			want: model.Damage{Offset: 3919, Lost: 3919 - 16, Truncated: true},
		},
		{
			name: "within the head of a Go 1.22 batch", file: "httpserver-go1.22.trace", size: 18,
			want: model.Damage{Offset: 18, Lost: 2, Truncated: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := traceData(t, tt.file)
			if tt.size > 0 {
				data = data[:tt.size]
			}
			sum, err := model.Read(context.Background(), bytes.NewReader(data), model.NopSink{})
			if tt.format != "" {
				var format *model.FormatError
				if !errors.As(err, &format) || !strings.Contains(err.Error(), tt.format) || sum != nil {
					t.Fatalf("got %v, %v, want a FormatError with %q", sum, err, tt.format)
				}
				return
			}
			var damage *model.Damage
			if !errors.As(err, &damage) || sum == nil || len(sum.Gaps) != 1 || sum.Gaps[0].Damage != damage {
				t.Fatalf("got %v, %v, want a Damage that is in the summary too", sum, err)
			}
			got := *damage
			if got.Err == nil {
				t.Error("nothing of what the decoder says")
			}
			if got.Err = nil; got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if want := tt.want.Generations + tt.behind; sum.Generations != want {
				t.Errorf("%d generations, want %d", sum.Generations, want)
			}
		})
	}
}

func TestReaderFails(t *testing.T) {
	broken := errors.New("connection reset")
	data := traceData(t, "flightrecorder.trace")
	r := io.MultiReader(bytes.NewReader(data[:len(data)-100]), iotest.ErrReader(broken))
	v := modeltest.NewValidator(model.NopSink{})
	sum, err := model.Read(context.Background(), r, v)
	var damage *model.Damage
	if !errors.As(err, &damage) || !errors.Is(err, broken) {
		t.Fatalf("got %v, want a Damage because of %v", err, broken)
	}
	if !damage.Truncated || damage.Offset != int64(len(data)-100) || damage.Generations != 1 {
		t.Errorf("got %+v", *damage)
	}
	if sum == nil || sum.Events < 100 {
		t.Errorf("got %+v, want the summary of the first generation", sum)
	}
	for _, err := range v.Errors {
		t.Error(err)
	}

	for _, size := range []int{0, 10, 16} {
		// Nothing of the trace has been seen, or, in traces of Go 1.21, all is lost.
		r := io.MultiReader(bytes.NewReader([]byte("go 1.21 trace\x00\x00\x00")[:size]), iotest.ErrReader(broken))
		sum, err := model.Read(context.Background(), r, model.NopSink{})
		if sum != nil || !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v, %v; want %v", size, sum, err, broken)
		}
	}
}

func TestReadSmallPieces(t *testing.T) {
	data := traceData(t, "chain.trace")
	var whole, pieces bytes.Buffer
	for _, read := range []struct {
		r io.Reader
		w io.Writer
	}{{bytes.NewReader(data), &whole}, {iotest.OneByteReader(iotest.DataErrReader(bytes.NewReader(data))), &pieces}} {
		if _, err := model.Read(context.Background(), read.r, modeltest.NewDump(read.w)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(whole.Bytes(), pieces.Bytes()) {
		t.Error("a trace that comes byte by byte gives another model")
	}
}

// stopper ends the reading after some goroutines.
type stopper struct {
	model.NopSink
	left int
	stop func()
	err  error
	end  bool
}

func (s *stopper) GoroutineStart(*model.Goroutine) {
	if s.left--; s.left == 0 {
		s.stop()
	}
}
func (s *stopper) End(*model.Summary) { s.end = true }
func (s *stopper) Err() error         { return s.err }

func TestSinkFails(t *testing.T) {
	full := errors.New("disk full")
	for _, file := range []string{"httpserver.trace", "chain.trace", "httpserver-go1.21.trace"} {
		s := &stopper{left: 5}
		s.stop = func() { s.err = full }
		_, err := model.Read(context.Background(), bytes.NewReader(traceData(t, file)), s)
		if !errors.Is(err, full) {
			t.Errorf("%s: got %v, want the error of the sink", file, err)
		}
		if file == "httpserver.trace" && s.end {
			t.Errorf("%s was read to its end", file)
		}
	}
}

func TestCancel(t *testing.T) {
	data := traceData(t, "httpserver.trace")
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if sum, err := model.Read(ctx, bytes.NewReader(data), model.NopSink{}); sum != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v", sum, err)
		}
	})
	t.Run("in the midst", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		s := &stopper{left: 5, stop: cancel}
		if sum, err := model.Read(ctx, bytes.NewReader(data), s); sum != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v", sum, err)
		}
		if s.end {
			t.Error("the trace was read to its end")
		}
	})
	t.Run("while the reader waits", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		r, w := io.Pipe()
		t.Cleanup(func() { w.Close() })
		go func() {
			w.Write(data[:len(data)/2]) // nothing follows
			cancel()
		}()
		if sum, err := model.Read(ctx, r, model.NopSink{}); sum != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v", sum, err)
		}
	})
}

func gunzip(t *testing.T, data []byte) string {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestNotATrace(t *testing.T) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 0); err != nil {
		t.Fatal(err)
	}
	var cpu bytes.Buffer
	if err := pprof.StartCPUProfile(&cpu); err != nil {
		t.Fatal(err)
	}
	pprof.StopCPUProfile()
	var packets bytes.Buffer
	if _, err := perfetto.Convert(context.Background(), bytes.NewReader(traceData(t, "chain.trace")), &packets, perfetto.Options{}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		in   string
		want string
	}{
		{"empty", "", "the input is empty"},
		{"header cut", "go 1.26 tr", "ends inside its header, after 10 bytes"},
		{"header cut early", "go", "ends inside its header, after 2 bytes"},
		{"newer version", "go 1.99 trace\x00\x00\x00\x01", "newer than this version of trace2x"},
		{"no version", "go 1.05 trace\x00\x00\x00\x01", "not a Go execution trace: it begins with the bytes 67 6f 20"},
		{"a version that nobody writes", "go 1.24 trace\x00\x00\x00\x01", "which no Go release writes"},
		{"old version", "go 1.5 trace\x00\x00\x00\x00", "in the format of Go 1.5, which no current tool reads"},
		{"wrong header", "go 1.26 spoor\x00\x00\x00", "not a Go execution trace: it begins with the bytes 67 6f 20"},
		{"goroutine profile", gunzip(t, profile.Bytes()), "seems to be a pprof profile"},
		{"CPU profile", gunzip(t, cpu.Bytes()), "seems to be a pprof profile"},
		{"Perfetto", packets.String(), "seems to be a Perfetto trace"},
		{"Perfetto, one packet", packets.String()[:100], "seems to be a Perfetto trace"},
		{"gzip", profile.String(), "is compressed with gzip"},
		{"bzip2", "BZh91AY&SY\x00\xd1\x2f\xb5", "is compressed with bzip2; decompress it with bzip2 -d"},
		{"zstd", "\x28\xb5\x2f\xfd\x04", "is compressed with zstd"},
		{"zip", "PK\x03\x04\x14", "is a zip archive"},
		{"text", "404 page not found\nand more\n", `is text that begins with "404 page not found"`},
		{"HTML", "\n<!DOCTYPE html><html><body>Not found", "is an HTML page"},
		{"HTML without doctype", "<HTML><body>Not found", "is an HTML page"},
		{"Chrome JSON", `{"displayTimeUnit":"ns","traceEvents":[]}`, "seems to be a Chrome JSON trace"},
		{"other JSON", `{"error": "no"}`, `is text that begins with "{\"error\": \"no\"}"`},
		{"core dump", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00>\x00", "is a core dump"},
		{"xz", "\xfd7zXZ\x00\x00", "is compressed with xz"},
		{"program", "\x7fELF\x02\x01\x01\x00\x00", "is a program"},
		{"long line", strings.Repeat("ä", 300), `is text that begins with "` + strings.Repeat("ä", 80) + `…"`},
		{"long line, cut in a character", "." + strings.Repeat("ä", 300), `is text that begins with ".ä`},
		{"text after an empty line", "\n404 page not found", `is text that begins with "404`},
		{"bytes", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "begins with the bytes 00 01 02 03 04 05 06 07"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls := &counter{}
			sum, err := model.Read(context.Background(), strings.NewReader(tt.in), calls)
			var format *model.FormatError
			if !errors.As(err, &format) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a FormatError with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "\uFFFD") || err != nil && strings.Contains(err.Error(), `\x`) {
				t.Errorf("%v: has a broken character", err)
			}
			if sum != nil || calls.begins+calls.ends > 0 {
				t.Error("the sink was called")
			}
		})
	}
}

// eventLog is the calls of what the events say, in their order, without those
// that the end of the trace makes.
func eventLog(t *testing.T, data []byte) ([]string, error) {
	t.Helper()
	var out bytes.Buffer
	v := modeltest.NewValidator(modeltest.NewDump(&out))
	_, err := model.Read(context.Background(), bytes.NewReader(data), v)
	for _, err := range v.Errors {
		t.Error(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, line)
	}
	return lines, err
}

// A trace that is cut anywhere is a Damage or a FormatError, and what is read
// of it is how the whole one begins. Before Go 1.26 that is so for the
// generations that are complete: the decoder also reads what there is of the
// one that is not, as if it were all.
func TestTruncatedAnywhere(t *testing.T) {
	for _, file := range []string{"flightrecorder.trace", "flightrecorder-go1.25.trace", "leak.trace", "chain.trace", "leak-go1.21.trace"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			data := traceData(t, file)
			whole, err := eventLog(t, data)
			if err != nil {
				t.Fatal(err)
			}
			offsets := []int{0, 1, 5, 15, 16, 17, 18, 19, 20, 30, len(data) - 1, len(data) - 2, len(data) - 3}
			for at := 97; at < len(data); at += max(len(data)/150, 1) {
				offsets = append(offsets, at)
			}
			longest := 0
			for _, at := range offsets {
				got, err := eventLog(t, data[:at])
				var damage *model.Damage
				var format *model.FormatError
				switch {
				case errors.As(err, &format):
					if len(got) > 0 {
						t.Errorf("cut at %d: %v, and the sink was called", at, err)
					}
					continue
				case errors.As(err, &damage):
					if checkDamage(t, damage, at); !damage.Truncated || damage.Offset != int64(at) {
						t.Errorf("cut at %d: %+v", at, *damage)
					}
				default:
					t.Errorf("cut at %d: %v", at, err)
					continue
				}
				if strings.Contains(file, "-go1.") {
					border := fmt.Sprintf(" sync %d ", damage.Generations+1)
					n := slices.IndexFunc(whole, func(line string) bool { return strings.Contains(line, border) })
					if len(got) < n || damage.Generations > 0 && !slices.Equal(got[:n], whole[:n]) {
						t.Errorf("cut at %d: the first %d generations are not those of the whole trace", at, damage.Generations)
					}
					longest = max(longest, n)
					continue
				}
				same := 0
				for same < len(got) && same < len(whole) && got[same] == whole[same] {
					same++
				}
				longest = max(longest, same)
				// What differs is the end: everything is reported as open, at the
				// time of the last event.
				end, _, _ := strings.Cut(got[len(got)-1], " ")
				for _, line := range got[same:] {
					if at2, _, _ := strings.Cut(line, " "); at2 != end {
						t.Fatalf("cut at %d: %q is not in the whole trace, which goes on with %q", at, line, whole[same])
					}
				}
			}
			if strings.HasPrefix(file, "flight") && longest < 100 {
				t.Errorf("at most %d calls are those of the whole trace", longest)
			}
		})
	}
}
