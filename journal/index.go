package journal

import (
	"crypto/sha256"
	"encoding/binary"
)

// table maps 64-bit hashes to numbers of records: open addressing in 256
// parts, so that growing one part never holds the owner up for long. It keeps
// 40 bits of a hash: whoever finds a number verifies it against the record.
//
// A slot is tag<<32 | low 32 bits of the number; 0 is empty (tags are never 0).
// The tag also gives the slot's home, so that parts grow and slots are deleted
// (by shifting back) without the hashes. Memory: 8 bytes a slot, at most 3/4 of
// the slots used, 10.7 to 21.3 bytes a record and 14 on average.
type table struct {
	parts [256]part
}

type part struct {
	slots []uint64
	n     int
}

func tagOf(h uint64) uint32 { return uint32(h>>24) | 1<<31 }

// grow makes room in all parts for n records altogether.
func (t *table) grow(n int) {
	want := 16
	for want*3/4 < n/len(t.parts)*9/8 {
		want *= 2
	}
	for i := range t.parts {
		if p := &t.parts[i]; len(p.slots) < want {
			p.resize(want)
		}
	}
}

func (t *table) bytes() int64 {
	n := 0
	for i := range t.parts {
		n += len(t.parts[i].slots)
	}
	return int64(n) * 8
}

func (p *part) resize(n int) {
	old := p.slots
	p.slots = make([]uint64, n)
	for _, s := range old {
		if s != 0 {
			p.slots[p.free(uint32(s>>32))] = s
		}
	}
}

// free finds the empty slot where tag goes.
func (p *part) free(tag uint32) int {
	mask := len(p.slots) - 1
	i := int(tag) & mask
	for p.slots[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

// put adds seq under h.
func (t *table) put(h uint64, seq Seq) {
	p := &t.parts[h>>56]
	if p.n >= len(p.slots)*3/4 {
		p.resize(max(16, 2*len(p.slots)))
	}
	tag := tagOf(h)
	p.slots[p.free(tag)] = uint64(tag)<<32 | uint64(uint32(seq))
	p.n++
}

// find calls fn with the low 32 bits of every number that may be under h,
// until fn returns true; it says whether fn did.
func (t *table) find(h uint64, fn func(low uint32) bool) bool {
	p := &t.parts[h>>56]
	if len(p.slots) == 0 {
		return false
	}
	tag, mask := tagOf(h), len(p.slots)-1
	for i := int(tag) & mask; p.slots[i] != 0; i = (i + 1) & mask {
		if uint32(p.slots[i]>>32) == tag && fn(uint32(p.slots[i])) {
			return true
		}
	}
	return false
}

func (t *table) slot(h uint64, seq Seq) (*part, int) {
	p := &t.parts[h>>56]
	if len(p.slots) == 0 {
		return p, -1
	}
	tag, mask := tagOf(h), len(p.slots)-1
	want := uint64(tag)<<32 | uint64(uint32(seq))
	for i := int(tag) & mask; p.slots[i] != 0; i = (i + 1) & mask {
		if p.slots[i] == want {
			return p, i
		}
	}
	return p, -1
}

// replace puts seq in the place of old; it says whether old was there.
func (t *table) replace(h uint64, old, seq Seq) bool {
	p, i := t.slot(h, old)
	if i < 0 {
		return false
	}
	p.slots[i] = p.slots[i]>>32<<32 | uint64(uint32(seq))
	return true
}

// remove takes seq out and closes the hole, so that no tombstones slow down
// later searches.
func (t *table) remove(h uint64, seq Seq) bool {
	p, i := t.slot(h, seq)
	if i < 0 {
		return false
	}
	mask := len(p.slots) - 1
	for j := (i + 1) & mask; p.slots[j] != 0; j = (j + 1) & mask {
		home := int(uint32(p.slots[j]>>32)) & mask
		if (j-home)&mask >= (j-i)&mask {
			p.slots[i] = p.slots[j]
			i = j
		}
	}
	p.slots[i] = 0
	p.n--
	return true
}

// fullSeq is the number that ends in low and is not greater than last: a
// journal keeps fewer than 2^32 records.
func fullSeq(last Seq, low uint32) Seq { return last - Seq(uint32(last)-low) }

func keyHash(key *[32]byte) uint64 { return binary.BigEndian.Uint64(key[:]) }

// nameHash is cryptographic because authors choose names: with a weaker one
// they could make all appends search through their collisions.
func nameHash(name []byte) uint64 {
	s := sha256.Sum256(name)
	return binary.BigEndian.Uint64(s[:])
}

// window is how many numbers share one entry of marks.
const window = 64

// marks keeps the latest time of arrival in every window of numbers: what
// SeekTime needs to look at one window of records only, at 1/8 byte a record.
// Clocks step back, so times are no sorted column to search by halves.
type marks struct {
	base Seq // number of the first window: number / window
	max  []int64
}

func (m *marks) add(seq Seq, unixNano int64) {
	w := seq / window
	if len(m.max) == 0 {
		m.base = w
	}
	for m.base+Seq(len(m.max)) <= w {
		m.max = append(m.max, minTime)
	}
	if i := w - m.base; m.max[i] < unixNano {
		m.max[i] = unixNano
	}
}

// drop forgets the windows that end before first.
func (m *marks) drop(first Seq) {
	if w := first / window; w > m.base && len(m.max) > 0 {
		n := min(w-m.base, Seq(len(m.max)))
		m.max = m.max[n:]
		m.base += n
	}
}

// next gives the first number at or after from in a window with a time at or
// after unixNano; ok is false when there is none.
func (m *marks) next(from Seq, unixNano int64) (Seq, bool) {
	w := max(from/window, m.base)
	for ; w < m.base+Seq(len(m.max)); w++ {
		if m.max[w-m.base] >= unixNano {
			return max(from, w*window), true
		}
	}
	return 0, false
}
