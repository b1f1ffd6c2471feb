package input

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trace2x/trace2x/internal/address"
)

const (
	connectTimeout = 10 * time.Second
	// headerTimeout limits the wait for an answer to begin. The answer of
	// net/http/pprof begins with the first bytes of the trace. These may come only
	// when the recording ends, so its time is added.
	headerTimeout = 30 * time.Second
	// excerptTimeout limits the wait for the text that comes with an error status.
	excerptTimeout = 5 * time.Second
	excerptSize    = 512
	maxRedirects   = 10
)

// openURL sends the request and waits until the answer begins.
func (in *Input) openURL(ctx context.Context, name string, header http.Header) error {
	in.Name = address.Printable(name)
	u, err := address.Parse(name)
	if err != nil {
		return err
	}
	in.secrets = secrets(u, header)
	bodyCtx, cancel := context.WithCancel(ctx)
	if err := in.fetch(bodyCtx, cancel, u, header); err != nil {
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	return nil
}

// fetch follows redirects by itself. Package http would send the headers also to other
// hosts below the same domain, and it would send the URL as a Referer, with the values
// of its query.
func (in *Input) fetch(ctx context.Context, cancel context.CancelFunc, u *url.URL, header http.Header) error {
	timeout := headerTimeout
	if s, err := strconv.ParseFloat(u.Query().Get("seconds"), 64); err == nil && s > 0 && s < 1e9 {
		timeout += time.Duration(s * float64(time.Second))
	}
	transport := &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: timeout,
		ForceAttemptHTTP2:     true,
		DisableKeepAlives:     true,
		DisableCompression:    true, // Open decompresses, and knows the size before
	}
	first := u
	var resp *http.Response
	for redirects := 0; ; redirects++ {
		same := origin(u) == origin(first)
		if same && u.User == nil {
			u.User = first.User
		}
		req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{"User-Agent": {"trace2x"}}}).WithContext(ctx)
		if u.User != nil {
			password, _ := u.User.Password()
			req.SetBasicAuth(u.User.Username(), password)
		}
		if same {
			for key, values := range header {
				req.Header[key] = values
			}
		}
		var err error
		if resp, err = transport.RoundTrip(req); err != nil {
			return explain(u, first, err)
		}
		to, err := location(u, resp)
		if err != nil {
			resp.Body.Close()
			return err
		}
		if to == nil {
			break
		}
		resp.Body.Close()
		if redirects == maxRedirects {
			return fmt.Errorf("stopped after %d redirects", maxRedirects)
		}
		u = to
		in.secrets = append(in.secrets, secrets(u, nil)...)
	}
	in.answer = address.Name(resp.Status)
	if kind := resp.Header.Get("Content-Type"); kind != "" {
		in.answer += ", " + address.Name(kind)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		timer := time.AfterFunc(excerptTimeout, cancel)
		defer timer.Stop()
		head, _ := io.ReadAll(io.LimitReader(resp.Body, excerptSize))
		if u.Scheme == "http" && isTLS(string(head)) {
			return useScheme("https", u, first)
		}
		return fmt.Errorf("the server answers %s%s%s", address.Name(resp.Status), in.excerpt(head), redirected(u, first, len(header) > 0 || first.User != nil))
	}
	in.Size = resp.ContentLength
	in.body = newBody(resp.Body, cancel, in.Size < 0)
	return nil
}

// origin returns the origin of a URL. Headers go to no other origin.
func origin(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[scheme])
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// location returns where a redirect leads, nil if the answer is not a redirect.
func location(u *url.URL, resp *http.Response) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	raw := resp.Header.Get("Location")
	if raw == "" {
		return nil, nil
	}
	to, err := u.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("the server redirects to %s, which is not a URL: %w", address.Printable(raw), address.Reason(err))
	}
	if !IsURL(to.String()) || to.Hostname() == "" {
		return nil, fmt.Errorf("the server redirects to %s, which is not an http or https URL", address.Printable(to.String()))
	}
	return to, nil
}

// redirected returns a note for messages if the answer is not from the server that was
// asked.
func redirected(u, first *url.URL, secrets bool) string {
	switch {
	case u == first:
		return ""
	case secrets && origin(u) != origin(first):
		return fmt.Sprintf(", after a redirect to %s, to which password and headers were not sent: it is another origin", address.Printable(u.String()))
	}
	return ", after a redirect to " + address.Printable(u.String())
}

// explain returns an error of a request with what can be done about it, and without the
// URL, which may have secrets.
func explain(u, first *url.URL, err error) error {
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record) && strings.HasPrefix(string(record.RecordHeader[:]), "HTTP/"):
		return useScheme("http", u, first)
	case u.Scheme == "http" && isTLS(err.Error()):
		return useScheme("https", u, first)
	}
	return fmt.Errorf("%w%s", address.Reason(err), redirected(u, first, false))
}

// isTLS reports whether a server wants https and got http. Such a server answers with a
// text that says so, or with a TLS alert, which is not an answer of HTTP.
func isTLS(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "http request to an https server") || strings.Contains(text, "http request was sent to https port") ||
		strings.Contains(text, `malformed http response "\x15\x03`)
}

func useScheme(scheme string, u, first *url.URL) error {
	right := url.URL{Scheme: scheme, Host: u.Host}
	return fmt.Errorf("the server speaks %s, not %s: use %s%s", scheme, u.Scheme, &right, redirected(u, first, false))
}

// proxy is http.ProxyFromEnvironment with an error that has no password.
func proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is not the address of a proxy")
	}
	return u, nil
}

// secrets returns the texts of a request that nobody else should see, since pages of
// errors may repeat them. Very short ones are left out: they would match other words.
func secrets(u *url.URL, header http.Header) (list []string) {
	const shortest = 4
	add := func(s string) {
		for _, s := range []string{s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s)} {
			if len(s) >= shortest {
				list = append(list, s)
			}
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		add(password)
		add(u.User.Username())
		add(basic(u.User.Username(), password))
	}
	for _, values := range u.Query() {
		for _, value := range values {
			add(value)
		}
	}
	for _, values := range header {
		for _, value := range values {
			add(value)
			if _, token, ok := strings.Cut(value, " "); ok { // Bearer …
				add(token)
			}
		}
	}
	return list
}

// basic returns what is sent for a user and a password.
func basic(user, password string) string {
	r := http.Request{Header: make(http.Header)}
	r.SetBasicAuth(user, password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}
