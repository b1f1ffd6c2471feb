package otel

import (
	"context"
	"sync"
)

// minSplit is the size of a batch, in bytes, below which "too large" is not believed, and
// not answered with smaller batches.
const minSplit = 16 << 10

// uploader batches spans and sends them while the caller goes on. It is bounded: when
// the backend is slow, add blocks. It gives up, and counts what follows as rejected, if
//
//   - the client cannot be used at all,
//   - the client has tried a batch for as long as it does, and no other batch was
//     accepted meanwhile, or
//   - maxFailed batches failed in a row.
//
// add and close are for one goroutine.
type uploader struct {
	*Sender
	envelope envelope
	batcher  batcher
	queue    chan batch
	workers  sync.WaitGroup
	closed   bool

	// pending are the batches that are queued or in flight.
	pending sync.WaitGroup
}

// newUploader returns an uploader, which closes the client when it is closed. The
// end of ctx ends all uploads. Batches come one at a time and in order if the
// client is a file.
func newUploader(ctx context.Context, client Client, e envelope) *uploader {
	l := limitsOf(client)
	u := &uploader{
		Sender:   NewSender(ctx, client, Traces),
		envelope: e,
		batcher:  newBatcher(l, &e),
		queue:    make(chan batch, l.waiting),
	}
	for range l.inFlight {
		u.workers.Go(u.work)
	}
	return u
}

// add adds an encoded span, which it does not keep. It blocks while the largest number
// of batches waits.
func (u *uploader) add(span []byte) {
	if err := u.Err(); err != nil || u.closed {
		u.reject(1, u.reason(err))
		return
	}
	if full := u.batcher.add(span); len(full.ends) > 0 {
		u.enqueue(full)
	}
}

// drain waits until all batches that are complete have been sent.
func (u *uploader) drain() { u.pending.Wait() }

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
	return u.total(u.ctx, closeErr)
}

func (u *uploader) enqueue(b batch) {
	u.pending.Add(1)
	select {
	case u.queue <- b:
		return
	case <-u.ctx.Done():
	case <-u.gone:
	}
	u.pending.Done()
	u.reject(len(b.ends), u.reason(u.Err()))
}

func (u *uploader) work() {
	for b := range u.queue {
		u.send(b)
		u.batcher.reuse(b)
		u.pending.Done()
	}
}

// send sends a batch, in smaller ones if it is too large.
func (u *uploader) send(b batch) {
	before := u.acceptedBatches()
	err := u.export(u.envelope.request(b.spans), len(b.ends))
	if err == nil {
		return
	}
	cause := causeOf(err)
	small := len(b.spans) < minSplit
	if cause == TooLarge && !small && len(b.ends) > 1 {
		first, second := b.halves()
		u.send(first)
		u.send(second)
		return
	}

	alone := u.acceptedBatches() == before
	if cause == TooLarge && !small {
		u.reject(len(b.ends), u.reason(err)) // one span, which says nothing of others
		return
	}
	u.fail(len(b.ends), err, alone)
}
