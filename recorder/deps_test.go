package recorder

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies: a program gets nothing with this package that it does not have with
// the OpenTelemetry SDK.
func TestDependencies(t *testing.T) {
	list := func(pkgs ...string) map[string]bool {
		t.Helper()
		out, err := exec.Command("go", append([]string{"list", "-deps"}, pkgs...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		deps := make(map[string]bool)
		for _, d := range strings.Fields(string(out)) {
			if domain, _, ok := strings.Cut(d, "/"); ok && strings.Contains(domain, ".") {
				deps[d] = true
			}
		}
		return deps
	}
	sdk := list("go.opentelemetry.io/otel/sdk/trace")
	if len(sdk) < 10 {
		t.Fatalf("the SDK: %v", sdk)
	}
	for d := range list(".") {
		if !sdk[d] && !strings.HasPrefix(d, "github.com/trace2x/trace2x/") {
			t.Errorf("it imports %s", d)
		}
	}
}
