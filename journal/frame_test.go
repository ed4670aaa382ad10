package journal

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// What another round has left, or an author has put into a notice, is no frame of
// this one, fitting as it may be.
func TestAFrameOfAnotherRoundIsNotTaken(t *testing.T) {
	r := rec(1, 300)
	v := appendRecord(nil, &r, nil, false)
	seal(v, 1, 0, 0)
	a := frame{round: 7, first: 1, values: [][]byte{v}}
	for round, want := range map[uint64]int{7: 2, 8: 1} {
		b := frame{round: round, place: 1, prev: 1, first: 2, values: [][]byte{v}}
		if fs := decodeFrames(append(a.encode(), b.encode()...)); len(fs) != want {
			t.Errorf("a second frame of round %d after one of round 7: %d frames", round, len(fs))
		}
	}
}

// Frames that follow the store are taken; those it has are left out, those that
// overlap it are a refused batch's, those that leave a gap tell of a loss.
func TestOnlyFramesThatFollowTheStoreAreReplayed(t *testing.T) {
	value := func(seq Seq) []byte {
		r := rec(int(seq), 10)
		v := appendRecord(nil, &r, nil, false)
		seal(v, seq, 0, 0)
		return v
	}
	two := func(first Seq) frame {
		return frame{prev: first - 1, first: first, values: [][]byte{value(first), value(first + 1)}}
	}
	for _, c := range []struct {
		last, from, to Seq
		gap            bool
	}{
		{0, 1, 6, true}, {2, 3, 6, false}, {4, 5, 6, false}, {6, 0, 0, false}, {9, 0, 0, false}, {3, 0, 0, false}, {5, 0, 0, false},
	} {
		fs := []frame{two(1), two(3), two(5)}
		if c.gap {
			fs = []frame{two(1), two(5)}
			c.from = 1
		}
		as, gap, err := after(fs, c.last)
		if err != nil || gap != c.gap {
			t.Errorf("after %d: gap %v, %v", c.last, gap, err)
		}
		if len(as) == 0 && c.from == 0 {
			continue
		}
		if len(as) == 0 || as[0].seq != c.from || as[len(as)-1].seq != c.to {
			t.Errorf("after %d: %d records, want %d to %d", c.last, len(as), c.from, c.to)
		}
	}
}

func FuzzFrame(f *testing.F) {
	c, err := sharedCodec()
	if err != nil {
		f.Fatal(err)
	}
	r := rec(1, 300)
	v := appendRecord(nil, &r, c, false)
	seal(v, 1, 0, 0)
	one := frame{round: 7, prev: 0, first: 1, values: [][]byte{v}}
	two := frame{round: 7, place: 1, prev: 1, first: 2, values: [][]byte{v, nil, v}}
	f.Add(append(one.encode(), two.encode()...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := decodeFrames(b)
		for i := range fs {
			g := fs[i]
			again, size, ok := decodeFrame(g.encode())
			if !ok || size != frameSize(g.values) || again.first != g.first || len(again.values) != len(g.values) {
				t.Fatalf("%+v became %+v", g, again)
			}
		}
		_, _, _ = after(fs, 0)
		// The same with checksums that hold, so that lengths are what is tested.
		if len(b) >= frameHead {
			_, _, _ = decodeFrame(resealed(b))
		}
	})
}

// resealed gives b the mark and the checksum of a frame.
func resealed(b []byte) []byte {
	b = append([]byte(nil), b...)
	le := binary.LittleEndian
	le.PutUint32(b[40:], frameMagic)
	le.PutUint32(b[44:], 0)
	if n := int(le.Uint32(b[4:])); n < frameHead || n > len(b) {
		le.PutUint32(b[4:], uint32(len(b)))
	}
	le.PutUint32(b, crc32.Checksum(b[4:le.Uint32(b[4:])], castagnoli))
	return b
}
