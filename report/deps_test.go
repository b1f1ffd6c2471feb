package report

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies: a program that sums up traces gets neither OpenTelemetry nor
// network code.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 30 {
		t.Fatalf("only %d packages: %v", len(deps), deps)
	}
	for _, dep := range deps {
		if strings.HasPrefix(dep, "go.opentelemetry.io/") || strings.HasPrefix(dep, "google.golang.org/grpc") || dep == "net/http" {
			t.Errorf("imports %s", dep)
		}
	}
}
