package vtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newFeedServer(st *stage, q *quiet) *FeedServer {
	return &FeedServer{Feed: st, LocalIVORN: brokerName, Name: "subscribers", Logger: q.logger()}
}

func ack(origin string) Transport {
	return Transport{Role: RoleAck, Origin: origin, Response: "ivo://me"}
}

// expectNotice reads a notice, which must be as it was given in.
func (w *wire) expectNotice(local string) {
	w.t.Helper()
	if raw := w.next(); !bytes.Equal(raw, notice(local)) {
		w.t.Fatalf("%q came, not notice %s", raw, local)
	}
}

func TestSubscriberPort(t *testing.T) {
	bad := "bad("
	for name, script := range map[string]func(t *testing.T, w *wire, a *actor){
		"notices come in order and are settled by their acks": func(t *testing.T, w *wire, a *actor) {
			a.batches <- notices(1, "a", "b")
			a.batches <- notices(3, "c")
			for i, n := range []string{"a", "b", "c"} {
				w.expectNotice(n)
				w.transport(ack(nameOf(n)))
				if id := got(t, a.acked, "ack"); id != uint64(i+1) {
					t.Errorf("%s settled %d", n, id)
				}
			}
		},
		"an ack settles the oldest notice of its name": func(t *testing.T, w *wire, a *actor) {
			a.batches <- notices(1, "a", "b", "a", "c")
			for _, n := range []string{"a", "b", "a", "c"} {
				w.expectNotice(n)
			}
			for _, c := range []struct {
				local string
				id    uint64
			}{{"c", 4}, {"a", 1}, {"a", 3}, {"b", 2}} {
				w.transport(ack(nameOf(c.local)))
				if id := got(t, a.acked, "ack"); id != c.id {
					t.Errorf("%s settled %d, not %d", c.local, id, c.id)
				}
			}
		},
		"an ack without a name or with a wrong one settles the oldest": func(t *testing.T, w *wire, a *actor) {
			a.batches <- notices(1, "a", "b", "c")
			for _, n := range []string{"a", "b", "c"} {
				w.expectNotice(n)
			}
			w.transport(ack(""))
			w.transport(ack("ivo://elsewhere"))
			for want := range uint64(2) {
				if id := got(t, a.acked, "ack"); id != want+1 {
					t.Errorf("%d was settled", id)
				}
			}
			// The right ones that come late are not taken for c.
			w.transport(ack(nameOf("a")))
			w.transport(ack(nameOf("b")))
			w.transport(ack(nameOf("c")))
			if id := got(t, a.acked, "ack"); id != 3 || len(a.acked) > 0 {
				t.Errorf("%d was settled", id)
			}
		},
		"an ack of nothing is no offence": func(t *testing.T, w *wire, a *actor) {
			for range 200 {
				w.transport(ack(""))
			}
			a.batches <- notices(1, "a")
			w.expectNotice("a")
			w.transport(ack(nameOf("a")))
			if id := got(t, a.acked, "ack"); id != 1 {
				t.Errorf("%d was settled", id)
			}
		},
		"a nak refuses one notice and the connection stays": func(t *testing.T, w *wire, a *actor) {
			a.batches <- notices(1, "a", "b")
			w.expectNotice("a")
			w.expectNotice("b")
			w.transport(Transport{Role: RoleNak, Origin: nameOf("a"), Result: "I know it", Params: []Param{{"reason", "duplicate"}}})
			if s := got(t, a.refused, "refusal"); s != "1 duplicate: I know it" {
				t.Errorf("%q", s)
			}
			w.transport(ack(nameOf("b")))
			if id := got(t, a.acked, "ack"); id != 2 {
				t.Errorf("%d was settled", id)
			}
		},
		"a client of GCN's kind takes a notice that says iamalive for a keep-alive": func(t *testing.T, w *wire, a *actor) {
			a.batches <- notices(1, "iamalive-in-name", "b")
			w.next()
			w.next()
			w.transport(Transport{Role: RoleAlive})
			w.transport(ack(""))
			if x, y := got(t, a.acked, "ack"), got(t, a.acked, "ack"); x != 1 || y != 2 {
				t.Errorf("%d and %d were settled", x, y)
			}
		},
		"filters come in both forms and replace each other": func(t *testing.T, w *wire, a *actor) {
			w.transport(Transport{Role: RoleAuthenticate, Origin: brokerName, Filters: []string{"//a", "//b[@x>1]"}})
			w.send([]byte(`<Transport role="authenticate"><Origin/><Meta><filter type="xpath">//c</filter></Meta></Transport>`))
			w.transport(Transport{Role: RoleAuthenticate, Origin: brokerName})
			for _, want := range []Wishes{{XPath: []string{"//a", "//b[@x>1]"}}, {XPath: []string{"//c"}}, {}} {
				if d := cmp.Diff(want, got(t, a.wishes, "wishes")); d != "" {
					t.Error(d)
				}
			}
			a.batches <- notices(1, "a")
			w.expectNotice("a") // And no answer, which Comet and pygcn would stumble over.
		},
		"a replay and a subscription can be asked for": func(t *testing.T, w *wire, a *actor) {
			w.transport(Transport{Role: RoleAuthenticate, Params: []Param{{"since", "2026-04-06T12:00:00Z"}, {"subscription", "mine"}, {"client", "x"}}})
			want := Wishes{Since: time.Date(2026, 4, 6, 12, 0, 0, 0, time.UTC), Subscription: "mine"}
			if d := cmp.Diff(want, got(t, a.wishes, "wishes")); d != "" {
				t.Error(d)
			}
			m := w.expect(RoleAuthenticate)
			since, _ := m.Param("since")
			if sub, _ := m.Param("subscription"); m.Result != "accepted" || m.Origin != brokerName || since != "2026-04-06T12:00:00Z" || sub != "mine" {
				t.Errorf("%+v", m)
			}
		},
		"a bad filter leaves the one in force": func(t *testing.T, w *wire, a *actor) {
			a.reject.Store(&bad)
			w.transport(Transport{Role: RoleAuthenticate, Filters: []string{"//a"}, Params: []Param{{"client", "x"}}})
			got(t, a.wishes, "wishes")
			w.expect(RoleAuthenticate)
			w.transport(Transport{Role: RoleAuthenticate, Filters: []string{"//b", bad}})
			m := w.expect(RoleAuthenticate)
			if !strings.HasPrefix(m.Result, "refused: bad filter") || m.Reason() != "filter" || len(m.Filters) != 1 || m.Filters[0] != "//a" {
				t.Errorf("%+v", m)
			}
			if len(a.wishes) > 0 {
				t.Errorf("%+v", <-a.wishes)
			}
		},
		"a bad filter where there is none means nothing, not everything": func(t *testing.T, w *wire, a *actor) {
			a.reject.Store(&bad)
			w.transport(Transport{Role: RoleAuthenticate, Filters: []string{bad}})
			if got := got(t, a.wishes, "wishes"); len(got.XPath) != 1 || got.XPath[0] != "false()" {
				t.Errorf("%+v", got)
			}
			w.transport(Transport{Role: RoleAuthenticate, Filters: []string{"//mended"}})
			if got := got(t, a.wishes, "wishes"); got.XPath[0] != "//mended" {
				t.Errorf("%+v", got)
			}
		},
		"a since that is no time is refused": func(t *testing.T, w *wire, _ *actor) {
			w.transport(Transport{Role: RoleAuthenticate, Params: []Param{{"since", "yesterday"}, {"client", "x"}}})
			if m := w.expect(RoleAuthenticate); !strings.Contains(m.Result, "yesterday") {
				t.Errorf("%+v", m)
			}
		},
		"wishes without end, each of which costs, end the connection": func(_ *testing.T, w *wire, _ *actor) {
			var b []byte
			for range 2 * wishBurst {
				b = appendTransport(b, &Transport{Role: RoleAuthenticate, Params: []Param{{"since", "2000-01-01"}}})
			}
			w.bytes(b)
			w.expectEnd()
		},
		"notices and garbage from a subscriber are passed over": func(t *testing.T, w *wire, a *actor) {
			w.send(notice("x"), []byte("garbage"), nil, []byte("<Transport/>"))
			a.batches <- notices(1, "a")
			w.expectNotice("a")
			w.transport(ack(nameOf("a")))
			got(t, a.acked, "ack")
		},
		"garbage without end is cut off": func(_ *testing.T, w *wire, _ *actor) {
			var b []byte
			for range 65 {
				b = AppendFrame(b, []byte("garbage"))
			}
			w.bytes(b)
			w.expectEnd()
		},
		"a message that is too long ends the connection": func(_ *testing.T, w *wire, _ *actor) {
			w.bytes([]byte{0, 1, 0, 1})
			w.expectEnd()
		},
		"an iamalive nobody asked for is passed over": func(t *testing.T, w *wire, a *actor) {
			w.transport(Transport{Role: RoleAlive, Origin: "x"})
			a.batches <- notices(1, "a")
			w.expectNotice("a")
			if len(a.acked) > 0 {
				t.Error("it settled something")
			}
		},
		"when the feed ends so does the connection": func(_ *testing.T, w *wire, a *actor) {
			close(a.stop)
			w.expectEnd()
		},
		"when the subscriber goes the follower ends": func(t *testing.T, w *wire, a *actor) {
			w.close()
			got(t, a.ended, "end of Run")
		},
		"a long batch arrives whole": func(t *testing.T, w *wire, a *actor) {
			var batch []Notice
			for i := range 500 {
				raw := append(notice(fmt.Sprint(i)), bytes.Repeat([]byte(" "), i*i%70_000)...)
				batch = append(batch, Notice{ID: uint64(i), IVORN: nameOf(fmt.Sprint(i)), Raw: raw})
			}
			a.batches <- batch
			for i := range batch {
				if raw := w.next(); !bytes.Equal(raw, batch[i].Raw) {
					t.Fatalf("notice %d has %d bytes, not %d", i, len(raw), len(batch[i].Raw))
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var q quiet
			st := newStage()
			addr := serve(t, newFeedServer(st, &q))
			other := dialWire(t, addr)
			b := got(t, st.followers, "follower")
			w := dialWire(t, addr)
			script(t, w, got(t, st.followers, "follower"))
			b.batches <- notices(1, "other")
			other.expectNotice("other")
			other.transport(ack(nameOf("other")))
			got(t, b.acked, "ack of the other subscriber")
		})
	}
}

func TestAuthenticateIsSentWhereConfigured(t *testing.T) {
	var q quiet
	st := newStage()
	s := newFeedServer(st, &q)
	s.SendAuthenticate = true
	w := dialWire(t, serve(t, s))
	if m := w.expect(RoleAuthenticate); m.Origin != brokerName || m.Response != "" {
		t.Errorf("%+v", m)
	}
}

func TestNoFeedNoConnection(t *testing.T) {
	var q quiet
	st := newStage()
	st.openErr = errors.New("full")
	dialWire(t, serve(t, newFeedServer(st, &q))).expectEnd()
}

// inPipes runs a feed server in a bubble of synctest, with one subscriber.
func inPipes(t *testing.T, set func(s *FeedServer), script func(t *testing.T, w *wire, a *actor, q *quiet)) {
	synctest.Test(t, func(t *testing.T) {
		var q quiet
		st := newStage()
		s := newFeedServer(st, &q)
		set(s)
		p := newPipes()
		done := make(chan error)
		go func() { done <- s.Serve(p) }()
		w := p.dial(t)
		script(t, w, <-st.followers, &q)
		s.Close()
		<-done
	})
}

func TestASilentConnectionGetsAnIamalive(t *testing.T) {
	inPipes(t, func(*FeedServer) {}, func(t *testing.T, w *wire, a *actor, _ *quiet) {
		last := time.Now()
		different := map[time.Duration]bool{}
		for range 10 {
			w.conn.SetReadDeadline(time.Time{})
			raw, err := ReadFrame(w.conn, 0)
			if err != nil {
				t.Fatal(err)
			}
			if m, err := ParseTransport(raw); err != nil || m.Role != RoleAlive || m.Origin != brokerName {
				t.Fatalf("%+v %v", m, err)
			}
			idle := time.Since(last)
			if idle > time.Minute || idle < time.Minute-time.Minute/8 {
				t.Errorf("after %v", idle)
			}
			different[idle] = true
			last = time.Now()
			w.transport(Transport{Role: RoleAlive, Origin: brokerName})
		}
		if len(different) < 5 {
			t.Errorf("there is no jitter: %v", different)
		}
		// A notice is traffic as well.
		time.Sleep(30 * time.Second)
		a.batches <- notices(1, "a")
		w.expectNotice("a")
		w.transport(ack(nameOf("a")))
		last = time.Now()
		w.conn.SetReadDeadline(time.Time{})
		if _, err := ReadFrame(w.conn, 0); err != nil || time.Since(last) < time.Minute-time.Minute/8 {
			t.Errorf("an iamalive %v after a notice, %v", time.Since(last), err)
		}
	})
}

func TestAMuteSubscriberIsGivenUp(t *testing.T) {
	inPipes(t, func(s *FeedServer) { s.AckTimeout = 40 * time.Second; s.KeepAliveJitter = time.Nanosecond }, func(t *testing.T, w *wire, _ *actor, q *quiet) {
		begin := time.Now()
		w.conn.SetReadDeadline(time.Time{})
		if _, err := ReadFrame(w.conn, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFrame(w.conn, 0); err == nil {
			t.Fatal("the connection goes on")
		}
		if took := time.Since(begin); took != 100*time.Second {
			t.Errorf("after %v", took)
		}
		synctest.Wait()
		if !strings.Contains(q.String(), "reason=silent") {
			t.Error(q.String())
		}
	})
}

func TestASubscriberIsJudgedByItsOldestNotice(t *testing.T) {
	inPipes(t, func(*FeedServer) {}, func(t *testing.T, w *wire, a *actor, q *quiet) {
		// Hundreds on their way do no harm as long as none is old.
		id := uint64(1)
		for range 5 {
			var batch []Notice
			for range 100 {
				batch = append(batch, notices(id, fmt.Sprint(id))...)
				id++
			}
			a.batches <- batch
			for range 100 {
				w.next()
			}
			time.Sleep(50 * time.Second)
			for i := range uint64(100) {
				w.transport(ack(nameOf(fmt.Sprint(id - 100 + i))))
			}
		}
		// One that stays without a receipt while all others get theirs ends it.
		begin := time.Now()
		a.batches <- notices(1000, "forgotten")
		w.expectNotice("forgotten")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				raw, err := ReadFrame(w.conn, 0)
				if err != nil {
					return
				}
				if KindOf(raw) == KindVOEvent {
					m := ack(ivornOf(raw))
					w.conn.Write(appendTransport(nil, &m))
				}
			}
		}()
		w.conn.SetReadDeadline(time.Time{})
		w.conn.SetWriteDeadline(time.Time{})
		for i := range 10 {
			time.Sleep(5 * time.Second)
			a.batches <- notices(uint64(2000+i), "later")
		}
		<-ended
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("after %v", took)
		}
		synctest.Wait()
		if !strings.Contains(q.String(), "reason=unacked") {
			t.Error(q.String())
		}
	})
}

func TestAReaderThatNeverReadsIsCutOff(t *testing.T) {
	inPipes(t, func(s *FeedServer) { s.WriteTimeout = 10 * time.Second }, func(t *testing.T, _ *wire, a *actor, q *quiet) {
		begin := time.Now()
		a.batches <- notices(1, "a")
		if err := <-a.failed; err == nil || time.Since(begin) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		<-a.ended
		synctest.Wait()
		if !strings.Contains(q.String(), "reason=write") {
			t.Error(q.String())
		}
	})
}

func TestASlowFrameOfASubscriberIsCutOff(t *testing.T) {
	inPipes(t, func(*FeedServer) {}, func(t *testing.T, w *wire, _ *actor, _ *quiet) {
		begin := time.Now()
		for _, c := range appendTransport(nil, &Transport{Role: RoleAck})[:19] {
			w.bytes([]byte{c})
			time.Sleep(time.Second)
		}
		w.conn.SetReadDeadline(time.Time{})
		if _, err := w.conn.Read(make([]byte, 1)); err == nil || time.Since(begin) != 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

// Only one slow reader of many is cut off, and in the meantime nobody waits for it.
func TestAStuckSubscriberHoldsUpNobody(t *testing.T) {
	var q quiet
	st := newStage()
	s := newFeedServer(st, &q)
	s.WriteTimeout = 200 * time.Millisecond
	addr := serve(t, s)
	stuck := dialWire(t, addr)
	a := got(t, st.followers, "follower")
	good := dialWire(t, addr)
	b := got(t, st.followers, "follower")
	big := Notice{ID: 1, IVORN: "x", Raw: bytes.Repeat([]byte("x"), 1<<20)}
	for range 50 {
		a.batches <- []Notice{big}
	}
	for i := range 100 {
		b.batches <- notices(uint64(i), "n")
		good.expectNotice("n")
		good.transport(ack(nameOf("n")))
		got(t, b.acked, "ack")
	}
	got(t, a.failed, "end of the stuck subscriber")
	got(t, a.ended, "end of its follower")
	stuck.close()
}

func TestShutdownWaitsForReceipts(t *testing.T) {
	var q quiet
	st := newStage()
	s := newFeedServer(st, &q)
	addr := serve(t, s)
	idle, busy := dialWire(t, addr), dialWire(t, addr)
	one, two := got(t, st.followers, "follower"), got(t, st.followers, "follower")
	a := one
	if one.peer.Remote == idle.conn.LocalAddr().String() {
		a = two
	}
	a.batches <- notices(1, "a", "b")
	busy.expectNotice("a")
	busy.expectNotice("b")
	ended := make(chan error)
	go func() { ended <- s.Shutdown(context.Background()) }()
	idle.expectEnd()
	got(t, a.ended, "end of delivering")
	busy.transport(ack(nameOf("a")))
	busy.transport(ack(nameOf("b")))
	busy.expectEnd()
	if err := got(t, ended, "end of Shutdown"); err != nil {
		t.Error(err)
	}
	if len(a.acked) != 2 {
		t.Errorf("%d acks", len(a.acked))
	}
}
