package journal_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/journal"
)

// build makes a journal of n notices with receipts and a subscription, and
// gives its closed file.
func build(t *testing.T, n int, o journal.Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := journal.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	var p journal.Pending
	for i := range n {
		if p, err = j.Enqueue(t.Context(), numbered(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var rs []journal.Receipt
	for i := range n {
		rs = append(rs, journal.Receipt{Notice: journal.Seq(i + 1), State: journal.Acked, Attempt: 1})
	}
	if err := errors.Join(
		j.PutSubscription(t.Context(), "telescope", []byte("everything")),
		j.Commit(t.Context(), []journal.Progress{{Subscription: "telescope", Cursor: journal.Seq(n), Receipts: rs}}),
		j.Close(),
	); err != nil {
		t.Fatal(err)
	}
	return path
}

// verified reads all of a journal and fails when a notice is not what it was;
// it gives the numbers that could be read.
func verified(t *testing.T, j *journal.Bolt) map[journal.Seq]bool {
	t.Helper()
	got := map[journal.Seq]bool{}
	dst := make([]journal.Record, 100)
	for at := journal.Seq(0); ; {
		n, err := j.Read(context.Background(), at, dst)
		if err != nil {
			if _, ok := errors.AsType[*journal.DamagedError](err); !ok {
				t.Fatalf("Read: %v", err)
			}
			return got
		}
		if n == 0 {
			return got
		}
		for _, r := range dst[:n] {
			if want := numbered(int(r.Seq)); r.Key != want.Key || string(r.Raw) != string(want.Raw) || r.Name != want.Name {
				t.Fatalf("notice %d is not what was stored", r.Seq)
			}
			if r.Seq <= at {
				t.Fatalf("notice %d comes after %d", r.Seq, at)
			}
			at = r.Seq
			got[at] = true
		}
	}
}

func TestAFileCutInHalfIsRefusedAndSalvaged(t *testing.T) {
	const n = 10_000
	path := build(t, n, journal.Options{})
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	sound, err := journal.Check(t.Context(), path)
	if err != nil || !sound.OK() || sound.Records != n || sound.Receipts != n || sound.Subscriptions != 1 {
		t.Fatalf("Check of a sound file: %+v, %v", sound, err)
	}
	used := used(t, path)
	if err := os.Truncate(path, used/2+777); err != nil {
		t.Fatal(err)
	}
	_, err = journal.Open(path, journal.Options{})
	var damaged *journal.DamagedError
	if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "cut") || !strings.Contains(err.Error(), path) {
		t.Fatalf("Open: %v", err)
	}
	r, err := journal.Check(t.Context(), path)
	if err != nil || r.OK() {
		t.Fatalf("Check: %+v, %v", r, err)
	}
	to := filepath.Join(t.TempDir(), "saved.db")
	r, err = journal.Salvage(t.Context(), path, to)
	if err != nil {
		t.Fatalf("Salvage: %v", err)
	}
	if r.Records < n/3 || r.OK() {
		t.Errorf("of %d notices in %d bytes half the file saves %d: %v", n, fi.Size(), r.Records, r.Problems[0])
	}
	j, err := journal.Open(to, journal.Options{})
	if err != nil {
		t.Fatalf("Open of what was saved: %v", err)
	}
	got := verified(t, j)
	if int64(len(got)) != r.Records {
		t.Errorf("%d reported, %d saved", r.Records, len(got))
	}
	// Numbers that were lost are not given again.
	seq, err := j.Append(t.Context(), numbered(n+1))
	if err != nil || seq <= n {
		t.Errorf("after a salvage comes number %d, %v", seq, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := journal.Check(t.Context(), to); err != nil || !r.OK() {
		t.Errorf("Check of what was saved: %v, %v", r.Problems, err)
	}
	if _, err := journal.Salvage(t.Context(), path, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("Salvage over a file: %v", err)
	}
}

// used is the length of a file without the zeros at its end.
func used(t *testing.T, path string) int64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return int64(n)
}

func TestSalvageOfASoundFileCompactsIt(t *testing.T) {
	const n = 5000
	path := build(t, n, journal.Options{PageSize: 4096, NoCompression: true})
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Trim(t.Context(), journal.TrimPolicy{MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	first, last := j.Bounds()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "small.db")
	r, err := journal.Salvage(t.Context(), path, to)
	if err != nil || !r.OK() || r.First != first || r.Last != last {
		t.Fatalf("Salvage: %+v, %v; want %d to %d", r, err, first, last)
	}
	j, err = journal.Open(to, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c, ok, err := j.Cursor(t.Context(), "telescope"); c != n || !ok || err != nil {
		t.Errorf("Cursor: %d, %v, %v", c, ok, err)
	}
	if seq, err := j.Append(t.Context(), numbered(n+1)); seq != n+1 || err != nil {
		t.Errorf("after a compaction comes number %d, %v", seq, err)
	}
	if got := len(verified(t, j)); got != int(last-first)+2 {
		t.Errorf("%d notices", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if a, b := used(t, path), used(t, to); b >= a {
		t.Errorf("%d bytes became %d", a, b)
	}
}

func TestSalvageFindsItsWayWithoutMetaData(t *testing.T) {
	for _, pageSize := range []int{4096, 16384, 65536} {
		const n = 2000
		path := build(t, n, journal.Options{PageSize: pageSize})
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(make([]byte, 2*pageSize), 0)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		var damaged *journal.DamagedError
		if _, err := journal.Open(path, journal.Options{}); !errors.As(err, &damaged) {
			t.Fatalf("Open: %v", err)
		}
		to := filepath.Join(t.TempDir(), "saved.db")
		r, err := journal.Salvage(t.Context(), path, to)
		if err != nil || r.Records != n || r.Receipts != n || r.Subscriptions != 1 {
			t.Fatalf("pages of %d: %+v, %v", pageSize, r, err)
		}
	}
}

// TestDamageAnywhereNeitherKillsNorLies changes bytes all over a file: whatever
// opens must give out only what was stored, and Check, Salvage and appends must
// end with an answer.
func TestDamageAnywhereNeitherKillsNorLies(t *testing.T) {
	const n = 300
	path := build(t, n, journal.Options{PageSize: 4096})
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sound = sound[:(used(t, path)+4095)/4096*4096]
	opened, refused := 0, 0
	for round := range 150 {
		r := rand.New(rand.NewPCG(uint64(round), 3))
		b := append([]byte(nil), sound...)
		switch round % 3 {
		case 0: // one byte
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		case 1: // many, in the heads of pages, where bbolt looks
			for range 1 + r.IntN(10) {
				b[r.IntN(len(b)/4096)*4096+r.IntN(96)] = byte(r.IntN(256))
			}
		case 2: // a page is another page, or nothing
			from, to := r.IntN(len(b)/4096), r.IntN(len(b)/4096)
			copy(b[to*4096:(to+1)*4096], b[from*4096:])
			clear(b[from*4096 : (from+1)*4096])
		}
		bad := filepath.Join(t.TempDir(), "bad.db")
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := journal.Check(t.Context(), bad); err != nil {
			t.Fatalf("round %d: Check: %v", round, err)
		}
		to := bad + ".saved"
		rep, err := journal.Salvage(t.Context(), bad, to)
		if err != nil {
			t.Fatalf("round %d: Salvage: %v", round, err)
		}
		if rep.Records < n/2 { // ten pages of the 4 kB hold some hundred
			t.Errorf("round %d: %d of %d notices saved", round, rep.Records, n)
		}
		j, err := journal.Open(to, journal.Options{NoSync: true})
		if err != nil {
			t.Fatalf("round %d: Open of what was saved: %v", round, err)
		}
		verified(t, j)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j, err = journal.Open(bad, journal.Options{NoSync: true})
		if err != nil {
			refused++
			continue
		}
		opened++
		verified(t, j)
		_, _ = j.Append(t.Context(), numbered(n+1))
		_, _ = j.Trim(t.Context(), journal.TrimPolicy{MaxBytes: 1000})
		_, _ = j.SeekTime(t.Context(), time.Now())
		_ = j.Receipts(t.Context(), 0, func(uint64, string, journal.Receipt) error { return nil })
		_ = j.Close()
	}
	t.Logf("%d opened, %d refused", opened, refused)
}

func TestWhatIsNoJournalIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"text": strings.Repeat("this is a log file\n", 5000), "short": "x", "zeros": string(make([]byte, 1<<20)),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var damaged *journal.DamagedError
		if _, err := journal.Open(path, journal.Options{}); !errors.As(err, &damaged) {
			t.Errorf("%s: %v", name, err)
		}
		if r, err := journal.Check(t.Context(), path); err != nil || r.OK() {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("%s was changed", name)
		}
	}
	if _, err := journal.Open(dir, journal.Options{}); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := journal.Open(filepath.Join(dir, "no", "such", "folder"), journal.Options{}); err == nil {
		t.Error("a journal was opened in a folder that is not there")
	}
	if _, err := journal.Check(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Check of no file: %v", err)
	}
}

func TestOneProcessOwnsTheFile(t *testing.T) {
	path := build(t, 3, journal.Options{})
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = journal.Open(path, journal.Options{LockTimeout: time.Millisecond})
	if !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second Open: %v", err)
	}
	if _, err := journal.Check(t.Context(), path); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("Check of a journal in use: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := journal.Check(t.Context(), path); err != nil || !r.OK() {
		t.Errorf("Check after Close: %v, %v", r.Problems, err)
	}
}

// A sync that fails after the meta page was written leaves a transaction in the
// file whose callers are told that it failed.
func TestAFailedTransactionIsUndoneThoughTheFileShowsIt(t *testing.T) {
	path := build(t, 4090, journal.Options{}) // 10 more fold the index
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	broken := errors.New("the disk says no")
	journal.FailLastSync(j, broken)
	for i := 5001; i < 5021; i++ {
		if _, err := j.Append(ctx, numbered(i)); !errors.Is(err, broken) {
			t.Fatalf("Append: %v", err)
		}
	}
	if _, last := j.Bounds(); last != 4090 {
		t.Errorf("the last number is %d", last)
	}
	if n, err := j.Read(ctx, 4090, make([]journal.Record, 1)); n != 0 || err != nil {
		t.Errorf("Read gives out a notice that failed: %d, %v", n, err)
	}
	if _, ok, err := j.FindKey(ctx, numbered(5001).Key); ok || err != nil {
		t.Errorf("FindKey finds a notice that failed: %v", err)
	}
	if err := j.Commit(ctx, []journal.Progress{{Subscription: "x", Cursor: 1}}); !errors.Is(err, broken) {
		t.Errorf("Commit: %v", err)
	}
	journal.FailLastSync(j, nil)
	for i, want := 6001, journal.Seq(4091); i < 6031; i++ {
		if seq, err := j.Append(ctx, numbered(i)); seq != want || err != nil {
			t.Fatalf("Append: %d, %v, want %d", seq, err, want)
		}
		want++
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := journal.Check(ctx, path); err != nil || !r.OK() || r.Records != 4120 {
		t.Fatalf("Check: %+v, %v", r, err)
	}
	if j, err = journal.Open(path, journal.Options{}); err != nil {
		t.Fatal(err)
	}
	for i := 6001; i < 6031; i++ {
		if _, ok, err := j.FindKey(ctx, numbered(i).Key); !ok || err != nil {
			t.Errorf("%d is missing: %v", i, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// After a great trim the list of free pages is left out of the file; a start
// after a crash at that moment finds them by itself.
func TestACrashWithoutAListOfFreePages(t *testing.T) {
	path := build(t, 9000, journal.Options{PageSize: 4096, NoCompression: true, NoSync: true})
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Trim(t.Context(), journal.TrimPolicy{MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), numbered(10_000)); err != nil {
		t.Fatal(err)
	}
	if journal.FreelistInFile(j) {
		t.Error("the list of free pages was written: the test misses its aim")
	}
	crashed := journal.CopyFiles(t, path) // what a crash leaves
	first, last := j.Bounds()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, crashed} {
		j, err := journal.Open(path, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if f, l := j.Bounds(); f != first || l != last {
			t.Errorf("%d to %d, want %d to %d", f, l, first, last)
		}
		for i := range 200 {
			if _, err := j.Append(t.Context(), numbered(20_000+i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if r, err := journal.Check(t.Context(), path); err != nil || !r.OK() {
			t.Errorf("Check: %v, %v", r.Problems, err)
		}
	}
}
