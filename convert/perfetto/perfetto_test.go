package perfetto_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/converttest"
	"github.com/trace2x/trace2x/internal/testtrace"
)

// TestDecodes reads the output with the generated code: every field is one that
// Perfetto has, every reference to interned data is to what the sequence has
// written before, and the compact arrays are of one length.
func TestDecodes(t *testing.T) {
	for _, name := range testtrace.Readable(t) {
		t.Run(name, func(t *testing.T) {
			data := testtrace.Data(t, name)
			out := converttest.Perfetto(t, data, perfetto.Options{Threads: true, Slowest: 10})
			if again := converttest.Perfetto(t, data, perfetto.Options{Threads: true, Slowest: 10}); !bytes.Equal(out, again) {
				t.Error("a second run gives other bytes")
			}
			if n := checkFile(t, out, nil); n < 10 {
				t.Fatalf("%d packets", n)
			}
		})
	}
}

func noUnknownFields(t *testing.T, m protoreflect.Message) {
	if u := m.GetUnknown(); len(u) > 0 {
		t.Errorf("%s has unknown fields: % x", m.Descriptor().FullName(), u)
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() == protoreflect.StringKind && !f.IsList():
			if !utf8.ValidString(v.String()) {
				t.Errorf("%s is %q", f.FullName(), v.String())
			}
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				noUnknownFields(t, v.List().Get(i).Message())
			}
		default:
			noUnknownFields(t, v.Message())
		}
		return true
	})
}

// interned is what a sequence has interned.
type interned struct {
	names, categories, args, values, functions, sources, frames, stacks, symbols map[uint64]bool
}

func newInterned() *interned {
	m := func() map[uint64]bool { return make(map[uint64]bool) }
	return &interned{m(), m(), m(), m(), m(), m(), m(), m(), m()}
}

func (s *interned) add(t *testing.T, d *perfettopb.InternedData) {
	put := func(what string, set map[uint64]bool, iid uint64) {
		if iid == 0 || set[iid] {
			t.Errorf("%s %d interned twice, or 0", what, iid)
		}
		set[iid] = true
	}
	for _, x := range d.GetEventNames() {
		put("name", s.names, x.GetIid())
	}
	for _, x := range d.GetEventCategories() {
		put("category", s.categories, x.GetIid())
	}
	for _, x := range d.GetDebugAnnotationNames() {
		put("argument", s.args, x.GetIid())
	}
	for _, x := range d.GetDebugAnnotationStringValues() {
		put("value", s.values, x.GetIid())
	}
	for _, x := range d.GetFunctionNames() {
		put("function", s.functions, x.GetIid())
	}
	for _, x := range d.GetSourcePaths() {
		put("source path", s.sources, x.GetIid())
	}
	for _, x := range d.GetKernelSymbols() {
		put("symbol", s.symbols, x.GetIid())
	}
	for _, x := range d.GetFrames() {
		put("frame", s.frames, x.GetIid())
		if !s.functions[x.GetFunctionNameId()] || !s.sources[x.GetSourcePathIid()] {
			t.Errorf("frame %d refers to what is not interned", x.GetIid())
		}
	}
	for _, x := range d.GetCallstacks() {
		put("callstack", s.stacks, x.GetIid())
		for _, f := range x.GetFrameIds() {
			if !s.frames[f] {
				t.Errorf("callstack %d refers to frame %d, which is not interned", x.GetIid(), f)
			}
		}
	}
}

func (s *interned) check(t *testing.T, packet int, what string, set map[uint64]bool, iid uint64) {
	t.Helper()
	if !set[iid] {
		t.Errorf("packet %d refers to %s %d, which is not interned", packet, what, iid)
	}
}

func (s *interned) checkEvent(t *testing.T, i int, e *perfettopb.TrackEvent) {
	for _, c := range e.CategoryIids {
		s.check(t, i, "category", s.categories, c)
	}
	if n, ok := e.NameField.(*perfettopb.TrackEvent_NameIid); ok {
		s.check(t, i, "name", s.names, n.NameIid)
	}
	if e.CallstackIid != nil {
		s.check(t, i, "callstack", s.stacks, e.GetCallstackIid())
	}
	for _, a := range e.DebugAnnotations {
		s.check(t, i, "argument", s.args, a.GetNameIid())
		if v, ok := a.Value.(*perfettopb.DebugAnnotation_StringValueIid); ok {
			s.check(t, i, "value", s.values, v.StringValueIid)
		}
	}
}

func (s *interned) checkBundle(t *testing.T, i int, b *perfettopb.FtraceEventBundle) {
	c := b.CompactSched
	n := len(c.SwitchTimestamp)
	if len(c.SwitchPrevState) != n || len(c.SwitchNextPid) != n || len(c.SwitchNextPrio) != n || len(c.SwitchNextCommIndex) != n {
		t.Errorf("packet %d: switches of different lengths", i)
	}
	n = len(c.WakingTimestamp)
	if len(c.WakingPid) != n || len(c.WakingTargetCpu) != n || len(c.WakingPrio) != n || len(c.WakingCommIndex) != n || len(c.WakingCommonFlags) != n {
		t.Errorf("packet %d: wakings of different lengths", i)
	}
	for _, e := range b.Event {
		if r := e.GetSchedBlockedReason(); r != nil {
			s.check(t, i, "symbol", s.symbols, r.GetCaller())
		}
	}
}

// TestWriteError stops the conversion at the first error of the writer.
func TestWriteError(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	full := errors.New("disk full")
	w := writerFunc(func(p []byte) (int, error) { return 0, full })
	if sum, err := perfetto.Convert(context.Background(), bytes.NewReader(data), w, perfetto.Options{}); !errors.Is(err, full) {
		t.Errorf("Convert = %v, %v, want %v", sum, err, full)
	}
}

// TestGivenUp: when Convert has returned, the writer is the caller's again, also if
// it was being written to when the conversion was given up.
func TestGivenUp(t *testing.T) {
	data := testtrace.Data(t, "httpserver")
	ctx, cancel := context.WithCancel(t.Context())
	writes := 0 // unguarded: the race detector tells of a late one
	w := writerFunc(func(p []byte) (int, error) {
		cancel()
		time.Sleep(20 * time.Millisecond)
		writes++
		return len(p), nil
	})
	if _, err := perfetto.Convert(ctx, bytes.NewReader(data), w, perfetto.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	was := writes
	time.Sleep(50 * time.Millisecond)
	if was == 0 || writes != was {
		t.Errorf("%d writes, then %d", was, writes)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
