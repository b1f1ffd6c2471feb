package main

import (
	"errors"
	"fmt"
	"runtime/pprof"

	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/internal/output"
)

// cpuProfile is a CPU profile of trace2x itself, for --cpuprofile. The flag is hidden: it
// is for "make pgo", and for who looks into why a conversion is slow.
type cpuProfile struct {
	file string
	out  *output.Output // nil if there is none
}

func (p *cpuProfile) addFlag(f *pflag.FlagSet) {
	f.StringVar(&p.file, "cpuprofile", "", "write a CPU profile of trace2x itself to `FILE`, which must not exist")
	f.MarkHidden("cpuprofile")
}

// startProfile starts the profile, if the user wants one, before a command begins.
func (e *env) startProfile() error {
	p := &e.profile
	switch {
	case p.file == "":
		return nil
	case p.file == "-":
		return errors.New("--cpuprofile -: standard output is for what the command writes; name a file")
	case exists(p.file):
		// The command may read it, or be about to write it.
		return fmt.Errorf("--cpuprofile %s: the file exists; give another name, or remove it", shown(p.file))
	}
	e.ran = true
	out, err := output.Create(output.Target{Name: p.file, Kind: output.Profile, Keep: true})
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		out.Discard()
		return err
	}
	e.ran = false
	p.out = out
	return nil
}

// endProfile writes the profile, also of a command that failed or was interrupted. It
// leaves none if the command did not begin its work.
func (e *env) endProfile(began bool) error {
	out := e.profile.out
	if out == nil {
		return nil
	}
	pprof.StopCPUProfile()
	defer out.Discard()
	if !began {
		return nil
	}
	if err := e.commit(out); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "%s: a CPU profile of trace2x itself\n", outName(out.Name()))
	return nil
}
