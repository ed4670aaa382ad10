package journal

import (
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// owner is the state of the one goroutine that writes. It is what the last
// good commit left: a transaction that fails changes none of it.
type owner struct {
	first, last Seq
	floor       Seq     // no number up to it is given: see salvageGap
	ahead       []ahead // in the write-ahead file, not yet in the store: numbers up to last
	aheadBytes  int     // of their values
	applyAt     time.Time
	lazy        bool // in a test: nothing is applied without need
	applied     Seq  // last in the store
	wal         wal
	tail        []entry // entries that are in "recent", not yet in "index"
	counters    counters
	pending     counters // as the batch under way leaves them
	records     int64
	recordBytes int64
	txid        uint64 // of the last good transaction
	lastCommit  time.Time
	// doubt is set when a transaction failed in a way that may have left it
	// visible in the file: see settle.
	doubt bool
	// strays is set with doubt when that transaction held records of its own.
	strays bool
	// broken is why nothing can be written any more.
	broken error
	stats  Stats

	// Scratch of the batch under way.
	keys      map[[32]byte]*item
	names     map[string]Seq
	entries   []entry
	committed []Record
	fresh     []*item
	values    [][]byte
}

// The list of free pages is written with a commit when it is short, or when
// commits come so seldom that writing it takes a small part of the time, or when
// the journal has been idle for a while. Left out are only long lists (after a
// great trim) under load: a start after a crash in that time has to visit every
// page.
const (
	freelistShort = 1024 // pages
	freelistCost  = 200 * time.Nanosecond
	freelistShare = 20 // one part in so many
	freelistIdle  = time.Second
)

// run is the owner: it writes batch after batch until the queue is closed and
// empty, and then moves what is ahead into the store.
func (b *Bolt) run() {
	defer close(b.ended)
	for {
		if b.own.applyDue() {
			b.applyAhead()
		}
		bt, ended := b.queue.take()
		if ended {
			if len(b.own.ahead) > 0 && b.own.broken == nil {
				b.applyAhead()
			}
			return
		}
		if bt == nil {
			b.idle()
			continue
		}
		b.process(bt)
	}
}

// idle waits for work, and no longer than until an apply is due or, when there is
// nothing to apply, until the list of free pages is worth writing.
func (b *Bolt) idle() {
	o := &b.own
	var wait time.Duration
	switch {
	case o.broken != nil:
	case len(o.ahead) > 0 && !o.lazy:
		wait = max(time.Until(o.applyAt), time.Microsecond)
	case b.db.NoFreelistSync && !o.doubt:
		wait = freelistIdle
	}
	if wait == 0 {
		<-b.queue.wake
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-b.queue.wake:
	case <-t.C:
		if len(o.ahead) > 0 {
			return // run sees to it
		}
		o.lastCommit = time.Time{}
		if err := b.guard(func() error {
			tx, err := b.db.Begin(true)
			if err != nil {
				return err
			}
			defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
			return b.commit(tx)
		}); err != nil {
			_ = b.failed(err) // nobody waits for it; it is logged by the next that fails
		}
	}
}

// process does one batch: the appends, then the other changes.
func (b *Bolt) process(bt *batch) {
	if len(bt.items) > 0 {
		start := time.Now()
		wrote, err := b.appendItems(bt.items)
		b.wrote(start, wrote, err == nil)
		if err != nil {
			err = b.failed(err)
		}
		b.endAppends(bt.items, err)
		b.publish()
	}
	close(bt.done)
	if len(bt.ops) == 0 {
		return
	}
	start := time.Now()
	err := b.apply(bt.ops)
	b.wrote(start, true, err == nil)
	if err != nil {
		err = b.failed(err)
	}
	for _, p := range bt.ops {
		p.err = err
	}
	b.publish()
	close(bt.opsDone)
}

// wrote counts a write that began at start.
func (b *Bolt) wrote(start time.Time, wrote, ok bool) {
	s := &b.own.stats
	switch {
	case !ok:
		s.Failures++
	case wrote:
		s.Commits++
		s.CommitTime += time.Since(start)
	}
}

// endAppends gives each append its result and shows the observer the new records.
// They are on stable storage unless err says otherwise.
func (b *Bolt) endAppends(items []*item, err error) {
	o := &b.own
	if err == nil && len(o.fresh) > 0 {
		for _, it := range o.fresh {
			o.stats.RawBytes += uint64(len(it.rec.Raw))
			o.stats.Stored += uint64(len(it.value))
		}
		o.stats.Appended += uint64(len(o.fresh))
		b.observer.mu.Lock()
		if b.observer.fn != nil {
			b.observer.fn(o.committed)
		}
		b.observer.mu.Unlock()
	}
	clear(o.committed)
	clear(o.fresh)
	clear(o.values)
	for _, it := range items {
		switch {
		case it.first != nil && err == nil:
			it.err = &DuplicateError{Seq: it.first.seq}
			o.stats.Duplicates++
		case it.err != nil: // a duplicate of a kept record
			o.stats.Duplicates++
		case err != nil:
			it.seq, it.err = 0, err
		}
		it.release()
		it.rec, it.first = Record{}, nil
	}
}

// commit commits tx, with the list of free pages when it is worth it.
func (b *Bolt) commit(tx *bolt.Tx) error {
	s, now := b.db.Stats(), time.Now()
	n := s.FreePageN + s.PendingPageN
	b.db.NoFreelistSync = n > freelistShort && now.Sub(b.own.lastCommit) < freelistShare*freelistCost*time.Duration(n)
	b.own.lastCommit = now
	id := uint64(tx.ID())
	if err := tx.Commit(); err != nil {
		return err
	}
	if b.afterCommit != nil {
		if err := b.afterCommit(); err != nil {
			return err
		}
	}
	b.own.txid = id
	return nil
}

// indexEntry puts e into the index in memory.
func (b *Bolt) indexEntry(e *entry) {
	b.index.keys.put(e.key, e.seq)
	if e.prev == 0 || !b.index.names.replace(e.name, e.prev, e.seq) {
		b.index.names.put(e.name, e.seq)
	}
	b.index.marks.add(e.seq, e.received)
}

// publish shows callers the owner's state and wakes those who wait for more.
func (b *Bolt) publish() {
	o := &b.own
	s := &o.stats
	s.Records = o.records
	s.LiveBytes = o.recordBytes + o.counters.receiptBytes
	s.IndexBytes = b.index.keys.bytes() + b.index.names.bytes() + int64(len(b.index.marks.max))*8
	b.seen.mu.Lock()
	grown := o.last > b.seen.last
	b.seen.first, b.seen.last, b.seen.stats = o.first, o.last, *s
	wake := b.seen.wake
	if grown {
		b.seen.wake = nil
	}
	b.seen.mu.Unlock()
	if grown && wake != nil {
		close(wake)
	}
}

// failed says what callers get for a transaction that failed with err, and
// notes when the file may show it nevertheless: that is so when the sync of the
// meta page failed after it was written.
func (b *Bolt) failed(err error) error {
	o := &b.own
	if o.broken != nil {
		return o.broken
	}
	if _, ok := errors.AsType[*DamagedError](err); ok {
		o.broken = err
		b.o.Logger.Error("journal: writing has ended", "file", b.path, "error", err)
		return err
	}
	o.doubt = true
	if noRoom(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return fmt.Errorf("journal: writing %s: %w", b.path, err)
}
