package journal

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Options are those of the bbolt engine; the zero value works.
type Options struct {
	// LockTimeout is how long Open waits for another process to let go of the
	// file; 1 s when zero. Then Open fails with ErrLocked.
	LockTimeout time.Duration
	// MaxBatch bounds the appends of one transaction, MaxBatchBytes their
	// stored bytes; 1,024 and 8 MiB when zero.
	MaxBatch      int
	MaxBatchBytes int
	// MaxQueued bounds the appends that wait for the owner: Enqueue blocks at
	// that many. 8,192 when zero.
	MaxQueued int
	// MaxQueuedBytes bounds their stored bytes likewise; 64 MiB when zero.
	MaxQueuedBytes int
	// FastCompressAt is the number of appends under way from which on records
	// are compressed by S2 instead of zstd: a quarter of the CPU for a third
	// more bytes, so that a burst is on disk sooner. 4 when zero, never when
	// negative.
	FastCompressAt int
	// NoCompression stores records as they are.
	NoCompression bool
	// PageSize is the size of the pages of a new file, in bytes, a power of
	// two from 4,096 to 65,536; 16,384 when zero.
	PageSize int
	// WALBytes is the size of the write-ahead file, 8 MiB when zero, at least
	// 64 KiB. It is written in full when the journal is opened first.
	WALBytes int64
	// NoSync leaves out the sync of every commit: for tests and benchmarks
	// only, an acknowledged record can then be lost.
	NoSync bool
	// Logger gets what the journal has to tell outside of calls; none when nil.
	Logger *slog.Logger
	// Now gives the time, time.Now when nil.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	positive := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = time.Second
	}
	positive(&o.MaxBatch, 1024)
	positive(&o.MaxBatchBytes, 8<<20)
	positive(&o.MaxQueued, 8192)
	positive(&o.MaxQueuedBytes, 64<<20)
	positive(&o.PageSize, 16<<10)
	if o.WALBytes <= 0 {
		o.WALBytes = 8 << 20
	}
	o.WALBytes = min(max(o.WALBytes, 64<<10)/framePage*framePage, maxWAL)
	if o.FastCompressAt == 0 {
		o.FastCompressAt = 4
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Bolt is the embedded engine: one bbolt file and one write-ahead file, one owner
// goroutine that writes everything, one sync for all that waits (group commit).
type Bolt struct {
	path  string
	o     Options
	db    *bolt.DB
	codec *codec // for reading
	pack  *codec // for writing; nil: as it is

	queue queue
	ended chan struct{} // closed when the owner has returned
	end   func() error  // closes the store once, after the owner

	own owner // only the owner goroutine touches it

	// afterCommit is nil but in a test that lets the last sync of a
	// transaction fail.
	afterCommit func() error

	// ahead is what readers see of own.ahead: what lies beyond the length of the
	// slice is the owner's. Nil when there is none.
	ahead atomic.Pointer[[]ahead]

	// index finds records by key and by name. Only the owner changes it, under
	// mu; it reads it without.
	index struct {
		mu    sync.RWMutex
		keys  table // every kept record
		names table // the last kept record of every name
		marks marks
	}

	// seen is what callers may see: it changes after each commit, once Observe's
	// function has returned.
	seen struct {
		mu          sync.Mutex
		first, last Seq
		stats       Stats
		wake        chan struct{} // closed when last grows; nil when nobody waits
	}

	observer struct {
		mu sync.Mutex // held while fn runs
		fn func([]Record)
	}
}

var _ Log = (*Bolt)(nil)

// Path gives the file of the journal.
func (b *Bolt) Path() string { return b.path }

// Observe implements Log.
func (b *Bolt) Observe(fn func(committed []Record)) {
	b.observer.mu.Lock()
	defer b.observer.mu.Unlock()
	b.observer.fn = fn
}

// Bounds implements Log.
func (b *Bolt) Bounds() (first, last Seq) {
	b.seen.mu.Lock()
	defer b.seen.mu.Unlock()
	return b.seen.first, b.seen.last
}

// Wait implements Log.
func (b *Bolt) Wait(ctx context.Context, after Seq) error {
	for {
		b.seen.mu.Lock()
		if b.seen.last > after {
			b.seen.mu.Unlock()
			return nil
		}
		if b.seen.wake == nil {
			b.seen.wake = make(chan struct{})
		}
		wake := b.seen.wake
		b.seen.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		case <-b.queue.closed:
			return ErrClosed
		}
	}
}

// Stats implements Log.
func (b *Bolt) Stats() Stats {
	b.seen.mu.Lock()
	s := b.seen.stats
	s.First, s.Last = b.seen.first, b.seen.last
	b.seen.mu.Unlock()
	s.QueueLen = b.queue.len()
	for _, path := range []string{b.path, b.path + WALSuffix} {
		if fi, err := os.Stat(path); err == nil {
			s.FileBytes += fi.Size()
		}
	}
	return s
}

// Close implements Log.
func (b *Bolt) Close() error {
	b.queue.close()
	<-b.ended
	return b.end()
}
