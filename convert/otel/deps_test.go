package otel_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies: a program that converts to a file, or maps spans itself, gets no
// network code. Only package profiles needs OTLP's profiles, which are not stable.
func TestDependencies(t *testing.T) {
	network := []string{"net", "net/http", "crypto/tls", "google.golang.org/grpc", "google.golang.org/genproto", "go.opentelemetry.io/proto", "go.opentelemetry.io/otel/exporters", "go.opentelemetry.io/otel/sdk"}
	const (
		unstable = "go.opentelemetry.io/collector/pdata/pprofile"
		pprof    = "github.com/google/pprof"
		reports  = "github.com/trace2x/trace2x/report"
	)
	for _, test := range []struct {
		pkg      string
		unwanted []string
	}{
		{".", append([]string{unstable, pprof, reports}, network...)},
		{"./metrics", append([]string{unstable, pprof}, network...)},
		{"./profiles", append([]string{reports}, network...)},
		{"./otlpclient", []string{unstable, pprof, reports}},
	} {
		out, err := exec.Command("go", "list", "-deps", test.pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 50 {
			t.Fatalf("%s: only %d packages: %v", test.pkg, len(deps), deps)
		}
		for _, dep := range deps {
			for _, unwanted := range test.unwanted {
				if dep == unwanted || strings.Contains(unwanted, ".") && strings.HasPrefix(dep, unwanted+"/") {
					t.Errorf("%s imports %s", test.pkg, dep)
				}
			}
		}
	}
}
