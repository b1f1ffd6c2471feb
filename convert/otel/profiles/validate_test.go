package profiles

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pprofile"
)

// validate checks an encoded message against the rules of OTLP's profiles.proto
// (v1development), and that no profile has an ID of ids, to which it adds those it finds.
func validate(encoded []byte, ids map[pprofile.ProfileID]bool) (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	p, err := new(pprofile.ProtoUnmarshaler).UnmarshalProfiles(encoded)
	if err != nil {
		return []error{err}
	}
	d := p.Dictionary()
	strings, mappings, locations, functions := d.StringTable(), d.MappingTable(), d.LocationTable(), d.FunctionTable()
	stacks, attributes, links := d.StackTable(), d.AttributeTable(), d.LinkTable()

	// The first entry of each table is the zero value, and no entry comes twice.
	for name, n := range map[string]int{
		"string": strings.Len(), "mapping": mappings.Len(), "location": locations.Len(), "function": functions.Len(),
		"stack": stacks.Len(), "attribute": attributes.Len(), "link": links.Len(),
	} {
		if n == 0 {
			bad("no %s_table[0]", name)
			return errs
		}
	}
	if strings.At(0) != "" || !mappings.At(0).Equal(pprofile.NewMapping()) || !locations.At(0).Equal(pprofile.NewLocation()) ||
		!functions.At(0).Equal(pprofile.NewFunction()) || !stacks.At(0).Equal(pprofile.NewStack()) ||
		!attributes.At(0).Equal(pprofile.NewKeyValueAndUnit()) || !links.At(0).Equal(pprofile.NewLink()) {
		bad("an entry 0 is not the zero value")
	}
	unique := func(table string) func(entry string) {
		seen := make(map[string]bool)
		return func(entry string) {
			if seen[entry] {
				bad("%s_table has %s twice", table, entry)
			}
			seen[entry] = true
		}
	}
	check := func(what string, i int32, n int) {
		if i < 0 || int(i) >= n {
			bad("%s %d of %d", what, i, n)
		}
	}
	one := unique("string")
	for _, s := range strings.All() {
		one(s)
	}
	one = unique("function")
	for _, f := range functions.All() {
		check("name of a function", f.NameStrindex(), strings.Len())
		check("system name", f.SystemNameStrindex(), strings.Len())
		check("file name", f.FilenameStrindex(), strings.Len())
		one(fmt.Sprint(f.NameStrindex(), f.SystemNameStrindex(), f.FilenameStrindex(), f.StartLine()))
	}
	one = unique("location")
	for i, l := range locations.All() {
		check("mapping of a location", l.MappingIndex(), mappings.Len())
		key := fmt.Sprint(l.MappingIndex(), l.Address())
		for _, line := range l.Lines().All() {
			check("function of a line", line.FunctionIndex(), functions.Len())
			if line.FunctionIndex() == 0 {
				bad("location %d has a line without a function", i)
			}
			key += fmt.Sprint(" ", line.FunctionIndex(), line.Line(), line.Column())
		}
		for _, a := range l.AttributeIndices().All() {
			check("attribute of a location", a, attributes.Len())
		}
		one(key)
	}
	one = unique("stack")
	for _, s := range stacks.All() {
		for _, l := range s.LocationIndices().All() {
			check("location of a stack", l, locations.Len())
			if l == 0 {
				bad("a stack has location 0")
			}
		}
		one(fmt.Sprint(s.LocationIndices().AsRaw()))
	}
	one = unique("attribute")
	for i, a := range attributes.All() {
		check("key of an attribute", a.KeyStrindex(), strings.Len())
		check("unit of an attribute", a.UnitStrindex(), strings.Len())
		if (a.KeyStrindex() == 0) != (i == 0) {
			bad("attribute %d has key %d", i, a.KeyStrindex())
		}
		one(fmt.Sprint(a.KeyStrindex(), a.Value().Type(), a.Value().AsString(), a.UnitStrindex()))
	}
	one = unique("link")
	for i, l := range links.All() {
		if i > 0 && (l.TraceID().IsEmpty() || l.SpanID().IsEmpty()) {
			bad("link %d is not valid", i)
		}
		one(fmt.Sprint(l.TraceID(), l.SpanID()))
	}

	for _, rp := range p.ResourceProfiles().All() {
		for _, sp := range rp.ScopeProfiles().All() {
			for _, pr := range sp.Profiles().All() {
				if pr.ProfileID().IsEmpty() || ids[pr.ProfileID()] {
					bad("profile ID %s is not unique", pr.ProfileID())
				}
				ids[pr.ProfileID()] = true
				check("sample type", pr.SampleType().TypeStrindex(), strings.Len())
				check("sample unit", pr.SampleType().UnitStrindex(), strings.Len())
				if pr.SampleType().TypeStrindex() == 0 || pr.SampleType().UnitStrindex() == 0 {
					bad("a profile without a sample type")
				}
				if pr.Samples().Len() == 0 {
					bad("a profile without samples")
				}
				if pr.Time() == 0 {
					bad("a profile without a time")
				}
				one = unique("sample")
				for _, s := range pr.Samples().All() {
					check("stack of a sample", s.StackIndex(), stacks.Len())
					check("link of a sample", s.LinkIndex(), links.Len())
					// One sample type, so values and timestamps are points of time: there is at
					// least one, and as many of both where both are there.
					v, ts := s.Values().Len(), s.TimestampsUnixNano().Len()
					if v+ts == 0 || v > 0 && ts > 0 && v != ts {
						bad("a sample has %d values and %d timestamps", v, ts)
					}
					if ts == 0 && v != 1 {
						bad("a sample has %d values", v)
					}
					keys := make(map[int32]bool)
					for _, a := range s.AttributeIndices().All() {
						check("attribute of a sample", a, attributes.Len())
						key := attributes.At(int(a)).KeyStrindex()
						if a == 0 || keys[key] {
							bad("a sample has attribute %d, or its key twice", a)
						}
						keys[key] = true
					}
					one(fmt.Sprint(s.StackIndex(), s.AttributeIndices().AsRaw(), s.LinkIndex()))
				}
			}
		}
	}
	return errs
}
