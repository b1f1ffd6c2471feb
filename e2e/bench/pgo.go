package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// profiled is what the compiler optimizes: the commands that people wait for. A page of
// trace2x web reads the trace as summary --html does.
var profiled = [][]string{
	{"summary"},
	{"summary", "--html", os.DevNull},
	{"perfetto", "-o", os.DevNull},
	{"perfetto", "--slowest", "10", "-o", os.DevNull},
	{"otel", "--dry-run"},
	{"pprof", "--type", "wall", "-o", os.DevNull},
	{"pprof", "--type", "critical", "-o", os.DevNull},
}

// defaultPGO is where the go command looks for the profile.
const defaultPGO = "cmd/trace2x/default.pgo"

// pgo writes the profile with which the go command optimizes trace2x: CPU profiles of
// commands on both loads, as one. The program that is profiled is not optimized so itself.
func (b *bench) pgo() error {
	if err := b.build("-trimpath", "-pgo=off"); err != nil {
		return err
	}
	var all []*profile.Profile
	for _, l := range []load{{fanOut.name, 6_000_000, fanOut.flags}, {fresh.name, 3_000_000, fresh.flags}} {
		t, err := b.make(l)
		if err != nil {
			return err
		}
		for i, command := range profiled {
			p, err := b.cpu(filepath.Join(b.dir, fmt.Sprintf("%s-%d", l.name, i)), append(slices.Clone(command), t.file))
			if err != nil {
				return err
			}
			all = append(all, p)
		}
	}
	whole, err := profile.Merge(all)
	if err != nil {
		return err
	}
	forCompiler(whole)
	var out bytes.Buffer
	if err := whole.Compact().Write(&out); err != nil {
		return err
	}
	log.Printf("%s: %d bytes", defaultPGO, out.Len())
	return os.WriteFile(defaultPGO, out.Bytes(), 0o666)
}

// cpu runs trace2x and returns its CPU profile, which is in a file meanwhile.
func (b *bench) cpu(file string, args []string) (*profile.Profile, error) {
	u, err := measure(b.trace2x, append(args, "--cpuprofile", file)...)
	if err != nil {
		return nil, err
	}
	log.Printf("%.1f s of CPU time: trace2x %s", u.cpu.Seconds(), strings.Join(args[:len(args)-1], " "))
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return profile.ParseData(data)
}

// forCompiler removes what the compiler does not read, and what differs from machine to
// machine. It reads which functions call each other at which lines, and how often.
func forCompiler(p *profile.Profile) {
	cpu := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" })
	p.SampleType = p.SampleType[cpu : cpu+1]
	for _, s := range p.Sample {
		s.Value = s.Value[cpu : cpu+1]
	}
	for _, l := range p.Location {
		l.Address, l.Mapping = 0, nil
	}
	p.Mapping, p.Comments, p.TimeNanos, p.DefaultSampleType = nil, nil, 0, ""
}
