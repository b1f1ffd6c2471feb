package input

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	exptrace "golang.org/x/exp/trace"

	"github.com/trace2x/trace2x/internal/decode"
)

// generation returns some batches of a generation of a trace, in the format of Go
// 1.22 and later.
func generation(gen uint64, ending bool) (b []byte) {
	b = binary.AppendUvarint(append(b, 49, 1), gen) // experimental
	b = append(b, 2, 3, 1, 'x')
	for m := range uint64(3) {
		data := noise(10_000 + int(m))
		b = binary.AppendUvarint(append(b, 1), gen)
		b = binary.AppendUvarint(binary.AppendUvarint(b, m), 1<<40)
		b = append(binary.AppendUvarint(b, uint64(len(data))), data...)
	}
	if ending {
		b = append(b, 52)
	}
	return b
}

const header = "go 1.26 trace\x00\x00\x00"

func TestBorders(t *testing.T) {
	for _, ending := range []bool{false, true} {
		one, two := generation(300, ending), generation(301, ending)
		data := append([]byte(header), one...)
		first := int64(len(data))
		data = append(data, two...)
		var all decode.Borders
		all.Add(data)
		want := first
		if ending {
			want = int64(len(data))
		}
		if all.None || all.Last != want || all.Pos != int64(len(data)) {
			t.Errorf("ending %v: %+v, want %d", ending, all, want)
		}
		var b decode.Borders
		for i := range data {
			b.Add(data[i : i+1])
		}
		if b.Last != all.Last || b.Pos != all.Pos || b.None {
			t.Errorf("ending %v: byte by byte %+v, not %+v", ending, b, all)
		}
	}
	for _, other := range []string{"go 1.21 trace\x00\x00\x00", "GET / HTTP/1.1 x", header + "\xff", header + "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		var b decode.Borders
		b.Add([]byte(other + "\x01\x01\x01\x01\x00"))
		if !b.None || b.Last != 0 || b.Pending() != 0 {
			t.Errorf("%q: %+v", other, b)
		}
	}
}

// The borders are those of real traces: what is before each is a whole trace.
func TestBordersOfTraces(t *testing.T) {
	for _, name := range []string{"httpserver", "flightrecorder", "pipeline"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "traces", name+".trace"))
		if err != nil {
			t.Fatal(err)
		}
		var b decode.Borders
		b.Add(data)
		if b.None {
			t.Fatalf("%s: not understood", name)
		}
		if b.Last == 0 {
			continue
		}
		r, err := exptrace.NewReader(bytes.NewReader(data[:b.Last]))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.ReadEvent()
		}
		if err != io.EOF {
			t.Errorf("%s, to the border at byte %d of %d: %v", name, b.Last, len(data), err)
		}
	}
}

// A recording that is finished ends where the generation does.
func TestFinish(t *testing.T) {
	for _, ending := range []bool{false, true} {
		parts, left := make(chan []byte, 1), make(chan struct{})
		parts <- []byte(header)
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(left)
			for {
				select {
				case part := <-parts:
					w.Write(part)
					http.NewResponseController(w).Flush()
				case <-r.Context().Done():
					return
				}
			}
		})
		in, err := Open(t.Context(), s.URL, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		one, two, three := generation(7, ending), generation(8, ending), generation(9, ending)
		parts <- one
		parts <- two[:5000]
		arrived := len(header) + len(one) + 5000
		for in.BytesRead() < int64(arrived-100) { // what is held back is less
			time.Sleep(time.Millisecond)
		}
		if !in.Finish() {
			t.Fatal("it cannot be finished")
		}
		parts <- two[5000:]
		go func() { parts <- three }()
		got, err := io.ReadAll(in)
		want := append(append([]byte(header), one...), two...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("ending %v: %d bytes, %v; want %d", ending, len(got), err, len(want))
		}
		<-left
		if in.Finish() || in.Stop() {
			t.Error("it could be ended twice")
		}
		select {
		case <-parts:
		default:
		}
	}
}

// While nothing comes, it is not waited for ever, and Stop does not wait at all.
func TestFinishWaits(t *testing.T) {
	for _, stop := range []bool{true, false} {
		if !stop && testing.Short() {
			continue
		}
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, header+"\x01\x05")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		in, err := Open(t.Context(), s.URL, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if !in.Finish() {
			t.Fatal("it cannot be finished")
		}
		start := time.Now()
		if stop && !in.Stop() {
			t.Error("it cannot be stopped")
		}
		got, err := io.ReadAll(in)
		if err != ErrStopped || string(got) != header+"\x01\x05" {
			t.Errorf("%q, %v", got, err)
		}
		if waited := time.Since(start); stop && waited > Patience/2 || !stop && waited < Patience {
			t.Errorf("stop %v: after %v", stop, waited)
		}
	}
}

// Whatever way a trace arrives in, it arrives as it is.
func TestHeldBack(t *testing.T) {
	data := append(append([]byte(header), generation(1, false)...), generation(2, true)...)
	for _, reader := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader, func(r io.Reader) io.Reader { return r }} {
		b := newBody(io.NopCloser(reader(bytes.NewReader(data[:len(data)-3]))), func() {}, true)
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, data[:len(data)-3]) {
			t.Errorf("%d bytes, %v; want %d", len(got), err, len(data)-3)
		}
	}
	broken := errors.New("broken")
	b := newBody(io.NopCloser(io.MultiReader(bytes.NewReader(data[:20]), iotest.ErrReader(broken))), func() {}, true)
	if got, err := io.ReadAll(b); err != broken || !bytes.Equal(got, data[:20]) {
		t.Errorf("%q, %v", got, err)
	}
}
