package otlpclient

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/internal/address"
)

const (
	// maxBody is how much of an answer is read.
	maxBody = 4 << 20
	// maxRedirects within the same origin are followed.
	maxRedirects = 5
)

type httpTransport struct {
	url     *url.URL
	http    *http.Transport
	headers http.Header // of all requests
	host    string      // header Host, "" for the URL's host
	json    bool
	gzip    bool
	signal  *otel.Signal
	writers sync.Pool // of *gzip.Writer
}

// useHTTP makes the client one for HTTP.
func (c *Client) useHTTP(opts *Options, headers map[string]string, gzip func(address string) bool, json bool) error {
	u, err := opts.httpEndpoint()
	if err != nil {
		return err
	}
	dialer := &net.Dialer{Timeout: c.connectTimeout()}
	t := &httpTransport{
		url: u,
		http: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, addr)
				if err == nil {
					c.reached.Store(true)
				}
				return conn, err
			},
			TLSHandshakeTimeout: defaultTimeout,
			ForceAttemptHTTP2:   true,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true, // of answers, which are short
		},
		headers: make(http.Header),
		json:    json,
		signal:  c.signal,
		gzip:    gzip(u.Host),
	}
	if u.Scheme == "https" {
		if t.http.TLSClientConfig, err = opts.tlsVariables(); err != nil {
			return err
		}
	}
	t.headers.Set("User-Agent", userAgent)
	for k, v := range headers {
		t.headers.Set(k, v)
	}
	t.host = t.headers.Get("Host")
	t.headers.Del("Host")
	t.headers.Set("Content-Type", protobufType)
	if json {
		t.headers.Set("Content-Type", jsonType)
	}
	t.headers.Del("Content-Encoding")
	if t.gzip {
		t.headers.Set("Content-Encoding", "gzip")
	}
	c.transport, c.target = t, address.Printable(u.String())
	return nil
}

func (t *httpTransport) encode(request []byte) ([]byte, error) {
	if t.json {
		var err error
		if request, _, err = t.signal.JSON(request); err != nil {
			return nil, err
		}
	}
	if !t.gzip {
		return request, nil
	}
	w, ok := t.writers.Get().(*gzip.Writer)
	if !ok {
		w = gzip.NewWriter(nil)
	}
	defer t.writers.Put(w)
	var zipped bytes.Buffer
	zipped.Grow(len(request) / 4)
	w.Reset(&zipped)
	if _, err := w.Write(request); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return zipped.Bytes(), nil
}

func (t *httpTransport) send(ctx context.Context, body []byte) (otel.Answer, error) {
	u := t.url
	for range maxRedirects {
		resp, answer, err := t.post(ctx, u, body)
		if err != nil {
			return otel.Answer{}, err
		}
		if resp.StatusCode/100 != 3 {
			return httpAnswer(t.signal, resp, answer)
		}
		if u, err = redirect(resp, u); err != nil {
			return otel.Answer{}, err
		}
	}
	return otel.Answer{}, &failure{cause: otel.Unusable, reason: fmt.Sprintf("more than %d redirects", maxRedirects-1)}
}

// post sends a request and returns the answer with its body.
func (t *httpTransport) post(ctx context.Context, u *url.URL, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header, req.Host = t.headers.Clone(), t.host
	// Not with http.Client, which follows redirects and adds a Referer.
	resp, err := t.http.RoundTrip(req)
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
		resp.Body.Close()
	}
	if err == nil {
		return resp, body, nil
	}
	f := networkFailure(err)
	if f.cause == otel.Passing && u.Scheme == "http" && closedEarly(err) && speaksTLS(ctx, hostPort(u)) {
		f = &failure{cause: otel.Unusable, reason: answersTLS, err: err}
	}
	return nil, nil, f
}

func (t *httpTransport) close() error {
	t.http.CloseIdleConnections()
	return nil
}

// redirect returns where a redirect leads, if that may be followed: a 301, 302 or
// 303 would make the request a GET without spans, and another origin must not
// get the headers.
func redirect(resp *http.Response, from *url.URL) (*url.URL, error) {
	f := &failure{cause: otel.Unusable, reason: resp.Status}
	location := resp.Header.Get("Location")
	to, err := from.Parse(location)
	if location == "" || err != nil || to.Host == "" {
		return nil, f
	}
	follow := resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect
	to.User, to.Fragment = nil, ""
	if follow && to.Scheme == from.Scheme && hostPort(to) == hostPort(from) {
		return to, nil
	}
	f.reason += ": the backend wants " + address.Printable(to.String()) + ", where nothing is sent unless that is the endpoint"
	return nil, f
}

// hostPort returns the host and the port of a URL. If it has no port, that is the
// default of its scheme.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// speaksTLS reports whether a server to which a request without TLS failed wants
// TLS. It sends no more than what begins a connection.
func speaksTLS(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	// Nothing is sent over it, so that it need not be trusted.
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	var alert tls.AlertError
	return err == nil || errors.As(err, &alert)
}
