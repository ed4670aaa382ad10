package broker

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"tocsin/journal"
)

// blockSize is how many numbers one block spans. Block i holds the notices
// numbered i*blockSize+1 to (i+1)*blockSize, as far as they are kept.
const blockSize = 64

// blocks reads notices back from the journal for followers that are behind the
// ring. Followers at about the same place share one read: a block is read once,
// however many ask for it meanwhile, and the last used ones are kept.
type blocks struct {
	log     journal.Log
	max     int64         // bytes
	filters *atomic.Int32 // followers that have one

	mu    sync.Mutex
	index map[journal.Seq]*list.Element // of *block, by its number
	used  *list.List                    // the last used one in front
	bytes int64
}

// block is a run of notices. Its fields after ready may be read once ready is
// closed.
type block struct {
	number  journal.Seq
	ready   chan struct{}
	notices []*Notice
	upto    journal.Seq // all that is kept up to here is in it
	err     error
	bytes   int64

	counted bool // in blocks.bytes; guarded by blocks.mu
}

func newBlocks(log journal.Log, maxBytes int64, filters *atomic.Int32) *blocks {
	return &blocks{log: log, max: maxBytes, filters: filters, index: make(map[journal.Seq]*list.Element), used: list.New()}
}

// read fills dst with notices that follow after, from one block; hit says that
// the journal was not asked. It returns 0 only when that block holds none, and
// then next is the number to go on after.
func (c *blocks) read(ctx context.Context, after journal.Seq, dst []*Notice) (n int, next journal.Seq, hit bool, err error) {
	b, hit := c.get(after / blockSize)
	if !hit {
		// Others may wait for this block: that this caller gives up must not
		// fail them, and one block is read in a moment.
		c.fill(context.WithoutCancel(ctx), b)
	}
	select {
	case <-b.ready:
	case <-ctx.Done():
		return 0, after, hit, context.Cause(ctx)
	}
	if b.err != nil {
		return 0, after, hit, b.err
	}
	for _, notice := range b.notices {
		if notice.Seq > after && n < len(dst) {
			dst[n] = notice
			n++
		}
	}
	if n > 0 {
		return n, dst[n-1].Seq, hit, nil
	}
	// A block that was read for somebody else may end before what this caller
	// looks for: then it has to ask again, and must not go on.
	return 0, max(after, b.upto), hit, nil
}

// get returns the block and true, or a new one and false: then the caller fills
// it.
func (c *blocks) get(number journal.Seq) (*block, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.index[number]; ok {
		c.used.MoveToFront(e)
		return e.Value.(*block), true
	}
	b := &block{number: number, ready: make(chan struct{})}
	c.index[number] = c.used.PushFront(b)
	return b, false
}

func (c *blocks) fill(ctx context.Context, b *block) {
	defer close(b.ready)
	b.notices, b.upto, b.err = c.load(ctx, b.number)
	for _, n := range b.notices {
		b.bytes += n.weight
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.index[b.number]
	if !ok || e.Value.(*block) != b {
		return // pushed out while it was being read
	}
	c.bytes += b.bytes
	b.counted = true
	if b.err != nil || b.upto < (b.number+1)*blockSize { // more can come
		c.remove(e)
		return
	}
	for c.bytes > c.max && c.used.Len() > 1 {
		c.remove(c.used.Back())
	}
}

// remove forgets a block; who has it already goes on with it. A block that is
// being read weighs nothing yet.
func (c *blocks) remove(e *list.Element) {
	b := c.used.Remove(e).(*block)
	delete(c.index, b.number)
	if b.counted {
		c.bytes -= b.bytes
	}
}

func (c *blocks) load(ctx context.Context, number journal.Seq) ([]*Notice, journal.Seq, error) {
	end := (number + 1) * blockSize
	_, last := c.log.Bounds() // before reading: what comes later is not in it
	var (
		notices []*Notice
		dst     [blockSize]journal.Record
	)
	for after := number * blockSize; after < end; {
		n, err := c.log.Read(ctx, after, dst[:min(blockSize, int(end-after))])
		if err != nil {
			return nil, 0, fmt.Errorf("broker: reading the journal after %d: %w", after, err)
		}
		if n == 0 {
			break
		}
		for i := range n {
			if dst[i].Seq > end { // all between after and here was trimmed
				return notices, end, nil
			}
			notices = append(notices, newNotice(dst[i], c.filters.Load() > 0))
		}
		after = dst[n-1].Seq
	}
	if len(notices) > 0 {
		return notices, notices[len(notices)-1].Seq, nil
	}
	return nil, min(last, end), nil
}
