package journal

import (
	"context"
	"sort"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ahead is a record that is on stable storage in the write-ahead file and not yet
// in the store.
type ahead struct {
	entry
	value []byte // as stored; never changed
}

// makeAhead reads from a stored record what the index needs.
func makeAhead(seq Seq, v []byte) (ahead, error) {
	h, err := decodeHead(seq, v)
	if err != nil {
		return ahead{}, err
	}
	return ahead{entry{
		seq: seq, key: keyHash(&h.key), name: nameHash(h.name(v)), received: clampNano(h.received()),
		size: uint32(len(v)), prev: h.prev,
	}, v}, nil
}

// records is what a reader sees: the store up to the first record of ahead, from
// there on ahead. There is neither a gap nor a repetition between them however
// the owner moves records meanwhile, because of the order in which things are
// done:
//
//   - The owner puts a record into ahead, then lets Bounds show it. Later it
//     commits it to the store, and only then takes it out of ahead.
//   - A reader takes Bounds first, then ahead, then begins its transaction. All up
//     to that last number which is not in its ahead was in the store before.
//
// What the transaction sees of records in ahead too (they were moved in between)
// is left aside.
type records struct {
	notices *bolt.Bucket
	ahead   []ahead // in order of the numbers
}

// viewRecords runs fn in a read transaction over all records.
func (b *Bolt) viewRecords(ctx context.Context, fn func(rs records) error) error {
	var rs records
	if p := b.ahead.Load(); p != nil {
		rs.ahead = *p
	}
	return b.view(ctx, func(tx *bolt.Tx) error {
		rs.notices = tx.Bucket(bucketNotices)
		return fn(rs)
	})
}

// find gives the place in ahead of the first record whose number is not less
// than seq.
func find(as []ahead, seq Seq) int {
	return sort.Search(len(as), func(i int) bool { return as[i].seq >= seq })
}

// get gives the stored record with that number, nil when there is none.
func (rs *records) get(seq Seq) []byte {
	if len(rs.ahead) > 0 && seq >= rs.ahead[0].seq {
		if i := find(rs.ahead, seq); i < len(rs.ahead) && rs.ahead[i].seq == seq {
			return rs.ahead[i].value
		}
		return nil
	}
	return rs.notices.Get(seqKeySlice(seq))
}

// each calls fn for the records from the number from on to the number to, in
// order, until fn returns false.
func (rs *records) each(from, to Seq, fn func(seq Seq, v []byte) bool) {
	end := to
	if len(rs.ahead) > 0 {
		end = min(end, rs.ahead[0].seq-1)
	}
	if from <= end {
		c := rs.notices.Cursor()
		for k, v := c.Seek(seqKeySlice(from)); k != nil; k, v = c.Next() {
			seq, ok := keySeq(k)
			if !ok || seq > end {
				break
			}
			if !fn(seq, v) {
				return
			}
		}
	}
	for _, a := range rs.ahead[find(rs.ahead, from):] {
		if a.seq > to || !fn(a.seq, a.value) {
			return
		}
	}
}

// takeAhead takes records over into memory that are on stable storage in the
// write-ahead file. Readers see them once publish has run.
func (b *Bolt) takeAhead(as []ahead) {
	o := &b.own
	if len(as) == 0 {
		return
	}
	if len(o.ahead) == 0 {
		o.applyAt = time.Now().Add(applyDelay)
	}
	o.ahead = append(o.ahead, as...) // beyond the length of what readers hold
	seen := o.ahead
	b.ahead.Store(&seen)
	b.index.mu.Lock()
	b.countAhead(as)
	b.index.mu.Unlock()
}

// countAhead puts as into the index and the owner's counts. The caller holds index.mu.
func (b *Bolt) countAhead(as []ahead) {
	o := &b.own
	for i := range as {
		b.indexEntry(&as[i].entry)
		o.aheadBytes += len(as[i].value)
		o.records++
		o.recordBytes += int64(as[i].size)
	}
	if len(as) > 0 {
		if o.first == 0 {
			o.first = as[0].seq
		}
		o.last = as[len(as)-1].seq
	}
}

// dropAhead forgets the records in ahead: the store has them. Readers may still
// hold the slice, a new one is begun.
func (b *Bolt) dropAhead() {
	b.own.ahead, b.own.aheadBytes = nil, 0
	b.ahead.Store(nil)
}
