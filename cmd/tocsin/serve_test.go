package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/vtp"
)

// collect is an Ingester that keeps the IVORNs of what comes.
type collect struct{ got chan string }

func (c collect) Submit(_ context.Context, s vtp.Submission) (vtp.Pending, error) {
	_, rest, _ := strings.Cut(string(s.Raw), ` ivorn="`)
	ivorn, _, _ := strings.Cut(rest, `"`)
	c.got <- ivorn
	return settledReceipt{IVORN: ivorn}, nil
}

// subscribe runs a subscriber until the test ends it or ends.
func subscribe(t *testing.T, s *server, w vtp.Wishes) (got chan string, end func()) {
	t.Helper()
	c := collect{make(chan string, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	sub := &vtp.Subscriber{
		Remotes: []vtp.Remote{{Address: s.addressOf(t, "feed")}}, Ingester: c, Wishes: w, Logger: slog.New(slog.DiscardHandler),
	}
	go func() {
		defer close(done)
		_ = sub.Run(ctx)
	}()
	end = func() { cancel(); <-done }
	t.Cleanup(end)
	return c.got, end
}

func expect(t *testing.T, got chan string, want string) {
	t.Helper()
	select {
	case ivorn := <-got:
		if !strings.HasSuffix(ivorn, want) {
			t.Fatalf("got %s, want ...%s", ivorn, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not come", want)
	}
}

func submit(t *testing.T, s *server, local string) {
	t.Helper()
	author := &vtp.Author{Remote: vtp.Remote{Address: s.addressOf(t, "author")}}
	defer author.Close()
	raw := `<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="test" ivorn="ivo://example.org/t#` + local +
		`"><Who><AuthorIVORN>ivo://example.org/a</AuthorIVORN></Who></voe:VOEvent>`
	if _, err := author.Send(t.Context(), []byte(raw)); err != nil {
		t.Fatal(err)
	}
}

// following waits until the broker has so many followers, as its status tells.
func following(t *testing.T, s *server, n int) {
	t.Helper()
	for range 4000 {
		if s.broker.Status().FollowerCount == n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d followers, want %d", s.broker.Status().FollowerCount, n)
}

// A newer connection of the same name takes a durable subscription over, and nothing is lost on the way.
func TestDurableSubscriptionIsTakenOver(t *testing.T) {
	s := testBroker(t, nil)
	submit(t, s, "1")
	old, endOld := subscribe(t, s, vtp.Wishes{Subscription: "telescope", Since: time.Now().Add(-time.Hour)})
	expect(t, old, "#1")
	submit(t, s, "2")
	expect(t, old, "#2")
	endOld()
	submit(t, s, "3")
	fresh, _ := subscribe(t, s, vtp.Wishes{Subscription: "telescope"})
	expect(t, fresh, "#3")
	submit(t, s, "4")
	expect(t, fresh, "#4")
	st := s.broker.Status()
	if len(st.Followers) != 1 || !st.Followers[0].Durable || st.Followers[0].ID != "host:127.0.0.1/telescope" {
		t.Errorf("%+v", st.Followers)
	}
}

func TestSubscriptionNames(t *testing.T) {
	for name, ok := range map[string]bool{"telescope-1": true, "été": true, "a b": false, "x\ny": false, strings.Repeat("x", 101): false, "\x7f": false} {
		if err := checkName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A bad filter is refused, never "everything": the subscriber keeps what it had before.
func TestFilterThatIsWrongChangesNothing(t *testing.T) {
	s := testBroker(t, nil)
	f, err := feed{broker: s.broker}.Open(t.Context(), vtp.Peer{Remote: "127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Subscribe(vtp.Wishes{XPath: []string{"//Param[@name='a']"}}); err != nil {
		t.Fatal(err)
	}
	for _, w := range []vtp.Wishes{{XPath: []string{"//["}}, {XPath: []string{"//["}, Subscription: "x"}, {Subscription: "bad name"}} {
		if err := f.Subscribe(w); err == nil || strings.Contains(err.Error(), "broker:") {
			t.Errorf("%+v: %v", w, err)
		}
	}
	if x := f.(*follower).current.Status().Filter.XPath; len(x) != 1 || !strings.Contains(x[0], "Param") {
		t.Errorf("the filter is now %q", x)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = f.Run(ctx)
	if err := f.Subscribe(vtp.Wishes{Subscription: "late"}); err == nil {
		t.Error("a connection that has ended got a subscription")
	}
}

// Peers that do nothing, or do not read, do not keep the broker from ending, and its end is orderly.
func TestEndWithStuckPeers(t *testing.T) {
	s := testBroker(t, func(c *Config) { c.ShutdownTimeout = 1 })
	for _, name := range []string{"author", "feed", "feed"} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addressOf(t, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	following(t, s, 2)
	submit(t, s, "1")
	data := s.config.Data
	if err := s.stop(t.Context()); err != nil {
		t.Errorf("the end: %v", err)
	}
	for _, f := range []string{"addresses.json", "admin.sock"} {
		if _, err := os.Stat(filepath.Join(data, f)); err == nil {
			t.Errorf("%s is left behind", f)
		}
	}
}

func TestReadinessTellsTheEnd(t *testing.T) {
	s := testBroker(t, nil)
	if err := s.isReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.stopping.Store(true)
	if err := s.isReady(t.Context()); err == nil || !strings.Contains(err.Error(), "ending") {
		t.Fatalf("%v", err)
	}
}

// Test notices of the broker itself come to its subscribers.
func TestBrokerPublishesItsOwnTestNotices(t *testing.T) {
	s := testBroker(t, func(c *Config) {
		c.LocalIVORN = "ivo://example.org/broker"
		c.Policy.Default = "deny"
		c.TestInterval = 1
	})
	got, _ := subscribe(t, s, vtp.Wishes{Since: time.Now().Add(-time.Hour)})
	select {
	case ivorn := <-got:
		if !strings.HasPrefix(ivorn, "ivo://example.org/broker#TestEvent-") {
			t.Fatal(ivorn)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no test notice came")
	}
}

func TestHTTPListenerKeepsItsAllowListAndItsLimit(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := guard(l, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, 1)
	accepted := make(chan error, 1)
	go func() {
		_, err := g.Accept()
		accepted <- err
	}()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && err == nil {
		t.Errorf("a peer outside the list was let in: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; err == nil {
		t.Fatal("accepted")
	}

	if l, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	g = guard(l, nil, 1)
	for range 2 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first, err := g.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		c, err := g.Accept()
		if err == nil {
			err = c.Close()
		}
		second <- err
	}()
	select {
	case <-second:
		t.Fatal("two connections at once, where one is allowed")
	case <-time.After(20 * time.Millisecond):
	}
	if err := errors.Join(first.Close(), first.Close()); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	go func() { second <- g.Close() }()
	if _, err := g.Accept(); err == nil {
		t.Fatal("accepted after Close")
	}
	<-second
}

func TestUnixListeners(t *testing.T) {
	dir := t.TempDir()
	s := testBroker(t, func(c *Config) {
		c.Listeners = []Listener{
			{URI: "vtp-author+unix://" + filepath.Join(dir, "a.sock")},
			{URI: "vtp-feed+unix://" + filepath.Join(dir, "f.sock")},
			{URI: "http+unix://" + filepath.Join(dir, "h.sock")},
		}
	})
	author := &vtp.Author{Remote: vtp.Remote{Network: "unix", Address: filepath.Join(dir, "a.sock")}}
	defer author.Close()
	if _, err := author.Send(t.Context(), testNotice("ivo://example.org/unix", "", time.Now())); err != nil {
		t.Fatal(err)
	}
	h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "h.sock"))
	}}}
	resp, err := h.Get("http://x/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	a, err := readAddresses(s.config.Data)
	if err != nil || len(a.Listeners) != 3 || !strings.HasPrefix(a.Listeners[2].URI, "vtp-author+unix:///") {
		t.Fatalf("%+v %v", a, err)
	}
	if network, host, _, err := remoteFor("", s.config.Data, kindAuthor); err != nil || network != "unix" || host != filepath.Join(dir, "a.sock") {
		t.Fatalf("%s %s %v", network, host, err)
	}
	if _, err := listenUnix(t.Context(), filepath.Join(dir, strings.Repeat("x", 120)), 0o600); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Fatalf("%v", err)
	}
	// A socket that answers is not taken away from its owner.
	if _, err := listenUnix(t.Context(), filepath.Join(dir, "a.sock"), 0o600); err == nil {
		t.Fatal("a socket in use was replaced")
	}
}

// What fails at the start is told, and what was open is closed again.
func TestStartThatFailsLeavesNothing(t *testing.T) {
	s := testBroker(t, nil)
	c := defaultConfig()
	c.Data = t.TempDir()
	c.Listeners = []Listener{{URI: "http://127.0.0.1:0"}, {URI: "vtp-author://" + s.addressOf(t, "author")}}
	err := serveUntil(t.Context(), c, slog.New(slog.DiscardHandler), func(*server) { t.Error("it runs") })
	if err == nil || !strings.Contains(err.Error(), "is in use: another broker runs there") {
		t.Fatalf("%v", err)
	}
	// The journal is free again.
	c.Listeners = nil
	ctx, cancel := context.WithCancel(t.Context())
	if err := serveUntil(ctx, c, slog.New(slog.DiscardHandler), func(*server) { cancel() }); err != nil {
		t.Fatal(err)
	}
}

// A stream of a replay that is cut is told from one that has ended.
func TestCutReplayIsNoticed(t *testing.T) {
	line, err := json.Marshal(replayLine{Seq: 1, Raw: "<a/>"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		string(line) + "\n{\"end\":true}":                       "",
		string(line) + "\n":                                     "before the replay was complete",
		string(line) + "\n{\"seq\":2,\"ra":                      "before the replay was complete",
		string(line) + "\n{\"end\":true,\"error\":\"no disk\"}": "no disk",
	} {
		n := 0
		err := readLines(strings.NewReader(text), func(replayLine) error { n++; return nil })
		if n != 1 || (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %d lines, %v", text, n, err)
		}
	}
}
