package input

import (
	"bufio"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trace2x/trace2x/internal/address"
)

// DefaultSeconds is how long a program is traced if nothing says how long.
const DefaultSeconds = 5

// tracePath is where net/http/pprof serves traces, below any prefix.
const tracePath = "/debug/pprof/trace"

// IsURL reports whether Open fetches this name as a URL.
func IsURL(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// Endpoint returns the completed URL of a program. A URL without a path, or with the
// path of profiles (…/debug/pprof), gets the path of traces. If seconds is more than 0, a
// recording lasts that long. Otherwise it lasts as long as the URL says; if the URL does
// not say and has the path of traces, DefaultSeconds.
func Endpoint(rawURL string, seconds float64) (string, error) {
	u, err := address.Parse(rawURL)
	if err != nil {
		return "", err
	}
	if u.Hostname() == "" {
		return "", fmt.Errorf("%s: there is no host in it", address.Printable(rawURL))
	}
	switch p := strings.TrimSuffix(u.Path, "/"); {
	case p == "":
		u.Path = tracePath
	case strings.HasSuffix(p, path.Dir(tracePath)):
		u.Path = p + "/" + path.Base(tracePath)
	}
	query := u.Query()
	if seconds == 0 && isTraces(u) && !query.Has("seconds") {
		seconds = DefaultSeconds
	}
	if seconds > 0 {
		query.Set("seconds", strconv.FormatFloat(seconds, 'f', -1, 64))
		u.RawQuery = query.Encode()
	}
	u.RawPath, u.Fragment = "", ""
	return u.String(), nil
}

func isTraces(u *url.URL) bool { return strings.HasSuffix(u.Path, tracePath) }

// BaseName returns the file name, without a directory, of what Open opens under this
// name. For a URL it is the last part of the path; for a program that is traced, or if
// that part may be a secret, the host and port.
func BaseName(name string) string {
	u, err := url.Parse(name)
	if !IsURL(name) || err != nil {
		return filepath.Base(name)
	}
	base := path.Base(u.Path)
	if isTraces(u) || base == "/" || base == "." || address.MayBeToken(base) {
		base = strings.NewReplacer("[", "", "]", "").Replace(u.Host)
	}
	// It may have any character, escaped; systems forbid some in file names.
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || unicode.IsControl(r) {
			return '-'
		}
		return r
	}, base)
}

// IsRecording reports whether a URL makes a program record a trace.
func IsRecording(name string) bool {
	u, err := url.Parse(name)
	return IsURL(name) && err == nil && isTraces(u)
}

// Recording reports whether this is a recording: an answer whose length the server
// does not say.
func (in *Input) Recording() bool { return in.body != nil && in.Size < 0 }

// Stop ends a recording. What has arrived can still be read, followed by ErrStopped. Stop
// reports whether it stopped a recording, which it does unless the end has arrived.
func (in *Input) Stop() bool { return in.Recording() && in.body.stop() }

// Finish ends a recording when the current generation is complete. What arrives until
// then can be read, followed by io.EOF. If nothing arrives for [Patience], the recording
// ends as with Stop. Finish reports false, and does nothing, if the recording has no
// generations or its end has arrived.
func (in *Input) Finish() bool { return in.Recording() && in.body.finish() }

// Answer returns what the server said, for a message about unexpected contents: the
// status, the type, and the beginning if that is text. It is "" for a file.
func (in *Input) Answer() string { return in.answer }

// Hide returns a text without the secrets of the URL and of the headers. What a server
// sends may repeat them.
func (in *Input) Hide(text string) string {
	for _, secret := range in.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}

// answered completes Answer with the beginning of the contents, which has arrived.
func (in *Input) answered(br *bufio.Reader) {
	if in.answer != "" {
		head, _ := br.Peek(min(br.Buffered(), excerptSize))
		in.answer += in.excerpt(head)
	}
}

// excerpt returns a colon and the beginning of a text in quotes. It is on one line,
// without what could control a terminal, and without secrets, which pages of errors
// repeat. It is "" for what is not text.
func (in *Input) excerpt(head []byte) string {
	const most = 200
	for i := 0; i < utf8.UTFMax-1 && len(head) > 0 && !utf8.Valid(head); i++ {
		head = head[:len(head)-1] // the last character may be cut
	}
	text := strings.Join(strings.Fields(string(head)), " ")
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return ""
	}
	text = in.Hide(text)
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return ": " + strconv.Quote(text)
}
