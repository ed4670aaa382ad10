package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/journal"

	"golang.org/x/sync/errgroup"
)

// The bounds of the receipts writer. So many receipts (manyReceipts) are written
// at once, without waiting for the interval. While the journal takes none,
// maxUnsaved may be gathered, about 25 MB; beyond it followers pause before
// their next delivery. Acknowledgements are never held up, so what comes on top
// is bounded by the windows.
const (
	manyReceipts = 4096
	maxUnsaved   = 1 << 18

	moveInterval      = time.Second     // how often cursors are written that moved past unwanted notices only
	retryMost         = 5 * time.Second // the longest pause between attempts to write
	definitionsAtOnce = 64              // share the journal's group commit
)

// writer gathers receipts and cursors and gives them to the journal, those of
// all subscriptions in one transaction.
type writer struct {
	log      journal.Log
	interval time.Duration
	logger   *slog.Logger
	m        *metrics

	signal  chan struct{} // a list is no longer empty
	many    chan struct{} // do not wait for the interval
	unsaved atomic.Int64

	mu    sync.Mutex
	dirty []*queue      // with receipts, or something else to be written soon
	moved []*queue      // whose cursors alone moved
	gate  chan struct{} // closed when there is room again; nil when there is

	// Only the goroutine of run uses these.
	unsent []journal.Progress // taken from their queues, not yet written
	taken  int64              // receipts in unsent
	define []*queue           // whose definitions follow unsent
}

// mark says whether the caller must put q into the list of those to be written
// soon. It holds q.mu, and calls put after letting go of it.
func (w *writer) mark(q *queue, changed bool) bool {
	if !changed || q.queued {
		return false
	}
	q.queued = true
	return true
}

func (w *writer) put(q *queue, marked bool) {
	if !marked {
		return
	}
	w.mu.Lock()
	w.dirty = append(w.dirty, q)
	first := len(w.dirty) == 1
	w.mu.Unlock()
	if first {
		poke(w.signal)
	}
}

// markMoved and putMoved are mark and put for a cursor that moved past notices
// nobody wanted.
func (w *writer) markMoved(q *queue) bool {
	if q.queued || q.moved {
		return false
	}
	q.moved = true
	return true
}

func (w *writer) putMoved(q *queue) {
	w.mu.Lock()
	w.moved = append(w.moved, q)
	first := len(w.moved) == 1
	w.mu.Unlock()
	if first {
		poke(w.signal)
	}
}

// gathered counts receipts that were added to queues.
func (w *writer) gathered(n int) {
	if n == 0 {
		return
	}
	sum := w.unsaved.Add(int64(n))
	if sum >= manyReceipts && sum-int64(n) < manyReceipts {
		poke(w.many)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// await holds a follower up while too many receipts are unsaved.
func (w *writer) await(ctx context.Context) error {
	for w.unsaved.Load() > maxUnsaved {
		w.mu.Lock()
		if w.gate == nil {
			w.gate = make(chan struct{})
		}
		gate := w.gate
		w.mu.Unlock()
		if w.unsaved.Load() <= maxUnsaved {
			return nil
		}
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// run writes until ctx ends.
func (w *writer) run(ctx context.Context) {
	timer := time.NewTimer(moveInterval)
	defer timer.Stop()
	var moves time.Time // when cursors that only moved are due
	for {
		// A list that is not empty now was signalled already.
		if w.waiting() {
			timer.Reset(max(time.Until(moves), w.interval))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-w.signal:
			timer.Reset(w.interval)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			case <-w.many:
			}
		}
		due := !time.Now().Before(moves)
		if due {
			moves = time.Now().Add(moveInterval)
		}
		if w.flushUntil(ctx, due) != nil {
			return
		}
	}
}

func (w *writer) waiting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.moved) > 0 || len(w.dirty) > 0
}

// flushUntil writes what is gathered, again and again with growing pauses when
// the journal does not take it, until ctx ends.
func (w *writer) flushUntil(ctx context.Context, moves bool) error {
	pause := w.interval
	for {
		err := w.flush(ctx, moves)
		if err == nil {
			return nil
		}
		w.m.receiptFailures.Inc()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.logger.Error("receipts are not written, trying again", "error", err, "waiting", w.unsaved.Load())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, retryMost)
	}
}

// flush writes what was gathered in one transaction, then the definitions. On
// an error what was taken is kept for the next call, which takes nothing new.
func (w *writer) flush(ctx context.Context, moves bool) error {
	if w.unsent == nil {
		w.take(moves)
	}
	if len(w.unsent) > 0 {
		if err := w.log.Commit(ctx, w.unsent); err != nil {
			return fmt.Errorf("broker: writing receipts: %w", err)
		}
	}
	w.m.receipts.Add(float64(w.taken))
	left := w.unsaved.Add(-w.taken)
	w.unsent, w.taken = nil, 0
	w.mu.Lock()
	if w.gate != nil && left <= maxUnsaved {
		close(w.gate)
		w.gate = nil
	}
	w.mu.Unlock()
	define := w.define
	w.define = nil
	return w.defineAll(ctx, define)
}

// take empties the lists into unsent.
func (w *writer) take(moves bool) {
	w.mu.Lock()
	queues, soon := w.dirty, len(w.dirty)
	w.dirty = nil
	if moves {
		queues = append(queues, w.moved...)
		w.moved = nil
	}
	w.mu.Unlock()
	w.unsent = make([]journal.Progress, 0, len(queues))
	for i, q := range queues {
		q.mu.Lock()
		p := journal.Progress{Subscription: q.id, Cursor: q.cursor, KeepCursor: !q.durable || q.cursor == q.saved, Receipts: q.receipts}
		if q.durable {
			q.saved = q.cursor
		}
		q.receipts, q.queued = nil, false
		if i >= soon {
			q.moved = false
		}
		if q.redefine {
			q.redefine = false
			w.define = append(w.define, q)
		}
		q.mu.Unlock()
		if len(p.Receipts) > 0 || !p.KeepCursor {
			w.unsent = append(w.unsent, p)
			w.taken += int64(len(p.Receipts))
		}
	}
}

// defineAll writes definitions. One that fails is only told: what the journal
// then says of the subscription is older, and errs on the side of a repeat.
func (w *writer) defineAll(ctx context.Context, queues []*queue) error {
	if len(queues) == 0 {
		return nil
	}
	var g errgroup.Group
	g.SetLimit(definitionsAtOnce)
	for _, q := range queues {
		g.Go(func() error { return w.defineOne(ctx, q) })
	}
	if err := g.Wait(); err != nil {
		w.logger.Warn("a subscription's definition was not written", "error", err)
	}
	return nil
}

func (w *writer) defineOne(ctx context.Context, q *queue) error {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	def, ok := q.definition()
	if !ok {
		return nil
	}
	if err := w.log.PutSubscription(ctx, q.id, def); err != nil {
		return fmt.Errorf("broker: defining %s: %w", q.id, err)
	}
	return nil
}

// finish writes all that is left.
func (w *writer) finish(ctx context.Context) error {
	for {
		if err := w.flush(ctx, true); err != nil {
			return err
		}
		if !w.waiting() {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
