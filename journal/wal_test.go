package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// rec makes the n-th test record, of about size bytes.
func rec(n, size int) Record {
	raw := fmt.Appendf(nil, "<VOEvent ivorn='ivo://test/wal#%d'>%0*d</VOEvent>", n, size, n)
	return Record{Key: sha256.Sum256(raw), Name: fmt.Sprintf("ivo://test/wal#%d", n), Raw: raw, Received: time.Unix(int64(n), 0)}
}

func openWALTest(t *testing.T, path string, o Options) *Bolt {
	t.Helper()
	o.NoCompression = true
	j, err := Open(path, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// put appends the records from to to-1 and wants the numbers to be the same.
func put(t *testing.T, j *Bolt, from, to, size int) {
	t.Helper()
	for i := from; i < to; i++ {
		if seq, err := j.Append(t.Context(), rec(i, size)); err != nil || seq != Seq(i) {
			t.Fatalf("Append of %d: %d, %v", i, seq, err)
		}
	}
}

// holds wants the journal to hold exactly the records first to last, by every way
// to ask for them.
func holds(t *testing.T, j *Bolt, first, last, size int) {
	t.Helper()
	ctx := t.Context()
	if f, l := j.Bounds(); f != Seq(first) || l != Seq(last) {
		t.Fatalf("Bounds: %d to %d, want %d to %d", f, l, first, last)
	}
	dst := make([]Record, 7)
	at := Seq(first - 1)
	for {
		n, err := j.Read(ctx, at, dst)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		for _, r := range dst[:n] {
			at++
			want := rec(int(at), size)
			if r.Seq != at || r.Key != want.Key || string(r.Raw) != string(want.Raw) {
				t.Fatalf("Read gives %d (%s) where %d is to be", r.Seq, r.Name, at)
			}
		}
	}
	if at != Seq(last) {
		t.Fatalf("Read ends at %d, want %d", at, last)
	}
	for i := first; i <= last; i++ {
		want := rec(i, size)
		if seq, ok, err := j.FindKey(ctx, want.Key); seq != Seq(i) || !ok || err != nil {
			t.Fatalf("FindKey of %d: %d, %v, %v", i, seq, ok, err)
		}
		if seqs, err := j.FindName(ctx, want.Name); len(seqs) != 1 || seqs[0] != Seq(i) || err != nil {
			t.Fatalf("FindName of %d: %d, %v", i, seqs, err)
		}
		if after, err := j.SeekTime(ctx, want.Received); i > first && (after != Seq(i-1) || err != nil) {
			t.Fatalf("SeekTime of %d: %d, %v", i, after, err)
		}
	}
}

// sound wants Check to find nothing wrong and records records, ahead of them in
// the write-ahead file.
func sound(t *testing.T, path string, records, ahead int64) {
	t.Helper()
	r, err := Check(context.Background(), path)
	if err != nil || !r.OK() || r.Records != records || r.Ahead != ahead {
		t.Fatalf("Check: %+v, %v; want %d records, %d of them ahead", r, err, records, ahead)
	}
}

func commitCursor(t *testing.T, j *Bolt, seq Seq) {
	t.Helper()
	if err := j.Commit(t.Context(), []Progress{{Subscription: "s", Cursor: seq}}); err != nil {
		t.Fatal(err)
	}
}

// quiet keeps the owner from applying by itself, so that a test decides when.
// It goes through the owner.
func quiet(t *testing.T, j *Bolt) {
	t.Helper()
	if err := j.change(t.Context(), func(*bolt.Tx) error { return nil }, func() { j.own.lazy = true }); err != nil {
		t.Fatal(err)
	}
}

func TestACrashBetweenSyncAndApplyLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	quiet(t, j)
	put(t, j, 1, 20, 300)
	commitCursor(t, j, 5) // applies
	put(t, j, 20, 41, 300)
	holds(t, j, 1, 40, 300)
	crashed := CopyFiles(t, path)
	sound(t, crashed, 40, 21)
	// A start whose own apply is lost again finds the same.
	for range 2 {
		k := openWALTest(t, CopyFiles(t, crashed), Options{})
		holds(t, k, 1, 40, 300)
		if _, err := k.Append(t.Context(), rec(30, 300)); !errors.Is(err, ErrDuplicate) {
			t.Errorf("a replayed notice is taken again: %v", err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	k := openWALTest(t, crashed, Options{})
	put(t, k, 41, 45, 300)
	holds(t, k, 1, 44, 300)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, crashed, 44, 0)
}

func TestACrashAfterApplyBeforeTheNextRoundReplaysNothingTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	quiet(t, j)
	put(t, j, 1, 11, 300)
	ahead := CopyFiles(t, path)
	commitCursor(t, j, 10) // the frames of all ten are still in the file
	crashed := CopyFiles(t, path)
	sound(t, crashed, 10, 0)
	k := openWALTest(t, crashed, Options{})
	holds(t, k, 1, 10, 300)
	put(t, k, 11, 13, 300)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, crashed, 12, 0)
	sound(t, ahead, 10, 10)
}

func TestStaleFramesBehindTheNewOnesAreNotReplayed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	quiet(t, j)
	put(t, j, 1, 31, 300)
	commitCursor(t, j, 1)
	put(t, j, 31, 34, 300) // over the first three of thirty frames
	crashed := CopyFiles(t, path)
	sound(t, crashed, 33, 3)
	k := openWALTest(t, crashed, Options{})
	holds(t, k, 1, 33, 300)
}

func TestATornFrameEndsTheReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	quiet(t, j)
	const size = 6000 // two pages
	put(t, j, 1, 6, size)
	for name, tear := range map[string]func(b []byte, end int){
		"its second page is not there": func(b []byte, end int) { clear(b[end-framePage : end]) },
		"its first page is not there":  func(b []byte, end int) { clear(b[end-2*framePage : end-framePage]) },
		"a bit of it is wrong":         func(b []byte, end int) { b[end-2*framePage+100] ^= 4 },
		"the file ends within it":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			crashed := CopyFiles(t, path)
			b, err := os.ReadFile(crashed + WALSuffix)
			if err != nil {
				t.Fatal(err)
			}
			end := 5 * 2 * framePage
			if tear != nil {
				tear(b, end)
			} else {
				b = b[:end-framePage-7]
			}
			if err := os.WriteFile(crashed+WALSuffix, b, 0o600); err != nil {
				t.Fatal(err)
			}
			sound(t, crashed, 4, 4)
			k := openWALTest(t, crashed, Options{})
			holds(t, k, 1, 4, size)
			put(t, k, 5, 8, size)
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			sound(t, crashed, 7, 0)
		})
	}
}

func TestDamageInTheMidstOfTheWriteAheadFileIsNoTornEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	quiet(t, j)
	put(t, j, 1, 6, 300)
	crashed := CopyFiles(t, path)
	b, err := os.ReadFile(crashed + WALSuffix)
	if err != nil {
		t.Fatal(err)
	}
	b[2*framePage+77] ^= 1
	if err := os.WriteFile(crashed+WALSuffix, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(crashed, Options{}); err == nil {
		t.Fatal("a journal with a hole was opened")
	} else if _, ok := errors.AsType[*DamagedError](err); !ok {
		t.Fatalf("Open: %v", err)
	}
	if r, err := Check(t.Context(), crashed); err != nil || r.OK() || r.Records != 4 || r.Missing != 1 {
		t.Fatalf("Check: %+v, %v", r, err)
	}
	to := filepath.Join(t.TempDir(), "saved.db")
	if r, err := Salvage(t.Context(), crashed, to); err != nil || r.OK() || r.Records != 4 || r.Ahead != 4 {
		t.Fatalf("Salvage: %+v, %v", r, err)
	}
	sound(t, to, 4, 0)
}

func TestSalvageTakesTheWriteAheadFileToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{PageSize: 4096})
	quiet(t, j)
	put(t, j, 1, 100, 300)
	commitCursor(t, j, 1)
	put(t, j, 100, 121, 300)
	whole, broken := CopyFiles(t, path), CopyFiles(t, path)
	for _, from := range []string{whole, broken} {
		if from == broken {
			f, err := os.OpenFile(from, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt(make([]byte, 2*4096), 0) // no meta data any more
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		to := filepath.Join(t.TempDir(), "saved.db")
		r, err := Salvage(t.Context(), from, to)
		if err != nil || r.Records != 120 || r.Last != 120 || r.Ahead != 21 {
			t.Fatalf("Salvage: %+v, %v", r, err)
		}
		holds(t, openWALTest(t, to, Options{}), 1, 120, 300)
	}
}

// The store fails, the write-ahead file does not: appends go on until it is full,
// then every one is refused, and none is lost or comes later.
func TestAppendsGoOnInTheWriteAheadFileUntilItIsFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{WALBytes: 16 * framePage})
	quiet(t, j)
	put(t, j, 1, 4, 300)
	commitCursor(t, j, 3)
	j.afterCommit = func() error { return syscall.ENOSPC }
	put(t, j, 4, 20, 300)
	for i := 100; i < 105; i++ {
		if _, err := j.Append(t.Context(), rec(i, 300)); !errors.Is(err, ErrFull) {
			t.Fatalf("Append to a full journal: %v", err)
		}
	}
	if err := j.Commit(t.Context(), []Progress{{Subscription: "s", Cursor: 9}}); !errors.Is(err, ErrFull) {
		t.Errorf("Commit: %v", err)
	}
	holds(t, j, 1, 19, 300)
	crashed := CopyFiles(t, path)
	k := openWALTest(t, crashed, Options{})
	holds(t, k, 1, 19, 300)
	put(t, k, 20, 23, 300)
	j.afterCommit = nil
	put(t, j, 20, 40, 300)
	holds(t, j, 1, 39, 300)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, path, 39, 0)
}

// The write-ahead file fails: the store takes the appends, and what was ahead; a
// new file is made.
func TestAFailedWriteAheadFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	quiet(t, j)
	put(t, j, 1, 6, 300)
	broken := errors.New("the disk says no")
	j.own.wal.tried = time.Now() // no new file at once
	j.own.wal.afterSync = func() error { return broken }
	put(t, j, 6, 8, 300)
	j.own.wal.afterSync = nil
	sound(t, CopyFiles(t, path), 7, 0)
	j.own.wal.tried = time.Time{}
	put(t, j, 8, 9, 300)
	sound(t, CopyFiles(t, path), 8, 0)
	put(t, j, 9, 12, 300)
	holds(t, j, 1, 11, 300)
	sound(t, CopyFiles(t, path), 11, 3)
}

// Both fail: what was refused does not come back with a crash, and its number is
// given again.
func TestWhatWasRefusedDoesNotComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	quiet(t, j)
	put(t, j, 1, 6, 300)
	broken := errors.New("the disk says no")
	j.afterCommit = func() error { return broken }
	j.own.wal.afterSync = j.afterCommit
	refusing := func(b *Bolt) {
		for i := 100; i < 103; i++ {
			if _, err := b.Append(t.Context(), rec(i, 300)); !errors.Is(err, broken) {
				t.Fatalf("Append: %v", err)
			}
		}
	}
	refusing(j)
	holds(t, j, 1, 5, 300)
	fs, err := framesBeside(path)
	if err != nil || len(fs) != 5 {
		t.Errorf("the refused frame is still in the file: %d, %v", len(fs), err)
	}
	j.afterCommit, j.own.wal.afterSync = nil, nil
	put(t, j, 6, 10, 300)
	crashed := CopyFiles(t, path)
	holds(t, openWALTest(t, crashed, Options{}), 1, 9, 300)
	holds(t, j, 1, 9, 300)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, path, 9, 0)
}

// A record too large for the write-ahead file goes into the store; when that fails
// and the store shows it nevertheless, its number is not given in the write-ahead
// file before it is gone.
func TestARefusedRecordInTheStoreDoesNotHideAnAcceptedOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{WALBytes: 16 * framePage})
	quiet(t, j)
	put(t, j, 1, 3, 300)
	commitCursor(t, j, 1)
	broken := errors.New("the disk says no")
	j.afterCommit = func() error { return broken }
	if _, err := j.Append(t.Context(), rec(100, 200_000)); !errors.Is(err, broken) {
		t.Fatalf("Append: %v", err)
	}
	sound(t, CopyFiles(t, path), 3, 0) // it is in the file, as may be
	if seq, err := j.Append(t.Context(), rec(3, 300)); err == nil {
		t.Fatalf("a crash now would lose %d", seq)
	}
	j.afterCommit = nil
	put(t, j, 3, 5, 300)
	holds(t, openWALTest(t, CopyFiles(t, path), Options{}), 1, 4, 300)
	if _, err := j.Append(t.Context(), rec(5, 200_000)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, path, 5, 0)
}

// A write-ahead file that goes on from a notice the store does not have is
// another journal's, or the store is an old copy: nothing is guessed.
func TestAWriteAheadFileOfAnotherCopyIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	quiet(t, j)
	put(t, j, 1, 6, 300)
	commitCursor(t, j, 1)
	put(t, j, 6, 8, 300)
	copied := CopyFiles(t, path)
	if err := os.Remove(copied); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(copied, Options{}); err == nil {
		t.Fatal("it was opened")
	} else if _, ok := errors.AsType[*DamagedError](err); !ok {
		t.Fatalf("Open: %v", err)
	}
	// Without the write-ahead file the store stands alone.
	copied = CopyFiles(t, path)
	if err := os.Remove(copied + WALSuffix); err != nil {
		t.Fatal(err)
	}
	k := openWALTest(t, copied, Options{})
	holds(t, k, 1, 5, 300)
	put(t, k, 6, 9, 300)
}

// Readers that never stop see every notice once and in order while records are
// moved from one file to the other.
func TestReadersSeeNeitherGapNorRepetition(t *testing.T) {
	j := openWALTest(t, filepath.Join(t.TempDir(), "journal.db"), Options{NoSync: true, WALBytes: 64 * framePage})
	const n = 3000
	done := make(chan error, 3)
	for range 3 {
		go func() {
			dst := make([]Record, 5)
			for at := Seq(0); at < n; {
				k, err := j.Read(context.Background(), at, dst)
				if err == nil && k == 0 {
					err = j.Wait(context.Background(), at)
				}
				if err != nil {
					done <- err
					return
				}
				for _, r := range dst[:k] {
					if at++; r.Seq != at {
						done <- fmt.Errorf("%d follows %d", r.Seq, at-1)
						return
					}
					if seq, ok, err := j.FindKey(context.Background(), r.Key); seq != at || !ok || err != nil {
						done <- fmt.Errorf("FindKey of %d: %d, %v, %w", at, seq, ok, err)
						return
					}
				}
			}
			done <- nil
		}()
	}
	for i := 1; i <= n; i++ {
		if i%20 == 0 {
			commitCursor(t, j, Seq(i))
		}
		put(t, j, i, i+1, 300)
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// What is ahead moves into the store by itself, also when nothing else comes.
func TestAnIdleJournalAppliesByItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openWALTest(t, path, Options{})
	put(t, j, 1, 4, 300)
	for j.ahead.Load() != nil {
		select {
		case <-t.Context().Done():
			t.Fatal("it does not")
		case <-time.After(5 * time.Millisecond):
		}
	}
	sound(t, CopyFiles(t, path), 3, 0)
	holds(t, j, 1, 3, 300)
}
