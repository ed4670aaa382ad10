package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// queue is what waits for the owner: batches in order, each to become one
// transaction. What comes in joins the last batch until that is full.
type queue struct {
	mu      sync.Mutex
	batches []*batch
	appends int // in all batches
	taken   int // in the batch that the owner has in hand
	bytes   int
	room    chan struct{} // closed when appends were taken out; nil when nobody waits
	done    bool

	closed chan struct{} // closed by close
	wake   chan struct{} // tells the owner that there is something; holds one
}

// batch is what the owner does at once: appends, which become one frame, and then
// other changes, which become one transaction. All appends wait for one channel,
// so that a commit wakes them with one close and no channel is made for each.
type batch struct {
	items   []*item
	ops     []*op
	bytes   int
	done    chan struct{} // closed when the appends have ended
	opsDone chan struct{} // closed when the other changes have ended; nil without any
}

// item is one append.
type item struct {
	rec   Record
	value []byte // as stored, save what seal sets
	batch *batch
	seq   Seq
	first *item // the append of the same key in this batch that it repeats
	err   error
}

// op is another change of the store, done after the batch's appends. What do
// changes in memory it does in adopt, which runs after the commit.
type op struct {
	do    func(tx *bolt.Tx) error
	adopt func()
	err   error
}

var errEmptyID = errors.New("journal: a subscription needs an id")

// Wait implements Pending.
func (it *item) Wait(ctx context.Context) (Seq, error) {
	select {
	case <-it.batch.done:
		return it.seq, it.err
	default:
	}
	select {
	case <-it.batch.done:
		return it.seq, it.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Ready implements Pending.
func (it *item) Ready() bool {
	select {
	case <-it.batch.done:
		return true
	default:
		return false
	}
}

// values holds buffers of stored records between an append's commit and a
// later append.
var values = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the largest buffer worth keeping.
const maxPooled = 64 << 10

// Enqueue implements Log. The caller's goroutine compresses the record.
func (b *Bolt) Enqueue(ctx context.Context, r Record) (Pending, error) {
	if len(r.Name) > MaxName || len(r.Source) > MaxSource || len(r.Raw) > MaxRaw {
		return nil, ErrTooLarge
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.Received.IsZero() {
		r.Received = b.o.Now()
	}
	r.Received = r.Received.UTC()
	r.Flags &^= FlagSameName
	fast := b.o.FastCompressAt > 0 && b.queue.underWay() >= b.o.FastCompressAt
	buf := values.Get().(*[]byte)
	it := &item{rec: r, value: appendRecord((*buf)[:0], &r, b.pack, fast)}
	if err := b.queue.append(ctx, it, &b.o); err != nil {
		it.release()
		return nil, err
	}
	return it, nil
}

func (it *item) release() {
	if cap(it.value) <= maxPooled {
		v := it.value[:0]
		values.Put(&v)
	}
	it.value = nil
}

// Append implements Log.
func (b *Bolt) Append(ctx context.Context, r Record) (Seq, error) {
	p, err := b.Enqueue(ctx, r)
	if err != nil {
		return 0, err
	}
	return p.Wait(ctx)
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.appends
}

// underWay is how many appends wait or are being written.
func (q *queue) underWay() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.appends + q.taken
}

// append puts it into the last batch, once there is room.
func (q *queue) append(ctx context.Context, it *item, o *Options) error {
	q.mu.Lock()
	for !q.done && q.appends > 0 && (q.appends >= o.MaxQueued || q.bytes+len(it.value) > o.MaxQueuedBytes) {
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		case <-q.closed:
			return ErrClosed
		}
		q.mu.Lock()
	}
	if q.done {
		q.mu.Unlock()
		return ErrClosed
	}
	last := q.last()
	if n := len(last.items); n >= o.MaxBatch || n > 0 && last.bytes+len(it.value) > o.MaxBatchBytes {
		last = q.add()
	}
	it.batch = last
	last.items = append(last.items, it)
	last.bytes += len(it.value)
	q.appends++
	q.bytes += len(it.value)
	q.mu.Unlock()
	q.signal()
	return nil
}

func (q *queue) last() *batch {
	if n := len(q.batches); n > 0 {
		return q.batches[n-1]
	}
	return q.add()
}

func (q *queue) add() *batch {
	b := &batch{done: make(chan struct{})}
	q.batches = append(q.batches, b)
	return b
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take gives the first batch, nil when there is none; ended says that none
// will come.
func (q *queue) take() (first *batch, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = 0
	if len(q.batches) == 0 {
		return nil, q.done
	}
	first = q.batches[0]
	q.taken = len(first.items)
	q.batches[0] = nil
	q.batches = q.batches[1:]
	q.appends -= len(first.items)
	q.bytes -= first.bytes
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	return first, false
}

func (q *queue) close() {
	q.mu.Lock()
	if !q.done {
		q.done = true
		close(q.closed)
	}
	q.mu.Unlock()
	q.signal()
}

// maxOps bounds the changes other than appends in one transaction.
const maxOps = 64

// change has the owner do what do does in its next transaction and waits for
// the commit; then adopt runs on the owner's goroutine, before change returns.
// When ctx ends first the change may yet be made.
func (b *Bolt) change(ctx context.Context, do func(*bolt.Tx) error, adopt func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &op{do: do, adopt: adopt}
	q := &b.queue
	q.mu.Lock()
	if q.done {
		q.mu.Unlock()
		return ErrClosed
	}
	last := q.last()
	if len(last.ops) >= maxOps {
		last = q.add()
	}
	if last.opsDone == nil {
		last.opsDone = make(chan struct{})
	}
	done := last.opsDone
	last.ops = append(last.ops, p)
	q.mu.Unlock()
	q.signal()
	select {
	case <-done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func checkID(id string) error {
	if id == "" {
		return errEmptyID
	}
	if len(id) > MaxSubscriptionID {
		return fmt.Errorf("%w: id of a subscription of %d bytes", ErrTooLarge, len(id))
	}
	return nil
}
