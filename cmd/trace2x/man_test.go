package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every command has a page with all that --help tells.
func TestManuals(t *testing.T) {
	t.Chdir(t.TempDir())
	r := exec(t, "man", ".")
	r.want(t, exitOK)
	var walk func(cmd *cobra.Command) []string
	walk = func(cmd *cobra.Command) (pages []string) {
		if !documented(cmd) {
			return nil
		}
		name := manualName(cmd) + ".1"
		page := read(t, name)
		wants := []string{".SH EXAMPLES\n.nf\n" + roff(cmd.Example), `\- ` + roff(cmd.Short) + "\n"}
		wants = append(wants, strings.Split(roff(cmd.Long), "\n\n")...)
		cmd.Flags().VisitAll(func(f *pflag.Flag) { wants = append(wants, `\-\-`+roff(f.Name)) })
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		pages = append(pages, name)
		for _, sub := range cmd.Commands() {
			pages = append(pages, walk(sub)...)
		}
		return pages
	}
	pages := walk(newRoot(&env{}))
	if len(pages) < 6 {
		t.Errorf("pages %q", pages)
	}
	wantFiles(t, pages...)
	page := read(t, "trace2x-open.1")
	for _, want := range []string{
		".TH TRACE2X-OPEN 1 ",
		"\n.TP\n.B \\-o, \\-\\-output \\fIFILE\\fR\nkeep the converted trace in FILE; compressed if it ends in .gz\n",
		"\n.TP\n.B \\-\\-port \\fIPORT\\fR\n", " (default 9001)\n",
		"\n.TP\n.B \\-\\-no\\-browser\nonly print the link\n",
		"\n.SH SEE ALSO\n.BR trace2x (1)\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of open lacks %q:\n%s", want, page)
		}
	}
	for _, line := range strings.Split(page, "\n") {
		if strings.Contains(strings.ReplaceAll(line, `\-`, ""), "-") && !strings.HasPrefix(line, ".TH") {
			t.Errorf("not escaped: %s", line)
		}
	}

	if err := os.WriteFile("file", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	exec(t, "man", "file").want(t, exitFailed)
	exec(t, "man").want(t, exitUsage)
}

func TestRoff(t *testing.T) {
	if got, want := roff(".x\n'y\nz -a \\n"), `\&.x`+"\n"+`\&'y`+"\n"+`z \-a \en`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
