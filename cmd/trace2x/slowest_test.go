package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/model"
)

// TestSlowest: the slowest units are shown if asked for, and where only some goroutines
// are asked for.
func TestSlowest(t *testing.T) {
	in := trace(t, "chain")
	for _, c := range []struct {
		args []string
		want bool
	}{
		{nil, false},
		{[]string{"--slowest", "3"}, true},
		{[]string{"--task", "^chain$"}, true},
		{[]string{"--task", "^chain$", "--slowest", "0"}, false},
	} {
		r := exec(t, append([]string{"perfetto", "-o", "-", in}, c.args...)...)
		r.want(t, 0)
		if got := strings.Contains(r.stdout, "Slowest tasks"); got != c.want {
			t.Errorf("%q: slowest tasks are shown: %v", c.args, got)
		}
	}
	exec(t, "perfetto", "--slowest", "-1", in).want(t, 2, "--slowest", "0 or more")
}

// TestManyPs: Ps that Perfetto has no CPU for are said.
func TestManyPs(t *testing.T) {
	for p, want := range map[model.ProcID]string{
		1099:         "warning: Perfetto knows 1024 CPUs: what ran on P1024 to P1099 is in the group \"Ps from 1024 on\", as slices\n",
		1023:         "",
		model.NoProc: "",
	} {
		var stderr bytes.Buffer
		(&env{stderr: &stderr}).warnBeyond(&model.Summary{MaxProc: p})
		if got := stderr.String(); got != want {
			t.Errorf("P%d: %q, want %q", p, got, want)
		}
	}
}
