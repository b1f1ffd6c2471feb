package profiles

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"

	"github.com/google/pprof/profile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

const (
	scopeName = "github.com/trace2x/trace2x/convert/otel/profiles"
	// schemaURL is the version of the semantic conventions whose names are used.
	schemaURL = "https://opentelemetry.io/schemas/1.43.0"
)

// kind is a kind of profiles: the type of its samples.
type kind struct {
	name   string
	period int64 // between two samples, in ns; 0 if they are no samples but exact
}

var (
	cpu      = kind{name: "cpu", period: 10_000_000}
	offCPU   = kind{name: "off_cpu"}
	runnable = kind{name: "runnable"}
	syscall  = kind{name: "syscall"}
	critical = kind{name: "critical_path"}
)

// encoder makes a message. Each table of the dictionary begins with the zero value, which
// stands for none.
type encoder struct {
	c        *Collector
	out      pprofile.Profiles
	profiles pprofile.ProfilesSlice
	from     model.Time
	samples  int

	kind    *kind // of current
	current pprofile.Profile

	strings    map[string]int32
	functions  map[[2]string]int32 // by name and file
	locations  map[location]int32
	known      map[*profile.Location]int32
	stacks     map[string]int32
	attributes map[keyValue]int32
	links      map[[2]string]int32
	indices    []int32
	key        []byte
}

// keyValue is an attribute. Its value is a string, an int64 or a bool.
type keyValue struct {
	key   string
	value any
}

// location is a place in the code.
type location struct {
	address  uint64
	function int32
	line     int64
}

// newEncoder begins a message with profiles of the time from a moment until now.
func (c *Collector) newEncoder(from model.Time) *encoder {
	e := &encoder{
		c: c, out: pprofile.NewProfiles(), from: from,
		strings:    map[string]int32{"": 0},
		functions:  make(map[[2]string]int32),
		locations:  make(map[location]int32),
		known:      make(map[*profile.Location]int32),
		stacks:     map[string]int32{"": 0},
		attributes: make(map[keyValue]int32),
		links:      make(map[[2]string]int32),
	}
	rp := e.out.ResourceProfiles().AppendEmpty()
	otel.PutResource(rp.Resource(), c.opts.Resource)
	rp.SetSchemaUrl(schemaURL)
	sp := rp.ScopeProfiles().AppendEmpty()
	sp.SetSchemaUrl(schemaURL)
	sp.Scope().SetName(scopeName)
	sp.Scope().SetVersion(c.opts.Version)
	e.profiles = sp.Profiles()

	d := e.out.Dictionary()
	d.StringTable().Append("")
	d.MappingTable().AppendEmpty()
	d.FunctionTable().AppendEmpty()
	d.LocationTable().AppendEmpty()
	d.StackTable().AppendEmpty()
	d.AttributeTable().AppendEmpty()
	d.LinkTable().AppendEmpty()
	return e
}

// sample adds a sample to the profile of its kind.
func (e *encoder) sample(k *kind, s *profile.Sample) {
	if e.kind == nil || *e.kind != *k {
		e.begin(k)
	}
	e.samples++
	out := e.current.Samples().AppendEmpty()
	out.SetStackIndex(e.stack(s.Location))
	out.SetLinkIndex(e.link(s))
	out.Values().Append(s.Value[1])
	e.indices = e.indices[:0]
	for _, l := range labels {
		if text := s.Label[l.label]; len(text) > 0 && l.label == "own" {
			e.indices = append(e.indices, e.attribute(keyValue{l.attribute, text[0] == "true"}))
		} else if len(text) > 0 {
			e.indices = append(e.indices, e.attribute(keyValue{l.attribute, text[0]}))
		} else if n := s.NumLabel[l.label]; len(n) > 0 {
			e.indices = append(e.indices, e.attribute(keyValue{l.attribute, n[0]}))
		}
	}
	out.AttributeIndices().FromRaw(e.indices)
}

// labels has the attributes for the labels of package pprof.
var labels = []struct{ label, attribute string }{
	{"unit", "go.unit.type"},
	{"own", "go.critical_path.own"},
	{"state", "go.state"},
	{"reason", "go.reason"},
	{"func", "go.goroutine.function"},
	{"waker", "go.waker"},
	{"waker_func", "go.waker.goroutine.function"},
	{"waker_place", "go.waker.code.function.name"},
	{"waker_file", "go.waker.code.file.path"},
	{"waker_line", "go.waker.code.line.number"},
}

// begin begins a profile. Its ID is derived from the trace, so that the same file makes
// the same bytes.
func (e *encoder) begin(k *kind) {
	p := e.profiles.AppendEmpty()
	e.kind, e.current = k, p
	id := fnv.New128a()
	id.Write(e.c.trace.Fingerprint[:])
	id.Write(binary.BigEndian.AppendUint64([]byte(k.name), uint64(e.c.messages)))
	p.SetProfileID(pprofile.ProfileID(id.Sum(nil)))
	p.SetTime(pcommon.Timestamp(e.c.clock.UnixNano(e.from)))
	p.SetDurationNano(uint64(e.c.now - e.from))
	p.SampleType().SetTypeStrindex(e.string(k.name))
	p.SampleType().SetUnitStrindex(e.string("nanoseconds"))
	if k.period > 0 {
		p.PeriodType().SetTypeStrindex(e.string(k.name))
		p.PeriodType().SetUnitStrindex(e.string("nanoseconds"))
		p.SetPeriod(k.period)
	}
}

// The methods below return the index of something in its table of the dictionary.

func (e *encoder) string(s string) int32 {
	s = wire.Text(s)
	i, ok := e.strings[s]
	if !ok {
		t := e.out.Dictionary().StringTable()
		i = int32(t.Len())
		t.Append(s)
		e.strings[s] = i
	}
	return i
}

func (e *encoder) function(f *profile.Function) int32 {
	key := [2]string{f.Name, f.Filename}
	i, ok := e.functions[key]
	if !ok {
		t := e.out.Dictionary().FunctionTable()
		i = int32(t.Len())
		out := t.AppendEmpty()
		out.SetNameStrindex(e.string(f.Name))
		out.SetSystemNameStrindex(e.string(f.SystemName))
		out.SetFilenameStrindex(e.string(f.Filename))
		e.functions[key] = i
	}
	return i
}

// location returns the index of a location of package pprof, which has one line. Those of
// different profiles may be the same.
func (e *encoder) location(l *profile.Location) int32 {
	if i, ok := e.known[l]; ok {
		return i
	}
	line := l.Line[0]
	key := location{l.Address, e.function(line.Function), line.Line}
	i, ok := e.locations[key]
	if !ok {
		t := e.out.Dictionary().LocationTable()
		i = int32(t.Len())
		out := t.AppendEmpty()
		out.SetAddress(key.address)
		out.AttributeIndices().Append(e.attribute(keyValue{"profile.frame.type", "go"}))
		x := out.Lines().AppendEmpty()
		x.SetFunctionIndex(key.function)
		x.SetLine(key.line)
		e.locations[key] = i
	}
	e.known[l] = i
	return i
}

func (e *encoder) stack(s []*profile.Location) int32 {
	locations := make([]int32, len(s))
	e.key = e.key[:0]
	for i, l := range s {
		locations[i] = e.location(l)
		e.key = binary.BigEndian.AppendUint32(e.key, uint32(locations[i]))
	}
	i, ok := e.stacks[string(e.key)]
	if !ok {
		t := e.out.Dictionary().StackTable()
		i = int32(t.Len())
		t.AppendEmpty().LocationIndices().FromRaw(locations)
		e.stacks[string(e.key)] = i
	}
	return i
}

func (e *encoder) attribute(kv keyValue) int32 {
	i, ok := e.attributes[kv]
	if !ok {
		t := e.out.Dictionary().AttributeTable()
		i = int32(t.Len())
		out := t.AppendEmpty()
		out.SetKeyStrindex(e.string(kv.key))
		switch v := kv.value.(type) {
		case string:
			out.Value().SetStr(wire.Text(v))
		case int64:
			out.Value().SetInt(v)
		case bool:
			out.Value().SetBool(v)
		}
		e.attributes[kv] = i
	}
	return i
}

func (e *encoder) link(s *profile.Sample) int32 {
	trace, span := s.Label["trace_id"], s.Label["span_id"]
	if len(trace) == 0 {
		return 0
	}
	key := [2]string{trace[0], span[0]}
	i, ok := e.links[key]
	if !ok {
		t := e.out.Dictionary().LinkTable()
		i = int32(t.Len())
		out := t.AppendEmpty()
		var traceID pcommon.TraceID
		var spanID pcommon.SpanID
		hex.Decode(traceID[:], []byte(trace[0])) // of package pprof, so they are valid
		hex.Decode(spanID[:], []byte(span[0]))
		out.SetTraceID(traceID)
		out.SetSpanID(spanID)
		e.links[key] = i
	}
	return i
}
