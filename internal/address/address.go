// Package address makes addresses and names fit to be shown. A URL may hold a
// password or a token, and messages end up in logs, tickets and screenshots; a name
// of a file, or in a trace, may have what controls a terminal.
package address

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden stands for what is not shown.
const hidden = "…"

var schemePattern = regexp.MustCompile(`^[a-zA-Z]+://`)

// Printable returns a URL, or HOST:PORT, as it may be shown to anybody: without
// user and password, without the values in its query, and without its fragment,
// on one line and without control characters. Keys of the query stay. It takes
// anything, also what is no URL, and hides too much rather than too little.
func Printable(raw string) string {
	scheme := schemePattern.FindString(raw)
	rest := raw[len(scheme):]
	place, query := rest, ""
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		place, query = rest[:i], rest[i:]
	}
	// A password that is not escaped may have any character, also those that end
	// the host.
	if strings.Contains(query, "@") {
		return scheme + hidden
	}
	place = place[strings.LastIndexByte(place, '@')+1:]
	return scheme + printable(place) + printableQuery(query)
}

// printableQuery hides what is behind each = of a query, and what has none, which
// may be a token too.
func printableQuery(query string) string {
	query, _, _ = strings.Cut(query, "#")
	if query == "" {
		return ""
	}
	fields := strings.FieldsFunc(query[1:], func(r rune) bool { return r == '&' || r == ';' })
	for i, field := range fields {
		key, _, isPair := strings.Cut(field, "=")
		if !isPair {
			fields[i] = hidden
			continue
		}
		fields[i] = printable(key) + "=" + hidden
	}
	return "?" + strings.Join(fields, "&")
}

// Name returns a name on one line: as it is, or in quotes if it is empty, is not
// UTF-8, or has what a terminal would not show.
func Name(name string) string {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// printable escapes what is not a visible character.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

// Parse is [url.Parse] with errors that may be shown: theirs have the URL, and
// parts of it.
func Parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: not a URL: %w", Printable(raw), Reason(err))
	}
	return u, nil
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Reason returns why a URL was refused or a request failed, without the URL and
// its parts, which the errors of net/url and net/http quote. The error that it
// returns still matches those that it has inside.
func Reason(err error) error {
	for {
		var outer *url.Error
		if !errors.As(err, &outer) {
			break
		}
		err = outer.Err
	}
	if text := quoted.ReplaceAllString(err.Error(), hidden); text != err.Error() {
		return &reason{text, err}
	}
	return err
}

type reason struct {
	text string
	err  error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.err }
