package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/internal/output"
)

// newMan returns the command with which "make dist" writes the manual pages. It is not
// a program of its own because the commands are here.
func newMan(e *env) *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Short:  "Write the manual pages into a folder",
		Long:   `man writes a manual page for each command into an existing folder.`,
		Hidden: true,
		Example: `  trace2x man /usr/local/share/man/man1
  man trace2x-open`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e.ran = true
			return writeManuals(e, cmd.Root(), args[0])
		},
	}
}

func writeManuals(e *env, cmd *cobra.Command, folder string) error {
	if !documented(cmd) {
		return nil
	}
	page, err := output.Create(output.Target{Name: filepath.Join(folder, manualName(cmd)+".1"), Kind: output.Page})
	if err != nil {
		return err
	}
	defer page.Discard()
	text := new(strings.Builder)
	manual(text, cmd)
	if _, err := io.WriteString(page, text.String()); err != nil {
		return err
	}
	if err := e.commit(page); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if err := writeManuals(e, sub, folder); err != nil {
			return err
		}
	}
	return nil
}

// documented reports whether a command has a page. The commands that cobra adds have
// none.
func documented(cmd *cobra.Command) bool {
	return !cmd.Hidden && cmd.Name() != "help" && cmd.Name() != "completion"
}

// manualName returns the name of a command's page, as in trace2x-open.
func manualName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manual writes a command's page, in the macros of man(7).
func manual(w io.Writer, cmd *cobra.Command) {
	name := manualName(cmd)
	fmt.Fprintf(w, ".TH %s 1 \"\" \"trace2x %s\" \"\"\n", strings.ToUpper(name), roff(version()))
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	use := cmd.UseLine()
	if cmd.HasSubCommands() {
		use += " COMMAND"
	}
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n", roff(use))
	fmt.Fprint(w, ".SH DESCRIPTION\n")
	for i, paragraph := range strings.Split(strings.TrimSpace(cmd.Long), "\n\n") {
		if i > 0 {
			fmt.Fprint(w, ".PP\n")
		}
		fmt.Fprintln(w, roff(paragraph))
	}

	var see []string
	if cmd.HasParent() {
		see = append(see, manualName(cmd.Parent()))
	}
	heading := ".SH COMMANDS\n"
	for _, sub := range cmd.Commands() {
		if !documented(sub) {
			continue
		}
		fmt.Fprintf(w, "%s.TP\n.B %s\n%s\n", heading, roff(sub.Name()), roff(sub.Short))
		heading = ""
		see = append(see, manualName(sub))
	}
	cmd.InitDefaultHelpFlag()
	heading = ".SH OPTIONS\n"
	cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		fmt.Fprintf(w, "%s.TP\n%s\n", heading, manualFlag(f))
		heading = ""
	})
	fmt.Fprintf(w, ".SH EXIT STATUS\n%s\n", roff(exitHelp))
	if cmd.Example != "" {
		fmt.Fprintf(w, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	if len(see) > 0 {
		for i, s := range see {
			see[i] = ".BR " + roff(s) + " (1)"
		}
		fmt.Fprintf(w, ".SH SEE ALSO\n%s\n", strings.Join(see, ",\n"))
	}
}

// manualFlag writes a flag, its value and its meaning.
func manualFlag(f *pflag.Flag) string {
	value, usage := pflag.UnquoteUsage(f)
	b := `.B \-\-` + roff(f.Name)
	if f.Shorthand != "" {
		b = `.B \-` + f.Shorthand + `, \-\-` + roff(f.Name)
	}
	if value != "" {
		b += ` \fI` + roff(value) + `\fR`
	}
	b += "\n" + roff(usage)
	if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "0s" && d != "[]" {
		b += " (default " + roff(d) + ")"
	}
	return b
}

// roff returns escaped text: minus signs stay minus signs when copied, and no line is a
// request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
