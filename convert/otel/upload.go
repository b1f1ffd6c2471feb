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

// Result says what became of the spans.
type Result struct {
	Accepted int64 // spans that the client took
	Rejected int64 // spans that it did not take, for good
	// Reasons has the number of rejected spans by reason, in the backend's words if
	// it gave any. After 20 different ones, the rest counts as "other reasons".
	Reasons map[string]int64
	// Warnings are the messages of the backend about requests that it took whole:
	// each once, at most 20.
	Warnings []string
}

// mostFrequent returns the reason of most spans.
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

	// maxFailed batches that fail one after the other, with none accepted
	// between them, are enough to know that the rest would fail as well.
	maxFailed = 3
	// minSplit is the size of a batch, in bytes, below which "too large" is not
	// believed, and not answered with smaller batches.
	minSplit = 16 << 10
)

// uploader batches spans and sends them while the caller goes on. It is bounded: when
// the backend is slow, add blocks. It gives up, and counts what follows as rejected, if
//
//   - the client cannot be used at all,
//   - the client has tried a batch for as long as it does, and no other batch was
//     accepted meanwhile, or
//   - maxFailed batches failed in a row.
//
// add, err and close are for one goroutine.
type uploader struct {
	ctx      context.Context // of the uploads
	client   Client
	envelope envelope
	batcher  batcher
	queue    chan batch
	workers  sync.WaitGroup
	closed   bool

	gone chan struct{} // closed when given up

	mu       sync.Mutex // guards what follows
	result   Result
	accepted int   // batches
	failed   int   // batches, since the last that was accepted
	gaveUp   error // why
}

// newUploader returns an uploader, which closes the client when it is closed. The
// end of ctx ends all uploads. Batches come one at a time and in order if the
// client is a file.
func newUploader(ctx context.Context, client Client, e envelope) *uploader {
	l := limitsOf(client)
	u := &uploader{
		ctx:      ctx,
		client:   client,
		envelope: e,
		batcher:  newBatcher(l, &e),
		queue:    make(chan batch, l.waiting),
		gone:     make(chan struct{}),
		result:   Result{Reasons: make(map[string]int64)},
	}
	for range l.inFlight {
		u.workers.Go(u.work)
	}
	return u
}

// add adds an encoded span, which it does not keep. It blocks while the largest number
// of batches waits.
func (u *uploader) add(span []byte) {
	if err := u.err(); err != nil || u.closed {
		u.reject(1, u.reason(err))
		return
	}
	if full := u.batcher.add(span); len(full.ends) > 0 {
		u.enqueue(full)
	}
}

// err returns why there is no sense in going on: ctx ended, or sending was given up.
// Until then it returns nil.
func (u *uploader) err() error {
	if err := context.Cause(u.ctx); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.gaveUp
}

// close sends what is left, waits for all uploads and closes the client. Every
// span that was added is in the result. The error is a [*RejectedError] if a span
// was rejected. If ctx ended, errors.Is finds its cause. Else it is the error of
// closing the client. add must not be called afterwards; a second close
// returns the result again.
func (u *uploader) close() (Result, error) {
	var closeErr error
	if !u.closed {
		u.closed = true
		if rest := u.batcher.take(); len(rest.ends) > 0 {
			u.enqueue(rest)
		}
		close(u.queue)
		u.workers.Wait()
		closeErr = u.client.Close()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.result
	r.Reasons = maps.Clone(r.Reasons)
	r.Warnings = slices.Clone(r.Warnings)
	err := cmp.Or(context.Cause(u.ctx), closeErr)
	if r.Rejected == 0 {
		return r, err
	}
	return r, &RejectedError{Result: r, GaveUp: u.gaveUp != nil, Err: errors.Join(err, u.gaveUp)}
}

func (u *uploader) enqueue(b batch) {
	select {
	case u.queue <- b:
	case <-u.ctx.Done():
		u.reject(len(b.ends), u.reason(u.err()))
	case <-u.gone:
		u.reject(len(b.ends), u.reason(u.err()))
	}
}

func (u *uploader) work() {
	for b := range u.queue {
		u.send(b)
		u.batcher.reuse(b)
	}
}

// send sends a batch, in smaller ones if it is too large.
func (u *uploader) send(b batch) {
	if err := u.err(); err != nil {
		u.reject(len(b.ends), u.reason(err))
		return
	}
	before := u.acceptedBatches()
	answer, err := u.client.Export(u.ctx, u.envelope.request(b.spans))
	if err == nil {
		u.accept(len(b.ends), answer)
		return
	}
	if context.Cause(u.ctx) != nil {
		u.reject(len(b.ends), u.reason(context.Cause(u.ctx)))
		return
	}
	cause := causeOf(err)
	small := cause == TooLarge && len(b.spans) < minSplit
	if cause == TooLarge && !small && len(b.ends) > 1 {
		first, second := b.halves()
		u.send(first)
		u.send(second)
		return
	}

	u.reject(len(b.ends), u.reason(err))
	switch {
	case cause == Unusable,
		cause == Passing && u.acceptedBatches() == before,
		(cause == Refused || cause == Passing || small) && u.failedInRow() >= maxFailed:
		u.giveUp(err)
	}
}

// accept counts a batch of n spans that the client took, except those that it
// rejected.
func (u *uploader) accept(n int, answer Answer) {
	rejected := min(max(answer.Rejected, 0), int64(n))
	u.mu.Lock()
	u.accepted++
	u.failed = 0
	u.result.Accepted += int64(n) - rejected
	text := clean(answer.Message)
	if w := u.result.Warnings; rejected == 0 && text != "" && len(w) < maxReasons && !slices.Contains(w, text) {
		u.result.Warnings = append(w, text)
	}
	u.mu.Unlock()
	if rejected > 0 {
		if text == "" {
			text = "the backend did not say why"
		}
		u.reject(int(rejected), text)
	}
}

func (u *uploader) acceptedBatches() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.accepted
}

// failedInRow counts a batch that failed.
func (u *uploader) failedInRow() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failed++
	return u.failed
}

func (u *uploader) reject(n int, reason string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.result.Rejected += int64(n)
	if _, known := u.result.Reasons[reason]; !known && len(u.result.Reasons) >= maxReasons {
		reason = otherReasons
	}
	u.result.Reasons[reason] += int64(n)
}

// giveUp lets uploads that are in flight end by themselves: they may succeed.
func (u *uploader) giveUp(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gaveUp == nil {
		u.gaveUp = &gaveUpError{err}
		close(u.gone)
	}
}

// reason returns the text under which err is counted. After giving up, that is why.
func (u *uploader) reason(err error) string {
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
