package model_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// tolerant lets a trace contradict itself: bytes that nobody wrote may well say
// such things. What the model makes of them must keep its promises all the same.
type tolerant struct {
	*modeltest.Validator
	ended map[model.TaskID]bool
}

// TaskStart lets the trace use the number of a task again, which the model
// does not see: it would have to keep all of them.
func (s tolerant) TaskStart(task *model.Task) {
	n := len(s.Errors)
	s.Validator.TaskStart(task)
	if s.ended[task.ID] && !task.Before {
		s.Errors = s.Errors[:n]
	}
}

// GoroutineStart lets the trace name goroutines from before it late.
func (s tolerant) GoroutineStart(g *model.Goroutine) {
	n := len(s.Errors)
	s.Validator.GoroutineStart(g)
	if g.Before && len(s.Errors) > n && strings.Contains(s.Errors[n].Error(), "announced after") {
		s.Errors = s.Errors[:n]
	}
}

func (s tolerant) TaskEnd(task *model.Task) {
	s.ended[task.ID] = true
	s.Validator.TaskEnd(task)
}

// Run lets the trace bind a thread to two Ps at a time.
func (s tolerant) Run(r *model.Run) {
	unbound := *r
	unbound.Thread = model.NoThread
	s.Validator.Run(&unbound)
}

func (s tolerant) End(sum *model.Summary) {
	consistent := *sum
	consistent.Inconsistent = nil
	s.Validator.End(&consistent)
}

// checkRead reads bytes of any kind and checks what must be true of them all.
func checkRead(t *testing.T, data []byte) {
	t.Helper()
	calls := &counter{}
	v := modeltest.NewValidator(calls)
	sum, err := model.Read(context.Background(), bytes.NewReader(data), tolerant{v, make(map[model.TaskID]bool)})
	var damage *model.Damage
	var format *model.FormatError
	switch {
	case err == nil:
		if sum == nil || len(sum.Gaps) > 0 {
			t.Fatalf("no error, but the summary %+v", sum)
		}
	case errors.As(err, &damage):
		if sum == nil || len(sum.Gaps) == 0 || sum.Gaps[0].Damage != damage {
			t.Fatalf("%v, but the summary %+v", err, sum)
		}
		for _, gap := range sum.Gaps {
			checkDamage(t, gap.Damage, len(data))
		}
	case model.IsDamage(err):
		if len(sum.Inconsistent)+sum.Missing == 0 {
			t.Fatalf("%v, but the summary %+v", err, sum)
		}
	case errors.As(err, &format):
		if sum != nil || calls.begins+calls.ends > 0 {
			t.Fatalf("%v, but the sink was called", err)
		}
		return
	default:
		t.Fatalf("an error that is neither Damage nor FormatError: %v", err)
	}
	for _, err := range v.Errors {
		t.Error(err)
	}
	if calls.begins != 1 || calls.ends != 1 {
		t.Errorf("%d calls of Begin, %d of End", calls.begins, calls.ends)
	}
}

// checkWindow reads the middle of a trace of any kind of bytes, and checks what must be true
// of each window.
func checkWindow(t *testing.T, data []byte) {
	t.Helper()
	whole, _ := model.Read(context.Background(), bytes.NewReader(data), model.NopSink{})
	if whole == nil {
		return
	}
	third := time.Duration(whole.End-whole.Start) / 3
	w := model.Window{From: model.Moment{Since: third}, To: model.Moment{Since: 2 * third}}
	if third == 0 {
		return // it would be the whole trace
	}
	calls := &counter{}
	v := modeltest.NewValidator(calls)
	sum, err := model.ReadWindow(context.Background(), bytes.NewReader(data), tolerant{v, make(map[model.TaskID]bool)}, w)
	var window *model.WindowError
	switch {
	case sum == nil && errors.As(err, &window):
		return
	case sum == nil || err != nil && !model.IsDamage(err):
		t.Fatalf("%v: %v, of a trace that can be read", w, err)
	case calls.begins != 1 || calls.ends != 1:
		t.Errorf("%v: %d calls of Begin, %d of End", w, calls.begins, calls.ends)
	case sum.Start != whole.Origin+model.Time(third) || sum.End > whole.Origin+model.Time(2*third):
		t.Errorf("%v: from %d to %d of a trace that begins at %d", w, sum.Start, sum.End, whole.Origin)
	}
	for _, err := range v.Errors {
		t.Errorf("%v: %v", w, err)
	}
}

// checkDamage checks that a damage is inside of the input.
func checkDamage(t *testing.T, d *model.Damage, size int) {
	t.Helper()
	if d.Offset < 0 || d.Offset > int64(size) || d.Lost < 0 || d.Lost > int64(size) || d.Generations < 0 || d.Err == nil {
		t.Errorf("damage %+v in an input of %d bytes", *d, size)
	}
}

// counter counts the first and the last calls.
type counter struct {
	model.NopSink
	begins, ends int
}

func (c *counter) Begin(*model.Trace) { c.begins++ }
func (c *counter) End(*model.Summary) { c.ends++ }

// generation is the smallest trace with these bytes as the events of a thread.
func generation(events ...byte) []byte {
	data := []byte("go 1.22 trace\x00\x00\x00")
	batch := func(b ...byte) { data = append(append(data, 1, 1, 1, 1, byte(len(b))), b...) }
	batch(8, 0x80, 0x94, 0xeb, 0xdc, 3) // EvFrequency: 1 GHz
	batch(events...)
	return data
}

func FuzzRead(f *testing.F) {
	testtrace.SeedStructure(f)
	for _, head := range []string{
		"", "go 1.", "go 1.26 trac", "go 1.26 trace\x00\x00\x00", "go 1.22 trace\x00\x00\x00\x01",
		"go 1.19 trace\x00\x00\x00", "go 1.11 trace\x00\x00\x00", "go 1.99 trace\x00\x00\x00",
		"\x0a\x04\x08\x01\x10\x02", "\x1f\x8b\x08", "<html>", "{\"traceEvents\":[]}",
	} {
		f.Add([]byte(head), uint64(0))
	}
	for _, events := range [][]byte{
		{13, 1, 6, 1},                 // EvProcStatus of P6: running
		{13, 1, 6, 0x84, 2},           // of a state that does not exist, but passes for one
		{25, 1, 7, 1, 2},              // EvGoStatus of G7: running, without a P
		{13, 1, 6, 1, 25, 1, 7, 1, 2}, // with a P
	} {
		f.Add(generation(events...), uint64(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, change uint64) {
		data = testtrace.Mutate(data, change)
		checkRead(t, data)
		checkWindow(t, data)
	})
}

// TestReadChangedBytes reads traces in which a few bytes were changed, which
// gets further than what a fuzzer makes in the same time.
func TestReadChangedBytes(t *testing.T) {
	for _, name := range []string{"chain", "empty", "flightrecorder", "leak-go1.21", "manytasks", "states"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := testtrace.Data(t, name)
			random := rand.New(rand.NewPCG(1, 2))
			for range 1_000_000 / len(whole) {
				data := slices.Clone(whole)
				changes := make(map[int]byte)
				for range 1 + random.IntN(3) {
					at := 16 + random.IntN(len(data)-16)
					data[at] = byte(random.Uint32())
					if random.IntN(2) == 0 {
						data[at] = whole[at] + byte(random.IntN(5)) - 2
					}
					changes[at] = data[at]
				}
				if checkRead(t, data); t.Failed() {
					t.Fatalf("with the bytes %v changed", maps.Collect(maps.All(changes)))
				}
			}
		})
	}
}

// TestReadDamaged: the model of traces of all versions that are cut or overwritten
// keeps its promises.
func TestReadDamaged(t *testing.T) {
	for name, data := range testtrace.Damaged(t, 400) {
		checkRead(t, data)
		if checkWindow(t, data); t.Failed() {
			t.Fatal(name)
		}
	}
}
