package broker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"tocsin/broker/filter"
	"tocsin/journal"
)

// batchSize is the most notices of one Deliver.
const batchSize = 64

// buffers lends followers room for a batch while they have something to
// deliver: thousands of idle ones have none.
var buffers = sync.Pool{New: func() any { return new([batchSize]*Notice) }}

// Run delivers until ctx ends, the sink fails, or the broker ends the follower
// (ErrTakenOver, ErrStopped), and returns the reason. What was not acknowledged
// stays after the cursor. It may be called once.
func (f *Follower) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.mu.Lock()
	if f.started {
		f.mu.Unlock()
		return errors.New("broker: Follower.Run was called twice")
	}
	f.started, f.cancel, f.ctx = true, cancel, ctx
	cause := f.cause
	f.mu.Unlock()
	defer f.end()
	if cause != nil {
		return cause
	}
	// A context that has ended ends it before the next delivery: another follower may be about to go on in its place.
	for ctx.Err() == nil {
		if err := f.step(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// end lets go of the queue.
func (f *Follower) end() {
	q, b := f.q, f.b
	f.use(nil)
	q.mu.Lock()
	grown, put := 0, false
	if q.holder == f {
		grown = q.release(f, b.now())
		q.redefine = q.durable
		put = b.writer.mark(q, q.durable || grown > 0)
	}
	q.mu.Unlock()
	b.writer.gathered(grown)
	b.writer.put(q, put)
	f.tellGivenUp()
	b.mu.Lock()
	delete(b.followers, f)
	b.mu.Unlock()
	close(f.done)
}

// step does one round: wait for room, read, choose, deliver; or wait for news.
func (f *Follower) step(ctx context.Context) error {
	from, err := f.room(ctx)
	if err != nil {
		return err
	}
	more, err := f.work(ctx, from)
	if more != nil && err == nil {
		return f.await(ctx, more)
	}
	return err
}

// work does what there is to do from a place on. When there is nothing it
// returns what tells that there is more.
func (f *Follower) work(ctx context.Context, from place) (more <-chan struct{}, err error) {
	buf := buffers.Get().(*[batchSize]*Notice)
	defer func() {
		clear(buf[:])
		buffers.Put(buf)
	}()
	n, upto, more, err := f.b.pull(ctx, from.seq, buf[:min(batchSize, from.notices)])
	if err != nil || more != nil {
		return more, err
	}
	batch := buf[:0]
	match := f.filter.Load()
	bytes := from.bytes
	for _, notice := range buf[:n] {
		if bytes <= 0 {
			break
		}
		upto = notice.Seq
		if f.matches(match, notice) {
			batch = append(batch, notice)
			bytes -= int64(len(notice.Raw))
		}
	}
	f.tellFailures(match)
	batch, ok := f.record(from, batch, upto)
	if !ok || len(batch) == 0 {
		return nil, ctx.Err()
	}
	return nil, f.deliver(ctx, batch)
}

// place is where a round begins, and how much the window takes.
type place struct {
	seq     journal.Seq
	pass    uint64
	notices int
	bytes   int64
}

// room waits until the window takes more. Once it was full it opens again only
// when a quarter of it is free, so that batches stay large. It also waits while
// too many receipts are unsaved.
func (f *Follower) room(ctx context.Context) (place, error) {
	q, c := f.q, &f.b.c
	for {
		if err := f.b.writer.await(ctx); err != nil {
			return place{}, err
		}
		q.mu.Lock()
		if q.holder != f {
			q.mu.Unlock()
			return place{}, ErrTakenOver
		}
		p := place{seq: q.read, pass: q.pass, notices: c.Window - q.window.open, bytes: c.WindowBytes - q.window.bytes}
		f.waiting = p.notices <= 0 || p.bytes <= 0
		waiting := f.waiting
		q.mu.Unlock()
		if !waiting {
			return p, nil
		}
		select {
		case <-f.kick:
		case <-ctx.Done():
			return place{}, ctx.Err()
		}
	}
}

func (f *Follower) await(ctx context.Context, more <-chan struct{}) error {
	select {
	case <-more:
	case <-f.kick:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// matches asks the filter. A filter that panics does not match: it may end
// neither the broker nor the connection.
func (f *Follower) matches(m *filter.Filter, n *Notice) (ok bool) {
	if m.Everything() {
		return true
	}
	defer func() {
		if r := recover(); r != nil {
			ok = false
			f.fail(1, fmt.Sprintf("the filter broke down at notice %d", n.Seq))
			f.b.log.Error("a filter panicked", "subscription", f.q.id, "notice", n.Seq, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	e := n.Event()
	if e == nil {
		f.fail(1, fmt.Sprintf("notice %d cannot be parsed", n.Seq))
		f.b.log.Error("a notice of the journal cannot be parsed", "notice", n.Seq, "ivorn", n.Name)
		return false
	}
	return m.Match(e)
}

// fail counts a notice that was not decided on.
func (f *Follower) fail(n uint64, why string) {
	f.failed.Add(n)
	f.failure.Store(&why)
	f.b.m.filterFailures.Add(float64(n))
}

// tellFailures counts the evaluations that the filter's limits have ended.
func (f *Follower) tellFailures(m *filter.Filter) {
	if m.Everything() {
		return
	}
	if m != f.counted {
		f.counted, f.ended = m, 0
	}
	fs := m.Failures()
	if fs.Limit == f.ended {
		return
	}
	if f.ended == 0 {
		f.b.log.Warn("a subscriber's filter does not come to an end", "subscription", f.q.id, "error", fs.Last)
	}
	f.fail(fs.Limit-f.ended, fs.Last.Error())
	f.ended = fs.Limit
}

// record puts the batch in flight before it is delivered, since
// acknowledgements may come before Deliver returns. It leaves out what need not
// be delivered again, and marks repeats. It says false when the follower was
// set back or taken over meanwhile.
func (f *Follower) record(from place, batch []*Notice, upto journal.Seq) ([]*Notice, bool) {
	now := f.b.now().UnixNano()
	q := f.q
	q.mu.Lock()
	if q.holder != f || q.pass != from.pass {
		q.mu.Unlock()
		return nil, false
	}
	out := batch[:0]
	for _, n := range batch {
		if _, settled := q.past.Settled[n.Seq]; settled {
			q.window.push(delivery{seq: n.Seq, settled: true})
			continue
		}
		tried := q.past.attempt(n.Seq)
		if tried > 0 {
			again := *n
			again.Repeat, again.Attempt = true, max(tried+1, tried)
			n = &again
			q.tally.repeated++
		}
		q.window.push(delivery{
			seq: n.Seq, sent: now, received: n.Received.UnixNano(), bytes: int32(len(n.Raw)), attempt: max(tried+1, tried),
		})
		out = append(out, n)
	}
	q.forget(upto)
	q.read = upto
	put := q.advance() && q.durable && f.b.writer.markMoved(q)
	q.mu.Unlock()
	if put {
		f.b.writer.putMoved(q)
	}
	return out, true
}

// forget drops what is known of single notices up to seq. The caller holds mu.
func (q *queue) forget(seq journal.Seq) {
	for s := range q.past.Settled {
		if s <= seq {
			delete(q.past.Settled, s)
		}
	}
	for s := range q.past.Attempts {
		if s <= seq {
			delete(q.past.Attempts, s)
		}
	}
}

func (f *Follower) deliver(ctx context.Context, batch []*Notice) error {
	last, n := batch[len(batch)-1].Seq, len(batch)
	if err := f.sink.Deliver(ctx, batch); err != nil {
		return fmt.Errorf("broker: delivering to %s: %w", f.q.id, err)
	}
	now, repeats := f.b.now(), 0
	for _, d := range batch {
		if d.Repeat {
			repeats++
		} else if d.Seq > f.live {
			f.b.m.endToEnd.Observe(now.Sub(d.Received).Seconds())
		}
	}
	f.b.m.deliveries.Add(float64(n))
	if repeats > 0 {
		f.b.m.redeliveries.Add(float64(repeats))
	}
	f.q.mu.Lock()
	f.written = last
	f.q.tally.delivered += uint64(n)
	f.q.mu.Unlock()
	return nil
}

// pull reads the notices that follow after: from the ring, or from the journal
// when they have left it. It returns either notices, or a number to go on after
// when none of those up to it are kept, or a channel that is closed when there
// may be more.
func (b *Broker) pull(ctx context.Context, after journal.Seq, dst []*Notice) (n int, next journal.Seq, more <-chan struct{}, err error) {
	n, more, behind := b.ring.read(after, dst)
	if !behind {
		b.m.hits.Add(float64(n))
		return n, after, more, nil
	}
	if first, _ := b.c.Log.Bounds(); after+1 < first {
		b.m.trimmedSkipped.Add(float64(first - 1 - after))
		after = first - 1
	}
	n, next, hit, err := b.blocks.read(ctx, after, dst)
	if err != nil {
		return 0, after, nil, err
	}
	if hit {
		b.m.hits.Add(float64(n))
	} else {
		b.m.misses.Inc()
	}
	return n, next, nil, nil
}
