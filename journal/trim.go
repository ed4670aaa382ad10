package journal

import (
	"context"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The most that one transaction of a trim removes: so much that a trim outruns
// any stream of appends, and so little that an append waits for a few
// milliseconds at most.
const (
	trimRecords = 256
	trimChunks  = 64
)

// removed is one record taken out by a step of Trim.
type removed struct {
	seq       Seq
	key, name uint64
	size      int
}

// trimStep is one transaction of a trim.
type trimStep struct {
	b      *Bolt
	policy TrimPolicy

	gone     []removed
	first    Seq // of the records left
	receipts int
	bytes    int64 // of all that was removed
	more     bool
	// err is why the step removed nothing: a bad record ends the trim, not the
	// transaction that others share.
	err error

	chunks     [][]byte
	chunkBytes int64
}

// Trim implements Log.
func (b *Bolt) Trim(ctx context.Context, p TrimPolicy) (Trimmed, error) {
	if p.Now.IsZero() {
		p.Now = b.o.Now()
	}
	var t Trimmed
	for {
		s := &trimStep{b: b, policy: p}
		if err := b.change(ctx, s.do, s.adopt); err != nil {
			return t, err
		}
		if s.err != nil {
			return t, s.err
		}
		t.Records += len(s.gone)
		t.Receipts += s.receipts
		t.Bytes += s.bytes
		if !s.more {
			return t, nil
		}
	}
}

// do removes the oldest records and chunks of receipts, whichever is older
// first, until the policy holds or the step is full.
func (s *trimStep) do(tx *bolt.Tx) error {
	o := &s.b.own
	notices, receipts := tx.Bucket(bucketNotices), tx.Bucket(bucketReceipts)
	*s = trimStep{b: s.b, policy: s.policy, gone: s.gone[:0]}
	live := o.recordBytes + o.pending.receiptBytes
	excess := int64(0)
	if s.policy.MaxBytes > 0 {
		excess = live - s.policy.MaxBytes
	}
	oldest := time.Time{}
	if s.policy.MaxAge > 0 {
		oldest = s.policy.Now.Add(-s.policy.MaxAge)
	}
	last, _ := notices.Cursor().Last()
	newest, _ := keySeq(last)

	nc, rc := notices.Cursor(), receipts.Cursor()
	nk, nv := nc.First()
	rk, rv := rc.First()
	fail := func(what string, err error) error {
		*s = trimStep{err: s.b.damaged(what, err)}
		return nil
	}
	for {
		seq, _ := keySeq(nk)
		var h head
		haveNotice := nk != nil && seq < newest
		if haveNotice {
			var err error
			if h, err = decodeHead(seq, nv); err != nil {
				return fail(fmt.Sprintf("notice %d", seq), err)
			}
		}
		haveChunk := rk != nil
		if haveChunk && !chunkOK(rk, rv) {
			n, _ := keySeq(rk)
			return fail(fmt.Sprintf("receipts from %d on", n), errChunk)
		}
		takeNotice := haveNotice && (!haveChunk || !chunkTime(rv).Before(h.received()))
		switch {
		case takeNotice && (excess > s.bytes || h.received().Before(oldest)):
			if len(s.gone) == trimRecords {
				s.more = true
				return s.delete(tx)
			}
			s.gone = append(s.gone, removed{seq, keyHash(&h.key), nameHash(h.name(nv)), len(nv)})
			s.bytes += int64(len(nv))
			nk, nv = nc.Next()
		case !takeNotice && haveChunk && (excess > s.bytes || chunkTime(rv).Before(oldest)):
			if len(s.chunks) == trimChunks {
				s.more = true
				return s.delete(tx)
			}
			s.chunks = append(s.chunks, append([]byte(nil), rk...))
			s.bytes += int64(len(rv))
			s.chunkBytes += int64(len(rv))
			n, _ := keySeq(rk)
			if err := eachReceipt(uint64(n), rv, func(uint64, string, Receipt) error {
				s.receipts++
				return nil
			}); err != nil {
				return fail(fmt.Sprintf("receipts from %d on", n), err)
			}
			rk, rv = rc.Next()
		default:
			return s.delete(tx)
		}
	}
}

func (s *trimStep) delete(tx *bolt.Tx) error {
	s.b.own.pending.receiptBytes -= s.chunkBytes
	receipts := tx.Bucket(bucketReceipts)
	for _, k := range s.chunks {
		if err := receipts.Delete(k); err != nil {
			return err
		}
	}
	if len(s.gone) == 0 {
		return nil
	}
	notices := tx.Bucket(bucketNotices)
	for i := range s.gone {
		if err := notices.Delete(seqKeySlice(s.gone[i].seq)); err != nil {
			return err
		}
	}
	k, _ := notices.Cursor().First()
	s.first, _ = keySeq(k)
	// Blocks of the index go when nothing of them is left.
	index := tx.Bucket(bucketIndex)
	c := index.Cursor()
	var blocks [][]byte
	for k, v := c.First(); k != nil; k, v = c.Next() {
		from, ok := keySeq(k)
		if !ok || from+Seq(blockLen(v)) > s.first {
			break
		}
		blocks = append(blocks, append([]byte(nil), k...))
	}
	for _, k := range blocks {
		if err := index.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// adopt takes a committed step over into memory.
func (s *trimStep) adopt() {
	if len(s.gone) == 0 {
		return
	}
	o, x := &s.b.own, &s.b.index
	x.mu.Lock()
	for i := range s.gone {
		g := &s.gone[i]
		x.keys.remove(g.key, g.seq)
		x.names.remove(g.name, g.seq)
	}
	x.marks.drop(s.first)
	x.mu.Unlock()
	for i := range s.gone {
		o.records--
		o.recordBytes -= int64(s.gone[i].size)
	}
	o.first = s.first
}
