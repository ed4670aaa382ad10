package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A chunk holds packed receipts of one Commit, under the number of the first:
//
//	0  u32  CRC-32C of value[4:] and the key
//	4  u8   kind 'R'
//	5  u8   version 1
//	6  u16  zero
//	8  i64  when it was committed, Unix time in µs
//	16 ...  groups, each: uvarint length of the subscription's id, id,
//	        uvarint number of receipts, receipts
//
// A receipt is a byte of bits, then what the bits announce, as differences to
// the receipt before it in the group: a series of acks of consecutive notices
// costs 5 to 7 bytes each.
const (
	chunkHead = 16
	chunkKind = 'R'

	// A chunk is closed when it has about chunkTarget bytes.
	chunkTarget = 16 << 10

	bitState   = 0x07 // the state
	bitReason  = 0x08 // uvarint length and text follow
	bitAttempt = 0x10 // uvarint attempt follows, else it is 1
	bitSent    = 0x20 // varint µs since the Sent before
	bitDone    = 0x40 // varint µs since Sent, or since the Done before without Sent
	bitNext    = 0x80 // the notice is the one before plus 1, else a varint difference follows
)

var errChunk = errors.New("packed receipts do not verify")

// chunk is a chunk being filled.
type chunk struct {
	value []byte
	n     int // receipts
}

// packState is what the differences refer to.
type packState struct {
	notice     Seq
	sent, done int64
}

func micro(t time.Time) int64 { return t.UnixMicro() }

func fromMicro(us int64) time.Time { return time.UnixMicro(us).UTC() }

func (p *packState) append(b []byte, r *Receipt) []byte {
	bits := byte(r.State) & bitState
	reason := r.Reason
	if len(reason) > MaxReason {
		reason = reason[:MaxReason]
	}
	if reason != "" {
		bits |= bitReason
	}
	if r.Attempt != 1 {
		bits |= bitAttempt
	}
	if !r.Sent.IsZero() {
		bits |= bitSent
	}
	if !r.Done.IsZero() {
		bits |= bitDone
	}
	if r.Notice == p.notice+1 {
		bits |= bitNext
	}
	b = append(b, bits)
	if bits&bitNext == 0 {
		b = binary.AppendVarint(b, int64(r.Notice-p.notice))
	}
	p.notice = r.Notice
	if bits&bitSent != 0 {
		us := micro(r.Sent)
		b = binary.AppendVarint(b, us-p.sent)
		p.sent = us
	}
	if bits&bitDone != 0 {
		us := micro(r.Done)
		base := p.done
		if bits&bitSent != 0 {
			base = p.sent
		}
		b = binary.AppendVarint(b, us-base)
		p.done = us
	}
	if bits&bitAttempt != 0 {
		b = binary.AppendUvarint(b, uint64(r.Attempt))
	}
	if bits&bitReason != 0 {
		b = binary.AppendUvarint(b, uint64(len(reason)))
		b = append(b, reason...)
	}
	return b
}

// cursor reads numbers and texts from packed bytes; bad says that they ran out.
type unpacker struct {
	b   []byte
	bad bool
}

func (u *unpacker) take(n int) []byte {
	if n <= 0 || n > len(u.b) {
		u.bad = u.bad || n != 0
		return nil
	}
	p := u.b[:n]
	u.b = u.b[n:]
	return p
}

func (u *unpacker) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 || v > limit {
		u.bad = true
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.b)
	if n <= 0 {
		u.bad = true
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (p *packState) read(u *unpacker) (r Receipt) {
	head := u.take(1)
	if head == nil {
		u.bad = true
		return r
	}
	bits := head[0]
	r.State = ReceiptState(bits & bitState)
	if bits&bitNext != 0 {
		p.notice++
	} else {
		p.notice += Seq(u.varint())
	}
	r.Notice = p.notice
	if bits&bitSent != 0 {
		p.sent += u.varint()
		r.Sent = fromMicro(p.sent)
	}
	if bits&bitDone != 0 {
		base := p.done
		if bits&bitSent != 0 {
			base = p.sent
		}
		p.done = base + u.varint()
		r.Done = fromMicro(p.done)
	}
	r.Attempt = 1
	if bits&bitAttempt != 0 {
		r.Attempt = uint16(u.uvarint(1<<16 - 1))
	}
	if bits&bitReason != 0 {
		r.Reason = string(u.take(int(u.uvarint(MaxReason))))
	}
	return r
}

// packReceipts packs the receipts of one Commit into chunks.
func packReceipts(ps []Progress, now time.Time) (chunks []chunk, total int) {
	var c chunk
	finish := func() {
		if c.n > 0 {
			chunks = append(chunks, c)
		}
		c = chunk{}
	}
	for i := range ps {
		rs := ps[i].Receipts
		total += len(rs)
		for len(rs) > 0 {
			if c.value == nil {
				c.value = append(make([]byte, 0, 1<<10), 0, 0, 0, 0, chunkKind, layoutVersion, 0, 0)
				c.value = binary.LittleEndian.AppendUint64(c.value, uint64(micro(now)))
			}
			// The receipts of a group are counted before it: bounded by the room
			// that receipts without a reason take at most.
			const most = 40
			n := min(len(rs), max(1, (chunkTarget-len(c.value))/most))
			c.value = binary.AppendUvarint(c.value, uint64(len(ps[i].Subscription)))
			c.value = append(c.value, ps[i].Subscription...)
			c.value = binary.AppendUvarint(c.value, uint64(n))
			var p packState
			for j := range rs[:n] {
				c.value = p.append(c.value, &rs[j])
			}
			c.n += n
			rs = rs[n:]
			if len(c.value) > chunkTarget-most {
				finish()
			}
		}
	}
	finish()
	return chunks, total
}

// eachReceipt decodes a verified chunk and calls fn for its receipts; n is the
// number of the first.
func eachReceipt(n uint64, v []byte, fn func(n uint64, subscription string, r Receipt) error) error {
	u := unpacker{b: v[chunkHead:]}
	for len(u.b) > 0 {
		id := string(u.take(int(u.uvarint(MaxSubscriptionID))))
		count := u.uvarint(uint64(len(u.b)))
		if u.bad || id == "" || count == 0 {
			return errChunk
		}
		var p packState
		for range count {
			r := p.read(&u)
			if u.bad {
				return errChunk
			}
			if err := fn(n, id, r); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}

func chunkOK(k, v []byte) bool {
	return len(k) == 8 && len(v) >= chunkHead && valueOK(v, k, chunkKind)
}

func chunkTime(v []byte) time.Time {
	return fromMicro(int64(binary.LittleEndian.Uint64(v[8:])))
}

const (
	cursorKind = 'C'
	cursorSize = 16
)

func cursorValue(id string, seq Seq) []byte {
	v := make([]byte, 8, cursorSize)
	v[4], v[5] = cursorKind, layoutVersion
	v = binary.LittleEndian.AppendUint64(v, uint64(seq))
	sealValue(v, []byte(id))
	return v
}

func decodeCursor(id, v []byte) (Seq, bool) {
	if len(v) != cursorSize || !valueOK(v, id, cursorKind) {
		return 0, false
	}
	return Seq(binary.LittleEndian.Uint64(v[8:])), true
}

// Commit implements Log. The caller's goroutine packs the receipts.
func (b *Bolt) Commit(ctx context.Context, ps []Progress) error {
	for i := range ps {
		if err := checkID(ps[i].Subscription); err != nil {
			return err
		}
		for j := range ps[i].Receipts {
			if s := ps[i].Receipts[j].State; s < Queued || s > Failed {
				return fmt.Errorf("journal: receipt of unknown state %d", s)
			}
		}
	}
	if len(ps) == 0 {
		return ctx.Err()
	}
	chunks, total := packReceipts(ps, b.o.Now())
	cursors := make(map[string][]byte, len(ps))
	for i := range ps {
		if !ps[i].KeepCursor {
			cursors[ps[i].Subscription] = cursorValue(ps[i].Subscription, ps[i].Cursor)
		}
	}
	// What do writes is adopted only after the commit, but several Commits may
	// share a transaction: the owner hands each the counters the one before it
	// left.
	do := func(tx *bolt.Tx) error {
		o := &b.own
		bk := tx.Bucket(bucketReceipts)
		bk.FillPercent = fillSequential
		for i := range chunks {
			k := seqKeySlice(Seq(o.pending.nextReceipt))
			sealValue(chunks[i].value, k)
			if err := bk.Put(k, chunks[i].value); err != nil {
				return err
			}
			o.pending.nextReceipt += uint64(chunks[i].n)
			o.pending.receiptBytes += int64(len(chunks[i].value))
		}
		bk = tx.Bucket(bucketCursors)
		for id, v := range cursors {
			if err := bk.Put([]byte(id), v); err != nil {
				return err
			}
		}
		return nil
	}
	return b.change(ctx, do, func() { b.own.stats.Receipts += uint64(total) })
}

// Receipts implements Log. It reads chunk by chunk and holds no transaction
// while fn runs.
func (b *Bolt) Receipts(ctx context.Context, after uint64, fn func(n uint64, subscription string, r Receipt) error) error {
	const atOnce = 256 << 10
	type held struct {
		n     uint64
		value []byte
	}
	for next := after + 1; ; {
		var got []held
		err := b.view(ctx, func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketReceipts).Cursor()
			k, v := c.Seek(seqKeySlice(Seq(next)))
			if n, ok := keySeq(k); !ok || uint64(n) != next {
				// next may lie within the chunk before.
				if pk, pv := c.Prev(); pk != nil {
					k, v = pk, pv
				} else {
					k, v = c.First()
				}
			}
			for size := 0; k != nil && size < atOnce; k, v = c.Next() {
				n, _ := keySeq(k)
				if !chunkOK(k, v) {
					return b.damaged(fmt.Sprintf("receipts from %d on", n), errChunk)
				}
				got = append(got, held{uint64(n), append([]byte(nil), v...)})
				size += len(v)
			}
			return nil
		})
		if err != nil {
			return err
		}
		end := next
		for _, h := range got {
			err := eachReceipt(h.n, h.value, func(n uint64, id string, r Receipt) error {
				if n < next {
					return nil
				}
				end = n + 1
				return fn(n, id, r)
			})
			if errors.Is(err, errChunk) {
				return b.damaged(fmt.Sprintf("receipts from %d on", h.n), err)
			}
			if err != nil {
				return err
			}
		}
		if end == next {
			return nil
		}
		next = end
	}
}
