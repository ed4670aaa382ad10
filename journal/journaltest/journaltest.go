// Package journaltest holds the tests that every engine of journal.Log must
// pass. An engine's own test calls Run; what only that engine can do (files,
// locks, crashes) it tests itself.
package journaltest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/journal"
)

// Opener opens a new, empty journal for one test and gives with it a function
// that closes what is open and opens the same journal again. It leaves the
// closing of the last one to t.Cleanup.
type Opener func(t *testing.T) (log journal.Log, reopen func() journal.Log)

// Run runs the suite, one subtest for each promise of journal.Log.
func Run(t *testing.T, open Opener) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"an empty journal has no bounds and gives nothing out", testEmpty},
		{"records come back as they were", testRoundTrip},
		{"numbers follow the order of the calls", testOrder},
		{"a repeated key is refused with the number of the first", testDuplicate},
		{"the same key from many producers is stored once", testConcurrentDuplicates},
		{"the same name with another key is stored and flagged", testSameName},
		{"records too large are refused and leave no trace", testTooLarge},
		{"observers see commits in order before anyone else", testObserve},
		{"waiters wake when more is there", testWait},
		{"contexts that end free their callers", testContexts},
		{"reading goes on at the first kept record", testReadAfterTrim},
		{"trimming by age", testTrimAge},
		{"trimming by size takes the oldest and leaves the newest", testTrimSize},
		{"a trimmed key may come again", testTrimForgets},
		{"replay starts at a time", testSeekTime},
		{"cursors and receipts", testCommit},
		{"a bad receipt or id stores nothing of its commit", testCommitAllOrNothing},
		{"cursors and receipts of many goroutines agree", testCommitConcurrently},
		{"receipts keep all they say", testReceiptFields},
		{"subscriptions", testSubscriptions},
		{"everything survives a restart", testReopen},
		{"a closed journal says so", testClose},
		{"appends under way end well when the journal closes", testCloseUnderWay},
		{"any sequence of calls agrees with a simple model", testModel},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, open) })
	}
}

// rec makes the n-th test record.
func rec(n int) journal.Record {
	raw := fmt.Appendf(nil, "<VOEvent ivorn='ivo://test/stream#%d'>%0*d</VOEvent>", n, n%3000, n)
	return journal.Record{
		Key:      sha256.Sum256(raw),
		Name:     fmt.Sprintf("ivo://test/stream#%d", n),
		Received: day.Add(time.Duration(n) * time.Second),
		Source:   "203.0.113.7",
		Flags:    uint32(n) % 7,
		Raw:      raw,
	}
}

var day = time.Date(2026, 4, 6, 12, 0, 0, 123456789, time.UTC)

func mustAppend(t *testing.T, l journal.Log, r journal.Record) journal.Seq {
	t.Helper()
	seq, err := l.Append(t.Context(), r)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return seq
}

// fill appends records 1 to n, many under way at once.
func fill(t *testing.T, l journal.Log, n int) {
	t.Helper()
	ps := make([]journal.Pending, 0, n)
	for i := 1; i <= n; i++ {
		p, err := l.Enqueue(t.Context(), rec(i))
		if err != nil {
			t.Fatalf("Enqueue: %v", err)
		}
		ps = append(ps, p)
	}
	for i, p := range ps {
		seq, err := p.Wait(t.Context())
		if err != nil {
			t.Fatalf("Wait: %v", err)
		}
		if want := journal.Seq(i + 1); seq != want {
			t.Fatalf("record %d has the number %d", want, seq)
		}
	}
}

// readAll reads everything after a number in steps of some records.
func readAll(t *testing.T, l journal.Log, after journal.Seq) []journal.Record {
	t.Helper()
	var all []journal.Record
	dst := make([]journal.Record, 37)
	for {
		n, err := l.Read(t.Context(), after, dst)
		if err != nil {
			t.Fatalf("Read after %d: %v", after, err)
		}
		if n == 0 {
			return all
		}
		all = append(all, dst[:n]...)
		after = dst[n-1].Seq
	}
}

func wantBounds(t *testing.T, l journal.Log, first, last journal.Seq) {
	t.Helper()
	if f, n := l.Bounds(); f != first || n != last {
		t.Fatalf("Bounds: %d to %d, want %d to %d", f, n, first, last)
	}
}

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	// Byte by byte cmp takes seconds for the largest record.
	sameBytes := cmp.Comparer(bytes.Equal)
	if d := cmp.Diff(want, got, sameBytes); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

// numbered is r as Read gives it out under seq.
func numbered(r journal.Record, seq journal.Seq) journal.Record {
	r.Seq, r.Attach = seq, nil
	return r
}

func testEmpty(t *testing.T, open Opener) {
	l, _ := open(t)
	ctx := t.Context()
	wantBounds(t, l, 0, 0)
	if n, err := l.Read(ctx, 0, make([]journal.Record, 3)); n != 0 || err != nil {
		t.Errorf("Read: %d, %v", n, err)
	}
	if _, ok, err := l.FindKey(ctx, [32]byte{1}); ok || err != nil {
		t.Errorf("FindKey: %v, %v", ok, err)
	}
	if seqs, err := l.FindName(ctx, "x"); len(seqs) != 0 || err != nil {
		t.Errorf("FindName: %v, %v", seqs, err)
	}
	if seq, err := l.SeekTime(ctx, day); seq != 0 || err != nil {
		t.Errorf("SeekTime: %d, %v", seq, err)
	}
	if _, ok, err := l.Cursor(ctx, "nobody"); ok || err != nil {
		t.Errorf("Cursor: %v, %v", ok, err)
	}
	if tr, err := l.Trim(ctx, journal.TrimPolicy{MaxAge: time.Hour, MaxBytes: 1}); tr != (journal.Trimmed{}) || err != nil {
		t.Errorf("Trim: %v, %v", tr, err)
	}
	if err := l.Commit(ctx, nil); err != nil {
		t.Errorf("Commit of nothing: %v", err)
	}
}

func testRoundTrip(t *testing.T, open Opener) {
	l, reopen := open(t)
	var want []journal.Record
	add := func(r journal.Record) {
		want = append(want, numbered(r, mustAppend(t, l, r)))
	}
	add(rec(1))
	r := rec(2)
	r.Name, r.Source, r.Raw, r.Attach = "", "", []byte{}, "carried along"
	add(r)
	r = rec(3)
	r.Raw = make([]byte, 1<<20) // compresses to nothing
	add(r)
	r = rec(4)
	r.Raw = randomBytes(1 << 20) // does not compress
	add(r)
	r = rec(5)
	r.Flags = 1<<31 - 1
	r.Name = string(randomBytes(journal.MaxName))
	add(r)
	r = rec(6)
	r.Received = time.Date(1600, 1, 2, 3, 4, 5, 6, time.UTC)
	add(r)
	diff(t, "records", readAll(t, l, 0), want)
	diff(t, "records after 2", readAll(t, l, 2), want[2:])
	diff(t, "records after a restart", readAll(t, reopen(), 0), want)
}

func testOrder(t *testing.T, open Opener) {
	l, _ := open(t)
	const n = 2500 // more than one batch of any engine
	fill(t, l, n)
	wantBounds(t, l, 1, n)
	for i, r := range readAll(t, l, 0) {
		diff(t, "record", r, numbered(rec(i+1), journal.Seq(i+1)))
	}
}

func testDuplicate(t *testing.T, open Opener) {
	l, reopen := open(t)
	fill(t, l, 10)
	again := func() {
		t.Helper()
		r := rec(4)
		r.Name, r.Raw = "another name does not matter", []byte("nor do other bytes")
		_, err := l.Append(t.Context(), r)
		var dup *journal.DuplicateError
		if !errors.Is(err, journal.ErrDuplicate) || !errors.As(err, &dup) || dup.Seq != 4 {
			t.Fatalf("Append of a duplicate of 4: %v", err)
		}
	}
	again()
	wantBounds(t, l, 1, 10)
	l = reopen()
	again()
	if seq, ok, err := l.FindKey(t.Context(), rec(7).Key); seq != 7 || !ok || err != nil {
		t.Errorf("FindKey: %d, %v, %v", seq, ok, err)
	}
	if seq := mustAppend(t, l, rec(11)); seq != 11 {
		t.Errorf("the next number is %d", seq)
	}
}

func testTooLarge(t *testing.T, open Opener) {
	l, _ := open(t)
	for name, change := range map[string]func(*journal.Record){
		"name":   func(r *journal.Record) { r.Name = string(make([]byte, journal.MaxName+1)) },
		"source": func(r *journal.Record) { r.Source = string(make([]byte, journal.MaxSource+1)) },
		"raw":    func(r *journal.Record) { r.Raw = make([]byte, journal.MaxRaw+1) },
	} {
		r := rec(1)
		change(&r)
		if _, err := l.Append(t.Context(), r); !errors.Is(err, journal.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantBounds(t, l, 0, 0)
	r := rec(1)
	r.Raw = randomBytes(journal.MaxRaw)
	if seq := mustAppend(t, l, r); seq != 1 {
		t.Errorf("the largest record has the number %d", seq)
	}
	diff(t, "the largest record", readAll(t, l, 0), []journal.Record{numbered(r, 1)})
}

func testSameName(t *testing.T, open Opener) {
	l, reopen := open(t)
	fill(t, l, 3)
	again := rec(50)
	again.Name = rec(2).Name
	if seq := mustAppend(t, l, again); seq != 4 {
		t.Fatalf("number %d", seq)
	}
	// Two more at once: the second must see the first, which is not stored yet.
	ps := make([]journal.Pending, 0, 2)
	for _, n := range []int{51, 52} {
		r := rec(n)
		r.Name = "ivo://test/stream#new"
		p, err := l.Enqueue(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	for _, p := range ps {
		if _, err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(l journal.Log) {
		t.Helper()
		var flagged []journal.Seq
		for _, r := range readAll(t, l, 0) {
			if r.Flags&journal.FlagSameName != 0 {
				flagged = append(flagged, r.Seq)
			}
		}
		diff(t, "flagged", flagged, []journal.Seq{4, 6})
		for name, want := range map[string][]journal.Seq{
			rec(2).Name: {2, 4}, "ivo://test/stream#new": {5, 6}, rec(1).Name: {1}, "ivo://test/stream": nil,
		} {
			got, err := l.FindName(context.Background(), name)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, name, got, want)
		}
	}
	check(l)
	l = reopen()
	check(l)
	r := rec(53)
	r.Name = rec(2).Name
	mustAppend(t, l, r)
	got, err := l.FindName(t.Context(), r.Name)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "after a restart", got, []journal.Seq{2, 4, 7})
}
