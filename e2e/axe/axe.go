// Package axe checks the accessibility of pages in tests with axe-core, which runs in the
// page. It is fetched from the npm registry on first use and cached; fetch.sh tells where
// and checks what it got.
package axe

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/trace2x/trace2x/e2e/chromium"
)

//go:embed fetch.sh
var fetchScript string

const fetchTimeout = 5 * time.Minute

var source = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", fetchScript)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("fetch axe-core: %w: %s", err, &stderr)
	}
	script, err := os.ReadFile(filepath.Join(strings.TrimSuffix(string(out), "\n"), "axe.min.js"))
	return string(script), err
})

// Check returns what axe-core finds wrong in a page, by the rules of WCAG 2.1 A and AA and
// its best practices; one line for each element.
func Check(p *chromium.Page) ([]string, error) {
	script, err := source()
	if err != nil {
		return nil, err
	}
	if err := p.Eval(script+"\n;0", nil); err != nil {
		return nil, err
	}
	var found []struct {
		ID, Help string
		Nodes    []struct {
			HTML, FailureSummary string
		}
	}
	if err := p.Eval(`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary}))})))`, &found); err != nil {
		return nil, err
	}
	var out []string
	for _, v := range found {
		for i, n := range v.Nodes {
			if i == 3 {
				out = append(out, fmt.Sprintf("%s: … %d more", v.ID, len(v.Nodes)-i))
				break
			}
			out = append(out, fmt.Sprintf("%s (%s): %.200s: %s", v.ID, v.Help, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " ")))
		}
	}
	return out, nil
}
