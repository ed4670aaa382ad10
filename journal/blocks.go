package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// entry is what the index on disk says of one record: all that Open needs to
// rebuild the index in memory without touching the records.
type entry struct {
	seq      Seq
	key      uint64 // keyHash
	name     uint64 // nameHash
	received int64  // Unix time in ns, held to the range of int64
	size     uint32 // of the record as stored
	prev     Seq    // as in the record
}

// A block of the index holds the entries of consecutive records under the
// number of the first:
//
//	0  u32  CRC-32C of value[4:] and the key
//	4  u8   kind 'I'
//	5  u8   version 1
//	6  u16  zero
//	8  ...  entries of entrySize bytes: key, name, received, prev, size
const (
	blockHead = 8
	entrySize = 36
	blockKind = 'I'

	// Once "recent" has foldAt entries they are folded into one block of "index":
	// few large blocks make a cold start read few places of the file, and
	// "recent" stays so small that a commit rewrites one or two pages of it.
	foldAt = 4096
)

var errBlock = errors.New("index block does not verify")

const minTime = math.MinInt64

// clampNano is t as Unix time in ns, held to the range of int64.
func clampNano(t time.Time) int64 {
	const span = math.MaxInt64 / int64(time.Second)
	switch s := t.Unix(); {
	case s >= span:
		return math.MaxInt64
	case s <= -span:
		return minTime
	}
	return t.UnixNano()
}

func encodeBlock(es []entry) []byte {
	b := append(make([]byte, 0, blockHead+len(es)*entrySize), 0, 0, 0, 0, blockKind, layoutVersion, 0, 0)
	le := binary.LittleEndian
	for i := range es {
		e := &es[i]
		b = le.AppendUint64(b, e.key)
		b = le.AppendUint64(b, e.name)
		b = le.AppendUint64(b, uint64(e.received))
		b = le.AppendUint64(b, uint64(e.prev))
		b = le.AppendUint32(b, e.size)
	}
	sealValue(b, seqKeySlice(es[0].seq))
	return b
}

// eachEntry verifies a block and calls fn for its entries in order.
func eachEntry(k, v []byte, fn func(e *entry)) error {
	seq, ok := keySeq(k)
	if !ok || !valueOK(v, k, blockKind) || (len(v)-blockHead)%entrySize != 0 {
		return errBlock
	}
	le := binary.LittleEndian
	for v = v[blockHead:]; len(v) > 0; v = v[entrySize:] {
		fn(&entry{
			seq:      seq,
			key:      le.Uint64(v),
			name:     le.Uint64(v[8:]),
			received: int64(le.Uint64(v[16:])),
			prev:     Seq(le.Uint64(v[24:])),
			size:     le.Uint32(v[32:]),
		})
		seq++
	}
	return nil
}

func blockLen(v []byte) int { return (len(v) - blockHead) / entrySize }

func seqKeySlice(s Seq) []byte {
	k := seqKey(s)
	return k[:]
}

// sealValue sets the checksum of a value other than a record: CRC-32C of
// v[4:] and the key it is stored under, so that nothing verifies in a place
// that is not its own.
func sealValue(v, k []byte) {
	binary.LittleEndian.PutUint32(v, valueCRC(v, k))
}

func valueCRC(v, k []byte) uint32 {
	return crc32.Update(crc32.Checksum(v[4:], castagnoli), castagnoli, k)
}

// layoutVersion is the fifth byte of all values but records.
const layoutVersion = 1

func valueOK(v, k []byte, kind byte) bool {
	return len(v) >= 8 && v[4] == kind && v[5] == layoutVersion && binary.LittleEndian.Uint32(v) == valueCRC(v, k)
}

// putEntries writes the entries of one commit, which follow tail: into
// "recent", or folds all of both into "index".
func putEntries(tx *bolt.Tx, tail, es []entry) error {
	if len(es) == 0 {
		return nil
	}
	if len(tail)+len(es) < foldAt {
		b := tx.Bucket(bucketRecent)
		b.FillPercent = fillSequential
		return b.Put(seqKeySlice(es[0].seq), encodeBlock(es))
	}
	if err := tx.DeleteBucket(bucketRecent); err != nil {
		return err
	}
	if _, err := tx.CreateBucket(bucketRecent); err != nil {
		return err
	}
	all := slices.Concat(tail, es)
	b := tx.Bucket(bucketIndex)
	b.FillPercent = fillSequential
	return b.Put(seqKeySlice(all[0].seq), encodeBlock(all))
}
