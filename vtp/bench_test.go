package vtp

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// benchNotice has the size of a Swift BAT notice.
func benchNotice() []byte {
	return append(notice("bench"), bytes.Repeat([]byte(" "), 6300-len(notice("bench")))...)
}

// sinkDesk takes everything at once; what is measured is the transport.
type sinkDesk struct{ n atomic.Int64 }

func (d *sinkDesk) Submit(context.Context, Submission) (Pending, error) {
	d.n.Add(1)
	return settled{IVORN: nameOf("bench")}, nil
}

func serveBench(b *testing.B) net.Addr {
	var q quiet
	s := &AuthorServer{Ingester: &sinkDesk{}, LocalIVORN: brokerName, Metrics: NewMetrics(nil), Logger: q.logger()}
	return serve(b, s)
}

// Each notice has its connection, as Comet's authors do it; eight at a time.
func BenchmarkConnectionPerNotice(b *testing.B) {
	addr := serveBench(b).String()
	frame := AppendFrame(nil, benchNotice())
	b.ResetTimer()
	var wg sync.WaitGroup
	var n atomic.Int64
	for range 8 {
		wg.Go(func() {
			buf := make([]byte, 2048)
			for n.Add(1) <= int64(b.N) {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					b.Error(err)
					return
				}
				conn.Write(frame)
				if _, err := conn.Read(buf); err != nil {
					b.Error(err)
				}
				conn.Close()
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "notices/s")
}

// Eight connections are kept, each with eight notices in flight.
func BenchmarkKeptConnections(b *testing.B) {
	addr := serveBench(b)
	raw := benchNotice()
	authors := make([]*Author, 8)
	for i := range authors {
		authors[i] = &Author{Remote: Remote{Address: addr.String()}, Window: 8}
		defer authors[i].Close()
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, a := range authors {
		wg.Go(func() {
			var last Pending
			for range b.N/len(authors) + min(1, max(0, b.N%len(authors)-i)) {
				p, err := a.Start(context.Background(), raw)
				if err != nil {
					b.Error(err)
					return
				}
				last = p
			}
			if last != nil {
				last.Wait(context.Background())
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "notices/s")
}

// benchFeed gives each notice to all followers, which keep a window as the broker does.
type benchFeed struct {
	mu        sync.Mutex
	followers []*benchFollower
}

type benchFollower struct {
	sink  Sink
	wake  chan []Notice
	acked atomic.Int64
	all   chan struct{}
	want  int64
}

func (f *benchFeed) Open(_ context.Context, _ Peer, s Sink) (Follower, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &benchFollower{sink: s, wake: make(chan []Notice, 64), all: make(chan struct{}, 1)}
	f.followers = append(f.followers, w)
	return w, nil
}

func (f *benchFollower) Run(ctx context.Context) error {
	for {
		select {
		case b := <-f.wake:
			if err := f.sink.Deliver(ctx, b); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *benchFollower) Acked(uint64) {
	if f.acked.Add(1) == f.want {
		f.all <- struct{}{}
	}
}
func (f *benchFollower) Refused(uint64, string) {}
func (f *benchFollower) Subscribe(Wishes) error { return nil }

// One notice at a time goes to 500 subscribers, each of which acknowledges.
func BenchmarkFanOut(b *testing.B) {
	for _, batch := range []int{1, 16} {
		b.Run("batch"+strconv.Itoa(batch), func(b *testing.B) { fanOut(b, 500, batch) })
	}
}

func fanOut(b *testing.B, subscribers, size int) {
	var q quiet
	feed := &benchFeed{}
	s := &FeedServer{Feed: feed, LocalIVORN: brokerName, Metrics: NewMetrics(nil), Logger: q.logger()}
	addr := serve(b, s)
	raw := benchNotice()
	answer := ack(nameOf("bench"))
	receipt := appendTransport(nil, &answer)
	var wg sync.WaitGroup
	conns := make([]net.Conn, subscribers)
	for i := range conns {
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			b.Fatal(err)
		}
		conns[i] = conn
		wg.Go(func() {
			buf := make([]byte, 64<<10)
			frame, have := headerBytes+len(raw), 0
			var out []byte
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				have += n
				out = out[:0]
				for ; have >= frame; have -= frame {
					out = append(out, receipt...)
				}
				if len(out) > 0 {
					conn.Write(out)
				}
			}
		})
	}
	for {
		feed.mu.Lock()
		n := len(feed.followers)
		feed.mu.Unlock()
		if n == subscribers {
			break
		}
		time.Sleep(time.Millisecond)
	}
	b.ResetTimer()
	rounds := max(b.N/(subscribers*size), 1)
	notices := make([]Notice, size)
	for i := range notices {
		notices[i] = Notice{ID: uint64(i), IVORN: nameOf("bench"), Raw: raw}
	}
	for _, f := range feed.followers {
		f.want = int64(rounds * size)
	}
	for range rounds {
		for _, f := range feed.followers {
			f.wake <- notices
		}
	}
	for _, f := range feed.followers {
		<-f.all
	}
	b.StopTimer()
	b.ReportMetric(float64(rounds*size*subscribers)/b.Elapsed().Seconds(), "deliveries/s")
	for _, c := range conns {
		c.Close()
	}
	wg.Wait()
}

// What an idle subscriber costs in heap and stack, our end of the connection and the peer's together.
func BenchmarkIdleSubscribers(b *testing.B) {
	const n = 1000
	for b.Loop() {
		var q quiet
		feed := &benchFeed{}
		s := &FeedServer{Feed: feed, LocalIVORN: brokerName, Metrics: NewMetrics(nil), Logger: q.logger()}
		addr := serve(b, s)
		before := memory()
		conns := make([]net.Conn, n)
		for i := range conns {
			conn, err := net.Dial("tcp", addr.String())
			if err != nil {
				b.Fatal(err)
			}
			conns[i] = conn
			answer := ack("")
			conn.Write(appendTransport(nil, &answer))
		}
		time.Sleep(200 * time.Millisecond)
		b.ReportMetric(float64(memory()-before)/n, "bytes/subscriber")
		for _, c := range conns {
			c.Close()
		}
		s.Close()
	}
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
