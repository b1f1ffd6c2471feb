//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// buildTimeout is for a Jaeger or a Collector that has to be built.
const buildTimeout = 30 * time.Minute

// TestReadme runs the five commands of README.md, in order, with a Jaeger, a Collector
// and ports of its own. Then a request of 15 s has lanes, which began 10 s before the
// window of 5 s that a service keeps.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Jaeger and a Collector")
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(readme, -1) {
		commands = append(commands, strings.TrimSpace(string(m[1])))
	}
	if len(commands) != 5 {
		t.Fatalf("%d commands: %q", len(commands), commands)
	}
	service, query, otlp, dumps := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+otlp)
	mine := strings.NewReplacer("localhost:8080", service, "localhost:16686", query)
	for i := range commands {
		commands[i] = mine.Replace(commands[i])
	}

	// Without what needs more ports.
	jaeger := commands[0] + " --set=service.extensions=[jaeger_storage,jaeger_query]" +
		" --set=service.pipelines.traces.receivers=[otlp] --set=service.telemetry.metrics.level=none" +
		" --set=receivers.otlp.protocols.grpc.endpoint=" + freeAddress(t) +
		" --set=receivers.otlp.protocols.http.endpoint=" + otlp +
		" --set=extensions.jaeger_query.grpc.endpoint=" + freeAddress(t) +
		" --set=extensions.jaeger_query.http.endpoint=" + query
	background(t, jaeger)
	await(t, "http://"+query, buildTimeout)
	background(t, commands[1]+" --set=receivers.go_execution_trace.http.endpoint="+dumps)
	await(t, "http://"+dumps, buildTimeout)
	run := commands[2] + " -collector http://" + dumps + "/v1/trace"
	background(t, run+" -addr "+service)
	await(t, "http://"+service, 5*time.Minute)

	output(t, commands[3])
	explained(t, commands[4], 400*time.Millisecond)

	old := freeAddress(t)
	background(t, run+" -addr "+old+" -window 5s")
	await(t, "http://"+old, time.Minute)
	output(t, "curl -s "+old+"/reindex?duration=15s "+old+"/cart")
	// The window is 5 s or somewhat more.
	explained(t, commands[4]+"'&minDuration=3s'", 4*time.Second)
}

// explained waits until Jaeger's answer to a command has the lanes of a slow request,
// whose goroutine waited for at least this long.
func explained(t *testing.T, command string, wait time.Duration) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !slowRequestExplained(t, []byte(output(t, command)), wait) {
		if time.Now().After(deadline) {
			t.Fatal("the slow request has no runtime lanes in Jaeger")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// slowRequestExplained finds the trace of the slow request in Jaeger's answer,
// and checks what stands below its span. It is false while that span is not
// there.
func slowRequestExplained(t *testing.T, answer []byte, least time.Duration) bool {
	t.Helper()
	type span struct {
		SpanID, OperationName string
		StartTime, Duration   int64 // µs
		References            []struct{ SpanID string }
		Tags                  []struct {
			Key   string
			Value any
		}
	}
	var traces struct{ Data []struct{ Spans []span } }
	if err := json.Unmarshal(answer, &traces); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	child := func(spans []span, of span, name string) span {
		for _, s := range spans {
			if s.OperationName == name && len(s.References) == 1 && s.References[0].SpanID == of.SpanID {
				return s
			}
		}
		t.Fatalf("%s has no %s below it: %+v", of.OperationName, name, spans)
		panic("not reached")
	}
	for _, trace := range traces.Data {
		for _, request := range trace.Spans {
			if request.OperationName != "GET /cart" {
				continue
			}
			lane := child(trace.Spans, request, "goroutine net/http.(*conn).serve")
			wait := child(trace.Spans, lane, "sync")
			if wait.Duration < least.Microseconds() || wait.Duration > request.Duration {
				t.Errorf("it waited for %d of %d µs", wait.Duration, request.Duration)
			}
			tags := make(map[string]any)
			for _, tag := range wait.Tags {
				tags[tag.Key] = tag.Value
			}
			for key, want := range map[string]string{
				"code.function.name":          "main.(*store).nextCart",
				"go.waker.goroutine.function": "main.(*store).reindex",
				"go.waker.code.function.name": "main.(*store).reindex",
			} {
				if tags[key] != want {
					t.Errorf("%s is %v, want %s", key, tags[key], want)
				}
			}
			return true
		}
	}
	return false
}

// root is the folder in which the commands are to be run.
const root = "../.."

// output runs a command to its end and returns what it prints.
func output(t *testing.T, command string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// background runs a command until the test ends, with all that it started.
func background(t *testing.T, command string) {
	t.Helper()
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s\n%s", command, out.Bytes())
		}
	})
}

// await waits until a server answers.
func await(t *testing.T, url string, timeout time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(timeout); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// freeAddress is an address that nobody listens on, as far as one can know.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
