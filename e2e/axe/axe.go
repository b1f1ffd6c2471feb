// Package axe checks the accessibility of pages in tests with axe-core, which runs in the
// page. Package npm fetches it on first use.
package axe

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/trace2x/trace2x/e2e/chromium"
	"github.com/trace2x/trace2x/e2e/npm"
)

var source = sync.OnceValues(func() (string, error) {
	folder, err := npm.AxeCore.Fetch()
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(folder, "axe.min.js"))
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
