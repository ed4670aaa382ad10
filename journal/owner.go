package journal

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
)

// owner is the state of the one goroutine that writes. It is what the last
// good commit left: a transaction that fails changes none of it.
type owner struct {
	first, last Seq
	floor       Seq     // no number up to it is given: see salvageGap
	tail        []entry // entries that are in "recent", not yet in "index"
	counters    counters
	pending     counters // as the batch under way leaves them
	records     int64
	recordBytes int64
	txid        uint64 // of the last good transaction
	lastCommit  time.Time
	gatherSkip  int // commits until gather is tried again
	// doubt is set when a transaction failed in a way that may have left it
	// visible in the file: see settle.
	doubt bool
	// broken is why nothing can be written any more.
	broken error
	stats  Stats

	// Scratch of the batch under way.
	keys      map[[32]byte]*item
	names     map[string]Seq
	entries   []entry
	committed []Record
	fresh     []*item
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

// run is the owner: it turns batches into transactions until the queue is
// closed and empty.
func (b *Bolt) run() {
	defer close(b.ended)
	for {
		bt, ended := b.queue.take()
		if ended {
			return
		}
		if bt == nil {
			b.idle()
			continue
		}
		n := len(bt.items)
		b.process(bt)
		b.gather(n)
	}
}

// An append waits for others to share its sync no longer than gatherTime, and no
// longer than gatherQuiet after the last one came.
const (
	gatherTime  = 300 * time.Microsecond
	gatherQuiet = 100 * time.Microsecond
	// Turning gatherRounds takes longer than gatherTime, and ends the wait where time
	// stands still.
	gatherRounds = 1 << 15
)

// gather gives those whose appends have just ended a moment to come back with
// their next. Without it the producers fall into two halves, one waiting while
// the other is synced, and every sync serves half of them. Lone producers never
// wait; nor does anyone while gathering has brought nothing lately.
func (b *Bolt) gather(released int) {
	o := &b.own
	if released < 2 || o.gatherSkip > 0 {
		o.gatherSkip = max(0, o.gatherSkip-1)
		return
	}
	before := b.queue.len()
	want := min(before+released, b.o.MaxBatch)
	have, start := before, time.Now()
	quiet := start
	for round := 0; have < want && round < gatherRounds; round++ {
		runtime.Gosched()
		now := time.Now()
		if n := b.queue.len(); n > have {
			have, quiet = n, now
		}
		if now.Sub(start) > gatherTime || now.Sub(quiet) > gatherQuiet {
			break
		}
	}
	if have == before {
		o.gatherSkip = 16
	}
}

// idle waits for work, and writes the list of free pages when there is none for
// a while.
func (b *Bolt) idle() {
	if !b.db.NoFreelistSync || b.own.broken != nil || b.own.doubt {
		<-b.queue.wake
		return
	}
	t := time.NewTimer(freelistIdle)
	defer t.Stop()
	select {
	case <-b.queue.wake:
	case <-t.C:
		b.own.lastCommit = time.Time{}
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

// process does one batch: number, write, sync, observe, publish, release.
func (b *Bolt) process(bt *batch) {
	o := &b.own
	start := time.Now()
	synced, err := b.write(bt)
	if err != nil {
		err = b.failed(err)
		o.stats.Failures++
	} else if synced {
		o.stats.Commits++
		o.stats.CommitTime += time.Since(start)
		b.adopt(bt)
	}
	for _, it := range bt.items {
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
	for _, p := range bt.ops {
		p.err = err
	}
	b.publish()
	close(bt.done)
}

// write stores a batch in one transaction. Nothing of the owner's state has
// changed when it fails; synced says whether there was anything to store.
func (b *Bolt) write(bt *batch) (synced bool, err error) {
	o := &b.own
	o.entries, o.committed, o.fresh = o.entries[:0], o.committed[:0], o.fresh[:0]
	if o.broken != nil {
		return false, o.broken
	}
	if o.doubt {
		if err := b.settle(); err != nil {
			return false, err
		}
	}
	err = b.guard(func() error {
		tx, err := b.db.Begin(true)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
		if err := b.putRecords(tx, bt.items); err != nil {
			return err
		}
		o.pending = o.counters
		for _, p := range bt.ops {
			if err := p.do(tx); err != nil {
				return err
			}
		}
		if o.pending != o.counters {
			if err := o.pending.put(tx); err != nil {
				return err
			}
		}
		if len(o.entries) == 0 && len(bt.ops) == 0 {
			return nil
		}
		synced = true
		return b.commit(tx)
	})
	return synced, err
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

// putRecords dedupes, numbers and puts the appends of a batch.
func (b *Bolt) putRecords(tx *bolt.Tx, items []*item) error {
	o := &b.own
	if len(items) == 0 {
		return nil
	}
	notices := tx.Bucket(bucketNotices)
	notices.FillPercent = fillSequential
	clear(o.keys)
	clear(o.names)
	seq := max(o.last, o.floor)
	for _, it := range items {
		it.first, it.err = nil, nil
		r := &it.rec
		if first := o.keys[r.Key]; first != nil {
			it.first = first
			continue
		}
		if old, ok := b.lookupKey(notices, o.last, &r.Key); ok {
			it.seq, it.err = 0, &DuplicateError{Seq: old}
			continue
		}
		seq++
		name := nameHash([]byte(r.Name))
		prev, ok := o.names[r.Name]
		if !ok {
			prev = b.lookupName(notices, o.last, name, r.Name)
		}
		if prev != 0 {
			r.Flags |= FlagSameName
		}
		r.Seq, it.seq = seq, seq
		seal(it.value, seq, r.Flags, prev)
		k := seqKey(seq)
		if err := notices.Put(k[:], it.value); err != nil {
			return err
		}
		o.keys[r.Key] = it
		o.names[r.Name] = seq
		o.entries = append(o.entries, entry{
			seq: seq, key: keyHash(&r.Key), name: name, received: clampNano(r.Received),
			size: uint32(len(it.value)), prev: prev,
		})
		o.committed = append(o.committed, *r)
		o.fresh = append(o.fresh, it)
	}
	return putEntries(tx, o.tail, o.entries)
}

// lookupKey finds the kept record with that key, not after last.
func (b *Bolt) lookupKey(notices *bolt.Bucket, last Seq, key *[32]byte) (Seq, bool) {
	var found Seq
	ok := b.index.keys.find(keyHash(key), func(low uint32) bool {
		found = fullSeq(last, low)
		h, err := decodeHead(found, notices.Get(seqKeySlice(found)))
		return err == nil && h.key == *key
	})
	return found, ok
}

// lookupName finds the last kept record with that name, 0 when there is none.
func (b *Bolt) lookupName(notices *bolt.Bucket, last Seq, hash uint64, name string) Seq {
	var found Seq
	if b.index.names.find(hash, func(low uint32) bool {
		found = fullSeq(last, low)
		v := notices.Get(seqKeySlice(found))
		h, err := decodeHead(found, v)
		return err == nil && string(h.name(v)) == name
	}) {
		return found
	}
	return 0
}

// adopt takes over into memory what the commit of bt has made durable, and
// shows it to the observer.
func (b *Bolt) adopt(bt *batch) {
	o := &b.own
	if len(o.entries) > 0 {
		b.index.mu.Lock()
		for i := range o.entries {
			b.indexEntry(&o.entries[i])
		}
		b.index.mu.Unlock()
		if o.first == 0 {
			o.first = o.entries[0].seq
		}
		o.last = o.entries[len(o.entries)-1].seq
		if o.tail = append(o.tail, o.entries...); len(o.tail) >= foldAt {
			o.tail = o.tail[:0]
		}
		for i, it := range o.fresh {
			o.records++
			o.recordBytes += int64(o.entries[i].size)
			o.stats.RawBytes += uint64(len(it.rec.Raw))
			o.stats.Stored += uint64(o.entries[i].size)
		}
		o.stats.Appended += uint64(len(o.entries))
	}
	o.counters = o.pending
	for _, p := range bt.ops {
		if p.done != nil {
			p.done()
		}
	}
	if len(o.committed) > 0 {
		b.observer.mu.Lock()
		if b.observer.fn != nil {
			b.observer.fn(o.committed)
		}
		b.observer.mu.Unlock()
		clear(o.committed)
		clear(o.fresh)
	}
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
