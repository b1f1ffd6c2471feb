package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trace2x/trace2x/internal/spelling"
)

// units are what may follow a number, without a space: durations in nanoseconds, sizes in
// bytes.
var units = map[string]float64{
	"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
	"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// withoutUnits returns an expression with plain numbers in place of those with units:
// 50ms is 50000000 (nanoseconds), 1m30s is 90000000000, 2MB is 2000000, 10% is 0.1.
func withoutUnits(s string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' || c == '\'' || c == '`':
			n := quoted(s[i:])
			out.WriteString(s[i : i+n])
			i += n
		case c == '.' && i+1 < len(s) && isDigit(s[i+1]) && (i == 0 || s[i-1] != '.'):
			return "", fmt.Errorf("%s begins with a point: write 0%s", s[i:i+1+digits(s[i+1:])], s[i:i+1+digits(s[i+1:])])
		case isDigit(c):
			text, n, err := quantity(s[i:])
			if err != nil {
				return "", err
			}
			out.WriteString(text)
			i += n
		default:
			n := word(s[i:])
			out.WriteString(s[i : i+n])
			i += n
		}
	}
	return out.String(), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// quoted returns the length of the string that s begins with, or of s if it has no end.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] != '`':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// word returns the length of the name that s begins with, or of its first character.
func word(s string) int {
	for i, r := range s {
		if r != '_' && r != '$' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			_, size := utf8.DecodeRuneInString(s)
			return max(i, size)
		}
	}
	return len(s)
}

// quantity returns the number that s begins with, without its units, and its length.
func quantity(s string) (text string, n int, err error) {
	sum, known := 0.0, false
	for n < len(s) && isDigit(s[n]) {
		number := digits(s[n:])
		rest := s[n+number:]
		unit := letters(rest)
		value, parseErr := strconv.ParseFloat(strings.ReplaceAll(s[n:n+number], "_", ""), 64)
		if parseErr != nil {
			return "", 0, fmt.Errorf("%s is no number", s[n:n+number])
		}
		switch {
		case !known && isPercent(rest):
			return plain(value / 100), n + number + 1, nil
		case !known && unit == "":
			return s[:number], number, nil
		case unit == "":
			return "", 0, fmt.Errorf("%s has a number without a unit at its end", s[:n+number])
		}
		factor, ok := units[unit]
		if !ok {
			return "", 0, fmt.Errorf("%s has an unknown unit, %s%s (there are ns, µs, ms, s, m, h; B, kB, MB, GB, KiB, MiB, GiB; %%)", s[:n+number+len(unit)], unit, spelling.DidYouMean(nearUnits(unit)))
		}
		sum, known = sum+value*factor, true
		n += number + len(unit)
	}
	return plain(sum), n, nil
}

func nearUnits(unit string) []string {
	names := make([]string, 0, len(units))
	for name := range units {
		names = append(names, name)
	}
	slices.Sort(names)
	near := spelling.Near(unit, names)
	return near[:min(len(near), 2)]
}

// digits returns the length of the decimal number that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && (isDigit(s[n]) || s[n] == '_') {
		n++
	}
	if n+1 < len(s) && s[n] == '.' && isDigit(s[n+1]) { // and not 1..3
		for n++; n < len(s) && (isDigit(s[n]) || s[n] == '_'); {
			n++
		}
	}
	if e := n; e < len(s) && (s[e] == 'e' || s[e] == 'E') {
		if e++; e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if e < len(s) && isDigit(s[e]) {
			for n = e; n < len(s) && isDigit(s[n]); {
				n++
			}
		}
	}
	return n
}

// letters returns the letters, and what follows them of a name, that s begins with.
func letters(s string) string {
	for i, r := range s {
		if !unicode.IsLetter(r) && r != '_' {
			return s[:i]
		}
	}
	return s
}

// isPercent reports whether a number before s is a percentage. With an operand behind it,
// as in 10%3, the sign is the operator.
func isPercent(s string) bool {
	if !strings.HasPrefix(s, "%") {
		return false
	}
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(s[1:], " \t\n"))
	spaced := len(s) > 1 && strings.ContainsRune(" \t\n", rune(s[1]))
	return !unicode.IsDigit(r) && r != '(' && r != '[' && r != '"' && r != '\'' && (!unicode.IsLetter(r) && r != '_' || spaced)
}

func plain(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
