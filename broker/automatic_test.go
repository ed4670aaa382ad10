package broker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"
)

// auto is the automatic subscription of one owner.
func auto(owner string) Subscription {
	return Subscription{ID: owner + " on feed", Owner: owner, Durable: true, Keep: 20 * time.Minute, Start: Start{At: StartResume}}
}

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// settled waits until a subscription has so many receipts in the journal.
func (h *house) settled(t testing.TB, id string, n int) []journal.Receipt {
	t.Helper()
	var rs []journal.Receipt
	until(t, fmt.Sprintf("%d receipts of %s", n, id), func() bool {
		rs = h.receiptsOf(t, id)
		return len(rs) >= n
	})
	return rs
}

func TestAnAutomaticSubscriptionGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	c := newClock()
	h := start(t, Config{Now: c.now})
	h.ingest(t, nth(0))
	f := h.follow(t, auto("a"), true)
	if f.Behind() {
		t.Error("the first connection is behind")
	}
	h.ingest(t, nth(1))
	if got := seqsOf(f.first(t, 1)); !slices.Equal(got, []journal.Seq{2}) {
		t.Fatalf("the first connection got %v", got)
	}
	f.end()
	h.ingest(t, some(2, 3)...)
	c.pass(19 * time.Minute)
	f = h.follow(t, auto("a"), false)
	if !f.Behind() {
		t.Error("nothing waits")
	}
	got := f.first(t, 3)
	if !slices.Equal(seqsOf(got), []journal.Seq{3, 4, 5}) || got[0].Repeat {
		t.Fatalf("the second connection got %v", seqsOf(got))
	}
	f.end()
	// What was written and not acknowledged comes again, marked; time counts from the end of the last connection.
	c.pass(19 * time.Minute)
	f = h.follow(t, auto("a"), true)
	if got := f.first(t, 3); !got[0].Repeat || got[0].Attempt != 2 || got[2].Seq != 5 {
		t.Fatalf("%+v", got[0])
	}
	// Another owner has nothing to do with it.
	if g := h.follow(t, auto("b"), true); g.Behind() {
		t.Error("a stranger is behind")
	}
}

func TestTheTimeOfAnAutomaticSubscription(t *testing.T) {
	t.Parallel()
	c := newClock()
	h := start(t, Config{Now: c.now})
	f := h.follow(t, auto("a"), true)
	h.follow(t, auto("b"), true).end()
	f.end()
	h.ingest(t, some(0, 2)...)
	c.pass(20 * time.Minute)
	if s := h.Status(); len(s.Disconnected) != 0 {
		t.Errorf("%+v", s.Disconnected)
	}
	// Its owner begins live, also when nobody has swept.
	f = h.follow(t, auto("a"), true)
	if f.Behind() {
		t.Error("it goes on although its time was over")
	}
	h.ingest(t, nth(2))
	if got := f.first(t, 1); got[0].Seq != 3 || got[0].Repeat {
		t.Errorf("%+v", got[0])
	}
	// The other one is swept, the one that is followed is not.
	c.pass(24 * time.Hour)
	h.removeExpired(t.Context())
	stored, err := h.log.Subscriptions(t.Context())
	if err != nil || len(stored) != 1 || stored[0].ID != "a on feed" {
		t.Errorf("the journal holds %+v, %v", stored, err)
	}
	f.end()
	c.pass(time.Minute)
	h.removeExpired(t.Context())
	if s := h.Status(); len(s.Disconnected) != 1 || !s.Disconnected[0].Automatic || s.Disconnected[0].KeptUntil.Sub(c.now()) != 19*time.Minute {
		t.Errorf("%+v", s.Disconnected)
	}
}

func TestAnAutomaticSubscriptionIsNotTakenOver(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	first := h.follow(t, auto("a"), true)
	if _, err := h.Follow(t.Context(), auto("a"), newReader(true)); !errors.Is(err, ErrHeld) {
		t.Fatalf("%v", err)
	}
	h.ingest(t, nth(0))
	first.first(t, 1)
	first.end()
	if f := h.follow(t, auto("a"), true); f.Status().Acked != 1 {
		t.Errorf("%+v", f.Status())
	}
}

// lingering is a sink that ends some time after it was told to.
type lingering struct{ told, leave chan struct{} }

func (s lingering) Deliver(ctx context.Context, _ []*Notice) error {
	<-ctx.Done()
	close(s.told)
	<-s.leave
	return ctx.Err()
}

func TestAHolderThatIsAboutToEndIsWaitedFor(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	sink := lingering{make(chan struct{}), make(chan struct{})}
	old, err := h.Follow(t.Context(), auto("a"), sink)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = old.Run(ctx)
	}()
	h.ingest(t, nth(0))
	until(t, "a delivery under way", func() bool { return old.Status().InFlight == 1 })
	cancel()
	<-sink.told
	go func() { close(sink.leave) }()
	f := h.follow(t, auto("a"), true)
	if got := f.first(t, 1); !f.Behind() || got[0].Seq != 1 {
		t.Errorf("%+v", got)
	}
	<-done
}

// Giving back leaves what a connection found, and the connection goes on live.
func TestGivingAnAutomaticSubscriptionBack(t *testing.T) {
	t.Parallel()
	c := newClock()
	h := start(t, Config{Now: c.now})
	// One that was made for the connection is forgotten.
	f := h.follow(t, auto("a"), true)
	h.ingest(t, nth(0))
	f.first(t, 1)
	f.GiveBack()
	f.GiveBack()
	h.ingest(t, nth(1))
	if got := f.first(t, 2); got[1].Seq != 2 || got[1].Repeat {
		t.Errorf("%+v", got)
	}
	if s := f.Status(); s.Automatic || s.Durable {
		t.Errorf("%+v", s)
	}
	own := h.follow(t, auto("a"), true)
	if own.Behind() {
		t.Error("the next one is behind")
	}
	f.end()
	own.end()
	h.ingest(t, some(2, 2)...)
	c.pass(15 * time.Minute)
	// What waits for the owner is neither delivered to one that does not want it nor lost, nor kept any longer.
	r := newReader(true)
	g, err := h.Follow(t.Context(), auto("a"), r)
	if err != nil || !g.Behind() {
		t.Fatal(err)
	}
	r.f = g
	g.GiveBack()
	if g.Behind() {
		t.Error("it is still behind")
	}
	end := run(t, g)
	h.ingest(t, nth(4))
	if got := r.first(t, 1); got[0].Seq != 5 {
		t.Errorf("%+v", got[0])
	}
	end()
	if s := h.Status().Disconnected; len(s) != 1 || s[0].Lag != 3 || s[0].KeptUntil.Sub(c.now()) != 5*time.Minute {
		t.Fatalf("%+v", s)
	}
	own = h.follow(t, auto("a"), true)
	if got := own.first(t, 3); got[0].Seq != 3 || got[0].Repeat {
		t.Errorf("%+v", got[0])
	}
}

func TestAutomaticSubscriptionsSurviveRestartsWithoutTheirFilters(t *testing.T) {
	t.Parallel()
	c := newClock()
	h := start(t, Config{Now: c.now})
	killed := h.follow(t, auto("killed"), true) // is followed when the broker dies
	gone := h.follow(t, auto("gone"), true)
	over := h.follow(t, auto("over"), true)
	over.GiveBack()
	if err := killed.SetFilter(filter.Spec{Streams: []string{"other/**"}}); err != nil {
		t.Fatal(err)
	}
	gone.end()
	over.end()
	until(t, "all is written", func() bool {
		all, err := h.log.Subscriptions(t.Context())
		ended := slices.DeleteFunc(all, func(s journal.StoredSubscription) bool {
			return !strings.Contains(string(s.Def), `"following":false`)
		})
		return err == nil && len(ended) == 2
	})
	h.ingest(t, nth(0))
	c.pass(time.Hour)
	// Another broker on the same journal, as if the first one had been killed.
	b, err := New(Config{Log: h.log, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	c.pass(19 * time.Minute)
	for owner, waits := range map[string]bool{"killed": true, "gone": true, "over": false} {
		f, err := b.Follow(t.Context(), auto(owner), newReader(false))
		if err != nil {
			t.Fatal(err)
		}
		if f.Behind() != waits || !f.filter.Load().Everything() || !f.Status().Filter.IsZero() {
			t.Errorf("%s: behind %v, %+v", owner, f.Behind(), f.Status())
		}
	}
}

func TestStrangersTakeNoRoomOfNamedSubscriptions(t *testing.T) {
	t.Parallel()
	h := start(t, Config{MaxDurable: 2})
	for i := range 2 {
		h.follow(t, auto(fmt.Sprint(i)), true)
	}
	be := new(Error)
	if _, err := h.Follow(t.Context(), auto("2"), newReader(true)); !errors.As(err, &be) || be.Reason != ReasonRate {
		t.Errorf("%v", err)
	}
	for i := range 2 {
		h.follow(t, Subscription{ID: fmt.Sprint("named", i), Durable: true}, true)
	}
	if _, err := h.Follow(t.Context(), Subscription{ID: "one more", Durable: true}, newReader(true)); !errors.As(err, &be) || be.Reason != ReasonRate {
		t.Errorf("%v", err)
	}
}

// A client that dies of a notice each time gets what comes after it.
func TestANoticeThatIsNeverAnsweredIsGivenUp(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	f := h.follow(t, auto("a"), false)
	h.ingest(t, some(0, 3)...)
	for attempt := range patience {
		if attempt > 0 {
			f = h.follow(t, auto("a"), false)
		}
		if got := f.first(t, 3); got[0].Seq != 1 || int(got[0].Attempt) != attempt+1 {
			t.Fatalf("attempt %d: %+v", attempt, got[0])
		}
		until(t, "the delivery is over", func() bool { return f.Status().Delivered >= uint64(3*(attempt+1)) })
		f.end()
	}
	f = h.follow(t, auto("a"), true)
	if got := f.first(t, 2); got[0].Seq != 2 || got[0].Attempt != patience+1 {
		t.Fatalf("%+v", got[0])
	}
	rs := h.settled(t, "a on feed", 11)
	if i := slices.IndexFunc(rs, func(r journal.Receipt) bool { return r.State == journal.Failed }); i < 0 || rs[i].Notice != 1 || rs[i].Reason == "" {
		t.Errorf("%+v", rs)
	}
}

// A client that answers nothing at all is not kept back by what it got already.
func TestThePlaceOfASubscriberThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Window: 2})
	h.follow(t, auto("a"), false).end()
	h.ingest(t, some(0, 4)...)
	connections := 0
	for {
		f := h.follow(t, auto("a"), false)
		if !f.Behind() {
			break
		}
		if connections++; connections > fruitlessMost {
			t.Fatal("its place is still kept")
		}
		f.first(t, 2)
		until(t, "the delivery is over", func() bool { return f.Status().Delivered >= uint64(2*connections) })
		f.end()
	}
	if connections != fruitlessMost {
		t.Errorf("its place was given up after %d connections", connections)
	}
}

func TestAutomaticSubscriptionsAreSwept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := openLog(t, filepath.Join(t.TempDir(), "journal.db"))
		b := bare(t, log)
		f, err := b.Follow(t.Context(), auto("a"), newReader(true))
		if err != nil {
			t.Fatal(err)
		}
		go b.sweep(t.Context())
		stored := func() int {
			synctest.Wait()
			all, err := log.Subscriptions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		time.Sleep(time.Hour)
		if n := stored(); n != 1 {
			t.Fatalf("%d while it is followed", n)
		}
		f.end()
		time.Sleep(20*time.Minute - time.Second)
		if n := stored(); n != 1 {
			t.Errorf("%d within its time", n)
		}
		time.Sleep(2 * sweepInterval)
		if n := stored(); n != 0 {
			t.Errorf("%d after its time", n)
		}
	})
}
