package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// notice makes a notice of about 6.3 kB that compresses as real ones do (to a
// third): boilerplate with numbers, names and times that differ from one to the
// next.
func notice(n uint64) []byte {
	r := rand.New(rand.NewPCG(n, 7))
	b := make([]byte, 0, 7<<10)
	b = append(b, `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="2.0" role="test" ivorn="`...)
	b = append(b, ivorn(n)...)
	b = append(b, "\">\n<Who><AuthorIVORN>ivo://example.org/tocsin</AuthorIVORN></Who>\n<What>\n"...)
	words := []string{"Burst", "Trigger", "Sun", "Galactic", "Pointing", "Energy", "Rate", "Error", "Moon", "Image", "Fluence", "Likelihood"}
	for i := 0; len(b) < 6100; i++ {
		w := words[r.IntN(len(words))]
		b = fmt.Appendf(b, "  <Param name=\"%s_%s_%d\" value=\"%.4f\" unit=\"deg\" ucd=\"meta.%s\">\n", w, words[r.IntN(len(words))], i, r.Float64()*360, w)
		if i%4 == 0 {
			b = fmt.Appendf(b, "    <Description>%x seen by %s at %d</Description>\n", r.Uint64(), w, r.Uint32())
		}
		b = append(b, "  </Param>\n"...)
	}
	return append(b, "</What>\n</voe:VOEvent>\n"...)
}

func ivorn(n uint64) string { return fmt.Sprintf("ivo://example.org/stream#%d", n) }

// prepared makes n records with keys of their own; the raw bytes repeat.
func prepared(n int) func(i uint64) Record {
	raws := make([][]byte, n)
	for i := range raws {
		raws[i] = notice(uint64(i))
	}
	return func(i uint64) Record {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], i)
		return Record{Key: sha256.Sum256(b[:]), Name: ivorn(i), Source: "127.0.0.1", Raw: raws[i%uint64(len(raws))]}
	}
}

// cpu is the processor time this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func openBench(b *testing.B, o Options) *Bolt {
	b.Helper()
	j, err := Open(filepath.Join(b.TempDir(), "journal.db"), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := j.Close(); err != nil {
			b.Error(err)
		}
	})
	return j
}

// BenchmarkAppend: each producer waits for its append before the next one;
// every append is synced before it returns.
func BenchmarkAppend(b *testing.B) {
	rec := prepared(256)
	for _, producers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			j := openBench(b, Options{})
			var n atomic.Uint64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			used := cpu()
			for range producers {
				wg.Go(func() {
					for {
						i := n.Add(1)
						if i > uint64(b.N) {
							return
						}
						if _, err := j.Append(context.Background(), rec(i)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			s := j.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
			b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(b.N)/float64(s.Commits), "appends/commit")
			b.ReportMetric(float64(s.Stored)/float64(b.N), "stored-B/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRead reads a journal in steps of 256 from start to end.
func BenchmarkRead(b *testing.B) {
	j := openBench(b, Options{NoSync: true})
	rec := prepared(256)
	const records = 20_000
	var last Pending
	for i := range uint64(records) {
		var err error
		if last, err = j.Enqueue(context.Background(), rec(i)); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := last.Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
	dst := make([]Record, 256)
	b.ReportAllocs()
	b.ResetTimer()
	after := Seq(0)
	for done := 0; done < b.N; {
		n, err := j.Read(context.Background(), after, dst[:min(len(dst), b.N-done)])
		if err != nil {
			b.Fatal(err)
		}
		done += n
		if after += Seq(n); after >= records {
			after = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}

// BenchmarkCommit stores the receipts of 500 subscriptions, 5 each, in one
// transaction.
func BenchmarkCommit(b *testing.B) {
	j := openBench(b, Options{})
	ps := make([]Progress, 500)
	b.ReportAllocs()
	b.ResetTimer()
	used := cpu()
	for n := range b.N {
		now := time.Now()
		for i := range ps {
			rs := make([]Receipt, 5)
			for k := range rs {
				sent := now.Add(time.Duration(k*9+i) * time.Millisecond / 10)
				rs[k] = Receipt{Notice: Seq(n*5 + k + 1), State: Acked, Sent: sent, Done: sent.Add(2 * time.Millisecond), Attempt: 1}
			}
			ps[i] = Progress{Subscription: fmt.Sprintf("telescope-%04d", i), Cursor: Seq(n*5 + 5), Receipts: rs}
		}
		if err := j.Commit(context.Background(), ps); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	receipts := float64(b.N * len(ps) * 5)
	b.ReportMetric(receipts/b.Elapsed().Seconds(), "receipts/s")
	b.ReportMetric(float64((cpu()-used).Nanoseconds())/receipts, "cpu-ns/receipt")
	b.ReportMetric(float64(j.Stats().LiveBytes)/receipts, "B/receipt")
}

// BenchmarkOpen1M opens a journal of a million notices. It builds the file
// first (2.5 GB, a minute or two) and therefore runs only when
// TOCSIN_BENCH_1M=1; with a folder instead of 1 the file is kept there and used
// again.
func BenchmarkOpen1M(b *testing.B) {
	dir := os.Getenv("TOCSIN_BENCH_1M")
	if dir == "" {
		b.Skip("builds a file of 2.5 GB: set TOCSIN_BENCH_1M=1")
	}
	if dir == "1" {
		dir = b.TempDir()
	}
	path := filepath.Join(dir, "million.db")
	const records = 1_000_000
	j, err := Open(path, Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	rec := prepared(1024)
	for _, last := j.Bounds(); last < records; _, last = j.Bounds() {
		var p Pending
		for i := last; i < min(last+10_000, records); i++ {
			if p, err = j.Enqueue(context.Background(), rec(uint64(i))); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := p.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	used := cpu()
	for range b.N {
		j, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s := j.Stats()
		b.ReportMetric(float64(s.IndexBytes)/float64(s.Records), "index-B/notice")
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64((cpu()-used).Milliseconds())/float64(b.N), "cpu-ms/op")
}
