package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sealed makes v verify as a record under seq, whatever is in it, so that the
// fuzzer gets beyond the checksums.
func sealed(v []byte, seq Seq) []byte {
	v = bytes.Clone(v)
	if len(v) >= headSize {
		v[8], v[9] = recordKind, recordVersion
		binary.LittleEndian.PutUint32(v[4:], crc32.Checksum(v[headSize:], castagnoli))
		binary.LittleEndian.PutUint32(v, headCRC(v, seq))
	}
	return v
}

func FuzzRecord(f *testing.F) {
	c, err := sharedCodec()
	if err != nil {
		f.Fatal(err)
	}
	for _, fast := range []bool{false, true} {
		for _, raw := range [][]byte{nil, []byte("short"), notice(1)} {
			r := Record{Key: [32]byte{1}, Name: "ivo://a/b#c", Source: "s", Received: time.Unix(1, 2), Raw: raw}
			f.Add(uint64(7), appendRecord(nil, &r, c, fast))
		}
	}
	f.Fuzz(func(t *testing.T, n uint64, v []byte) {
		_, _ = decodeRecord(Seq(n), v, c)
		r, err := decodeRecord(Seq(n), sealed(v, Seq(n)), c)
		if err != nil {
			return
		}
		// What decodes stores and decodes again.
		again := appendRecord(nil, &r, c, n%2 == 0)
		seal(again, r.Seq, r.Flags, 0)
		got, err := decodeRecord(r.Seq, again, c)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%+v became %+v, %v", r, got, err)
		}
	})
}

func FuzzReceipts(f *testing.F) {
	at := time.Unix(1_700_000_000, 0)
	chunks, _ := packReceipts([]Progress{
		{Subscription: "a", Receipts: []Receipt{{Notice: 1, State: Acked, Sent: at, Done: at, Attempt: 1}, {Notice: 9, State: Failed, Reason: "x"}}},
		{Subscription: "b", Receipts: []Receipt{{Notice: 3, State: Queued, Attempt: 3}}},
	}, at)
	f.Add(chunks[0].value)
	f.Fuzz(func(t *testing.T, v []byte) {
		if len(v) < chunkHead {
			return
		}
		var ps []Progress
		err := eachReceipt(1, v, func(_ uint64, id string, r Receipt) error {
			ps = append(ps, Progress{Subscription: id, Receipts: []Receipt{r}})
			return nil
		})
		if err != nil {
			return
		}
		again, n := packReceipts(ps, at)
		if n != len(ps) {
			t.Fatalf("%d of %d", n, len(ps))
		}
		i := 0
		for _, c := range again {
			if err := eachReceipt(1, c.value, func(_ uint64, id string, r Receipt) error {
				if ps[i].Subscription != id || ps[i].Receipts[0] != r {
					t.Fatalf("%+v became %s %+v", ps[i], id, r)
				}
				i++
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzPage gives the reader of pages whatever it wants.
func FuzzPage(f *testing.F) {
	p := make([]byte, 4096)
	le := binary.LittleEndian
	le.PutUint64(p, 0)
	le.PutUint16(p[8:], flagLeaf)
	le.PutUint16(p[10:], 1)
	le.PutUint32(p[16+4:], 16)
	le.PutUint32(p[16+8:], 8)
	le.PutUint32(p[16+12:], 100)
	f.Add(p)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < pageHead {
			return
		}
		ps := pages{r: bytes.NewReader(b), size: int64(len(b)), page: 1024}
		for id := range uint64(len(b)/1024 + 2) {
			pg, err := ps.read(id, false)
			if err != nil {
				continue
			}
			_ = pg.each(func(e element) bool {
				if small, ok := e.inline(); ok {
					_ = small.each(func(element) bool { return true })
				}
				return true
			})
		}
		w := newWalk(bytes.NewReader(b), int64(len(b)), meta{pageSize: 1024, pages: uint64(len(b) / 1024)})
		w.problem = func(string, string) {}
		w.value = func(string, element) error { return nil }
		if err := w.run(2); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPackedReceiptsOfASeriesAreSmall(t *testing.T) {
	at := time.Now()
	rs := make([]Receipt, 1000)
	for i := range rs {
		sent := at.Add(time.Duration(i*730) * time.Microsecond)
		rs[i] = Receipt{Notice: Seq(i + 500_000), State: Acked, Sent: sent, Done: sent.Add(2345 * time.Microsecond), Attempt: 1}
	}
	chunks, n := packReceipts([]Progress{{Subscription: "telescope", Receipts: rs}}, at)
	size := 0
	for _, c := range chunks {
		size += len(c.value)
	}
	if n != len(rs) || size > 7*len(rs) {
		t.Errorf("%d receipts take %d bytes", n, size)
	}
}

// The table is compared with a map, with hashes that collide on purpose.
func TestTableAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tb table
		want := map[uint64][]Seq{}
		next := Seq(rapid.Uint64Range(1, 1<<33).Draw(t, "start"))
		hash := rapid.Custom(func(t *rapid.T) uint64 {
			// Few parts, few homes, and bits that the table does not keep.
			return rapid.Uint64Range(0, 2).Draw(t, "part")<<56 |
				rapid.Uint64Range(0, 40).Draw(t, "home")<<24 | rapid.Uint64Range(0, 1).Draw(t, "rest")
		})
		forget := func(h uint64, seq Seq) {
			for i, s := range want[h] {
				if s == seq {
					want[h] = append(want[h][:i:i], want[h][i+1:]...)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				h := hash.Draw(t, "h")
				tb.put(h, next)
				want[h] = append(want[h], next)
				next++
			},
			"replace": func(t *rapid.T) {
				h := hash.Draw(t, "h")
				if len(want[h]) == 0 {
					return
				}
				old := rapid.SampledFrom(want[h]).Draw(t, "old")
				if !tb.replace(h, old, next) {
					t.Fatalf("%d is not there", old)
				}
				forget(h, old)
				want[h] = append(want[h], next)
				next++
			},
			"remove": func(t *rapid.T) {
				h := hash.Draw(t, "h")
				if len(want[h]) == 0 {
					return
				}
				old := rapid.SampledFrom(want[h]).Draw(t, "old")
				if !tb.remove(h, old) || tb.remove(h, old) {
					t.Fatalf("%d is not there, or twice", old)
				}
				forget(h, old)
			},
			"grow": func(t *rapid.T) { tb.grow(rapid.IntRange(0, 20_000).Draw(t, "n")) },
			"": func(t *rapid.T) {
				for h, seqs := range want {
					found := map[Seq]bool{}
					tb.find(h, func(low uint32) bool {
						found[fullSeq(next-1, low)] = true
						return false
					})
					for _, s := range seqs {
						if !found[s] {
							t.Fatalf("%d under %x is lost", s, h)
						}
					}
				}
				n := 0
				for i := range tb.parts {
					n += tb.parts[i].n
				}
				for _, seqs := range want {
					n -= len(seqs)
				}
				if n != 0 {
					t.Fatalf("the table counts %d more than there are", n)
				}
			},
		})
	})
}

func TestTableOfMany(t *testing.T) {
	var tb table
	r := rand.New(rand.NewPCG(1, 2))
	hashes := make([]uint64, 200_000)
	for i := range hashes {
		hashes[i] = r.Uint64()
		tb.put(hashes[i], Seq(i+1))
	}
	for i := range hashes[:150_000] {
		if !tb.remove(hashes[i], Seq(i+1)) {
			t.Fatalf("%d is lost", i+1)
		}
	}
	for i, h := range hashes {
		found := tb.find(h, func(low uint32) bool { return fullSeq(200_000, low) == Seq(i+1) })
		if found != (i >= 150_000) {
			t.Fatalf("%d: %v", i+1, found)
		}
	}
}
