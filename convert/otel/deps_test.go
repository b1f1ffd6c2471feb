package otel_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies: a program that converts to a file, or maps spans itself, gets
// no network code.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("only %d packages: %v", len(deps), deps)
	}
	for _, dep := range deps {
		for _, unwanted := range []string{"net", "net/http", "crypto/tls", "google.golang.org/grpc", "google.golang.org/genproto", "go.opentelemetry.io/proto", "go.opentelemetry.io/otel/exporters", "go.opentelemetry.io/otel/sdk"} {
			if dep == unwanted || strings.Contains(unwanted, ".") && strings.HasPrefix(dep, unwanted+"/") {
				t.Errorf("imports %s", dep)
			}
		}
	}
}
