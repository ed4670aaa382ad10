package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// maxRead bounds the bytes of the notices that one Read gives out.
const maxRead = 8 << 20

// view runs fn in a read transaction.
func (b *Bolt) view(ctx context.Context, fn func(tx *bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-b.queue.closed:
		return ErrClosed
	default:
	}
	err := b.guard(func() error { return b.db.View(fn) })
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// Read implements Log.
func (b *Bolt) Read(ctx context.Context, after Seq, dst []Record) (n int, err error) {
	_, last := b.Bounds()
	if len(dst) == 0 || after >= last {
		// Nothing to read, but a closed journal and an ended context say so.
		return 0, b.view(ctx, func(*bolt.Tx) error { return nil })
	}
	size := 0
	err = b.viewRecords(ctx, func(rs records) (err error) {
		rs.each(after+1, last, func(seq Seq, v []byte) bool {
			r, e := decodeRecord(seq, v, b.codec)
			if e != nil {
				err = b.damaged(fmt.Sprintf("notice %d", seq), e)
				return false
			}
			dst[n] = r
			size += len(r.Raw)
			n++
			return n < len(dst) && size < maxRead
		})
		return err
	})
	if n > 0 {
		// What was read before the bad place is good; the next call meets it.
		return n, nil
	}
	return 0, err
}

// FindKey implements Log.
func (b *Bolt) FindKey(ctx context.Context, key [32]byte) (seq Seq, ok bool, err error) {
	err = b.viewRecords(ctx, func(rs records) error {
		for _, seq = range b.candidates(&b.index.keys, keyHash(&key)) {
			if h, err := decodeHead(seq, rs.get(seq)); err == nil && h.key == key {
				ok = true
				return nil
			}
		}
		seq = 0
		return nil
	})
	return seq, ok, err
}

// candidates are the numbers that the index has under h. The records are read
// without its lock.
func (b *Bolt) candidates(t *table, h uint64) (found []Seq) {
	_, last := b.Bounds()
	b.index.mu.RLock()
	defer b.index.mu.RUnlock()
	t.find(h, func(low uint32) bool {
		found = append(found, fullSeq(last, low))
		return false
	})
	return found
}

// maxSameName bounds what FindName gives out: the newest that many.
const maxSameName = 10_000

// FindName implements Log. Of more than 10,000 notices with one name it gives
// the newest 10,000.
func (b *Bolt) FindName(ctx context.Context, name string) (found []Seq, err error) {
	err = b.viewRecords(ctx, func(rs records) error {
		var seq Seq
		for _, s := range b.candidates(&b.index.names, nameHash([]byte(name))) {
			v := rs.get(s)
			if h, err := decodeHead(s, v); err == nil && string(h.name(v)) == name {
				seq = s
				break
			}
		}
		for seq != 0 && len(found) < maxSameName {
			v := rs.get(seq)
			if v == nil {
				break // trimmed: the chain goes from new to old
			}
			h, err := decodeHead(seq, v)
			if err != nil || h.prev >= seq {
				return b.damaged(fmt.Sprintf("notice %d", seq), err)
			}
			found = append(found, seq)
			seq = h.prev
		}
		return nil
	})
	slices.Reverse(found)
	return found, err
}

// SeekTime implements Log.
func (b *Bolt) SeekTime(ctx context.Context, t time.Time) (after Seq, err error) {
	first, last := b.Bounds()
	if last == 0 {
		return 0, b.view(ctx, func(*bolt.Tx) error { return nil })
	}
	nano := clampNano(t)
	err = b.viewRecords(ctx, func(rs records) (err error) {
		for from := first; ; {
			b.index.mu.RLock()
			start, ok := b.index.marks.next(from, nano)
			b.index.mu.RUnlock()
			if !ok || start > last {
				after = last
				return nil
			}
			end := min(start/window*window+window-1, last)
			found := false
			rs.each(start, end, func(seq Seq, v []byte) bool {
				h, e := decodeHead(seq, v)
				switch {
				case e != nil:
					err = b.damaged(fmt.Sprintf("notice %d", seq), e)
				case !h.received().Before(t):
					after, found = seq-1, true
				}
				return err == nil && !found
			})
			if err != nil || found {
				return err
			}
			from = end + 1
		}
	})
	if after < first {
		after = 0
	}
	return after, err
}
