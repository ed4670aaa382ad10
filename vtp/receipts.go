package vtp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

// flushBytes is how many bytes of answers are gathered at most before they are written.
const flushBytes = 16 << 10

// A receiver submits the notices of one connection and answers them strictly in the order in which they came (VTP 2.0
// §3.2): AuthorServer and Subscriber use it alike.
//
// As long as one notice is there at a time, everything happens in the reading goroutine; an author that opens a connection
// for a single notice costs no more. When further bytes have arrived before the receipt is out, a second goroutine takes
// over answering, and receipts that are ready together leave in one write.
type receiver struct {
	conn     net.Conn
	peer     Peer
	ingester Ingester
	local    string        // our identifier, for Response
	origin   func() string // Origin of a nak for a notice whose own identifier could not be read
	timeout  time.Duration // of a write
	pending  int           // how many answers may be outstanding
	lenient  bool          // a refusal is answered by an ack that says so
	log      *slog.Logger
	meter    *meter
	halt     func(how int32)   // stops reading
	answered func(receiptKind) // counts; may be nil

	queue chan answer // nil until answering has a goroutine
	done  chan struct{}
	out   []byte
	fail  string // why no more can be answered; owned by whoever answers
	dead  atomic.Bool
}

// receiptKind says what became of a notice.
type receiptKind uint8

const (
	receiptAck receiptKind = iota
	receiptNak
	receiptNone
)

// An answer is what is owed to the peer: a receipt that has to be waited for, an error known already, or a frame.
type answer struct {
	pending Pending
	err     error
	frame   []byte
	came    time.Time
}

// submit hands a notice in and sees to its answer; more says that further bytes have arrived already. It returns false
// when nothing more should be read.
func (r *receiver) submit(ctx context.Context, raw []byte, more bool) bool {
	a := answer{came: time.Now()}
	if len(raw) == 0 {
		a.err = &RefusalError{Reason: "not-well-formed", Text: "the frame is empty"}
	} else {
		a.pending, a.err = r.ingester.Submit(ctx, Submission{Raw: raw, Peer: r.peer})
	}
	return r.owe(ctx, a, more)
}

// owe sees to an answer, at its turn.
func (r *receiver) owe(ctx context.Context, a answer, more bool) bool {
	if r.queue == nil {
		if !more {
			r.answer(ctx, a)
			r.flush()
			return r.fail == ""
		}
		r.queue = make(chan answer, r.pending)
		r.done = make(chan struct{})
		go r.answerAll(ctx)
	}
	r.queue <- a // answerAll drains the queue whatever happens, so this ends.
	var refusal *RefusalError
	if a.err != nil && !errors.As(a.err, &refusal) {
		return false
	}
	return !r.dead.Load()
}

// finish waits until everything owed is answered, and returns why that was not possible, or nothing.
func (r *receiver) finish() string {
	if r.queue != nil {
		close(r.queue)
		<-r.done
	}
	return r.fail
}

// answerAll answers what is in the queue until it is closed.
func (r *receiver) answerAll(ctx context.Context) {
	defer close(r.done)
	// A panic of an Ingester must not end the program: it ends this connection, as in endpoint.handle.
	defer func() {
		if p := recover(); p != nil {
			reportPanic(r.log, r.meter, r.peer, p)
			r.flush() // Receipts of earlier notices are still due.
			r.failed(endPanic)
			for range r.queue { // Nobody else empties it.
			}
		}
	}()
	for a := range r.queue {
		if r.fail != "" {
			continue
		}
		if len(r.out) > 0 && !ready(a) {
			r.flush()
		}
		r.answer(ctx, a)
		if len(r.queue) == 0 || len(r.out) >= flushBytes {
			r.flush()
		}
	}
	r.flush()
}

// ready says whether an answer can be given without waiting.
func ready(a answer) bool {
	if a.pending == nil {
		return true
	}
	p, ok := a.pending.(interface{ Ready() bool })
	return ok && p.Ready()
}

// answer waits for one outcome and appends what it means to out.
func (r *receiver) answer(ctx context.Context, a answer) {
	if a.frame != nil {
		r.out = append(r.out, a.frame...)
		return
	}
	var receipt Receipt
	err := a.err
	if err == nil {
		receipt, err = a.pending.Wait(ctx)
	}
	kind := receiptAck
	var refusal *RefusalError
	switch {
	case err == nil:
		r.out = appendTransport(r.out, &Transport{Role: RoleAck, Origin: receipt.IVORN, Response: r.local, Result: receipt.Result})
	case errors.As(err, &refusal):
		kind = receiptNak
		t := r.nak(refusal)
		if r.lenient {
			t.Role = RoleAck
		}
		r.out = appendTransport(r.out, t)
		r.log.Info("notice refused", "listener", r.peer.Listener, "remote", r.peer.Remote, "ivorn", refusal.IVORN, "reason", refusal.Reason, "text", shorten(refusal.Text, maxResult))
		r.meter.nak(refusal.Reason)
	default:
		kind = receiptNone
		r.flush() // Receipts of earlier notices are still due.
		r.failed(endRetry)
		if ctx.Err() == nil {
			r.log.Warn("notice not taken, its sender is to try again", "listener", r.peer.Listener, "remote", r.peer.Remote, "error", err)
		}
	}
	r.meter.answered(kind, time.Since(a.came))
	if r.answered != nil {
		r.answered(kind)
	}
}

func (r *receiver) nak(e *RefusalError) *Transport {
	t := &Transport{Role: RoleNak, Origin: e.IVORN, Response: r.local, Result: e.Text}
	if t.Origin == "" {
		t.Origin = r.origin()
	}
	if e.Reason != "" {
		t.Params = []Param{{paramReason, e.Reason}}
	}
	return t
}

// flush writes what is in out.
func (r *receiver) flush() {
	if len(r.out) == 0 || r.fail != "" {
		r.out = r.out[:0]
		return
	}
	err := r.conn.SetWriteDeadline(time.Now().Add(r.timeout))
	if err == nil {
		_, err = r.conn.Write(r.out)
	}
	r.meter.wrote(len(r.out), 0)
	r.out = r.out[:0]
	if err != nil {
		r.failed(endWrite)
	}
}

// failed notes why nothing more can be answered, and wakes the reader.
func (r *receiver) failed(reason string) {
	if r.fail != "" {
		return
	}
	r.fail = reason
	r.dead.Store(true)
	r.halt(stopNow)
}
