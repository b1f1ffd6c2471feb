package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
)

// programs returns a folder with the traces of two programs, and is in it.
func programs(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, from := range map[string]string{"a.trace": "httpserver", "b.trace": "spanlink", "old.trace": "httpserver-go1.22"} {
		write(t, name, read(t, trace(t, from)))
	}
}

// machines returns the names of the programs in a Perfetto file, and how they are said to
// be aligned.
func machines(t *testing.T, file string) (names []string, attributes map[string]string) {
	t.Helper()
	var p perfettopb.Trace
	if err := proto.Unmarshal([]byte(read(t, file)), &p); err != nil {
		t.Fatal(err)
	}
	attributes = make(map[string]string)
	for _, x := range p.Packet {
		if name := x.GetSystemInfo().GetUtsname().GetSysname(); name != "" {
			names = append(names, fmt.Sprint(x.GetMachineId(), " ", name))
		}
		for _, a := range x.GetTraceAttributes().GetAttribute() {
			attributes[fmt.Sprint(x.GetMachineId(), " ", a.GetKey())] = a.GetStringValue()
		}
	}
	return names, attributes
}

func TestTimeline(t *testing.T) {
	programs(t)
	r := exec(t, "perfetto", "--name", "gateway=./a.trace", "-o", "out.pftrace", "a.trace", "b.trace")
	r.want(t, exitOK, "warning: clock of gateway: the others are aligned to it; no other trace is of the same time\n", "warning: clock of b: by the wall clocks; no calls check these; no other", "0 calls from one program to another\n", "out.pftrace: ")
	names, attributes := machines(t, "out.pftrace")
	if got := strings.Join(names, ", "); got != "0 gateway, 1 b" {
		t.Errorf("programs %s", got)
	}
	if attributes["0 trace2x.program"] != "gateway" || !strings.HasPrefix(attributes["1 trace2x.clock"], "by the wall clocks; no calls check these") {
		t.Errorf("%v", attributes)
	}

	// The same bytes each time, and from a folder.
	exec(t, "perfetto", "--name", "gateway=a.trace", "-o", "again.pftrace", "a.trace", "./b.trace").want(t, exitOK)
	if read(t, "again.pftrace") != read(t, "out.pftrace") {
		t.Error("other bytes the second time")
	}
	os.Mkdir("folder", 0o755)
	for _, name := range []string{"a.trace", "b.trace"} {
		os.Rename(name, filepath.Join("folder", name))
	}
	exec(t, "perfetto", "--name", "gateway=folder/a.trace", "folder").want(t, exitOK, "folder.pftrace: ")
	if read(t, "folder.pftrace") != read(t, "out.pftrace") {
		t.Error("other bytes from a folder")
	}
	r = exec(t, "perfetto", "-o", "-", "folder")
	if r.want(t, exitOK); len(r.stdout) < 1000 {
		t.Errorf("%d bytes on stdout", len(r.stdout))
	}

	// No two programs have the same name, and messages show each name on one line.
	os.Mkdir("other", 0o755)
	write(t, "other/a.trace", read(t, "old.trace"))
	r = exec(t, "perfetto", "-o", "same.pftrace", "folder/a.trace", "other/a.trace")
	r.want(t, exitOK, "warning: clock of a-2: not known", "--offset a-2=12ms says how long after a it began")
	exec(t, "perfetto", "--name", "x\ny=folder/a.trace", "-o", "same.pftrace", "folder").want(t, exitOK, `clock of x\ny: `)
}

// TestTimelineOffset: what the user says is where a program begins.
func TestTimelineOffset(t *testing.T) {
	programs(t)
	first := regexp.MustCompile(`[\d.]+`)
	for _, test := range []struct {
		offset string
		shift  string // of a; b began earlier if it is not 0
	}{{"b=12ms", "0"}, {"b=-12ms", ""}} {
		exec(t, "perfetto", "--offset", test.offset, "-o", "out.pftrace", "a.trace", "b.trace").want(t, exitOK, "clock of b: as the user gave it")
		_, attributes := machines(t, "out.pftrace")
		if got := attributes["0 trace2x.clock.shift_ns"]; test.shift != "" && got != test.shift || !first.MatchString(got) {
			t.Errorf("%s: shift %s", test.offset, got)
		}
	}
	exec(t, "perfetto", "--offset", "old=5ms", "-o", "out.pftrace", "a.trace", "old.trace").want(t, exitOK, "clock of old: as the user gave it")
}

// TestTimelineWindow: moments count from when the first program begins.
func TestTimelineWindow(t *testing.T) {
	programs(t)
	args := []string{"perfetto", "--offset", "b=1s", "-o", "out.pftrace", "a.trace", "b.trace"}
	r := exec(t, append(args, "--from", "1s")...)
	r.want(t, exitOK, "b.trace: ")
	if names, _ := machines(t, "out.pftrace"); len(names) != 2 {
		t.Errorf("programs %v", names)
	}
	exec(t, append(args, "--to", "500ms")...).want(t, exitOK)
	if names, _ := machines(t, "out.pftrace"); len(names) != 1 {
		t.Errorf("programs %v: the second begins later", names)
	}
	exec(t, append(args, "--from", "10m")...).want(t, exitFailed, "none of the traces has anything between --from and --to")
	exec(t, "perfetto", "--from", "2026-01-02T15:04:05Z", "-o", "o.pftrace", "old.trace", "trace-2").want(t, exitFailed)
}

func TestTimelineSelection(t *testing.T) {
	programs(t)
	exec(t, "perfetto", "--func", `^main\.holdMutex$`, "-o", "out.pftrace", "a.trace", "b.trace").want(t, exitOK)
	exec(t, "perfetto", "--task", "^nothing$", "-o", "none.pftrace", "a.trace", "b.trace").want(t, exitFailed, "2 traces: no task matches --task ^nothing$")
	if exists("none.pftrace") {
		t.Error("there is a file")
	}
}

// TestTimelineBudget: the file of several programs fits, too.
func TestTimelineBudget(t *testing.T) {
	programs(t)
	exec(t, "perfetto", "--budget", "400kB", "-o", "out.pftrace", "a.trace", "b.trace", "old.trace").want(t, exitOK, "left out, to fit into 400kB: ")
	info, err := os.Stat("out.pftrace")
	if err != nil || info.Size() > 400_000 {
		t.Errorf("%v, %v", info.Size(), err)
	}
}

// TestTimelineDamage: what cannot be read is left out, what is damaged is there as far as
// it can be read, and both are said once.
func TestTimelineDamage(t *testing.T) {
	programs(t)
	write(t, "text", "not a trace")
	write(t, "cut", read(t, trace(t, "truncated")))
	r := exec(t, "perfetto", "-o", "out.pftrace", "a.trace", "text", "cut", "missing")
	r.want(t, exitFailed, "text: ", "cut: truncated", "missing: ", "out.pftrace: ")
	if n := strings.Count(r.stderr, "cut: truncated"); n != 1 {
		t.Errorf("said %d times: %s", n, r.stderr)
	}
	if names, _ := machines(t, "out.pftrace"); len(names) != 2 {
		t.Errorf("programs %v", names)
	}
	exec(t, "perfetto", "-o", "none.pftrace", "text", "missing").want(t, exitFailed, "text: ")
	if exists("none.pftrace") {
		t.Error("there is a file")
	}
	// What offsets count from may not be another trace.
	exec(t, "perfetto", "--offset", "b=12ms", "-o", "none.pftrace", "text", "a.trace", "b.trace").want(t, exitFailed, "--offset counts from when the first trace begins, and text cannot be read")
	if exists("none.pftrace") {
		t.Error("there is a file")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	execWith(ctx, strings.NewReader(""), "perfetto", "-o", "none.pftrace", "a.trace", "b.trace").want(t, exitInterrupted, "interrupted; nothing was written")
}

func TestTimelineUsage(t *testing.T) {
	programs(t)
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--name", "gateway", "a.trace", "b.trace"}, exitUsage, "--name gateway"},
		{[]string{"--offset", "b", "a.trace", "b.trace"}, exitUsage, "--offset b"},
		{[]string{"--offset", "b=5", "a.trace", "b.trace"}, exitUsage, "--offset b=5"},
		{[]string{"--offset", "b=-1000000h", "a.trace", "b.trace"}, exitUsage, "of a year at most"},
		{[]string{"--from", "9999-01-01T00:00:00Z", "a.trace", "b.trace"}, exitUsage, "--from 9999-01-01T00:00:00Z"},
		{[]string{"--to", "0001-01-01T00:00:00Z", "a.trace"}, exitUsage, "--to 0001-01-01T00:00:00Z"},
		{[]string{"--name", "x=c.trace", "a.trace", "b.trace"}, exitFailed, "c.trace is not among the traces"},
		{[]string{"--offset", "x=1ms", "a.trace", "b.trace"}, exitFailed, "no program has this name"},
		{[]string{"--offset", "a=1ms", "a.trace", "b.trace"}, exitFailed, "it is the first program"},
		{[]string{"--task", "7", "a.trace", "b.trace"}, exitUsage, "--task 7 is a task of one program"},
		{[]string{"--goroutine", "7", "a.trace", "b.trace"}, exitUsage, "--goroutine is a goroutine of one program"},
		{[]string{"--split", "1s", "a.trace", "b.trace"}, exitUsage, "--split is for one trace"},
		{[]string{"a.trace", "-"}, exitUsage, "several must be files or folders"},
		{[]string{"-o", "a.trace", "--force", "a.trace", "b.trace"}, exitUsage, "a.trace"},
	} {
		exec(t, append([]string{"perfetto"}, test.args...)...).want(t, test.code, test.want)
	}
	exec(t, "open", "--no-browser", "--slowest", "a.trace", "b.trace").want(t, exitUsage, "a place in one program")
	for _, args := range [][]string{{}, {"--from", "0s", "--to", "1s"}} {
		args = append([]string{"open", "--no-browser", "--port", "0", "--offset", "b=1ms", "--at", "100s", "a.trace", "b.trace"}, args...)
		exec(t, args...).want(t, exitFailed, "2 traces: what was converted does not have --at 100s; all together take 1.21")
	}
	exec(t, "perfetto", "--offset", "a=1ms", "a.trace").want(t, exitUsage, "--offset is for several traces")
}
