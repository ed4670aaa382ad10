package journaltest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/journal"
)

// stored is a receipt with what Receipts says of it.
type stored struct {
	ID      string
	Receipt journal.Receipt
}

func receipts(t *testing.T, l journal.Log, after uint64) (numbers []uint64, rs []stored) {
	t.Helper()
	if err := l.Receipts(t.Context(), after, func(n uint64, id string, r journal.Receipt) error {
		numbers = append(numbers, n)
		rs = append(rs, stored{id, r})
		return nil
	}); err != nil {
		t.Fatalf("Receipts after %d: %v", after, err)
	}
	return numbers, rs
}

func acked(seq journal.Seq) journal.Receipt {
	sent := day.Add(time.Duration(seq) * time.Millisecond).Truncate(time.Microsecond)
	return journal.Receipt{Notice: seq, State: journal.Acked, Sent: sent, Done: sent.Add(2 * time.Millisecond), Attempt: 1}
}

func wantCursor(t *testing.T, l journal.Log, id string, want journal.Seq) {
	t.Helper()
	if got, ok, err := l.Cursor(t.Context(), id); got != want || !ok || err != nil {
		t.Fatalf("Cursor of %s: %d, %v, %v, want %d", id, got, ok, err, want)
	}
}

func testCommit(t *testing.T, open Opener) {
	l, reopen := open(t)
	ctx := t.Context()
	fill(t, l, 20)
	if err := l.Commit(ctx, []journal.Progress{
		{Subscription: "a", Cursor: 2, Receipts: []journal.Receipt{acked(1), acked(2)}},
		{Subscription: "b", Cursor: 1, Receipts: []journal.Receipt{acked(1)}},
		{Subscription: "none", Cursor: 7},
	}); err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(ctx, []journal.Progress{
		{Subscription: "a", KeepCursor: true, Receipts: []journal.Receipt{acked(3)}},
		{Subscription: "new", KeepCursor: true},
		{Subscription: "b", Cursor: 999}, // beyond the end
		{Subscription: "none", Cursor: 0},
	}); err != nil {
		t.Fatal(err)
	}
	check := func(l journal.Log) {
		t.Helper()
		wantCursor(t, l, "a", 2)
		wantCursor(t, l, "b", 999)
		wantCursor(t, l, "none", 0)
		if _, ok, err := l.Cursor(ctx, "new"); ok || err != nil {
			t.Errorf("a cursor that was kept: %v, %v", ok, err)
		}
		numbers, rs := receipts(t, l, 0)
		want := []stored{{"a", acked(1)}, {"a", acked(2)}, {"b", acked(1)}, {"a", acked(3)}}
		diff(t, "receipts", rs, want)
		for i := range numbers {
			_, rest := receipts(t, l, numbers[i])
			if len(want[i+1:]) != len(rest) {
				t.Fatalf("after receipt %d come %d", numbers[i], len(rest))
			}
		}
	}
	check(l)
	l = reopen()
	check(l)
	stop := errors.New("enough")
	calls := 0
	if err := l.Receipts(ctx, 0, func(uint64, string, journal.Receipt) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Receipts: %v after %d calls", err, calls)
	}
}

func testCommitAllOrNothing(t *testing.T, open Opener) {
	l, _ := open(t)
	good := journal.Progress{Subscription: "a", Cursor: 1, Receipts: []journal.Receipt{acked(1)}}
	for name, bad := range map[string]journal.Progress{
		"no id":         {Cursor: 1},
		"id too long":   {Subscription: strings.Repeat("x", journal.MaxSubscriptionID+1)},
		"unknown state": {Subscription: "b", Receipts: []journal.Receipt{{Notice: 1, State: 99}}},
		"no state":      {Subscription: "b", Receipts: []journal.Receipt{{Notice: 1}}},
	} {
		if err := l.Commit(t.Context(), []journal.Progress{good, bad}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, ok, _ := l.Cursor(t.Context(), "a"); ok {
		t.Error("a cursor was stored")
	}
	if _, rs := receipts(t, l, 0); len(rs) != 0 {
		t.Errorf("receipts were stored: %v", rs)
	}
	good.Subscription = strings.Repeat("x", journal.MaxSubscriptionID)
	if err := l.Commit(t.Context(), []journal.Progress{good}); err != nil {
		t.Errorf("the longest id: %v", err)
	}
}

func testReceiptFields(t *testing.T, open Opener) {
	l, reopen := open(t)
	at := day.Truncate(time.Microsecond)
	var want []stored
	var ps []journal.Progress
	add := func(id string, rs ...journal.Receipt) {
		ps = append(ps, journal.Progress{Subscription: id, Receipts: rs})
		for _, r := range rs {
			want = append(want, stored{id, r})
		}
	}
	add("states",
		journal.Receipt{Notice: 5, State: journal.Queued, Attempt: 1},
		journal.Receipt{Notice: 4, State: journal.Sent, Sent: at, Attempt: 65535},
		journal.Receipt{Notice: 1 << 60, State: journal.Read, Done: at.Add(-time.Hour)},
		journal.Receipt{Notice: 0, State: journal.Acted, Sent: at.Add(-48 * time.Hour), Done: at, Attempt: 2},
		journal.Receipt{Notice: 1, State: journal.Refused, Sent: at, Done: at, Attempt: 1, Reason: "schema: line 3"},
		journal.Receipt{Notice: 2, State: journal.Failed, Done: time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), Reason: strings.Repeat("é", 512)},
	)
	add("empty")
	many := make([]journal.Receipt, 30_000) // several chunks of any engine
	for i := range many {
		many[i] = acked(journal.Seq(i + 1))
	}
	add("many", many...)
	add("same again", acked(1), acked(1))
	if err := l.Commit(t.Context(), ps); err != nil {
		t.Fatal(err)
	}
	numbers, rs := receipts(t, l, 0)
	diff(t, "receipts", rs, want)
	numbers2, rs := receipts(t, reopen(), numbers[20_000])
	diff(t, "receipts from the middle after a restart", rs, want[20_001:])
	diff(t, "their numbers", numbers2, numbers[20_001:])

	long := journal.Receipt{Notice: 1, State: journal.Failed, Attempt: 1, Reason: strings.Repeat("x", journal.MaxReason+50)}
	l = reopen()
	if err := l.Commit(t.Context(), []journal.Progress{{Subscription: "long", Receipts: []journal.Receipt{long}}}); err != nil {
		t.Fatal(err)
	}
	_, rs = receipts(t, l, numbers[len(numbers)-1])
	long.Reason = long.Reason[:journal.MaxReason]
	diff(t, "a reason too long is cut", rs, []stored{{"long", long}})
}

func testSubscriptions(t *testing.T, open Opener) {
	l, reopen := open(t)
	ctx := t.Context()
	put := func(id, def string) {
		t.Helper()
		if err := l.PutSubscription(ctx, id, []byte(def)); err != nil {
			t.Fatalf("PutSubscription: %v", err)
		}
	}
	put("b", "first")
	put("a", "")
	put("c", "gone")
	put("b", "second")
	if err := l.Commit(ctx, []journal.Progress{{Subscription: "b", Cursor: 9}, {Subscription: "c", Cursor: 3}}); err != nil {
		t.Fatal(err)
	}
	put("b", "third") // keeps its cursor
	for _, id := range []string{"c", "unknown"} {
		if err := l.DeleteSubscription(ctx, id); err != nil {
			t.Fatalf("DeleteSubscription: %v", err)
		}
	}
	want := []journal.StoredSubscription{{ID: "a", Def: []byte{}}, {ID: "b", Def: []byte("third"), Cursor: 9}}
	for range 2 {
		got, err := l.Subscriptions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "subscriptions", got, want)
		if _, ok, err := l.Cursor(ctx, "c"); ok || err != nil {
			t.Errorf("the cursor of a deleted subscription: %v, %v", ok, err)
		}
		l = reopen()
	}
	if err := l.PutSubscription(ctx, "", nil); err == nil {
		t.Error("a subscription without an id was stored")
	}
	if err := l.PutSubscription(ctx, "big", bytes.Repeat([]byte("x"), journal.MaxDefinition+1)); !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("a definition too large: %v", err)
	}
	if err := l.PutSubscription(ctx, "big", bytes.Repeat([]byte("x"), journal.MaxDefinition)); err != nil {
		t.Errorf("the largest definition: %v", err)
	}
}

func testReadAfterTrim(t *testing.T, open Opener) {
	l, reopen := open(t)
	fill(t, l, 100)
	if err := l.Commit(t.Context(), []journal.Progress{{Subscription: "far behind", Cursor: 5}}); err != nil {
		t.Fatal(err)
	}
	tr, err := l.Trim(t.Context(), journal.TrimPolicy{MaxAge: time.Minute, Now: rec(100).Received})
	if err != nil || tr.Records != 39 || tr.Bytes <= 0 {
		t.Fatalf("Trim: %+v, %v", tr, err)
	}
	for range 2 {
		wantBounds(t, l, 40, 100)
		for _, after := range []journal.Seq{0, 5, 39} {
			rs := readAll(t, l, after)
			if len(rs) != 61 || rs[0].Seq != 40 {
				t.Fatalf("after %d come %d, from %d", after, len(rs), rs[0].Seq)
			}
		}
		wantCursor(t, l, "far behind", 5)
		l = reopen()
	}
}

func testTrimAge(t *testing.T, open Opener) {
	l, _ := open(t)
	const n = 1000 // several steps of any engine
	fill(t, l, n)
	trim := func(p journal.TrimPolicy, want int) {
		t.Helper()
		tr, err := l.Trim(t.Context(), p)
		if err != nil || tr.Records != want {
			t.Fatalf("Trim: %+v, %v, want %d records", tr, err, want)
		}
	}
	trim(journal.TrimPolicy{}, 0)
	trim(journal.TrimPolicy{MaxAge: time.Hour, Now: rec(n).Received}, 0)
	// As old as the limit is not older.
	trim(journal.TrimPolicy{MaxAge: time.Second, Now: rec(601).Received}, 599)
	wantBounds(t, l, 600, n)
	trim(journal.TrimPolicy{MaxAge: time.Second, Now: rec(601).Received}, 0)
	trim(journal.TrimPolicy{MaxAge: time.Second, Now: rec(10 * n).Received}, n-600)
	wantBounds(t, l, n, n)
	fill2 := mustAppend(t, l, rec(n+1))
	if fill2 != n+1 {
		t.Errorf("after a trim comes number %d", fill2)
	}
}

func testTrimSize(t *testing.T, open Opener) {
	l, reopen := open(t)
	ctx := t.Context()
	const n = 50
	for i := range n {
		r := rec(i)
		r.Raw = randomBytes(10_000 + i)
		mustAppend(t, l, r)
		if err := l.Commit(ctx, []journal.Progress{{Subscription: "a", Cursor: journal.Seq(i), Receipts: []journal.Receipt{acked(journal.Seq(i + 1))}}}); err != nil {
			t.Fatal(err)
		}
	}
	const limit = 20*10_000 + 5_000
	before := l.Stats().LiveBytes
	tr, err := l.Trim(ctx, journal.TrimPolicy{MaxBytes: limit})
	if err != nil {
		t.Fatal(err)
	}
	if live := l.Stats().LiveBytes; live > limit || live < limit-3*11_000 || before-live != tr.Bytes {
		t.Errorf("%d bytes are left of %d, %d were trimmed", live, before, tr.Bytes)
	}
	if first, last := l.Bounds(); last != n || int(first) != tr.Records+1 {
		t.Errorf("%d to %d are left, %d were trimmed", first, last, tr.Records)
	}
	if _, err = l.Trim(ctx, journal.TrimPolicy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	wantBounds(t, l, n, n)
	if _, rs := receipts(t, l, 0); len(rs) != 0 {
		t.Errorf("%d receipts outlived a trim to one byte", len(rs))
	}
	live := l.Stats().LiveBytes
	l = reopen()
	if got := l.Stats().LiveBytes; got != live {
		t.Errorf("%d live bytes after a restart, %d before", got, live)
	}
	if seq := mustAppend(t, l, rec(1000)); seq != n+1 {
		t.Errorf("after a trim comes number %d", seq)
	}
}

func testTrimForgets(t *testing.T, open Opener) {
	l, reopen := open(t)
	fill(t, l, 10)
	again := rec(20)
	again.Name = rec(2).Name
	mustAppend(t, l, again) // 11
	if _, err := l.Trim(t.Context(), journal.TrimPolicy{MaxAge: time.Nanosecond, Now: rec(6).Received}); err != nil {
		t.Fatal(err)
	}
	wantBounds(t, l, 6, 11)
	for range 2 {
		if _, ok, err := l.FindKey(t.Context(), rec(3).Key); ok || err != nil {
			t.Errorf("a trimmed key is found: %v", err)
		}
		got, err := l.FindName(t.Context(), rec(2).Name)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "of two with one name", got, []journal.Seq{11})
		l = reopen()
	}
	if seq := mustAppend(t, l, rec(3)); seq != 12 {
		t.Errorf("a trimmed notice comes again as %d", seq)
	}
	for _, r := range readAll(t, l, 11) {
		if r.Flags&journal.FlagSameName != 0 {
			t.Error("it is flagged for the name of a trimmed one")
		}
	}
}

func testSeekTime(t *testing.T, open Opener) {
	l, reopen := open(t)
	// Seconds of arrival; the clock steps back twice.
	seconds := append(make([]int, 0, 400), 10, 20, 30, 25, 26, 40, 35, 36, 50, 50, 60)
	for i := range 300 {
		seconds = append(seconds, 100+i)
	}
	for i, s := range seconds {
		r := rec(i)
		r.Received = day.Add(time.Duration(s) * time.Second)
		mustAppend(t, l, r)
	}
	want := func(s int, first journal.Seq) journal.Seq {
		after := journal.Seq(0)
		for i := int(first); i <= len(seconds) && seconds[i-1] < s; i++ {
			after = journal.Seq(i)
		}
		return after
	}
	check := func(first journal.Seq) {
		t.Helper()
		for _, s := range []int{0, 10, 11, 25, 26, 27, 30, 31, 36, 41, 50, 51, 60, 61, 100, 101, 163, 164, 165, 250, 399, 400, 10_000} {
			got, err := l.SeekTime(t.Context(), day.Add(time.Duration(s)*time.Second))
			if err != nil || got != want(s, first) {
				t.Errorf("second %d, first kept %d: %d, %v, want %d", s, first, got, err, want(s, first))
			}
		}
	}
	check(1)
	l = reopen()
	check(1)
	if _, err := l.Trim(t.Context(), journal.TrimPolicy{MaxAge: time.Second, Now: day.Add(31 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	wantBounds(t, l, 3, journal.Seq(len(seconds)))
	check(3)
	l = reopen()
	check(3)
	for _, tm := range []time.Time{{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := l.SeekTime(t.Context(), tm); err != nil {
			t.Errorf("%v: %v", tm, err)
		}
	}
}

func testReopen(t *testing.T, open Opener) {
	l, reopen := open(t)
	const n = 5000 // more than one block of any index
	fill(t, l, n)
	for round := range 3 {
		l = reopen()
		wantBounds(t, l, 1, journal.Seq(n+round))
		if s := l.Stats(); s.Records != int64(n+round) || s.Appended != 0 {
			t.Errorf("Stats: %+v", s)
		}
		for _, i := range []int{1, 2, 4095, 4096, 4097, n} {
			if seq, ok, err := l.FindKey(t.Context(), rec(i).Key); int(seq) != i || !ok || err != nil {
				t.Errorf("FindKey of %d: %d, %v, %v", i, seq, ok, err)
			}
			if _, err := l.Append(t.Context(), rec(i)); !errors.Is(err, journal.ErrDuplicate) {
				t.Errorf("Append of %d: %v", i, err)
			}
		}
		if seq := mustAppend(t, l, rec(n+1+round)); int(seq) != n+1+round {
			t.Errorf("number %d", seq)
		}
	}
	if got := len(readAll(t, l, 0)); got != n+3 {
		t.Errorf("%d records are left", got)
	}
}
