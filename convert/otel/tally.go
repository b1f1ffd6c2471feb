package otel

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Result says what became of what was sent.
type Result struct {
	// Items is what the numbers count: "spans", or what another signal has.
	Items    string
	Accepted int64 // by the client
	Rejected int64 // by the client, for good
	// Reasons has the number of rejected items by reason, in the backend's words if
	// it gave any. After 20 different ones, the rest counts as "other reasons".
	Reasons map[string]int64
	// Warnings are the messages of the backend about requests that it took whole:
	// each once, at most 20.
	Warnings []string
}

// mostFrequent returns the reason of most items.
func (r *Result) mostFrequent() (most string) {
	for reason, n := range r.Reasons {
		if m := r.Reasons[most]; n > m || n == m && reason < most {
			most = reason
		}
	}
	return most
}

const (
	maxReasons   = 20
	otherReasons = "other reasons"

	// maxFailed requests that fail one after the other, with none accepted
	// between them, are enough to know that the rest would fail as well.
	maxFailed = 3
)

// tally counts what becomes of requests, and decides when there is no sense in going on.
// Its methods may be called concurrently.
type tally struct {
	gone chan struct{} // closed when given up

	mu       sync.Mutex // guards what follows
	result   Result
	accepted int   // requests
	failed   int   // requests, since the last that was accepted
	gaveUp   error // why
}

func (t *tally) init(items string) {
	t.gone = make(chan struct{})
	t.result = Result{Items: items, Reasons: make(map[string]int64)}
}

// err returns why there is no sense in going on: ctx ended, or sending was given up.
// Until then it returns nil.
func (t *tally) err(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gaveUp
}

// total returns the result. The error is a [*RejectedError] if anything was rejected. If
// ctx ended, errors.Is finds its cause. Else it is the error of closing the client.
func (t *tally) total(ctx context.Context, closeErr error) (Result, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.result
	r.Reasons = maps.Clone(r.Reasons)
	r.Warnings = slices.Clone(r.Warnings)
	err := cmp.Or(context.Cause(ctx), closeErr)
	if r.Rejected == 0 {
		return r, err
	}
	return r, &RejectedError{Result: r, GaveUp: t.gaveUp != nil, Err: errors.Join(err, t.gaveUp)}
}

// accept counts a request of n items that the client took, except those that it
// rejected.
func (t *tally) accept(n int, answer Answer) {
	rejected := min(max(answer.Rejected, 0), int64(n))
	t.mu.Lock()
	t.accepted++
	t.failed = 0
	t.result.Accepted += int64(n) - rejected
	text := clean(answer.Message)
	if w := t.result.Warnings; rejected == 0 && text != "" && len(w) < maxReasons && !slices.Contains(w, text) {
		t.result.Warnings = append(w, text)
	}
	t.mu.Unlock()
	if rejected > 0 {
		if text == "" {
			text = "the backend did not say why"
		}
		t.reject(int(rejected), text)
	}
}

func (t *tally) acceptedBatches() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accepted
}

func (t *tally) reject(n int, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Rejected += int64(n)
	if _, known := t.result.Reasons[reason]; !known && len(t.result.Reasons) >= maxReasons {
		reason = otherReasons
	}
	t.result.Reasons[reason] += int64(n)
}

// fail counts what failed. alone says that nothing else was accepted meanwhile.
func (t *tally) fail(n int, err error, alone bool) {
	t.reject(n, t.reason(err))
	t.mu.Lock()
	t.failed++
	often := t.failed >= maxFailed
	t.mu.Unlock()
	if cause := causeOf(err); cause == Unusable || cause == Passing && alone || often {
		t.giveUp(err)
	}
}

// giveUp lets uploads that are in flight end by themselves: they may succeed.
func (t *tally) giveUp(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gaveUp == nil {
		t.gaveUp = &gaveUpError{err}
		close(t.gone)
	}
}

// reason returns the text under which err is counted. After giving up, that is why.
func (t *tally) reason(err error) string {
	if g := new(gaveUpError); errors.As(err, &g) {
		err = g.err
	}
	if err == nil {
		return "added after the end"
	}
	return clean(err.Error())
}

type gaveUpError struct{ err error }

func (e *gaveUpError) Error() string { return "sending was given up: " + clean(e.err.Error()) }
func (e *gaveUpError) Unwrap() error { return e.err }

func causeOf(err error) Cause {
	if e := new(SendError); errors.As(err, &e) {
		return e.Cause
	}
	return Refused
}

// localPort matches our end of a connection in errors of package net. Its port differs
// each time, which would make each error a reason of its own.
var localPort = regexp.MustCompile(`\S+:\d+->`)

// clean returns a text, which may come from a backend, without control characters and
// with at most 300 bytes.
func clean(s string) string {
	const maxText, more = 300, "…"
	s = s[:min(len(s), 10*maxText)] // it may be a web page
	s = localPort.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText-len(more)], "") + more
	}
	return s
}
