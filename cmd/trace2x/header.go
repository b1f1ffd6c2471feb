package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// headerHelp is the help of the flag --header.
const headerHelp = "send a header, `KEY=VALUE`, or those on the lines of a file, @FILE, which other users cannot see; may be repeated"

// parseHeaders returns the headers in the values of a flag. Errors name the header, and
// never its value, which may be a password.
func parseHeaders(flag string, list []string) (map[string]string, error) {
	headers := make(map[string]string)
	for i, s := range list {
		file, ok := strings.CutPrefix(s, "@")
		if !ok {
			if err := addHeader(headers, s, fmt.Sprintf("%s, the %s one", flag, ordinal(i+1))); err != nil {
				return nil, err
			}
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s @FILE: %w", flag, hint(file, err))
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		for n := 1; lines.Scan(); n++ {
			line := strings.TrimSpace(lines.Text())
			if line == "" || line[0] == '#' {
				continue
			}
			if err := addHeader(headers, line, fmt.Sprintf("%s, line %d", shown(file), n)); err != nil {
				return nil, err
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", shown(file), err)
		}
	}
	return headers, nil
}

// addHeader adds a header, KEY=VALUE, or KEY: VALUE as in HTTP and curl.
func addHeader(headers map[string]string, s, where string) error {
	end := strings.IndexAny(s, "=:")
	if end <= 0 || strings.ContainsAny(strings.TrimSpace(s[:end]), " \t") {
		return fmt.Errorf("%s: it is KEY=VALUE, such as Authorization=Bearer TOKEN", where)
	}
	headers[http.CanonicalHeaderKey(strings.TrimSpace(s[:end]))] = strings.TrimSpace(s[end+1:])
	return nil
}

func ordinal(n int) string {
	if n <= 3 {
		return [...]string{"first", "second", "third"}[n-1]
	}
	return fmt.Sprintf("%dth", n)
}
