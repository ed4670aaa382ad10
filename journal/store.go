package journal

import (
	"time"

	bolt "go.etcd.io/bbolt"
)

// Records are moved from the write-ahead file into the store when another change
// comes (which shares the transaction), when there are applyRecords of them or
// half the file is full, and applyDelay after the first of them at the latest.
// After a failure the next attempt without need is made after applyRetry.
const (
	applyRecords = 1024
	applyDelay   = 200 * time.Millisecond
	applyRetry   = time.Second
)

// appendItems brings the appends of a batch to stable storage: as one frame of
// the write-ahead file, or when that cannot be in one transaction of the store.
// When it fails nothing of them is in memory; wrote says whether there was
// anything to write.
func (b *Bolt) appendItems(items []*item) (wrote bool, err error) {
	o := &b.own
	o.committed, o.fresh, o.values = o.committed[:0], o.fresh[:0], o.values[:0]
	if o.broken != nil {
		return false, o.broken
	}
	if o.strays {
		// The store may show records that were refused, under the numbers that
		// are given next: a start after a crash would take them for what is then
		// in the write-ahead file.
		if err := b.settle(); err != nil {
			return false, err
		}
	}
	if err := b.guard(func() error { return b.number(items) }); err != nil || len(o.fresh) == 0 {
		return false, err
	}
	w := &o.wal
	size := int64(frameSize(o.values))
	if w.usable() && w.off+size > w.size && len(o.ahead) > 0 {
		if err := b.apply(nil); err != nil {
			return false, err
		}
	}
	first := o.fresh[0].seq
	if w.usable() && w.off+size <= w.size {
		f := frame{prev: o.last, first: first, values: o.values}
		err := w.write(&f)
		if err == nil {
			as, err := asAhead(first, f.values)
			if err != nil {
				return false, err
			}
			b.takeAhead(as)
			return true, nil
		}
		b.o.Logger.Error("journal: the write-ahead file is given up", "file", b.path, "error", err)
	}
	as, err := asAhead(first, o.values)
	if err != nil {
		return false, err
	}
	return true, b.appendDirectly(as)
}

func asAhead(first Seq, values [][]byte) ([]ahead, error) {
	as := make([]ahead, len(values))
	for i, v := range values {
		var err error
		if as[i], err = makeAhead(first+Seq(i), v); err != nil {
			return nil, err
		}
	}
	return as, nil
}

// appendDirectly puts as into the store together with what is ahead of it.
func (b *Bolt) appendDirectly(as []ahead) error {
	o := &b.own
	if err := b.transact(as, nil); err != nil {
		o.strays = true
		if e := o.wal.cancel(); e != nil {
			b.o.Logger.Error("journal: a refused batch may be stored after a crash", "file", b.path, "error", e)
		}
		return err
	}
	b.index.mu.Lock()
	b.countAhead(as)
	b.index.mu.Unlock()
	b.takeApplied()
	return nil
}

// number dedupes, numbers and seals the appends of a batch; nothing of it is
// in the owner's state yet.
func (b *Bolt) number(items []*item) (err error) {
	o := &b.own
	clear(o.keys)
	clear(o.names)
	rs := records{ahead: o.ahead}
	var tx *bolt.Tx
	defer func() {
		if tx != nil {
			_ = tx.Rollback() // of a reading transaction
		}
	}()
	// A transaction is begun only when the index leads into the store: seldom.
	get := func(seq Seq) []byte {
		if err != nil {
			return nil
		}
		if tx == nil && (len(o.ahead) == 0 || seq < o.ahead[0].seq) {
			if tx, err = b.db.Begin(false); err != nil {
				tx = nil
				return nil
			}
			rs.notices = tx.Bucket(bucketNotices)
		}
		return rs.get(seq)
	}
	seq := max(o.last, o.floor)
	for _, it := range items {
		it.first, it.err = nil, nil
		r := &it.rec
		if first := o.keys[r.Key]; first != nil {
			it.first = first
			continue
		}
		if old, ok := b.lookupKey(get, &r.Key); ok {
			it.seq, it.err = 0, &DuplicateError{Seq: old}
			continue
		}
		seq++
		prev, ok := o.names[r.Name]
		if !ok {
			prev = b.lookupName(get, nameHash([]byte(r.Name)), r.Name)
		}
		if err != nil {
			return err
		}
		if prev != 0 {
			r.Flags |= FlagSameName
		}
		r.Seq, it.seq = seq, seq
		seal(it.value, seq, r.Flags, prev)
		o.keys[r.Key] = it
		o.names[r.Name] = seq
		o.committed = append(o.committed, *r)
		o.fresh = append(o.fresh, it)
		o.values = append(o.values, it.value)
	}
	return err
}

// lookupKey finds the kept record with that key.
func (b *Bolt) lookupKey(get func(Seq) []byte, key *[32]byte) (Seq, bool) {
	var found Seq
	ok := b.index.keys.find(keyHash(key), func(low uint32) bool {
		found = fullSeq(b.own.last, low)
		h, err := decodeHead(found, get(found))
		return err == nil && h.key == *key
	})
	return found, ok
}

// lookupName finds the last kept record with that name, 0 when there is none.
func (b *Bolt) lookupName(get func(Seq) []byte, hash uint64, name string) Seq {
	var found Seq
	if b.index.names.find(hash, func(low uint32) bool {
		found = fullSeq(b.own.last, low)
		v := get(found)
		h, err := decodeHead(found, v)
		return err == nil && string(h.name(v)) == name
	}) {
		return found
	}
	return 0
}

// apply moves what is ahead into the store and makes other changes, in one
// transaction. When it fails nothing in memory has changed.
func (b *Bolt) apply(ops []*op) error {
	o := &b.own
	if o.broken != nil {
		return o.broken
	}
	if err := b.transact(nil, ops); err != nil {
		o.applyAt = time.Now().Add(applyRetry)
		return err
	}
	b.takeApplied()
	for _, p := range ops {
		if p.adopt != nil {
			p.adopt()
		}
	}
	return nil
}

// applyDue says whether it is time for an apply without another need.
func (o *owner) applyDue() bool {
	if len(o.ahead) == 0 || o.broken != nil || o.lazy {
		return false
	}
	if time.Now().After(o.applyAt) {
		return true
	}
	// After a failure only time counts: until is further away than applyDelay.
	full := len(o.ahead) >= applyRecords || o.wal.off > o.wal.size/2
	return full && time.Until(o.applyAt) <= applyDelay
}

// applyAhead is an apply that nobody waits for.
func (b *Bolt) applyAhead() {
	o := &b.own
	n := len(o.ahead)
	if err := b.apply(nil); err != nil {
		o.stats.Failures++
		b.o.Logger.Error("journal: moving notices from the write-ahead file", "file", b.path, "notices", n, "error", b.failed(err))
		return
	}
	o.stats.Applies++
}

// transact stores what is ahead, then more, then what ops do, in one
// transaction.
func (b *Bolt) transact(more []ahead, ops []*op) error {
	o := &b.own
	if o.doubt {
		if err := b.settle(); err != nil {
			return err
		}
	}
	return b.guard(func() error {
		tx, err := b.db.Begin(true)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
		notices := tx.Bucket(bucketNotices)
		notices.FillPercent = fillSequential
		o.entries = o.entries[:0]
		for _, as := range [][]ahead{o.ahead, more} {
			for i := range as {
				if err := notices.Put(seqKeySlice(as[i].seq), as[i].value); err != nil {
					return err
				}
				o.entries = append(o.entries, as[i].entry)
			}
		}
		if err := putEntries(tx, o.tail, o.entries); err != nil {
			return err
		}
		o.pending = o.counters
		for _, p := range ops {
			if err := p.do(tx); err != nil {
				return err
			}
		}
		if o.pending != o.counters {
			if err := o.pending.put(tx); err != nil {
				return err
			}
		}
		return b.commit(tx)
	})
}

// takeApplied takes over what a transact has made durable; all its records are
// counted already.
func (b *Bolt) takeApplied() {
	o := &b.own
	if o.tail = append(o.tail, o.entries...); len(o.tail) >= foldAt {
		o.tail = o.tail[:0]
	}
	o.applied = o.last
	o.counters = o.pending
	b.dropAhead()
	if o.wal.usable() {
		o.wal.restart()
	}
	b.remakeWAL()
}
