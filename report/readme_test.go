package report_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

// TestReadme: the parts of summaries that README.md shows are printed in 80 columns.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	printed := ""
	for _, x := range []struct {
		trace     string
		selection model.Selection
		top       int
	}{
		{"slow", model.Selection{Task: regexp.MustCompile("^lock of one that sleeps$")}, 5},
		{"slow", model.Selection{TaskID: 21}, 5},
		{"httpserver", model.Selection{}, 1},
	} {
		rep := readReport(t, testtrace.Path(x.trace), report.Options{Selection: x.selection})
		printed += whyText(t, rep, report.TextOptions{Top: x.top, Width: 80}) + "\n"
	}
	parts := regexp.MustCompile(`(?m)^    (?:OVERVIEW|WHY|PATHS|GOROUTINES|BLOCKING)\b.*(?:\n(?:    .*)?)+`).FindAllString(string(readme), -1)
	if len(parts) != 4 {
		t.Errorf("%d parts of summaries, want 4", len(parts))
	}
	for _, part := range parts {
		part = strings.TrimSpace(regexp.MustCompile(`(?m)^    `).ReplaceAllString(part, ""))
		if !strings.Contains(printed, part) {
			t.Errorf("this is not what is printed:\n%s", part)
		}
	}
}
