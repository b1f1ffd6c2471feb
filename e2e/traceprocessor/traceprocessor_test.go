package traceprocessor

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// Field numbers and enum values of the perfetto.protos messages used below.
const (
	tracePacket = 1 // Trace.packet

	packetTimestamp       = 8
	packetSequenceID      = 10
	packetTrackEvent      = 11
	packetTrackDescriptor = 60

	descriptorUUID = 1
	descriptorName = 2

	eventType      = 9
	eventTrackUUID = 11
	eventName      = 23

	typeSliceBegin = 1
	typeSliceEnd   = 2
)

// varint and message append a field to a protobuf message.
func varint(b []byte, field int, v uint64) []byte {
	b = binary.AppendUvarint(b, uint64(field)<<3)
	return binary.AppendUvarint(b, v)
}

func message(b []byte, field int, content []byte) []byte {
	b = binary.AppendUvarint(b, uint64(field)<<3|2)
	b = binary.AppendUvarint(b, uint64(len(content)))
	return append(b, content...)
}

// oneSlice returns a trace with one track and one slice on it.
func oneSlice(name string, start, end uint64) []byte {
	const uuid, sequence = 77, 1
	event := func(at, kind uint64, name string) []byte {
		e := varint(nil, eventType, kind)
		e = varint(e, eventTrackUUID, uuid)
		if name != "" {
			e = message(e, eventName, []byte(name))
		}
		p := varint(nil, packetTimestamp, at)
		p = varint(p, packetSequenceID, sequence)
		return message(p, packetTrackEvent, e)
	}
	track := varint(nil, descriptorUUID, uuid)
	track = message(track, descriptorName, []byte("track"))
	packet := varint(nil, packetSequenceID, sequence)
	packet = message(packet, packetTrackDescriptor, track)

	trace := message(nil, tracePacket, packet)
	trace = message(trace, tracePacket, event(start, typeSliceBegin, name))
	return message(trace, tracePacket, event(end, typeSliceEnd, ""))
}

func writeTrace(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.pftrace")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func needsNode(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Node, and the npm registry the first time")
	}
}

func openTrace(t testing.TB, content []byte) *Processor {
	t.Helper()
	needsNode(t)
	p, err := Open(context.Background(), writeTrace(t, content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestQuery(t *testing.T) {
	p := openTrace(t, oneSlice("tea \"✓\"\n", 1000, 3500))
	for _, test := range []struct {
		name, sql string
		want      Result
	}{
		{
			"slice",
			"select name, ts, dur from slice",
			Result{[]string{"name", "ts", "dur"}, [][]any{{"tea \"✓\"\n", int64(1000), int64(2500)}}},
		},
		{
			"no rows",
			"select name, severity, value from stats where value != 0 and severity in ('error', 'data_loss')",
			Result{[]string{"name", "severity", "value"}, [][]any{}},
		},
		{
			"integers",
			"select 9007199254740993 as odd, 9223372036854775807 as max, -9223372036854775807 - 1 as min, 0 as zero, -1 as minus",
			Result{
				[]string{"odd", "max", "min", "zero", "minus"},
				[][]any{{int64(1<<53 + 1), int64(math.MaxInt64), int64(math.MinInt64), int64(0), int64(-1)}},
			},
		},
		{
			"floats",
			"select 0.1 as tenth, 2.0 as whole, 1e300 as large, -1e-7 as small, 1e999 as inf, -1e999 as neginf",
			Result{
				[]string{"tenth", "whole", "large", "small", "inf", "neginf"},
				[][]any{{0.1, 2.0, 1e300, -1e-7, math.Inf(1), math.Inf(-1)}},
			},
		},
		{
			"null, blob and empty",
			"select null as n, x'00ff7f' as b, x'' as nob, '' as s",
			Result{[]string{"n", "b", "nob", "s"}, [][]any{{nil, []byte{0, 0xff, 0x7f}, []byte{}, ""}}},
		},
		{
			"types that differ by row",
			"select column1 as c from (values (1), ('x'), (null), (1.5), (2))",
			Result{[]string{"c"}, [][]any{{int64(1)}, {"x"}, {nil}, {1.5}, {int64(2)}}},
		},
		{
			"equal column names",
			"select 1 as a, 2 as a",
			Result{[]string{"a", "a_1"}, [][]any{{int64(1), int64(2)}}},
		},
		{
			"last statement",
			"create perfetto table pair as select 1 as a union all select 2; select a from pair order by a desc",
			Result{[]string{"a"}, [][]any{{int64(2)}, {int64(1)}}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := p.Query(test.sql)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, test.want) {
				t.Errorf("got  %#v\nwant %#v", *got, test.want)
			}
		})
	}
}

func TestQueryOfManyRows(t *testing.T) {
	const n = 100_000 // the trace processor answers in batches of far fewer
	p := openTrace(t, nil)
	got, err := Column[int64](p, "with recursive n(i) as (select 0 union all select i + 1 from n where i < 99999) select i from n")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != n {
		t.Fatalf("%d rows, want %d", len(got), n)
	}
	for i, v := range got {
		if v != int64(i) {
			t.Fatalf("row %d is %d", i, v)
		}
	}
}

func TestQueryError(t *testing.T) {
	p := openTrace(t, oneSlice("tea", 1, 2))
	for sql, want := range map[string]string{
		"select boom from slice": "no such column: boom",
		"select from slice":      "syntax error",
		"select 1 as valid":      "rename it",
	} {
		if _, err := p.Query(sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", sql, err, want)
		}
	}
	names, err := Column[string](p, "select name from slice")
	if err != nil || !reflect.DeepEqual(names, []string{"tea"}) {
		t.Errorf("after the errors: %q, %v", names, err)
	}
}

// An SQL text that ends too early makes this trace processor abort.
func TestCrash(t *testing.T) {
	p := openTrace(t, nil)
	if _, err := p.Query("select"); err == nil || !strings.Contains(err.Error(), "PERFETTO_CHECK") {
		t.Errorf("crashing query: error %v", err)
	}
	if _, err := p.Query("select 1"); err == nil || !strings.Contains(err.Error(), "crashed") {
		t.Errorf("later query: error %v", err)
	}
}

func TestColumnOfAnotherType(t *testing.T) {
	p := openTrace(t, nil)
	_, err := Column[string](p, "select 'a' as c union all select null order by 1 desc")
	if err == nil || !strings.Contains(err.Error(), "row 1: c is <nil>, not string") {
		t.Errorf("error %v", err)
	}
}

func TestOpenFails(t *testing.T) {
	needsNode(t)
	for name, test := range map[string]struct{ path, want string }{
		"garbage": {writeTrace(t, []byte("this is no trace, whatever one reads into it\n")), "Unknown trace type"},
		"missing": {filepath.Join(t.TempDir(), "missing"), "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Open(context.Background(), test.path)
			if err == nil {
				p.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) {
				t.Errorf("error %q mentions not both %q and the path", err, test.want)
			}
		})
	}
}

func TestTwoAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for _, name := range []string{"tea", "coffee"} {
		p := openTrace(t, oneSlice(name, 1, 2))
		for range 4 {
			wg.Go(func() {
				got, err := Column[string](p, "select name from slice")
				if err != nil || !reflect.DeepEqual(got, []string{name}) {
					t.Errorf("got %q, %v; want %q", got, err, name)
				}
			})
		}
	}
	wg.Wait()
}

func TestContextEndsQuery(t *testing.T) {
	needsNode(t)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	p, err := Open(ctx, writeTrace(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	_, err = p.Query("with recursive n(i) as (select 0 union all select i + 1 from n) select count(*) from n")
	if !errors.Is(err, cause) {
		t.Errorf("endless query: %v, want %v", err, cause)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestProcessDies(t *testing.T) {
	needsNode(t)
	p, err := Open(context.Background(), writeTrace(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Query("select 1"); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("query error %v", err)
	}
	if err := p.Close(); err == nil {
		t.Error("Close returns no error")
	}
}

func TestClose(t *testing.T) {
	p := openTrace(t, nil)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := p.Query("select 1"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("query after Close: %v", err)
	}
}

func TestCloseKills(t *testing.T) {
	needsNode(t)
	p, err := Open(context.Background(), writeTrace(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	endless := make(chan error)
	go func() {
		_, err := p.Query("with recursive n(i) as (select 0 union all select i + 1 from n) select count(*) from n")
		endless <- err
	}()
	time.Sleep(100 * time.Millisecond) // let the query begin
	if err := p.Close(); err == nil || !strings.Contains(err.Error(), "killed node") {
		t.Errorf("Close: %v", err)
	}
	if err := <-endless; err == nil {
		t.Error("endless query: no error")
	}
}

// BenchmarkOpen includes Close.
func BenchmarkOpen(b *testing.B) {
	needsNode(b)
	path := writeTrace(b, oneSlice("tea", 1, 2))
	for b.Loop() {
		p, err := Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
