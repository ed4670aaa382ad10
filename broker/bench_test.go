package broker

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/journal"
)

// nowhere is a journal that takes everything at once, for the broker's own share.
type nowhere struct {
	journal.Log
	last atomic.Uint64
}

func (l *nowhere) Enqueue(context.Context, journal.Record) (journal.Pending, error) {
	return taken(l.last.Add(1)), nil
}

type taken journal.Seq

func (s taken) Wait(context.Context) (journal.Seq, error) { return journal.Seq(s), nil }

func (taken) Ready() bool { return true }

// BenchmarkSubmit is parsing, checking and policy of a 6.3 kB notice, without
// the journal.
func BenchmarkSubmit(b *testing.B) {
	br := bare(b, &nowhere{Log: openLog(b, filepath.Join(b.TempDir(), "journal.db"))})
	s := submission(padded(1))
	b.SetBytes(int64(len(s.Raw)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := br.Submit(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIngest is the whole way to stable storage, with 64 authors.
func BenchmarkIngest(b *testing.B) {
	log, err := journal.Open(filepath.Join(b.TempDir(), "journal.db"), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	h := start(b, Config{Log: log})
	var n atomic.Int64
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.Ingest(context.Background(), submission(padded(int(n.Add(1))))); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "notices/s")
	h.stop()
}

// prompt is a sink that acknowledges at once.
type prompt struct {
	f     *Follower
	count *deliveries
}

// deliveries counts deliveries and tells when there are as many as wanted.
type deliveries struct {
	atomic.Int64
	wanted atomic.Int64
	there  chan struct{}
}

func (s *prompt) Deliver(_ context.Context, batch []*Notice) error {
	for _, n := range batch {
		s.f.Acked(n.Seq)
	}
	if s.count.Add(int64(len(batch))) == s.count.wanted.Load() {
		s.count.there <- struct{}{}
	}
	return nil
}

// crowd makes n followers whose deliveries are counted.
func crowd(b *testing.B, h *house, n int, count *deliveries) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range n {
		s := &prompt{count: count}
		f, err := h.Follow(ctx, Subscription{}, s)
		if err != nil {
			b.Fatal(err)
		}
		s.f = f
		wg.Go(func() { f.Run(ctx) })
	}
	b.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// BenchmarkFanout500 is one operation per delivery: 500 followers that
// acknowledge at once, receipts written to a journal that syncs.
func BenchmarkFanout500(b *testing.B) {
	log, err := journal.Open(filepath.Join(b.TempDir(), "journal.db"), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	h := start(b, Config{Log: log})
	count := deliveries{there: make(chan struct{}, 1)}
	crowd(b, h, 500, &count)
	notices := make([][]byte, b.N/500+1)
	for i := range notices {
		notices[i] = padded(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i, raw := range notices {
		if _, err := h.Submit(b.Context(), submission(raw)); err != nil {
			b.Fatal(err)
		}
		for int64(i+1)*500-count.Load() > 500*128 { // keep the followers near the ring's end
			time.Sleep(100 * time.Microsecond)
		}
	}
	if count.wanted.Store(int64(len(notices)) * 500); count.Load() < int64(len(notices))*500 {
		<-count.there
	}
	b.ReportMetric(float64(count.Load())/b.Elapsed().Seconds(), "deliveries/s")
	b.StopTimer()
	h.stop()
}

// BenchmarkWake500 is one operation per notice: from handing it to the ring
// until the last of 500 idle followers has delivered it.
func BenchmarkWake500(b *testing.B) {
	h := start(b, Config{Log: openLog(b, filepath.Join(b.TempDir(), "journal.db"))})
	count := deliveries{there: make(chan struct{}, 1)}
	crowd(b, h, 500, &count)
	var woken time.Duration
	for i := range b.N {
		// Until all have read everything, and most of them wait again.
		for h.idle() < 500 {
			time.Sleep(100 * time.Microsecond)
		}
		count.wanted.Store(int64(i+1) * 500)
		began := time.Now()
		h.committed([]journal.Record{{Seq: journal.Seq(i + 1), Raw: []byte("x")}})
		<-count.there
		woken += time.Since(began)
	}
	b.ReportMetric(float64(woken.Nanoseconds())/float64(b.N), "ns/wake")
}

// idle counts the followers that have nothing in flight and have read all.
func (h *house) idle() int {
	n, last := 0, h.ring.newest()
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.followers {
		f.q.mu.Lock()
		if f.q.cursor == last {
			n++
		}
		f.q.mu.Unlock()
	}
	return n
}

// BenchmarkIdleFollower reports the memory of one follower that waits.
func BenchmarkIdleFollower(b *testing.B) {
	h := start(b, Config{Log: openLog(b, filepath.Join(b.TempDir(), "journal.db"))})
	const n = 5000
	count := deliveries{there: make(chan struct{}, 1)}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		crowd(b, h, n, &count)
		h.ingest(b, raw(stream, fmt.Sprint(time.Now().UnixNano())))
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/n, "B/follower")
	}
}
