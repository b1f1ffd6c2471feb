package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// spanNamed returns the trace ID of a span that the program of
// testdata/gen/spanlink exported.
func spanNamed(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(strings.TrimSuffix(trace(t, "spanlink"), ".trace") + ".spans.json")
	if err != nil {
		t.Fatal(err)
	}
	var spans []struct{ Name, TraceID string }
	if err := json.Unmarshal(data, &spans); err != nil {
		t.Fatal(err)
	}
	for _, s := range spans {
		if s.Name == name {
			return s.TraceID
		}
	}
	t.Fatalf("no span %q", name)
	return ""
}

func TestTraceID(t *testing.T) {
	in, id := trace(t, "spanlink"), spanNamed(t, "slow")
	none := strings.Repeat("1", 32)
	t.Chdir(t.TempDir())

	exec(t, "otel", "--dry-run", "--trace-id", id, in).want(t, exitOK,
		"34 spans of OpenTelemetry among the tasks\n1 span of the distributed trace "+id+"\n1 linked span with 2 spans (1 goroutine, 1 state)\n")
	exec(t, "otel", "--dry-run", "--trace-id", none, in).want(t, exitFailed, "no task matches --trace-id "+none+": nothing was written")
	exec(t, "otel", "-o", "spans", "--task", "nothing", "--min-task", "1h", in).want(t, exitFailed, "no task matches --task nothing and --min-task 1h0m0s: nothing was written")
	exec(t, "otel", "--dry-run", in).want(t, exitOK, "34 linked spans and 5 traces with ")
	wantFiles(t)

	exec(t, "perfetto", in).want(t, exitOK, "34 spans of OpenTelemetry among the tasks\n")
	whole := read(t, "spanlink.pftrace")
	exec(t, "perfetto", "--trace-id", id, in).want(t, exitOK, "1 span of the distributed trace "+id+"\n")
	if part := read(t, "spanlink.pftrace"); len(part) > len(whole)/2 || !strings.Contains(part, id) {
		t.Errorf("%d of %d bytes", len(part), len(whole))
	}
	exec(t, "perfetto", "--trace-id", none, in).want(t, exitFailed, "no task is a span of the distributed trace "+none+": nothing was written")

	exec(t, "pprof", "--type", "wall", "--trace-id", id, in).want(t, exitOK, "1 span of the distributed trace "+id+"\n")
	exec(t, "summary", "--trace-id", id, in).want(t, exitOK, "1 span of the distributed trace "+id+"\n")

	for _, bad := range []string{"1", id + "00", id[1:], "x" + id[1:], strings.Repeat("0", 32)} {
		for _, cmd := range []string{"otel", "perfetto", "summary"} {
			exec(t, cmd, "--trace-id", bad, in).want(t, exitUsage, "--trace-id", "32 hex digits")
		}
	}
}
