package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// pauses are the times before a post is tried again.
var pauses = []time.Duration{time.Second, 4 * time.Second, 15 * time.Second}

// post posts a dump to the address.
func (r *Recorder) post(ctx context.Context, window []byte, m *Metadata) (err error) {
	defer func() {
		if err != nil {
			r.stats.notPosted.Add(1)
			r.once.complain(posting, "recorder: cannot post a dump", err)
		} else {
			r.once.works(posting)
		}
	}()
	for _, pause := range pauses {
		again, err := r.postOnce(ctx, window, m)
		if err == nil || !again {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
	_, err = r.postOnce(ctx, window, m)
	return err
}

// postOnce posts a dump, and reports whether it may work later if it fails.
func (r *Recorder) postOnce(ctx context.Context, window []byte, m *Metadata) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.opts.URL, bytes.NewReader(window))
	if err != nil {
		return false, err
	}
	for k, v := range r.opts.Header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set(MetadataHeader, m.json())
	resp, err := r.opts.Client.Do(req)
	if err != nil {
		if e := new(url.Error); errors.As(err, &e) {
			err = e.Err // without the URL, which may have a password
		}
		return true, err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	if resp.StatusCode/100 == 2 {
		return false, nil
	}
	return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500,
		fmt.Errorf("the address answers %s: %s", resp.Status, bytes.TrimSpace(text))
}
