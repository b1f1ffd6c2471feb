package flame

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Programs that import other packages of the module do not depend on pprof's driver.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Deps \" \"}}", "github.com/trace2x/trace2x/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	users := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if !slices.Contains(fields[1:], "github.com/google/pprof/driver") {
			continue
		}
		users++
		switch name := strings.TrimPrefix(fields[0], "github.com/trace2x/trace2x/"); name {
		case "cmd/trace2x", "web", "web/flame":
		default:
			t.Errorf("%s depends on pprof's driver", name)
		}
	}
	if users != 3 {
		t.Errorf("%d packages depend on it", users)
	}
}
