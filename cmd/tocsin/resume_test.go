package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/vtp"
)

// heldSubscriber is a connection to a feed as vtp makes it, without the network. It acknowledges what it gets.
type heldSubscriber struct {
	*follower
	got chan string
	end func()
}

func (h *heldSubscriber) Deliver(_ context.Context, batch []vtp.Notice) error {
	for _, n := range batch {
		h.got <- n.IVORN
		h.Acked(n.ID)
	}
	return nil
}

// opened connects a subscriber from a host.
func opened(t *testing.T, f feed, host string) *heldSubscriber {
	t.Helper()
	h := &heldSubscriber{got: make(chan string, 1000)}
	inner, err := f.Open(t.Context(), vtp.Peer{Listener: "feed", Remote: host + ":4711"}, h)
	if err != nil {
		t.Fatal(err)
	}
	h.follower = inner.(*follower)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(ctx)
	}()
	h.end = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(h.end)
	return h
}

func feedOf(s *server) feed {
	return feed{broker: s.broker, resume: &resuming{keep: defaultResume, log: s.log}}
}

// automatic says what of the follower's status concerns us.
func (h *heldSubscriber) automatic() bool { return h.latest().Status().Automatic }

func TestASubscriberWithoutANameGoesOnWhereItEnded(t *testing.T) {
	s := testBroker(t, nil)
	f := feedOf(s)
	first := opened(t, f, "192.0.2.1")
	if first.Held() || !first.automatic() {
		t.Error("the first connection is held, or nothing is kept for it")
	}
	submit(t, s, "1")
	expect(t, first.got, "#1")
	first.end()
	submit(t, s, "2")
	submit(t, s, "3")
	again := opened(t, f, "192.0.2.1")
	other := opened(t, f, "192.0.2.2")
	if !again.Held() || other.Held() {
		t.Fatal("what was missed is not held back, or somebody else's is")
	}
	submit(t, s, "4")
	expect(t, other.got, "#4")
	// The filter comes before anything else.
	if err := again.Subscribe(vtp.Wishes{XPath: []string{"//*[contains(@ivorn, '#3')]"}}); err != nil {
		t.Fatal(err)
	}
	if len(again.got) > 0 {
		t.Fatal("it was not held back")
	}
	again.Heard()
	expect(t, again.got, "#3")
	again.end()
	// And is gone with its connection.
	submit(t, s, "5")
	again = opened(t, f, "192.0.2.1")
	again.Heard()
	expect(t, again.got, "#5")
}

func TestResumeCanBeOff(t *testing.T) {
	s := testBroker(t, nil)
	f := feed{broker: s.broker, resume: &resuming{log: s.log}}
	first := opened(t, f, "192.0.2.1")
	first.end()
	submit(t, s, "1")
	again := opened(t, f, "192.0.2.1")
	submit(t, s, "2")
	expect(t, again.got, "#2")
	if again.automatic() || len(s.broker.Status().Disconnected) > 0 {
		t.Error("a place is kept")
	}
}

// Of many connections from one address one holds its subscription, and nobody takes that away.
func TestManyConnectionsFromOneAddress(t *testing.T) {
	s := testBroker(t, nil)
	f := feedOf(s)
	all := []*heldSubscriber{}
	for range 50 {
		all = append(all, opened(t, f, "192.0.2.1"))
	}
	submit(t, s, "1")
	for i, h := range all {
		expect(t, h.got, "#1")
		if h.automatic() != (i == 0) {
			t.Errorf("connection %d: automatic %v", i, h.automatic())
		}
	}
	all[1].end()
	if st := s.broker.Status(); len(st.Disconnected) > 0 {
		t.Errorf("%+v", st.Disconnected)
	}
	all[0].end()
	submit(t, s, "2")
	expect(t, all[2].got, "#2")
	again := opened(t, f, "192.0.2.1")
	again.Heard()
	expect(t, again.got, "#2")
}

// A subscriber with means of its own leaves the address's automatic subscription to whom it belongs.
func TestWhoAsksForThePastGivesTheAutomaticSubscriptionBack(t *testing.T) {
	for name, c := range map[string]struct {
		wishes vtp.Wishes
		got    []string
	}{
		"no":           {vtp.Wishes{NoResume: true}, []string{"#3"}},
		"since":        {vtp.Wishes{Since: time.Now().Add(-time.Hour)}, []string{"#1", "#2", "#3"}},
		"subscription": {vtp.Wishes{Subscription: "mine"}, []string{"#3"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := testBroker(t, nil)
			f := feedOf(s)
			pygcn := opened(t, f, "192.0.2.1")
			submit(t, s, "1")
			expect(t, pygcn.got, "#1")
			pygcn.end()
			submit(t, s, "2")
			visitor := opened(t, f, "192.0.2.1")
			if err := visitor.Subscribe(c.wishes); err != nil {
				t.Fatal(err)
			}
			visitor.Heard()
			submit(t, s, "3")
			for _, want := range c.got {
				expect(t, visitor.got, want)
			}
			if visitor.automatic() {
				t.Error("the visitor has kept it")
			}
			pygcn = opened(t, f, "192.0.2.1")
			pygcn.Heard()
			expect(t, pygcn.got, "#2")
			expect(t, pygcn.got, "#3")
		})
	}
}

// Tocsin's own subscribers ask for what they miss themselves.
func TestOwnSubscribersWantNoAutomaticSubscription(t *testing.T) {
	s := testBroker(t, nil)
	got, end := subscribe(t, s, vtp.Wishes{})
	for range 4000 {
		if st := s.broker.Status(); len(st.Followers) == 1 && !st.Followers[0].Automatic {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	submit(t, s, "1")
	expect(t, got, "#1")
	end()
	following(t, s, 0)
	if st := s.broker.Status(); len(st.Disconnected) > 0 {
		t.Errorf("%+v", st.Disconnected)
	}
}

func TestWithoutRoomSubscribersBeginLiveAndThatIsToldOnce(t *testing.T) {
	s := testBroker(t, func(c *Config) { c.Limits.Durable = 1 })
	var told bytes.Buffer
	f := feed{broker: s.broker, resume: &resuming{keep: defaultResume, log: slog.New(slog.NewTextHandler(&told, nil))}}
	for i, host := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		h := opened(t, f, host)
		if h.automatic() != (i == 0) {
			t.Errorf("%s: automatic %v", host, h.automatic())
		}
	}
	if n := strings.Count(told.String(), "no room for more automatic subscriptions"); n != 1 {
		t.Errorf("told %d times: %s", n, told.String())
	}
}

func TestWhatWasMissedIsHeldBackForAMomentOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			ends func(h *hold, cancel func())
			want time.Duration
		}{
			"nothing is heard": {func(*hold, func()) {}, heldFor},
			"it is heard":      {func(h *hold, _ func()) { h.release(); h.release() }, time.Second},
			"it goes away":     {func(_ *hold, cancel func()) { cancel() }, time.Second},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			h, begin := newHold(), time.Now()
			time.AfterFunc(time.Second, func() { c.ends(h, cancel) })
			h.wait(ctx)
			if took := time.Since(begin); took != c.want {
				t.Errorf("%s: held for %v", name, took)
			}
			cancel()
		}
	})
}

func TestResumeOption(t *testing.T) {
	for uri, want := range map[string]any{
		"vtp-feed://127.0.0.1:1":                     20 * time.Minute,
		"vtp-feed://127.0.0.1:1?resume_s=0":          time.Duration(0),
		"vtp-feed://127.0.0.1:1?resume_s=90":         90 * time.Second,
		"vtp-feed://127.0.0.1:1?resume_s=-1":         "want 0 (every connection begins live) to",
		"vtp-feed://127.0.0.1:1?resume_s=9999999999": "want 0 (every connection begins live) to",
		"vtp-author://127.0.0.1:1?resume_s=0":        "only feed listeners have it",
	} {
		c := defaultConfig()
		c.Listeners = []Listener{{URI: uri}}
		es, err := c.endpoints()
		if text, bad := want.(string); bad {
			ce := new(ConfigError)
			if !errors.As(err, &ce) || ce.Field != "listeners[0].resume_s" || !strings.Contains(ce.Text, text) {
				t.Errorf("%s: %v", uri, err)
			}
			continue
		}
		if err != nil || es[0].resume() != want {
			t.Errorf("%s: %v, %v", uri, es, err)
		}
	}
}
