//go:build linux

package journal_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tocsin/journal"
)

// The child processes of the tests are this test binary with one of these in
// its environment.
const (
	childEnv = "TOCSIN_JOURNAL_CHILD"
	pathEnv  = "TOCSIN_JOURNAL_PATH"
	baseEnv  = "TOCSIN_JOURNAL_BASE"
)

// runChild does what the environment asks for; ok is false when it is no child.
func runChild() (status int, ok bool) {
	var err error
	switch os.Getenv(childEnv) {
	case "":
		return 0, false
	case "crash":
		err = crashChild()
	case "full":
		err = fullChild()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func child(t *testing.T, mode, path string, base int) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+mode, pathEnv+"="+path, fmt.Sprintf("%s=%d", baseEnv, base))
	cmd.Stderr = os.Stderr
	return cmd
}

// crashChild appends, commits and trims under load until it is killed, and
// prints a line for everything that was promised to it.
func crashChild() error {
	j, err := journal.Open(os.Getenv(pathEnv), journal.Options{PageSize: 4096})
	if err != nil {
		return err
	}
	ctx := context.Background()
	var base int
	if _, err := fmt.Sscan(os.Getenv(baseEnv), &base); err != nil {
		return err
	}
	var n atomic.Int64
	n.Store(int64(base))
	var wg sync.WaitGroup
	failed := make(chan error, 64)
	work := func(f func() error) {
		wg.Go(func() {
			for {
				if err := f(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	for range 32 {
		work(func() error {
			i := int(n.Add(1))
			seq, err := j.Append(ctx, numbered(i))
			if err != nil {
				return err
			}
			// One write of less than a pipe's atomic length.
			_, err = fmt.Fprintf(os.Stdout, "A %d %d\n", seq, i)
			return err
		})
	}
	for s := range 4 {
		id := fmt.Sprintf("telescope-%d", s)
		at, _, err := j.Cursor(ctx, id)
		if err != nil {
			return err
		}
		work(func() error {
			if err := j.Wait(ctx, at); err != nil {
				return err
			}
			_, last := j.Bounds()
			last = min(last, at+500)
			var rs []journal.Receipt
			for q := at + 1; q <= last; q++ {
				rs = append(rs, journal.Receipt{Notice: q, State: journal.Acked, Attempt: 1})
			}
			at = last
			if err := j.Commit(ctx, []journal.Progress{{Subscription: id, Cursor: at, Receipts: rs}}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(os.Stdout, "C %d %d\n", s, at)
			return err
		})
	}
	trimmed := journal.Seq(0)
	work(func() error {
		trimmed += 700
		if err := j.Wait(ctx, trimmed+2000); err != nil {
			return err
		}
		_, err := j.Trim(ctx, journal.TrimPolicy{MaxBytes: 3 << 20})
		return err
	})
	err = <-failed
	return err // the others end with the process
}

// TestNothingAcknowledgedIsLost kills a journal under load again and again and
// looks, after each time, for everything that was promised.
// TOCSIN_CRASH_ROUNDS sets how often (20).
func TestNothingAcknowledgedIsLost(t *testing.T) {
	rounds := 20
	if s := os.Getenv("TOCSIN_CRASH_ROUNDS"); s != "" {
		if _, err := fmt.Sscan(s, &rounds); err != nil {
			t.Fatal(err)
		}
	}
	path := t.TempDir() + "/journal.db"
	promised := map[journal.Seq]int{} // number -> test record
	cursors := map[string]journal.Seq{}
	base := 0
	for round := range rounds {
		cmd := child(t, "crash", path, base)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := 50 + rand.IntN(1500)
		killed := false
		for in := bufio.NewScanner(out); in.Scan(); lines-- {
			var kind string
			var a, b int
			if _, err := fmt.Sscan(in.Text(), &kind, &a, &b); err != nil {
				t.Fatalf("%q: %v", in.Text(), err)
			}
			switch kind {
			case "A":
				if was, ok := promised[journal.Seq(a)]; ok {
					t.Fatalf("number %d was given to %d and to %d", a, was, b)
				}
				promised[journal.Seq(a)] = b
				base = max(base, b)
			case "C":
				cursors[fmt.Sprintf("telescope-%d", a)] = journal.Seq(b)
			}
			if lines == 0 {
				// What is still in the pipe was promised too: read on.
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				killed = true
			}
		}
		err = cmd.Wait()
		if !killed {
			t.Fatalf("round %d: the child ended by itself: %v", round, err)
		}
		base += 1000 // beyond all that was under way
		afterCrash(t, path, promised, cursors)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	t.Logf("%d appends promised in %d lives", len(promised), rounds)
}

func afterCrash(t *testing.T, path string, promised map[journal.Seq]int, cursors map[string]journal.Seq) {
	t.Helper()
	start := time.Now()
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		t.Fatalf("Open after a crash: %v", err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		r, err := journal.Check(context.Background(), path)
		if err != nil || !r.OK() {
			t.Errorf("Check: %v, %v", r.Problems, err)
		}
	}()
	if d := time.Since(start); d > 500*time.Millisecond {
		t.Logf("opened after %v", d)
	}
	first, last := j.Bounds()
	got := map[journal.Seq][32]byte{}
	dst := make([]journal.Record, 256)
	for at := first - 1; at < last; {
		n, err := j.Read(t.Context(), at, dst)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range dst[:n] {
			if at++; r.Seq != at {
				t.Fatalf("number %d follows %d", r.Seq, at-1)
			}
			if sha256.Sum256(r.Raw) != r.Key {
				t.Fatalf("notice %d has other bytes than it had", r.Seq)
			}
			got[r.Seq] = r.Key
		}
	}
	missing := 0
	for seq, i := range promised {
		if seq >= first && got[seq] != numbered(i).Key {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d acknowledged notices are missing (%d to %d kept)", missing, len(promised), first, last)
	}
	counts := map[string]journal.Seq{}
	if err := j.Receipts(t.Context(), 0, func(_ uint64, id string, r journal.Receipt) error {
		// The oldest may have been trimmed; from there on none is missing.
		if was, ok := counts[id]; ok && r.Notice != was+1 {
			t.Errorf("%s: the receipt of %d follows that of %d", id, r.Notice, was)
		}
		counts[id] = r.Notice
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for id, promise := range cursors {
		c, _, err := j.Cursor(t.Context(), id)
		if err != nil || c < promise {
			t.Errorf("%s: the cursor is %d, %d was promised: %v", id, c, promise, err)
		}
		// Receipts may have been trimmed: then the cursor stands alone.
		if counts[id] != c && counts[id] != 0 {
			t.Errorf("%s: the cursor is %d and the last receipt that of %d", id, c, counts[id])
		}
	}
}

// fullChild fills a journal up to a limit on the size of its file, and goes on
// when the limit is gone.
func fullChild() error {
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	j, err := journal.Open(os.Getenv(pathEnv), journal.Options{PageSize: 4096, NoCompression: true})
	if err != nil {
		return err
	}
	low := old
	low.Cur = 2 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &low); err != nil {
		return err
	}
	if err := fillUp(j, func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) }); err != nil {
		return err
	}
	return j.Close()
}

// fillUp appends until the disk is full, has makeRoom make room, and checks
// that all that was acknowledged before and after is there and nothing else.
func fillUp(j *journal.Bolt, makeRoom func() error) error {
	ctx := context.Background()
	stored, full := map[journal.Seq]int{}, 0
	put := func(from, to int) error {
		var ps []journal.Pending
		for i := from; i < to; i++ {
			p, err := j.Enqueue(ctx, numbered(i))
			if err != nil {
				return err
			}
			ps = append(ps, p)
		}
		for i, p := range ps {
			switch seq, err := p.Wait(ctx); {
			case err == nil:
				stored[seq] = from + i
			case errors.Is(err, journal.ErrFull):
				full++
			default:
				return fmt.Errorf("neither stored nor full: %w", err)
			}
		}
		return nil
	}
	n := 0
	for ; full < 100; n += 20 {
		if n > 1_000_000 {
			return errors.New("the disk does not fill up")
		}
		if err := put(n, n+20); err != nil {
			return err
		}
	}
	if err := j.Commit(ctx, []journal.Progress{{Subscription: "a", Cursor: 1}}); err != nil && !errors.Is(err, journal.ErrFull) {
		return fmt.Errorf("Commit: %w", err)
	}
	kept := len(stored)
	if err := makeRoom(); err != nil {
		return err
	}
	full = 0
	if err := put(n, n+50); err != nil {
		return err
	}
	if full != 0 || len(stored) != kept+50 {
		return fmt.Errorf("%d appends fail though there is room", full)
	}
	dst := make([]journal.Record, 64)
	count := 0
	for at := journal.Seq(0); ; {
		n, err := j.Read(ctx, at, dst)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		for _, r := range dst[:n] {
			if i, ok := stored[r.Seq]; !ok || r.Key != numbered(i).Key {
				return fmt.Errorf("notice %d was never acknowledged, or another was", r.Seq)
			}
			at = r.Seq
			count++
		}
	}
	if count != len(stored) {
		return fmt.Errorf("%d acknowledged, %d kept", len(stored), count)
	}
	return nil
}

func TestAFullDiskIsNeverAnAck(t *testing.T) {
	t.Run("limit on the size of files", func(t *testing.T) {
		if err := child(t, "full", t.TempDir()+"/journal.db", 0).Run(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("full file system", func(t *testing.T) {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
			t.Skipf("mounting a small file system needs rights this test does not have: %v", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		j, err := journal.Open(dir+"/journal.db", journal.Options{PageSize: 4096, NoCompression: true})
		if err != nil {
			t.Fatal(err)
		}
		err = fillUp(j, func() error { return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=20m") })
		if err := errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
		if r, err := journal.Check(t.Context(), dir+"/journal.db"); err != nil || !r.OK() {
			t.Errorf("Check: %v, %v", r.Problems, err)
		}
	})
}
