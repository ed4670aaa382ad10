package broker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"
)

func TestFollowersGetEveryNoticeInOrder(t *testing.T) {
	t.Parallel()
	h := start(t, Config{CacheBytes: 64 << 10}) // a few notices only: the rest comes from the journal
	live := h.follow(t, Subscription{}, true)
	for i := range 10 {
		h.ingest(t, some(100*i, 100)...)
	}
	replay := h.follow(t, Subscription{Start: Start{At: StartAfter}}, true)
	late := h.follow(t, Subscription{Start: Start{At: StartAfter, After: 777}}, true)
	for name, tt := range map[string]struct {
		f     *following
		after int
	}{"live": {live, 0}, "replay": {replay, 0}, "late": {late, 777}} {
		got := tt.f.first(t, 1000-tt.after)
		for i, n := range got {
			if int(n.Seq) != tt.after+i+1 || n.Repeat || n.Attempt != 1 {
				t.Fatalf("%s: %d came as number %d (repeat %v, attempt %d)", name, n.Seq, tt.after+i+1, n.Repeat, n.Attempt)
			}
			if want := "ivo://example.org/stream#n"; !strings.HasPrefix(n.Event().IVORN.String(), want) || n.Event().IVORN.String() != n.Name {
				t.Fatalf("%s: %d is parsed as %s", name, n.Seq, n.Event().IVORN)
			}
		}
	}
}

func TestStartSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	h := start(t, Config{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	for i := range 10 {
		h.ingest(t, nth(i))
		mu.Lock()
		now = now.Add(time.Minute)
		mu.Unlock()
	}
	f := h.follow(t, Subscription{Start: Start{At: StartSince, Since: now.Add(-3 * time.Minute)}}, true)
	if got := seqsOf(f.first(t, 3)); !slices.Equal(got, []journal.Seq{8, 9, 10}) {
		t.Errorf("%v", got)
	}
}

// stuck is a sink that never returns before its context ends.
type stuck struct{ entered chan struct{} }

func (s stuck) Deliver(ctx context.Context, _ []*Notice) error {
	close(s.entered)
	<-ctx.Done()
	return ctx.Err()
}

func TestNobodyWaitsForAStuckOrSilentSubscriber(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Window: 8})
	sink := stuck{make(chan struct{})}
	f, err := h.Follow(t.Context(), Subscription{}, sink)
	if err != nil {
		t.Fatal(err)
	}
	end := run(t, f)
	silent := h.follow(t, Subscription{}, false) // reads, and never acknowledges
	good := h.follow(t, Subscription{}, true)
	h.ingest(t, some(0, 500)...)
	good.first(t, 500)
	<-sink.entered
	if got := silent.first(t, 8); len(got) != 8 {
		t.Errorf("the silent one got %d with a window of 8", len(got))
	}
	if st := silent.Status(); st.InFlight != 8 || st.Lag != 500 {
		t.Errorf("%d in flight, %d behind", st.InFlight, st.Lag)
	}
	if at, ok := silent.OldestUnacked(); !ok || time.Since(at) > time.Minute {
		t.Errorf("oldest unacknowledged: %v, %v", at, ok)
	}
	if _, ok := good.OldestUnacked(); ok {
		t.Error("the good one has deliveries in flight")
	}
	if err := end(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTheWindowOpensAgain(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Window: 8})
	f := h.follow(t, Subscription{}, false)
	h.ingest(t, some(0, 20)...)
	f.first(t, 8)
	for _, seq := range []journal.Seq{3, 1, 3, 99} { // 3 twice, and one that was never delivered
		f.Acked(seq)
	}
	if got := f.first(t, 10); len(got) != 10 {
		t.Errorf("%d were delivered with two acknowledged", len(got))
	}
	for done := 0; done < 20; {
		got := f.first(t, done+1)
		for _, n := range got[done:] {
			f.Acked(n.Seq)
		}
		done = len(got)
	}
	if got := seqsOf(f.first(t, 20)); !slices.IsSorted(got) || len(got) != 20 {
		t.Errorf("%v", got)
	}
}

func TestAWindowOfBytes(t *testing.T) {
	t.Parallel()
	h := start(t, Config{WindowBytes: 2*int64(len(padded(0))) - 1})
	f := h.follow(t, Subscription{}, false)
	h.ingest(t, padded(0), padded(1), padded(2), padded(3))
	if got := f.first(t, 2); len(got) != 2 {
		t.Fatalf("%d were delivered", len(got))
	}
	f.Acked(1)
	f.Acked(2)
	f.first(t, 4)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	h := start(t, Config{ReceiptInterval: time.Millisecond})
	spec := filter.Spec{Streams: []string{"example.org/wanted"}}
	f := h.follow(t, Subscription{ID: "filtered", Durable: true, Filter: spec}, true)
	h.ingest(t, raw("example.org/other", "1"), raw("example.org/wanted", "2"), raw("example.org/other", "3"))
	if got := f.first(t, 1); got[0].Seq != 2 {
		t.Fatalf("%d was delivered", got[0].Seq)
	}
	until(t, "the cursor passes what the filter left out", func() bool { return h.cursorOf(t, "filtered") == 3 })
	if rs := h.receiptsOf(t, "filtered"); len(rs) != 1 || rs[0].Notice != 2 {
		t.Errorf("receipts %+v", rs)
	}

	bad := filter.Spec{Streams: []string{"a#b"}}
	var fe *filter.Error
	if err := f.SetFilter(bad); !errors.Is(err, ErrInvalid) || !errors.As(err, &fe) {
		t.Fatalf("%v", err)
	}
	h.ingest(t, raw("example.org/other", "4"), raw("example.org/wanted", "5"))
	if got := f.first(t, 2); got[1].Seq != 5 {
		t.Fatalf("%d was delivered: a bad filter changed the old one", got[1].Seq)
	}
	if err := f.SetFilter(filter.Spec{Streams: []string{"example.org/o*"}}); err != nil {
		t.Fatal(err)
	}
	h.ingest(t, raw("example.org/wanted", "6"), raw("example.org/other", "7"))
	if got := f.first(t, 3); got[2].Seq != 7 {
		t.Fatalf("%d was delivered", got[2].Seq)
	}
	if _, err := h.Follow(t.Context(), Subscription{Filter: bad}, newReader(true)); !errors.Is(err, ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestRewind(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	h.ingest(t, some(0, 10)...)
	f := h.follow(t, Subscription{}, true)
	h.ingest(t, some(10, 2)...)
	f.first(t, 2)
	if err := f.Rewind(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := f.Rewind(time.Time{}); err != nil {
		t.Fatal(err)
	}
	got := f.first(t, 14)
	if want := []journal.Seq{11, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; !slices.Equal(seqsOf(got), want) {
		t.Fatalf("%v", seqsOf(got))
	}
	for i, n := range got {
		if n.Repeat != (i >= 12) || n.Attempt != map[bool]uint16{false: 1, true: 2}[i >= 12] {
			t.Errorf("the %dth, notice %d: repeat %v, attempt %d", i, n.Seq, n.Repeat, n.Attempt)
		}
	}
}

var station = Subscription{ID: "station", Owner: "onsala", Durable: true, Start: Start{At: StartResume}}

func TestADurableSubscriptionGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	f := h.follow(t, station, false)
	h.ingest(t, some(0, 6)...)
	f.first(t, 6)
	for _, seq := range []journal.Seq{1, 2, 4} {
		f.Acked(seq)
	}
	f.Refused(6, "not ours")
	if err := f.end(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	h.ingest(t, some(6, 2)...)

	// What was acknowledged is not repeated, be it before or after the gap.
	check := func(f *following, attempt uint16) {
		t.Helper()
		got := f.first(t, 4)
		if want := []journal.Seq{3, 5, 7, 8}; !slices.Equal(seqsOf(got), want) {
			t.Fatalf("%v", seqsOf(got))
		}
		for _, n := range got {
			again := n.Seq <= 6 || attempt > 2
			want := attempt
			if n.Seq > 6 {
				want = attempt - 1
			}
			if n.Repeat != again || n.Attempt != want {
				t.Errorf("%d: repeat %v, attempt %d", n.Seq, n.Repeat, n.Attempt)
			}
		}
	}
	f = h.follow(t, station, false)
	check(f, 2)
	f.end()
	h.stop()
	h.log.Close()

	h = start(t, Config{Log: openLog(t, h.path)})
	if st := h.Status(); len(st.Disconnected) != 1 || st.Disconnected[0].ID != "station" || st.Disconnected[0].Lag != 6 {
		t.Errorf("%+v", st.Disconnected)
	}
	f = h.follow(t, station, true)
	check(f, 3)
	f.end()
	h.stop()
	if c := h.cursorOf(t, "station"); c != 8 {
		t.Errorf("the cursor is %d", c)
	}
	states := map[journal.Seq][]string{}
	for _, r := range h.receiptsOf(t, "station") {
		states[r.Notice] = append(states[r.Notice], r.State.String())
		if r.Sent.IsZero() || r.Attempt == 0 {
			t.Errorf("%+v", r)
		}
	}
	for seq, want := range map[journal.Seq][]string{
		1: {"acked"}, 2: {"acked"}, 3: {"sent", "sent", "acked"}, 4: {"acked"}, 5: {"sent", "sent", "acked"},
		6: {"refused"}, 7: {"sent", "acked"}, 8: {"sent", "acked"},
	} {
		if !slices.Equal(states[seq], want) {
			t.Errorf("receipts of %d: %v, want %v", seq, states[seq], want)
		}
	}
}

func TestAfterACrashAllThatMayHaveBeenSentIsARepeat(t *testing.T) {
	t.Parallel()
	// Run is never called, so that nothing but the beginning of the follower is
	// in the journal: as after kill -9.
	h := start(t, Config{})
	h.stop()
	crashed, err := New(Config{Log: h.log})
	if err != nil {
		t.Fatal(err)
	}
	h.Broker = crashed
	h.ingest(t, some(0, 3)...)
	r := newReader(true)
	f, err := crashed.Follow(t.Context(), Subscription{ID: "station", Durable: true, Start: Start{At: StartAfter, After: 1}}, r)
	if err != nil {
		t.Fatal(err)
	}
	r.f = f
	end := run(t, f)
	r.first(t, 2)
	h.ingest(t, some(3, 2)...)
	end()
	h.log.Close()

	h = start(t, Config{Log: openLog(t, h.path)})
	h.ingest(t, nth(5))
	again := h.follow(t, Subscription{ID: "station", Durable: true, Start: Start{At: StartResume}}, true)
	got := again.first(t, 5)
	if want := []journal.Seq{2, 3, 4, 5, 6}; !slices.Equal(seqsOf(got), want) {
		t.Fatalf("%v", seqsOf(got))
	}
	for _, n := range got {
		if want := n.Seq <= 5; n.Repeat != want {
			t.Errorf("%d: repeat %v", n.Seq, n.Repeat)
		}
	}
}

func TestANewDurableSubscriptionLosesNothingInACrash(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	h.ingest(t, some(0, 3)...)
	h.follow(t, station, false)
	h.ingest(t, some(3, 3)...)
	if c := h.cursorOf(t, "station"); c != 3 {
		t.Errorf("the cursor is %d while it is followed", c)
	}
}

func TestANewerConnectionTakesOver(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	older := h.follow(t, station, false)
	h.ingest(t, some(0, 3)...)
	older.first(t, 3)
	older.Acked(1)
	newer := h.follow(t, station, false)
	got := newer.first(t, 2)
	if !slices.Equal(seqsOf(got), []journal.Seq{2, 3}) || !got[0].Repeat || got[0].Attempt != 2 {
		t.Fatalf("%v, %+v", seqsOf(got), got[0])
	}
	older.Acked(2) // counts no more
	if st := newer.Status(); st.Cursor != 1 || st.InFlight != 2 {
		t.Errorf("cursor %d, %d in flight", st.Cursor, st.InFlight)
	}
	<-older.done
	if err := older.end(); !errors.Is(err, ErrTakenOver) {
		t.Errorf("%v", err)
	}
	if st := h.Status(); st.FollowerCount != 1 {
		t.Errorf("%d followers", st.FollowerCount)
	}
}

func TestSomebodyElsesSubscriptionIsForbidden(t *testing.T) {
	t.Parallel()
	h := start(t, Config{MaxDurable: 1})
	f := h.follow(t, station, true)
	thief := station
	thief.Owner = "thief"
	if _, err := h.Follow(t.Context(), thief, newReader(true)); !errors.Is(err, ErrForbidden) {
		t.Errorf("%v", err)
	}
	if err := h.Unsubscribe(t.Context(), "station", "thief"); !errors.Is(err, ErrForbidden) {
		t.Errorf("%v", err)
	}
	other := Subscription{ID: "other", Durable: true}
	if _, err := h.Follow(t.Context(), other, newReader(true)); !errors.Is(err, ErrBusy) {
		t.Errorf("one more than allowed: %v", err)
	}
	if _, err := h.Follow(t.Context(), Subscription{Durable: true}, newReader(true)); !errors.Is(err, ErrInvalid) {
		t.Errorf("without a name: %v", err)
	}
	if err := h.Unsubscribe(t.Context(), "station", "onsala"); err != nil {
		t.Fatal(err)
	}
	<-f.done
	if err := f.end(); !errors.Is(err, ErrUnsubscribed) {
		t.Errorf("%v", err)
	}
	h.follow(t, other, true)
	if subs, err := h.log.Subscriptions(t.Context()); err != nil || len(subs) != 1 || subs[0].ID != "other" {
		t.Errorf("%+v, %v", subs, err)
	}
}

// breaking is a sink that fails at a given notice.
type breaking struct {
	*reader
	at journal.Seq
}

var errBroken = errors.New("connection reset")

func (s breaking) Deliver(ctx context.Context, batch []*Notice) error {
	for i, n := range batch {
		if n.Seq == s.at {
			s.reader.Deliver(ctx, batch[:i])
			return errBroken
		}
	}
	return s.reader.Deliver(ctx, batch)
}

func TestAFailingSinkEndsItsFollowerOnly(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	good := h.follow(t, Subscription{}, true)
	sink := breaking{newReader(true), 7}
	f, err := h.Follow(t.Context(), station, sink)
	if err != nil {
		t.Fatal(err)
	}
	sink.f = f
	run(t, f)
	h.ingest(t, some(0, 10)...)
	<-f.done
	good.first(t, 10)
	again := h.follow(t, station, true)
	got := again.first(t, 4)
	if want := []journal.Seq{7, 8, 9, 10}; !slices.Equal(seqsOf(got), want) || !got[0].Repeat {
		t.Errorf("%v, repeat %v", seqsOf(got), got[0].Repeat)
	}
}

func TestRunEndsTheFollowersAndWritesTheRest(t *testing.T) {
	t.Parallel()
	h := start(t, Config{ReceiptInterval: time.Hour})
	f := h.follow(t, station, true)
	h.ingest(t, some(0, 5)...)
	f.first(t, 5)
	h.stop()
	if err := f.end(); !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
	if c := h.cursorOf(t, "station"); c != 5 {
		t.Errorf("the cursor is %d", c)
	}
	if rs := h.receiptsOf(t, "station"); len(rs) != 5 {
		t.Errorf("%d receipts", len(rs))
	}
	if _, err := h.Follow(t.Context(), Subscription{}, newReader(true)); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
}

func TestTrimmedNoticesAreSkipped(t *testing.T) {
	t.Parallel()
	h := start(t, Config{CacheBytes: 1})
	h.ingest(t, some(0, 300)...)
	f := h.follow(t, station, true)
	f.end()
	if _, err := h.log.Trim(t.Context(), journal.TrimPolicy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	first, _ := h.log.Bounds()
	if first < 200 {
		t.Skipf("the journal kept %d on", first)
	}
	h.ingest(t, some(300, 1)...)
	got := h.follow(t, Subscription{Start: Start{At: StartAfter, After: 5}}, true)
	if n := got.first(t, 1)[0]; n.Seq != first {
		t.Errorf("began with %d", n.Seq)
	}
}
