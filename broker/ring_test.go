package broker

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"tocsin/journal"

	"pgregory.net/rapid"
)

func TestRingAgreesWithASlice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := journal.Seq(rapid.Uint64Range(0, 100).Draw(t, "start"))
		limit := rapid.Int64Range(1, 300*1024).Draw(t, "bytes")
		r := newRing(limit, start)
		var model []*Notice
		last := start
		var more <-chan struct{}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				var batch []*Notice
				for range rapid.IntRange(1, 80).Draw(t, "n") {
					last++
					batch = append(batch, newNotice(journal.Record{Seq: last, Raw: make([]byte, rapid.IntRange(0, 2000).Draw(t, "size"))}, true))
				}
				model = append(model, batch...)
				r.push(batch)
				var sum int64
				keep := len(model)
				for keep > 0 && (sum+model[keep-1].weight <= limit || keep == len(model)) {
					keep--
					sum += model[keep].weight
				}
				model = model[keep:]
			},
			"gap": func(t *rapid.T) {
				last += journal.Seq(rapid.IntRange(2, 9).Draw(t, "gap"))
				n := newNotice(journal.Record{Seq: last}, false)
				r.push([]*Notice{n})
				model = []*Notice{n}
			},
			"wake": func(t *rapid.T) {
				r.wake()
				if more == nil {
					return
				}
				select {
				case <-more:
				default:
					t.Fatal("who waited was not woken")
				}
				more = nil
			},
			"read": func(t *rapid.T) {
				after := journal.Seq(rapid.Uint64Range(0, uint64(last)+2).Draw(t, "after"))
				dst := make([]*Notice, rapid.IntRange(1, 70).Draw(t, "dst"))
				n, wait, behind := r.read(after, dst)
				switch {
				case after >= last:
					if n != 0 || wait == nil || behind {
						t.Fatalf("read after %d of %d: %d, behind %v", after, last, n, behind)
					}
					more = wait
				case len(model) == 0 || after+1 < model[0].Seq:
					if n != 0 || wait != nil || !behind {
						t.Fatalf("read after %d: %d, behind %v", after, n, behind)
					}
				default:
					i := int(after + 1 - model[0].Seq)
					want := model[i:min(i+len(dst), len(model))]
					if wait != nil || behind || !slices.Equal(dst[:n], want) {
						t.Fatalf("read after %d: %d of %d, behind %v", after, n, len(want), behind)
					}
				}
				if got, want := r.at(after), find(model, after); got != want {
					t.Fatalf("at %d: %v, want %v", after, got, want)
				}
			},
			"": func(t *rapid.T) {
				if r.newest() != last || r.oldest() != last-journal.Seq(len(model))+1 {
					t.Fatalf("from %d to %d; %d kept up to %d", r.oldest(), r.newest(), len(model), last)
				}
				if r.bytes > limit && r.n > 1 {
					t.Fatalf("%d bytes in %d notices, %d allowed", r.bytes, r.n, limit)
				}
			},
		})
	})
}

func find(ns []*Notice, seq journal.Seq) *Notice {
	for _, n := range ns {
		if n.Seq == seq {
			return n
		}
	}
	return nil
}

func TestFollowersAtOnePlaceShareTheReads(t *testing.T) {
	t.Parallel()
	log := &failing{Log: openLog(t, filepath.Join(t.TempDir(), "journal.db"))}
	h := start(t, Config{Log: log, CacheBytes: 512 << 10})
	h.ingest(t, some(0, 2000)...)
	h.blocks.max = 64 << 20 // so that all read the first time is the last
	if h.ring.oldest() < 1000 {
		t.Fatalf("the ring holds all from %d on", h.ring.oldest())
	}
	log.mu.Lock()
	log.reads = 0
	log.mu.Unlock()
	var wg sync.WaitGroup
	for range 50 {
		f := h.follow(t, Subscription{Start: Start{At: StartAfter}}, true)
		wg.Go(func() { f.first(t, 2000) })
	}
	wg.Wait()
	log.mu.Lock()
	defer log.mu.Unlock()
	// At most 2,000 notices lie behind the ring: 32 blocks, each read by one
	// follower in one call.
	if log.reads > 2000/blockSize+1 {
		t.Errorf("%d reads for 50 followers", log.reads)
	}
}

func TestBlocksForgetTheLeastUsed(t *testing.T) {
	t.Parallel()
	h := start(t, Config{CacheBytes: 1})
	h.ingest(t, some(0, 640)...)
	// All notices of this test weigh the same, save for a byte or two of digits.
	c := newBlocks(h.log, 3*blockSize*h.ring.at(640).weight, new(atomic.Int32))
	dst := make([]*Notice, blockSize)
	read := func(block journal.Seq) bool {
		t.Helper()
		n, next, hit, err := c.read(context.Background(), block*blockSize, dst)
		if err != nil || n != blockSize || next != (block+1)*blockSize {
			t.Fatalf("%d notices up to %d, %v", n, next, err)
		}
		return hit
	}
	for _, step := range []struct {
		block journal.Seq
		hit   bool
	}{{0, false}, {1, false}, {0, true}, {2, false}, {3, false}, {0, true}, {1, false}} {
		if hit := read(step.block); hit != step.hit {
			t.Errorf("block %d: hit %v", step.block, hit)
		}
	}
	if len(c.index) != c.used.Len() || c.bytes > c.max || c.bytes <= 0 {
		t.Errorf("%d and %d blocks, %d of %d bytes", len(c.index), c.used.Len(), c.bytes, c.max)
	}
}

func TestABlockThatCannotBeReadIsReadAgain(t *testing.T) {
	t.Parallel()
	log := openLog(t, filepath.Join(t.TempDir(), "journal.db"))
	h := start(t, Config{Log: log})
	h.ingest(t, some(0, 70)...)
	broken := &unreadable{Log: log}
	c := newBlocks(broken, 1<<20, new(atomic.Int32))
	dst := make([]*Notice, blockSize)
	if _, _, _, err := c.read(t.Context(), 0, dst); err == nil {
		t.Fatal("no error")
	}
	broken.whole = true
	if n, _, _, err := c.read(t.Context(), 0, dst); err != nil || n != blockSize {
		t.Fatalf("%d, %v", n, err)
	}
	// The newest block is not whole: what comes later must be seen.
	if n, _, _, err := c.read(t.Context(), 64, dst); err != nil || n != 6 {
		t.Fatalf("%d, %v", n, err)
	}
	h.ingest(t, nth(70))
	if n, _, _, err := c.read(t.Context(), 64, dst); err != nil || n != 7 {
		t.Fatalf("%d, %v", n, err)
	}
}

type unreadable struct {
	journal.Log
	whole bool
}

func (l *unreadable) Read(ctx context.Context, after journal.Seq, dst []journal.Record) (int, error) {
	if !l.whole {
		return 0, journal.ErrClosed
	}
	return l.Log.Read(ctx, after, dst)
}

// oldest gives the first number the ring has, or the one after the newest when
// it is empty.
func (r *ring) oldest() journal.Seq {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.last - journal.Seq(r.n) + 1
}

// slow is a journal whose Read returns from the end when it is told to.
type slow struct {
	journal.Log
	entered, release chan struct{}
}

func (l *slow) Read(ctx context.Context, after journal.Seq, dst []journal.Record) (int, error) {
	n, err := l.Log.Read(ctx, after, dst)
	if n == 0 && l.entered != nil { // it has seen the end
		close(l.entered)
		l.entered = nil
		<-l.release
	}
	return n, err
}

// A block that is being read for one follower may end before the notices which
// another one looks for in it: these must not be taken for trimmed.
func TestASharedBlockThatEndsTooEarlyIsAskedForAgain(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	h.ingest(t, some(0, 70)...)
	log := &slow{Log: h.log, entered: make(chan struct{}), release: make(chan struct{})}
	entered := log.entered
	c := newBlocks(log, 1<<20, new(atomic.Int32))
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, next, _, err := c.read(context.Background(), 64, make([]*Notice, 64)); n != 6 || next != 70 || err != nil {
			t.Errorf("the first: %d up to %d, %v", n, next, err)
		}
	})
	<-entered
	h.ingest(t, some(70, 10)...)
	joined, hit := c.get(1)
	if !hit {
		t.Fatal("nothing is being read")
	}
	close(log.release)
	<-joined.ready
	if joined.upto != 70 {
		t.Errorf("the block is said to be complete up to %d", joined.upto)
	}
	wg.Wait()
	n, next, hit, err := c.read(t.Context(), 75, make([]*Notice, 64))
	if n != 5 || next != 80 || hit || err != nil {
		t.Errorf("the second: %d up to %d, %v, %v", n, next, hit, err)
	}
}
