package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/spelling"
)

// shown returns a text of the user as it may be shown: on one line, and, if it could be
// an address, without what could be a secret.
func shown(s string) string {
	if strings.Contains(s, "://") || strings.Contains(s, "@") && strings.Contains(s, ":") {
		return address.Printable(s)
	}
	return address.Name(s)
}

// oneLine returns an error's text without what could control a terminal. Several errors
// have a line each.
func oneLine(err error) string {
	text := err.Error()
	var file *fs.PathError
	if errors.As(err, &file) && file.Path != "" {
		text = strings.ReplaceAll(text, file.Path, address.Name(file.Path))
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = escaped(line)
	}
	return strings.Join(lines, "\n")
}

// escaped returns a text with escapes in place of what a terminal would not show.
func escaped(s string) string {
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r) || r == '\t':
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// badValue returns an error about the value of a flag.
func badValue(flag, value, expected, example string) error {
	return fmt.Errorf("%s %s: it must be %s, as in %s %s", flag, shown(value), expected, flag, example)
}

// expectation says what the values of a type of flag look like.
type expectation struct{ what, example string }

var expectations = map[string]expectation{
	"duration": {"a duration", "500ms"},
	"int":      {"a whole number", "5"},
	"int64":    {"a whole number", "42"},
	"uint16":   {"a port, 0 to 65535", "9001"},
	"bool":     {"true or false, or nothing", "true"},
	"SIZE":     {"a size", "32MB"},
	"SECONDS":  {"a positive number", "10"},
	"intSlice": {"a whole number, or several with commas", "18,42"},
}

// expected returns what the value of a flag looks like. If the flag has a default, that
// is the example.
func expected(f *pflag.Flag) expectation {
	want, ok := expectations[f.Value.Type()]
	if !ok {
		name, usage := pflag.UnquoteUsage(f)
		return expectation{usage, name}
	}
	switch f.DefValue {
	case "", "0", "0s", "false", "[]":
	default:
		want.example = f.DefValue
	}
	return want
}

// flagError returns an error that says which flag of a command is wrong, and what is
// expected.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		want := expected(f)
		return badValue("--"+f.Name, value.GetValue(), want.what, want.example)
	case errors.As(err, &missing):
		f := missing.GetFlag()
		want := expected(f)
		return fmt.Errorf("--%s needs a value: %s, as in --%s %s", f.Name, want.what, f.Name, want.example)
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return fmt.Errorf("unknown flag: -%s%s", shown(name), spelling.DidYouMean(longFlags(cmd, unknown.GetSpecifiedShortnames())))
		}
		return fmt.Errorf("unknown flag: --%s%s", shown(name), spelling.DidYouMean(nearFlags(cmd, name)))
	case errors.As(err, &syntax):
		name, _, _ := strings.Cut(syntax.GetSpecifiedFlag(), "=")
		return fmt.Errorf("%s is not a flag", shown(name))
	}
	return err
}

// mayNotBeEmpty are the flags whose empty value would do more than the user wants,
// as if the flag were not given: send spans instead of writing a file, or take the
// whole trace. A shell passes "" for a variable that is not set.
var mayNotBeEmpty = []string{"output", "func", "task", "region", "trace-id", "from", "to", "at"}

// checkEmpty returns an error if a flag was given without a value that needs one.
func checkEmpty(cmd *cobra.Command, _ []string) error {
	for _, name := range mayNotBeEmpty {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() == "" {
			want := expected(f)
			return fmt.Errorf("--%s is empty: it needs a value, as in --%s %s", name, name, want.example)
		}
	}
	return nil
}

// nearFlags returns the flags whose names are similar.
func nearFlags(cmd *cobra.Command, name string) (near []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && spelling.Similar(name, f.Name) {
			near = append(near, "--"+f.Name)
		}
	})
	return near
}

// longFlags returns the flags that were meant if one - is missing, as in -json.
func longFlags(cmd *cobra.Command, short string) []string {
	name, _, _ := strings.Cut(short, "=")
	if len(name) < 2 {
		return nil
	}
	return nearFlags(cmd, name)
}

// unknownCommand returns the error for an argument that is no command.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	name := args[0]
	_, err := os.Stat(name)
	if err == nil || input.IsURL(name) {
		return fmt.Errorf("which command? For a first look: trace2x summary %s", shown(name))
	}
	var commands []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			commands = append(commands, sub.Name())
		}
	}
	return fmt.Errorf("unknown command %s%s", shown(name), spelling.DidYouMean(spelling.Near(name, commands)))
}
