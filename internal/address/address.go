// Package address makes addresses and names safe to show. A URL may hold a password or
// a token, and messages end up in logs, tickets and screenshots. The name of a file, or
// a name in a trace, may have characters that control a terminal.
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

// Printable returns a URL, or HOST:PORT, as it may be shown to anybody: without user,
// password, values in the query, fragment and parts of the path that may be tokens, on
// one line and without control characters. Keys of the query stay. It takes any text,
// and hides too much rather than too little.
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
	return scheme + printablePath(place) + printableQuery(query)
}

// printablePath returns a host with a path without what may be a token in it. Webhooks
// and gateways have some there.
func printablePath(place string) string {
	parts := strings.Split(place, "/")
	for i := 1; i < len(parts); i++ {
		if MayBeToken(parts[i]) {
			parts[i] = hidden
		} else {
			parts[i] = printable(parts[i])
		}
	}
	parts[0] = printable(parts[0])
	return strings.Join(parts, "/")
}

// A part of a path that is random is longer than a word, and has what words do not have:
// digits among letters, or letters of both cases.
const (
	longWord  = 16 // letters and digits in a row
	longToken = 24 // with - and _ and others between them
)

var uuid = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// MayBeToken reports whether a part of a path may be a secret.
func MayBeToken(part string) bool {
	word, lower, upper, digit := 0, 0, 0, 0
	var kinds int // of characters in the word
	for _, c := range []byte(part) {
		switch {
		case 'a' <= c && c <= 'z':
			lower, kinds = 1, kinds|1
		case 'A' <= c && c <= 'Z':
			upper, kinds = 1, kinds|2
		case '0' <= c && c <= '9':
			digit, kinds = 1, kinds|4
		default:
			word, kinds = 0, 0
			continue
		}
		if word++; word >= longWord && kinds&(kinds-1) != 0 || word >= 2*longWord {
			return true
		}
	}
	return len(part) >= longToken && lower+upper+digit == 3 || uuid.MatchString(part)
}

// printableQuery returns a query with its values hidden. It also hides what has no =,
// which may be a token.
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

// Name returns a name on one line. It is in quotes if it is empty, is not UTF-8, or has
// characters that a terminal would not show, and unchanged otherwise.
func Name(name string) string {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// printable returns a text with escapes in place of invisible characters.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

// Parse is [url.Parse] with errors that may be shown: those of url.Parse have the URL.
func Parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: not a URL: %w", Printable(raw), Reason(err))
	}
	return u, nil
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Reason returns why a URL was refused or a request failed. The errors of net/url and
// net/http quote the URL and its parts; the error that Reason returns does not. It still
// wraps the errors inside.
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
