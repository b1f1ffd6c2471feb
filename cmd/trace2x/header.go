package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
)

// headerHelp is about the flag --header.
const headerHelp = "send a header, `KEY=VALUE`, or those on the lines of a file, @FILE, which other users cannot see; may be repeated"

// parseHeaders reads the values of a flag for headers. Errors name the header, and
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
			return nil, fmt.Errorf("%s @FILE: %w", flag, err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		for n := 1; lines.Scan(); n++ {
			line := strings.TrimSpace(lines.Text())
			if line == "" || line[0] == '#' {
				continue
			}
			if err := addHeader(headers, line, fmt.Sprintf("%s, line %d", file, n)); err != nil {
				return nil, err
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return headers, nil
}

// addHeader adds KEY=VALUE, or KEY: VALUE as curl and HTTP have it.
func addHeader(headers map[string]string, s, where string) error {
	end := strings.IndexAny(s, "=:")
	if end <= 0 || strings.ContainsAny(strings.TrimSpace(s[:end]), " \t") {
		return fmt.Errorf("%s: it is KEY=VALUE, such as Authorization=Bearer TOKEN", where)
	}
	headers[strings.TrimSpace(s[:end])] = strings.TrimSpace(s[end+1:])
	return nil
}

func ordinal(n int) string {
	if n <= 3 {
		return [...]string{"first", "second", "third"}[n-1]
	}
	return fmt.Sprintf("%dth", n)
}
