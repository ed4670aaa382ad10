package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame holds the records of one batch in the write-ahead file. It begins at a
// multiple of framePage, so that no page that holds something acknowledged is
// written again in the same round; the rest of its last page is zero.
//
//	 0  u32  CRC-32C of the frame from byte 4 to its length
//	 4  u32  length, without the zeros at the end
//	 8  u64  round: a random number, one for all frames since the file was last
//	         started from its beginning
//	16  u32  place of the frame in its round, from 0
//	20  u32  number of records, at least 1
//	24  u64  number of the notice before the first record, 0 when there is none
//	32  u64  number of the first record; those of the others follow it
//	40  u32  'T', 'W', version 1, 0
//	44  u32  zero
//	48  ...  records, each: u32 length, the record as stored
//
// What is left of earlier rounds behind the last frame has another round, and so
// has whatever an author may have put into a notice: the round is no secret that
// anyone outside could know.
const (
	frameHead  = 48
	framePage  = 4 << 10
	frameMagic = 'T' | 'W'<<8 | 1<<16
)

// frame is a decoded frame.
type frame struct {
	round       uint64
	place       uint32
	prev, first Seq
	values      [][]byte
}

func (f *frame) last() Seq { return f.first + Seq(len(f.values)) - 1 }

// frameSize is the length of a frame with these values, zeros included.
func frameSize(values [][]byte) int {
	n := frameHead
	for _, v := range values {
		n += 4 + len(v)
	}
	return (n + framePage - 1) / framePage * framePage
}

// encode gives the bytes of f and sets its values to the copies in them.
func (f *frame) encode() []byte {
	b := make([]byte, frameHead, frameSize(f.values))
	le := binary.LittleEndian
	for i, v := range f.values {
		b = le.AppendUint32(b, uint32(len(v)))
		b = append(b, v...)
		f.values[i] = b[len(b)-len(v) : len(b) : len(b)]
	}
	le.PutUint32(b[4:], uint32(len(b)))
	le.PutUint64(b[8:], f.round)
	le.PutUint32(b[16:], f.place)
	le.PutUint32(b[20:], uint32(len(f.values)))
	le.PutUint64(b[24:], uint64(f.prev))
	le.PutUint64(b[32:], uint64(f.first))
	le.PutUint32(b[40:], frameMagic)
	le.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b[:cap(b)]
}

// decodeFrame decodes the frame that b begins with; ok is false when there is no
// whole one. The values lie in b. The size includes the zeros at the end.
func decodeFrame(b []byte) (f frame, size int, ok bool) {
	le := binary.LittleEndian
	if len(b) < frameHead || le.Uint32(b[40:]) != frameMagic || le.Uint32(b[44:]) != 0 {
		return f, 0, false
	}
	length, n := uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[20:]))
	if length < frameHead || length > uint64(len(b)) || n == 0 || n > (length-frameHead)/4 {
		return f, 0, false
	}
	size = (int(length) + framePage - 1) / framePage * framePage
	if le.Uint32(b) != crc32.Checksum(b[4:length], castagnoli) {
		return f, 0, false
	}
	f = frame{
		round: le.Uint64(b[8:]), place: le.Uint32(b[16:]),
		prev: Seq(le.Uint64(b[24:])), first: Seq(le.Uint64(b[32:])),
		values: make([][]byte, n),
	}
	if f.first <= f.prev || f.last() < f.first {
		return frame{}, 0, false
	}
	rest := b[frameHead:length]
	for i := range f.values {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(le.Uint32(rest)) {
			return frame{}, 0, false
		}
		end := 4 + int(le.Uint32(rest))
		f.values[i], rest = rest[4:end:end], rest[end:]
	}
	return f, size, len(rest) == 0
}

// decodeFrames gives the frames of the round that b begins with, in order. A frame
// that does not verify is left out and the search goes on, so that damage in
// their midst shows as a gap between a frame's prev and the frame before it.
func decodeFrames(b []byte) (fs []frame) {
	if len(b) < frameHead {
		return nil
	}
	round := binary.LittleEndian.Uint64(b[8:])
	next := uint32(0)
	for off := 0; off < len(b); {
		// The round first: checksums of what only looks like a frame cost time.
		if rest := b[off:]; len(rest) >= frameHead && binary.LittleEndian.Uint64(rest[8:]) == round {
			if f, size, ok := decodeFrame(rest); ok && f.place >= next {
				fs = append(fs, f)
				next = f.place + 1
				off += size
				continue
			}
		}
		off += framePage
	}
	return fs
}

// after gives the records in frames that follow last, the greatest number in the
// store. What the store holds already is left out. Frames that only overlap it
// are what a refused batch has left, and end it. A gap says that records between
// what is known and a later frame are lost; those after it are given too.
func after(fs []frame, last Seq) (as []ahead, gap bool, err error) {
	for i := range fs {
		f := &fs[i]
		if f.last() <= last {
			continue
		}
		if f.prev < last {
			break
		}
		gap = gap || f.prev > last
		for k, v := range f.values {
			a, err := makeAhead(f.first+Seq(k), v)
			if err != nil {
				return as, gap, err
			}
			as = append(as, a)
		}
		last = f.last()
	}
	return as, gap, nil
}
