package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// folder makes a folder of traces and other files, and returns its name.
func folder(t *testing.T) string {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, from := range map[string]string{
		"dumps/a.trace": "httpserver", "dumps/b": "httpserver-go1.25", "dumps/later/c.out": "manytasks",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, name, read(t, trace(t, from)))
	}
	write(t, "dumps/d.gz", zipped(t, read(t, trace(t, "pipeline"))))
	write(t, "dumps/README", "not a trace")
	write(t, "dumps/empty", "")
	return "dumps"
}

// jsonOf runs a command that writes JSON.
func jsonOf[T any](t *testing.T, code int, args ...string) (v T) {
	t.Helper()
	r := exec(t, args...)
	r.want(t, code)
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		t.Fatalf("%v in %q; stderr %s", err, r.stdout, r.stderr)
	}
	return v
}

type sums struct {
	File     string
	Overview struct {
		Files  []string
		Events int
	}
	Scheduling struct{ Count int }
}

func TestSummaryOfFolder(t *testing.T) {
	dir := folder(t)
	all := jsonOf[sums](t, exitOK, "summary", "--json", dir)
	if got := strings.Join(all.Overview.Files, " "); got != "dumps/a.trace dumps/b dumps/d.gz dumps/later/c.out" {
		t.Errorf("files %s", got)
	}
	events, waits := 0, 0
	for _, f := range all.Overview.Files {
		one := jsonOf[sums](t, exitOK, "summary", "--json", f)
		events += one.Overview.Events
		waits += one.Scheduling.Count
	}
	if all.Overview.Events != events || all.Scheduling.Count != waits {
		t.Errorf("%d events and %d waits, want %d and %d", all.Overview.Events, all.Scheduling.Count, events, waits)
	}

	// A file in a folder that is given too counts once.
	again := jsonOf[sums](t, exitOK, "summary", "--json", "dumps/b", "./dumps")
	if got := strings.Join(again.Overview.Files, " "); got != "dumps/b dumps/a.trace dumps/d.gz dumps/later/c.out" || again.Overview.Events != events {
		t.Errorf("files %s, %d events", got, again.Overview.Events)
	}
}

func TestSummaryEach(t *testing.T) {
	dir := folder(t)
	write(t, "cut", read(t, trace(t, "truncated")))
	r := exec(t, "summary", "--each", dir, "cut", "missing", "dumps/README")
	r.want(t, exitFailed, "trace2x: cut: truncated at byte", "trace2x: open missing: no such file or directory; left out\n",
		"trace2x: dumps/README: not a Go execution trace: it is text that begins with \"not a trace\"; left out\n")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[1], " 1.21s   80.2k  1680  ") || !strings.Contains(lines[1], "  dumps/a.trace  ") ||
		!strings.Contains(lines[5], "DAMAGED: 2.17 kB lost at the end; ") {
		t.Errorf("%d lines:\n%s", len(lines), r.stdout)
	}

	var files []string
	dec := json.NewDecoder(strings.NewReader(exec(t, "summary", "--each", "--json", dir).stdout))
	for dec.More() {
		var s sums
		if err := dec.Decode(&s); err != nil {
			t.Fatal(err)
		}
		files = append(files, s.File)
	}
	if got := strings.Join(files, " "); got != "dumps/a.trace dumps/b dumps/d.gz dumps/later/c.out" {
		t.Errorf("files %s", got)
	}
}

// What can be read of damaged files counts, and what cannot be read fails the command.
func TestSummaryOfDamaged(t *testing.T) {
	folder(t)
	write(t, "cut", read(t, trace(t, "truncated")))
	r := exec(t, "summary", "dumps", "cut", "dumps/empty")
	r.want(t, exitFailed, "trace2x: cut: truncated at byte", "trace2x: dumps/empty: the input is empty")
	for _, want := range []string{"  5 traces, ", "DATA LOST in cut: from ", "goroutines runnable at a time"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in %s", want, r.stdout)
		}
	}
}

func TestManyUsage(t *testing.T) {
	folder(t)
	os.Mkdir("none", 0o777)
	exec(t, "summary").want(t, exitUsage, "which trace? As in trace2x summary trace.out")
	exec(t, "summary", "dumps", "-").want(t, exitUsage, "- is one trace: several must be files or folders")
	exec(t, "summary", "dumps", "http://localhost:1").want(t, exitUsage, "http://localhost:1 is one trace")
	exec(t, "summary", "none").want(t, exitFailed, "none: no Go execution trace in it\n")
	write(t, "none/x", "x")
	exec(t, "summary", "none").want(t, exitFailed, "none: no Go execution trace in it; it has 1 file of other kinds\n")
	exec(t, "summary", "dumps/README", "dumps/empty").want(t, exitFailed, "README: not a Go", "empty: the input is empty")
	exec(t, "summary", "--from", "2s", "dumps").want(t, exitFailed, "none of the traces has anything between --from and --to")
	exec(t, "summary", "--from", "1s", "dumps").want(t, exitOK, "3 traces with nothing between --from and --to")
	exec(t, "summary", "--func", "^nothing$", "dumps").want(t, exitFailed, "4 traces: no goroutine matches --func ^nothing$")
}

// TestPprofOfFolder: each stack has the sum of what it has in each trace.
func TestPprofOfFolder(t *testing.T) {
	dir := folder(t)
	for _, typ := range []string{"sync", "wall", "critical"} {
		exec(t, "pprof", "--type", typ, dir).want(t, exitOK, "dumps."+typ+".pb.gz: ")
		want := make(map[string][2]int64)
		for i, f := range []string{"a.trace", "b", "d.gz", "later/c.out"} {
			name := fmt.Sprint(typ, i)
			exec(t, "pprof", "--type", typ, "-o", name, "dumps/"+f).want(t, exitOK)
			addProfile(t, want, name)
		}
		got := make(map[string][2]int64)
		addProfile(t, got, "dumps."+typ+".pb.gz")
		if len(want) < 30 || !maps.Equal(got, want) {
			t.Errorf("%s: %d stacks, want %d", typ, len(got), len(want))
		}
	}
	exec(t, "pprof", "--type", "sync", "-o", "dumps/b", "--force", dir).want(t, exitUsage, "dumps/b")
}

// addProfile adds the values of a profile, by stack and labels.
func addProfile(t *testing.T, to map[string][2]int64, file string) {
	t.Helper()
	p, err := profile.ParseData([]byte(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sample {
		key := fmt.Sprint(s.Label)
		for _, l := range s.Location {
			key += fmt.Sprint(" ", l.Address, l.Line[0].Function.Name, l.Line[0].Line)
		}
		sum := to[key]
		to[key] = [2]int64{sum[0] + s.Value[0], sum[1] + s.Value[1]}
	}
}

func TestDiff(t *testing.T) {
	folder(t)
	same := exec(t, "diff", "dumps/a.trace", "dumps/a.trace")
	same.want(t, exitOK)
	if !strings.HasPrefix(same.stdout, "no difference in ") || !strings.Contains(same.stdout, "no significance with one run") {
		t.Errorf("stdout %s", same.stdout)
	}
	r := exec(t, "diff", "dumps/a.trace,dumps/b", "dumps")
	r.want(t, exitOK)
	if !strings.Contains(r.stdout, "before: 2 runs, ") || !strings.Contains(r.stdout, "after:  4 runs, ") {
		t.Errorf("stdout %s", r.stdout)
	}
	exec(t, "diff", "--html", "-o", "diff.html", "dumps/a.trace", "dumps/b").want(t, exitOK)
	exec(t, "diff", "--html", "-o", "diff.html", "dumps/a.trace", "dumps/b").want(t, exitOK) // again
	for range 2 {
		exec(t, "diff", "-o", "diff.txt", "dumps/a.trace", "dumps/b").want(t, exitOK)
	}
	exec(t, "diff", "-o", "dumps/README", "dumps/a.trace", "dumps/b").want(t, exitFailed, "dumps/README exists and is not a difference of traces")
	if page := read(t, "diff.html"); !strings.HasPrefix(page, "<!DOCTYPE html>") {
		t.Errorf("page %.100q", page)
	}
	v := jsonOf[struct{ Headline, Unit string }](t, exitOK, "diff", "--json", "dumps/a.trace", "dumps/a.trace")
	if v.Headline == "" || v.Unit != "task handleRequest" {
		t.Errorf("%+v", v)
	}
	exec(t, "diff", "dumps").want(t, exitUsage, "2 arguments, not 1")
	exec(t, "diff", "--json", "--html", "dumps", "dumps").want(t, exitUsage, "only one of them")
	exec(t, "diff", "dumps", "missing").want(t, exitFailed, "missing: no such file")
	exec(t, "diff", "dumps", "dumps/README").want(t, exitFailed, "README: not a Go execution trace")
	exec(t, "diff", "--html", "--force", "-o", "dumps/b", "dumps", "dumps/b").want(t, exitUsage, "dumps/b")
	write(t, "cut", read(t, trace(t, "truncated")))
	exec(t, "diff", "cut", "cut").want(t, exitFailed, "cut: truncated at byte")
}

func TestCheck(t *testing.T) {
	folder(t)
	r := exec(t, "check", "--require", "leaks >= 0", "--require", `tasks["handleRequest"].p99 < 10s`, "dumps")
	r.want(t, exitOK)
	if lines := strings.Split(r.stdout, "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "ok    leaks >= 0   ") || !strings.Contains(lines[1], `tasks["handleRequest"].p99 < 10s   `) {
		t.Errorf("stdout %s", r.stdout)
	}
	r = exec(t, "check", "--require", "overview.events < 10", "--require", "overview.events > 10", "dumps/b")
	r.want(t, exitFailed)
	if !strings.HasPrefix(r.stdout, "FAIL  overview.events < 10") || !strings.Contains(r.stdout, "\nok    overview.events > 10") {
		t.Errorf("stdout %s", r.stdout)
	}
	exec(t, "check", "--require", "overview.event < 10", "--require", "overview.events < 10", "dumps/b").want(t, exitUsage, `overview has no "event"; did you mean events?`)
	exec(t, "check", "--before", "dumps/a.trace", "--require", "len(diff.changes) == 0", "dumps/a.trace").want(t, exitOK)
	exec(t, "check", "--before", "missing", "--require", "len(diff.changes) == 0", "dumps/a.trace").want(t, exitFailed, "missing")
	exec(t, "check", "dumps").want(t, exitUsage, "what is required?")
	exec(t, "check", "--require", "", "dumps").want(t, exitUsage)
	write(t, "cut", read(t, trace(t, "truncated")))
	exec(t, "check", "--require", "overview.events > 10", "cut").want(t, exitFailed, "cut: truncated")
	r = exec(t, "check", "--before", "dumps/a.trace", "--require", "overview.events > 10", "cut")
	r.want(t, exitFailed, "cut: truncated")
	if n := strings.Count(r.stderr, "cut: truncated"); n != 1 {
		t.Errorf("the damage is reported %d times: %s", n, r.stderr)
	}
}

// TestManyInterrupted: a command that is interrupted ends, and writes nothing.
func TestManyInterrupted(t *testing.T) {
	dir := folder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"summary", dir}, {"summary", "--each", dir}, {"pprof", "--type", "sync", dir}, {"diff", dir, dir}, {"check", "--require", "leaks == 0", dir}} {
		r := execWith(ctx, strings.NewReader(""), args...)
		r.want(t, exitInterrupted, "interrupted; nothing was written")
		if r.stdout != "" {
			t.Errorf("%q: stdout %q", args, r.stdout)
		}
	}
}

// TestOtelOfFolder: a file has the spans of all traces, in their order.
func TestOtelOfFolder(t *testing.T) {
	dir := folder(t)
	var want string
	for i, f := range []string{"a.trace", "b", "d.gz", "later/c.out"} {
		exec(t, "otel", "-o", fmt.Sprint(i), "dumps/"+f).want(t, exitOK)
		want += read(t, fmt.Sprint(i))
	}
	exec(t, "otel", "-o", "all", dir).want(t, exitOK, "all: ")
	if got := read(t, "all"); got != want || len(got) < 100_000 {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	r := exec(t, "otel", "--dry-run", "--task", "^pipeline$", dir, "dumps/README")
	r.want(t, exitFailed, "3 traces with nothing that matches the flags", "README: not a Go execution trace")
	exec(t, "otel", "--dry-run", "--task", "^nothing$", dir).want(t, exitFailed, "4 traces: nothing matches the flags")
	exec(t, "otel", "--wall-start", "2026-01-02T15:04:05Z", "--dry-run", dir).want(t, exitUsage, "--wall-start is for one trace")
	exec(t, "otel", "-o", "dumps/b", "--force", dir).want(t, exitUsage, "dumps/b")
}
