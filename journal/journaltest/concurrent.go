package journaltest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"tocsin/journal"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func testConcurrentDuplicates(t *testing.T, open Opener) {
	l, _ := open(t)
	const producers, records = 16, 60
	var stored, refused atomic.Int64
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for n := 1; n <= records; n++ {
				seq, err := l.Append(t.Context(), rec(n))
				var dup *journal.DuplicateError
				switch {
				case err == nil:
					stored.Add(1)
				case errors.As(err, &dup):
					refused.Add(1)
					seq = dup.Seq
				default:
					t.Errorf("Append: %v", err)
					return
				}
				// Whoever is told "already stored" finds it stored.
				if got, ok, err := l.FindKey(t.Context(), rec(n).Key); !ok || got != seq || err != nil {
					t.Errorf("FindKey of %d: %d, %v, %v", seq, got, ok, err)
				}
			}
		})
	}
	wg.Wait()
	if stored.Load() != records || refused.Load() != (producers-1)*records {
		t.Errorf("%d stored, %d refused", stored.Load(), refused.Load())
	}
	wantBounds(t, l, 1, records)
}

func testObserve(t *testing.T, open Opener) {
	l, _ := open(t)
	const producers, each = 8, 100
	var last atomic.Uint64 // greatest number that the observer has seen
	l.Observe(func(rs []journal.Record) {
		for i := range rs {
			if want := journal.Seq(last.Load() + 1); rs[i].Seq != want {
				t.Errorf("observed %d, want %d", rs[i].Seq, want)
			}
			if rs[i].Attach != rs[i].Name {
				t.Errorf("record %d has %v attached", rs[i].Seq, rs[i].Attach)
			}
			if len(rs[i].Raw) == 0 {
				t.Errorf("record %d has no bytes", rs[i].Seq)
			}
			last.Add(1)
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		for after := journal.Seq(0); after < producers*each; {
			if err := l.Wait(t.Context(), after); err != nil {
				t.Errorf("Wait: %v", err)
				return
			}
			_, after = l.Bounds()
			if seen := journal.Seq(last.Load()); seen < after {
				t.Errorf("a waiter sees %d, the observer has seen %d", after, seen)
			}
		}
	})
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				r := rec(p*each + i)
				r.Attach = r.Name
				seq, err := l.Append(t.Context(), r)
				if err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				if seen := journal.Seq(last.Load()); seen < seq {
					t.Errorf("Append of %d returned, the observer has seen %d", seq, seen)
				}
			}
		})
	}
	wg.Wait()
	before := last.Load()
	if _, err := l.Append(t.Context(), rec(1)); !errors.Is(err, journal.ErrDuplicate) {
		t.Errorf("Append: %v", err)
	}
	l.Observe(nil)
	mustAppend(t, l, rec(100_000))
	if last.Load() != before {
		t.Errorf("the observer saw a duplicate, or more after its end")
	}
}

func testWait(t *testing.T, open Opener) {
	l, _ := open(t)
	const waiters = 50
	var wg sync.WaitGroup
	for i := range waiters {
		wg.Go(func() {
			after := journal.Seq(i % 5)
			if err := l.Wait(t.Context(), after); err != nil {
				t.Errorf("Wait: %v", err)
			}
			if _, last := l.Bounds(); last <= after {
				t.Errorf("woken at %d, waited for more than %d", last, after)
			}
		})
	}
	fill(t, l, 5)
	wg.Wait()
	if err := l.Wait(t.Context(), 4); err != nil { // there already
		t.Error(err)
	}
}

func testContexts(t *testing.T, open Opener) {
	l, _ := open(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ended, rec(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Append: %v", err)
	}
	wantBounds(t, l, 0, 0)
	fill(t, l, 1)
	for name, call := range map[string]func(context.Context) error{
		"Wait":     func(ctx context.Context) error { return l.Wait(ctx, 1) },
		"Read":     func(ctx context.Context) error { _, err := l.Read(ctx, 0, make([]journal.Record, 1)); return err },
		"FindKey":  func(ctx context.Context) error { _, _, err := l.FindKey(ctx, [32]byte{}); return err },
		"FindName": func(ctx context.Context) error { _, err := l.FindName(ctx, ""); return err },
		"SeekTime": func(ctx context.Context) error { _, err := l.SeekTime(ctx, day); return err },
		"Commit": func(ctx context.Context) error {
			return l.Commit(ctx, []journal.Progress{{Subscription: "a", Cursor: 1}})
		},
		"Put":    func(ctx context.Context) error { return l.PutSubscription(ctx, "a", nil) },
		"Trim":   func(ctx context.Context) error { _, err := l.Trim(ctx, journal.TrimPolicy{MaxBytes: 1}); return err },
		"Cursor": func(ctx context.Context) error { _, _, err := l.Cursor(ctx, "a"); return err },
	} {
		if err := call(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Wait(ctx, 1) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	// Pending.Wait: what was enqueued becomes durable without its caller.
	p, err := l.Enqueue(t.Context(), rec(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Pending.Wait: %v", err)
	}
	if seq, err := p.Wait(t.Context()); seq != 2 || err != nil {
		t.Errorf("Pending.Wait again: %d, %v", seq, err)
	}
	if !p.Ready() {
		t.Error("Pending.Ready: false after Wait has returned")
	}
}

func testCommitConcurrently(t *testing.T, open Opener) {
	l, reopen := open(t)
	fill(t, l, 200)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			id := string(rune('a' + i))
			for c := journal.Seq(10); c <= 200; c += 10 {
				var rs []journal.Receipt
				for s := c - 9; s <= c; s++ {
					rs = append(rs, journal.Receipt{Notice: s, State: journal.Acked, Sent: day, Done: day, Attempt: 1})
				}
				if err := l.Commit(t.Context(), []journal.Progress{{Subscription: id, Cursor: c, Receipts: rs}}); err != nil {
					t.Errorf("Commit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	l = reopen()
	next := map[string]journal.Seq{}
	before := uint64(0)
	if err := l.Receipts(t.Context(), 0, func(n uint64, id string, r journal.Receipt) error {
		if n <= before {
			t.Errorf("receipt %d after %d", n, before)
		}
		before = n
		if next[id]++; r.Notice != next[id] {
			t.Errorf("%s: receipt of %d, want %d", id, r.Notice, next[id])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		id := string(rune('a' + i))
		if c, ok, err := l.Cursor(t.Context(), id); c != 200 || !ok || err != nil || next[id] != 200 {
			t.Errorf("%s: cursor %d, %v, %v; receipts to %d", id, c, ok, err, next[id])
		}
	}
}

func testClose(t *testing.T, open Opener) {
	l, _ := open(t)
	fill(t, l, 2)
	waiting := make(chan error)
	go func() { waiting <- l.Wait(context.Background(), 2) }()
	if err := l.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := <-waiting; !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Wait: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	ctx := context.Background()
	_, appendErr := l.Append(ctx, rec(3))
	_, readErr := l.Read(ctx, 0, make([]journal.Record, 1))
	_, _, keyErr := l.FindKey(ctx, [32]byte{})
	_, trimErr := l.Trim(ctx, journal.TrimPolicy{MaxBytes: 1})
	_, subErr := l.Subscriptions(ctx)
	for name, err := range map[string]error{
		"Append": appendErr, "Read": readErr, "FindKey": keyErr, "Trim": trimErr, "Subscriptions": subErr,
		"Wait":     l.Wait(ctx, 2),
		"Commit":   l.Commit(ctx, []journal.Progress{{Subscription: "a"}}),
		"Put":      l.PutSubscription(ctx, "a", nil),
		"Delete":   l.DeleteSubscription(ctx, "a"),
		"Receipts": l.Receipts(ctx, 0, func(uint64, string, journal.Receipt) error { return nil }),
	} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testCloseUnderWay(t *testing.T, open Opener) {
	l, reopen := open(t)
	const producers = 16
	var wg sync.WaitGroup
	var stored atomic.Int64
	for p := range producers {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := l.Append(context.Background(), rec(p*10_000+i))
				if errors.Is(err, journal.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				stored.Add(1)
			}
		})
	}
	if err := l.Wait(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
	l = reopen()
	if got := len(readAll(t, l, 0)); int64(got) != stored.Load() {
		t.Errorf("%d acknowledged, %d kept", stored.Load(), got)
	}
}
