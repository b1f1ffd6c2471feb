package input

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// DefaultSeconds is how long a program is traced if nothing says how long.
const DefaultSeconds = 5

const (
	connectTimeout = 10 * time.Second
	// headerTimeout is for an answer to begin. net/http/pprof's begins with the
	// first bytes of the trace, which may come only when the recording ends, so
	// that time is added.
	headerTimeout = 30 * time.Second
	// excerptTimeout is for the text that comes with an error status.
	excerptTimeout = 5 * time.Second
	excerptSize    = 512
)

const (
	// recordingBlockSize is small because a read of an answer in chunks, as
	// recordings are, waits for the rest of a chunk that has not all arrived: an
	// idle program would seem to send nothing before the end.
	recordingBlockSize = 1 << 10
	// recordingBlocks are 16 MB that can arrive before the program that is traced
	// has to wait for us, and so to keep its trace in its memory.
	recordingBlocks = 16 << 10
)

// tracePath is where net/http/pprof serves traces, below any prefix.
const tracePath = "/debug/pprof/trace"

// ErrStopped is the error of a recording that Stop ended.
var ErrStopped = errors.New("the recording was stopped")

// IsURL reports whether Open fetches what has this name.
func IsURL(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// Endpoint completes a URL: to that of a program, without a path or with that of
// its profiles (…/debug/pprof), the path of its traces is added. The duration of
// a recording is seconds, if that is more than 0; else what the URL says; else,
// for the path of traces, DefaultSeconds.
func Endpoint(rawURL string, seconds float64) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", err
	}
	if u.Hostname() == "" {
		return "", fmt.Errorf("%s: there is no host in it", u.Redacted())
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

// BaseName is the file name, without a directory, of what Open opens under this
// name: of a URL it is the last part of the path, or the host and port of a
// program that is traced.
func BaseName(name string) string {
	u, err := url.Parse(name)
	if !IsURL(name) || err != nil {
		return filepath.Base(name)
	}
	base := path.Base(u.Path)
	if isTraces(u) || base == "/" || base == "." {
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

// Recording reports whether this is a recording: an answer of which the server
// does not say how long it will be.
func (in *Input) Recording() bool { return in.stop != nil && in.Size < 0 }

// Stop ends a recording: what has arrived can still be read, and then comes
// ErrStopped. It reports whether there was something to stop, that is, a
// recording whose end has not arrived.
func (in *Input) Stop() bool { return in.Recording() && in.stop() }

// Answer is what the server said, for a message about contents that are not
// what was expected: its status, the type, and the beginning if that is text.
// It is "" for a file.
func (in *Input) Answer() string { return in.answer }

// openURL sends the request and waits until the answer begins.
func (in *Input) openURL(ctx context.Context, name string) (io.ReadCloser, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, err
	}
	in.Name = u.Redacted()
	bodyCtx, cancel := context.WithCancel(ctx)
	body, err := in.request(bodyCtx, cancel, u)
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s: %w", in.Name, err)
	}
	return body, nil
}

func (in *Input) request(ctx context.Context, cancel context.CancelFunc, u *url.URL) (io.ReadCloser, error) {
	timeout := headerTimeout
	if s, err := strconv.ParseFloat(u.Query().Get("seconds"), 64); err == nil && s > 0 && s < 1e9 {
		timeout += time.Duration(s * float64(time.Second))
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: timeout,
		ForceAttemptHTTP2:     true,
		DisableKeepAlives:     true,
		DisableCompression:    true, // Open decompresses, and knows the size before
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "trace2x")
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		// What else it says is the URL, maybe with a password.
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err
		}
		return nil, err
	}
	in.answer = resp.Status
	if kind := resp.Header.Get("Content-Type"); kind != "" {
		in.answer += ", " + kind
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		timer := time.AfterFunc(excerptTimeout, cancel)
		defer timer.Stop()
		head, _ := io.ReadAll(io.LimitReader(resp.Body, excerptSize))
		return nil, fmt.Errorf("the server answers %s%s", resp.Status, excerpt(head))
	}
	in.Size = resp.ContentLength
	b := &body{ReadCloser: resp.Body, cancel: cancel}
	in.stop = b.stop
	return b, nil
}

// body is that of an answer.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
	state  atomic.Int32 // one of the following
}

const (
	bodyArriving = iota
	bodyStopped
	bodyEnded
)

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !b.state.CompareAndSwap(bodyArriving, bodyEnded) && b.state.Load() == bodyStopped {
		err = ErrStopped
	}
	return n, err
}

func (b *body) stop() bool {
	if !b.state.CompareAndSwap(bodyArriving, bodyStopped) {
		return false
	}
	b.cancel()
	return true
}

func (b *body) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// answered completes Answer with the beginning of the contents, which has been
// waited for.
func (in *Input) answered(br *bufio.Reader) {
	if in.answer != "" {
		head, _ := br.Peek(min(br.Buffered(), excerptSize))
		in.answer += excerpt(head)
	}
}

// excerpt is the beginning of a text in quotes, behind a colon: on one line,
// without what could control a terminal. It is "" for what is not text.
func excerpt(head []byte) string {
	const most = 200
	for i := 0; i < utf8.UTFMax-1 && len(head) > 0 && !utf8.Valid(head); i++ {
		head = head[:len(head)-1] // the last character may be cut
	}
	text := strings.Join(strings.Fields(string(head)), " ")
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return ""
	}
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return ": " + strconv.Quote(text)
}
