package journal

import (
	"context"
	"log/slog"
	"time"
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
	// NoCompression stores records as they are.
	NoCompression bool
	// NoSync leaves out the sync of every commit: for tests and benchmarks
	// only, an acknowledged record can then be lost.
	NoSync bool
	// Logger gets what the journal has to tell outside of calls; none when nil.
	Logger *slog.Logger
	// Now gives the time, time.Now when nil.
	Now func() time.Time
}

// Bolt is the embedded engine: one bbolt file, one owner goroutine that writes
// everything, one sync for all that waits (group commit).
type Bolt struct{ Log }

var _ Log = (*Bolt)(nil)

// Open opens or creates the journal in the file path. It fails with ErrLocked
// when another process has it, and with a *DamagedError when the file cannot be
// trusted.
func Open(path string, o Options) (*Bolt, error) { panic("not yet") }

// Report tells what Check or Salvage found in a journal's file.
type Report struct {
	// Path is the file that was looked at, Bytes its size.
	Path  string
	Bytes int64
	// Records verified, with the first and last number among them.
	Records     int64
	First, Last Seq
	// Damaged counts records that were found and did not verify, Missing the
	// numbers between First and Last of which nothing was found.
	Damaged, Missing int64
	Receipts         int64
	Subscriptions    int64
	// Problems in words, the first MaxProblems of them.
	Problems []string
}

// MaxProblems bounds Report.Problems.
const MaxProblems = 100

// OK says whether nothing was wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Check reads the whole file at path and verifies pages and records without
// changing anything. The error is about reading the file; what is wrong in it
// is in the Report.
func Check(ctx context.Context, path string) (Report, error) { panic("not yet") }

// Salvage reads every page of the file from, damaged or cut as it may be, and
// writes all records, receipts, cursors and subscriptions that verify into the
// new journal to, under their old numbers. The file from is only read; to must
// not exist.
func Salvage(ctx context.Context, from, to string) (Report, error) { panic("not yet") }
