package vtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A remoteBroker is a broker played by hand: each connection of the subscriber is a wire.
type remoteBroker struct {
	t     testing.TB
	l     net.Listener
	wires chan *wire
}

func newRemoteBroker(t testing.TB) *remoteBroker {
	b := &remoteBroker{t: t, l: listen(t, "tcp", "127.0.0.1:0"), wires: make(chan *wire, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := b.l.Accept()
			if err != nil {
				return
			}
			b.wires <- &wire{t, conn}
		}
	}()
	t.Cleanup(func() {
		b.l.Close()
		<-done
		close(b.wires)
		for w := range b.wires {
			w.close()
		}
	})
	return b
}

func (b *remoteBroker) remote() Remote { return Remote{Address: b.l.Addr().String()} }

// session waits for the next connection.
func (b *remoteBroker) session() *wire {
	b.t.Helper()
	w := got(b.t, b.wires, "connection")
	b.t.Cleanup(w.close)
	return w
}

// subscribe runs a subscriber until the test ends.
func subscribe(t testing.TB, s *Subscriber) {
	t.Helper()
	var q quiet
	s.Logger = q.logger()
	if s.MinBackoff == 0 {
		s.MinBackoff, s.MaxBackoff = time.Millisecond, 2*time.Millisecond
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if t.Failed() {
			t.Log(q.String())
		}
	})
}

func greet(w *wire) { w.transport(Transport{Role: RoleAuthenticate, Origin: "ivo://remote"}) }

func TestASubscriberAcknowledgesAndRefuses(t *testing.T) {
	b := newRemoteBroker(t)
	d := newDesk()
	s := &Subscriber{Remotes: []Remote{b.remote()}, Ingester: d, LocalIVORN: "ivo://me", Metrics: NewMetrics(nil)}
	subscribe(t, s)
	w := b.session()
	greet(w)
	m := w.expect(RoleAuthenticate)
	if client, _ := m.Param("client"); m.Origin != "ivo://remote" || m.Response != "ivo://me" || client == "" || len(m.Filters) > 0 {
		t.Errorf("%+v", m)
	}
	w.send(notice("1"), notice("REFUSE"), notice("HOLD3"), notice("1"))
	w.expectAck("1")
	w.expectNak(nameOf("REFUSE"), "schema")
	d.release <- struct{}{}
	w.expectAck("HOLD3")
	if text := w.expectAck("1"); text != "already accepted" {
		t.Errorf("%q", text)
	}
	w.transport(Transport{Role: RoleAlive, Origin: "ivo://remote/x"})
	if m := w.expect(RoleAlive); m.Origin != "ivo://remote/x" || m.Response != "ivo://me" {
		t.Errorf("%+v", m)
	}
	if d.count() != 2 || !bytes.Equal(d.got[0], notice("1")) {
		t.Errorf("%q", d.got)
	}
	st := s.Status()[0]
	if st.State != "connected" || st.Notices != 4 || st.Repeats != 1 || st.Refused != 1 || st.Broker != "ivo://remote/x" || st.Sessions != 1 || st.LastNotice.IsZero() {
		t.Errorf("%+v", st)
	}
}

func TestASubscriberAsksForWhatItWishes(t *testing.T) {
	since := time.Date(2026, 4, 6, 0, 0, 0, 0, time.UTC)
	wishes := Wishes{XPath: []string{`//Param[@name="a"]`, "true()"}, Since: since, Subscription: "mine"}
	check := func(t *testing.T, m Transport, withSince bool) {
		t.Helper()
		from, ok := m.Param("since")
		sub, _ := m.Param("subscription")
		_, resume := m.Param("resume")
		if len(m.Filters) != 2 || m.Filters[0] != wishes.XPath[0] || sub != "mine" || resume || ok != withSince || ok && from != "2026-04-06T00:00:00Z" {
			t.Errorf("%+v", m)
		}
	}
	t.Run("when greeted, and again without the past", func(t *testing.T) {
		b := newRemoteBroker(t)
		s := &Subscriber{Remotes: []Remote{b.remote()}, Ingester: newDesk(), Wishes: wishes}
		subscribe(t, s)
		w := b.session()
		greet(w)
		check(t, w.expect(RoleAuthenticate), true)
		greet(w)
		check(t, w.expect(RoleAuthenticate), false)
		// The broker's answer is noted, and not answered in turn.
		w.transport(Transport{Role: RoleAuthenticate, Origin: "ivo://remote", Response: "ivo://remote", Result: "refused: no"})
		w.transport(Transport{Role: RoleAlive, Origin: "x"})
		w.expect(RoleAlive)
		if st := s.Status()[0]; st.FilterReply != "refused: no" {
			t.Errorf("%+v", st)
		}
	})
	t.Run("unasked, when something else comes first", func(t *testing.T) {
		b := newRemoteBroker(t)
		subscribe(t, &Subscriber{Remotes: []Remote{b.remote()}, Ingester: newDesk(), Wishes: wishes})
		w := b.session()
		w.send(notice("1"))
		w.expectAck("1")
		check(t, w.expect(RoleAuthenticate), true)
	})
	t.Run("unasked, when nothing comes", func(t *testing.T) {
		b := newRemoteBroker(t)
		subscribe(t, &Subscriber{Remotes: []Remote{b.remote()}, Ingester: newDesk(), Wishes: wishes})
		check(t, b.session().expect(RoleAuthenticate), true)
	})
}

func TestAfterALossASubscriberAsksForWhatItMissed(t *testing.T) {
	b := newRemoteBroker(t)
	s := &Subscriber{Remotes: []Remote{b.remote()}, Ingester: newDesk()}
	subscribe(t, s)
	w := b.session()
	greet(w)
	m := w.expect(RoleAuthenticate)
	if resume, _ := m.Param("resume"); len(m.Params) != 2 || resume != "no" {
		t.Errorf("%+v", m)
	}
	w.send(notice("1"))
	w.expectAck("1")
	at := time.Now()
	w.close()
	w = b.session()
	greet(w)
	m = w.expect(RoleAuthenticate)
	text, _ := m.Param("since")
	since, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || since.After(at) || at.Sub(since) > 2*resumeOverlap {
		t.Errorf("since %q at %v: %v", text, at, err)
	}
	w.send(notice("1"), notice("2"))
	if text := w.expectAck("1"); text != "already accepted" {
		t.Errorf("%q", text)
	}
	w.expectAck("2")
}

func TestANoticeThatCannotBeTakenNowEndsTheSession(t *testing.T) {
	b := newRemoteBroker(t)
	d := newDesk()
	s := &Subscriber{Remotes: []Remote{b.remote()}, Ingester: d}
	subscribe(t, s)
	w := b.session()
	w.send(notice("1"), notice("LATE2"), notice("3"))
	w.expectAck("1")
	w.expectEnd()
	w.close()
	// It is not remembered as taken: what comes again is new.
	w = b.session()
	w.send(notice("LATE2"))
	w.expectEnd()
	if d.count() < 3 {
		t.Errorf("%d notices reached the Ingester", d.count())
	}
}

func TestARemoteThatDisconnectsOnANakGetsNoMoreOfThem(t *testing.T) {
	b := newRemoteBroker(t)
	subscribe(t, &Subscriber{Remotes: []Remote{b.remote()}, Ingester: newDesk(), NoResume: true})
	w := b.session()
	w.send(notice("REFUSE"))
	w.expectNak(nameOf("REFUSE"), "schema")
	w.close()
	w = b.session()
	w.send(notice("REFUSE"))
	if text := w.expectAck("REFUSE"); text != "refused as asked" {
		t.Errorf("%q", text)
	}
}

func TestABugInTheIngesterEndsOneSession(t *testing.T) {
	b := newRemoteBroker(t)
	subscribe(t, &Subscriber{Remotes: []Remote{b.remote()}, Ingester: newDesk(), NoResume: true})
	for range 2 {
		w := b.session()
		w.send(notice("PANIC"))
		w.expectEnd()
		w.close()
	}
	w := b.session()
	w.send(notice("1"), notice("WAITPANIC"))
	w.expectAck("1")
	w.expectEnd()
	w.close()
	w = b.session()
	w.send(notice("2"))
	w.expectAck("2")
}

func TestDuplicatesOfSeveralRemotesAreDropped(t *testing.T) {
	one, two := newRemoteBroker(t), newRemoteBroker(t)
	d := newDesk()
	s := &Subscriber{Remotes: []Remote{one.remote(), two.remote()}, Ingester: d}
	subscribe(t, s)
	a, b := one.session(), two.session()
	// Crosswise and at the same time: neither waits for the other.
	a.send(notice("HOLD1"))
	b.send(notice("HOLD2"))
	for d.count() < 2 {
		time.Sleep(time.Millisecond)
	}
	a.send(append(notice("HOLD2"), "\n<!-- from elsewhere -->"...))
	b.send(notice("HOLD1"))
	d.release <- struct{}{}
	d.release <- struct{}{}
	a.expectAck("HOLD1")
	b.expectAck("HOLD2")
	a.expectAck("HOLD2")
	b.expectAck("HOLD1")
	if d.count() != 2 {
		t.Errorf("%d notices reached the Ingester", d.count())
	}
	if st := s.Status(); st[0].Repeats != 1 || st[1].Repeats != 1 {
		t.Errorf("%+v", st)
	}
}

// Two sessions each have the other's notice ahead of their own: a cycle, if each had to wait for the first to come.
func TestSessionsDoNotWaitForEachOther(t *testing.T) {
	d := newDesk()
	s := newSeen(d, func(Peer) {})
	ctx := t.Context()
	submit := func(local string) Pending {
		p, err := s.Submit(ctx, Submission{Raw: notice(local)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	x1, y1 := submit("X"), submit("Y")
	y2, x2 := submit("Y"), submit("X")
	for _, p := range []Pending{x2, y2} { // x1 and y1 are never waited for.
		if r, err := p.Wait(ctx); err != nil || r.Result != "already accepted" {
			t.Errorf("%v %v", r, err)
		}
	}
	for _, p := range []Pending{x1, y1} {
		if r, err := p.Wait(ctx); err != nil || r.Result != "" || !ready(answer{pending: p}) {
			t.Errorf("%v %v", r, err)
		}
	}
}

func TestMemoryOfDuplicatesIsBounded(t *testing.T) {
	s := newSeen(Handle(func(context.Context, Submission) (Receipt, error) { return Receipt{}, nil }), func(Peer) {})
	for i := range 3 * seenLimit {
		if _, err := s.Submit(t.Context(), Submission{Raw: fmt.Appendf(nil, "<a>%d</a>", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.now) + len(s.old); n > 2*seenLimit {
		t.Errorf("%d are remembered", n)
	}
}

func TestASilentRemoteIsGivenUp(t *testing.T) {
	b := newRemoteBroker(t)
	subscribe(t, &Subscriber{Remotes: []Remote{b.remote()}, Ingester: newDesk(), SilenceTimeout: 30 * time.Millisecond})
	w := b.session()
	w.expectEnd()
	b.session()
}

func TestPausesBetweenAttemptsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q quiet
		s := &Subscriber{Remotes: []Remote{{Network: "nonsense", Address: "x"}}, Ingester: newDesk(), Logger: q.logger()}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s.Run(ctx)
		attempts := strings.Count(q.String(), "retry_in")
		// 1 s × 1.5 … 60 s: some eleven attempts until the pauses are a minute, then one a minute or a little less.
		if attempts < 55 || attempts > 70 {
			t.Errorf("%d attempts in an hour", attempts)
		}
		if st := s.Status()[0]; st.State != "stopped" || st.LastError == "" || st.Sessions != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestWhatHasArrivedGetsItsReceiptWhenASubscriberStops(t *testing.T) {
	b := newRemoteBroker(t)
	d := newDesk()
	s := &Subscriber{Remotes: []Remote{b.remote()}, Ingester: d, Logger: (&quiet{}).logger()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	w := b.session()
	w.send(notice("HOLD1"))
	for d.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	d.release <- struct{}{}
	w.expectAck("HOLD1")
	w.expectEnd()
	w.close()
	if err := got(t, done, "end of Run"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A subscriber of ours on a feed of ours, authors of ours on a port of ours.
func TestBothEndsOfOurs(t *testing.T) {
	var q quiet
	st := newStage()
	feed := newFeedServer(st, &q)
	feed.SendAuthenticate = true
	addr := serve(t, feed)
	var mu sync.Mutex
	var have []string
	sub := &Subscriber{
		Remotes: []Remote{{Address: addr.String()}}, Wishes: Wishes{XPath: []string{"//a"}},
		Ingester: Handle(func(_ context.Context, s Submission) (Receipt, error) {
			mu.Lock()
			defer mu.Unlock()
			have = append(have, ivornOf(s.Raw))
			return Receipt{IVORN: ivornOf(s.Raw)}, nil
		}),
	}
	subscribe(t, sub)
	a := got(t, st.followers, "follower")
	if w := got(t, a.wishes, "wishes"); len(w.XPath) != 1 {
		t.Errorf("%+v", w)
	}
	const n = 300
	for i := range n {
		a.batches <- notices(uint64(i), fmt.Sprint(i))
	}
	for i := range uint64(n) {
		if id := got(t, a.acked, "ack"); id != i {
			t.Fatalf("ack for %d, not %d", id, i)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for i := range n {
		if have[i] != nameOf(fmt.Sprint(i)) {
			t.Fatalf("notice %d is %s", i, have[i])
		}
	}
	if r := sub.Status()[0].FilterReply; r != "accepted" {
		t.Errorf("%q", r)
	}
}
