package vtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func newAuthorServer(d *desk, q *quiet) *AuthorServer {
	return &AuthorServer{Ingester: d, LocalIVORN: brokerName, Name: "authors", Logger: q.logger(), MaxFrameBytes: 10_000}
}

// The situations are those in which Comet was measured (VTP.md §4.1); the answers are ours.
func TestAuthorPort(t *testing.T) {
	big := append(bytes.TrimSuffix(notice("big"), []byte("</v:VOEvent>")), bytes.Repeat([]byte(" "), 10_000)...)
	for name, script := range map[string]func(t *testing.T, w *wire, d *desk){
		"a new notice is acknowledged and the connection stays": func(t *testing.T, w *wire, d *desk) {
			w.send(notice("1"))
			if text := w.expectAck("1"); text != "" {
				t.Errorf("with a text: %q", text)
			}
			w.send(notice("2"))
			w.expectAck("2")
			if !bytes.Equal(d.got[0], notice("1")) {
				t.Errorf("the notice arrived as %q", d.got[0])
			}
		},
		"the same bytes again are acknowledged as already accepted": func(t *testing.T, w *wire, _ *desk) {
			w.send(notice("1"))
			w.expectAck("1")
			w.send(notice("1"))
			if text := w.expectAck("1"); text != "already accepted" {
				t.Errorf("with the text %q", text)
			}
		},
		"the same name with other bytes is acknowledged": func(_ *testing.T, w *wire, _ *desk) {
			w.send(notice("1"))
			w.expectAck("1")
			w.send(append(notice("1"), '\n'))
			w.expectAck("1")
		},
		"a refusal is a nak with its reason and the connection stays": func(t *testing.T, w *wire, _ *desk) {
			w.send(notice("REFUSE"))
			m := w.expectNak(nameOf("REFUSE"), "schema")
			if m.Response != brokerName || m.Result != "refused as asked" {
				t.Errorf("%+v", m)
			}
			w.send(notice("2"))
			w.expectAck("2")
		},
		"what has no name is refused in the name of the broker": func(_ *testing.T, w *wire, _ *desk) {
			w.send([]byte("hello"))
			w.expectNak(brokerName, "not-well-formed")
			w.send([]byte(`<v:VOEvent xmlns:v="x" role="test"/>`))
			w.expectNak(brokerName, "not-well-formed")
			w.send([]byte(`<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`))
			w.expectNak(brokerName, "not-well-formed")
		},
		"an empty frame is refused": func(_ *testing.T, w *wire, _ *desk) {
			w.send(nil)
			w.expectNak(brokerName, "not-well-formed")
			w.send(notice("2"))
			w.expectAck("2")
		},
		"when the notice cannot be taken now the connection ends without an answer": func(_ *testing.T, w *wire, _ *desk) {
			w.send(notice("BUSY"))
			w.expectEnd()
		},
		"when storing fails the connection ends without an answer": func(_ *testing.T, w *wire, _ *desk) {
			w.send(notice("LATE"))
			w.expectEnd()
		},
		"what came before a failure still has its ack": func(t *testing.T, w *wire, d *desk) {
			w.send(notice("1"), notice("HOLD2"), notice("BUSY"), notice("4"))
			w.expectAck("1")
			d.release <- struct{}{}
			w.expectAck("HOLD2")
			w.expectEnd()
			if d.count() != 2 {
				t.Errorf("%d notices were taken", d.count())
			}
		},
		"a frame that is too long is refused by name": func(t *testing.T, w *wire, _ *desk) {
			w.send(big)
			m := w.expectNak(nameOf("big"), "oversize")
			if !strings.Contains(m.Result, "exceeds the limit of 10000") {
				t.Errorf("%q", m.Result)
			}
			w.expectEnd()
		},
		"a frame that is too long and has no name is refused all the same": func(_ *testing.T, w *wire, _ *desk) {
			w.send(make([]byte, 20_000))
			w.expectNak(brokerName, "oversize")
			w.expectEnd()
		},
		"a little-endian length is recognised": func(t *testing.T, w *wire, _ *desk) {
			w.bytes(append(littleEndian(len(notice("1"))), notice("1")...))
			m := w.expectNak(nameOf("1"), "oversize")
			if !strings.Contains(m.Result, "must be big-endian") {
				t.Errorf("%q", m.Result)
			}
			w.expectEnd()
		},
		"three notices in one write are acknowledged three times": func(_ *testing.T, w *wire, _ *desk) {
			w.send(notice("1"), notice("2"), notice("3"))
			w.expectAck("1")
			w.expectAck("2")
			w.expectAck("3")
		},
		"acks keep the order, refusals and keep-alives included": func(_ *testing.T, w *wire, d *desk) {
			alive := Transport{Role: RoleAlive, Origin: "ivo://me"}
			w.send(notice("HOLD1"), notice("REFUSE"), notice("3"), alive.Append(nil), notice("HOLD5"), notice("6"))
			d.release <- struct{}{}
			w.expectAck("HOLD1")
			w.expectNak(nameOf("REFUSE"), "schema")
			w.expectAck("3")
			w.expect(RoleAlive)
			d.release <- struct{}{}
			w.expectAck("HOLD5")
			w.expectAck("6")
		},
		"acks that cannot say whether they are ready come all the same": func(_ *testing.T, w *wire, d *desk) {
			d.unready = true
			w.send(notice("1"), notice("2"), notice("3"))
			w.expectAck("1")
			w.expectAck("2")
			w.expectAck("3")
		},
		"an iamalive is answered": func(t *testing.T, w *wire, _ *desk) {
			w.transport(Transport{Role: RoleAlive, Origin: "ivo://me"})
			if m := w.expect(RoleAlive); m.Origin != "ivo://me" || m.Response != brokerName {
				t.Errorf("%+v", m)
			}
		},
		"an authenticate is passed over": func(_ *testing.T, w *wire, _ *desk) {
			w.transport(Transport{Role: RoleAuthenticate, Origin: "ivo://me"})
			w.send(notice("1"))
			w.expectAck("1")
		},
		"too many senseless messages end the connection": func(_ *testing.T, w *wire, _ *desk) {
			for range maxStraysOfAuthor + 1 {
				w.transport(Transport{Role: RoleAck, Origin: "x"})
			}
			w.expectEnd()
		},
		"an author that has said all still gets its acks": func(_ *testing.T, w *wire, d *desk) {
			w.send(notice("HOLD1"), notice("HOLD2"))
			w.conn.(*net.TCPConn).CloseWrite()
			d.release <- struct{}{}
			d.release <- struct{}{}
			w.expectAck("HOLD1")
			w.expectAck("HOLD2")
			w.expectEnd()
		},
		"a notice cut off by the end is not taken": func(t *testing.T, w *wire, d *desk) {
			b := AppendFrame(nil, notice("1"))
			w.bytes(b[:len(b)-1])
			w.conn.(*net.TCPConn).CloseWrite()
			w.expectEnd()
			if d.count() != 0 {
				t.Error("it was")
			}
		},
		"a bug ends one connection": func(_ *testing.T, w *wire, _ *desk) {
			w.send(notice("PANIC"))
			w.expectEnd()
		},
		"a bug while waiting ends one connection": func(_ *testing.T, w *wire, _ *desk) {
			w.send(notice("1"), notice("WAITPANIC"), notice("3"))
			w.expectAck("1")
			w.expectEnd()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var q quiet
			d := newDesk()
			addr := serve(t, newAuthorServer(d, &q))
			other := dialWire(t, addr)
			other.send(notice("other1"))
			other.expectAck("other1")
			d.mu.Lock()
			d.got = nil
			d.mu.Unlock()
			script(t, dialWire(t, addr), d)
			other.send(notice("other2"))
			other.expectAck("other2")
			if strings.Contains(q.String(), "panic") != strings.Contains(name, "bug") {
				t.Errorf("log: %s", q.String())
			}
		})
	}
}

// A frame that comes byte by byte, in any pieces, is one frame.
func TestPiecesDoNotMatter(t *testing.T) {
	var q quiet
	d := newDesk()
	w := dialWire(t, serve(t, newAuthorServer(d, &q)))
	b := AppendFrame(AppendFrame(nil, notice("1")), notice("2"))
	for _, c := range b {
		w.bytes([]byte{c})
	}
	w.expectAck("1")
	w.expectAck("2")
}

func TestManyInFlightAreAnsweredInOrder(t *testing.T) {
	var q quiet
	d := newDesk()
	s := newAuthorServer(d, &q)
	s.MaxPending = 4
	w := dialWire(t, serve(t, s))
	const n = 2000
	go func() {
		var b []byte
		for i := range n {
			b = AppendFrame(b, notice(fmt.Sprint(i)))
		}
		w.conn.Write(b)
	}()
	for i := range n {
		w.expectAck(fmt.Sprint(i))
	}
	for i, raw := range d.got {
		if !bytes.Equal(raw, notice(fmt.Sprint(i))) {
			t.Fatalf("notice %d arrived as %q", i, raw)
		}
	}
}

func TestAuthorTimeouts(t *testing.T) {
	frame := AppendFrame(nil, notice("1"))
	for name, c := range map[string]struct {
		script func(w *wire)
		after  time.Duration
	}{
		"no first frame":           {func(*wire) {}, 20 * time.Second},
		"a header and no more":     {func(w *wire) { w.bytes(frame[:3]) }, 30 * time.Second},
		"idle after an ack":        {func(w *wire) { w.bytes(frame); w.expectAck("1") }, 90 * time.Second},
		"a second frame cut short": {func(w *wire) { w.bytes(frame); w.expectAck("1"); w.bytes(frame[:9]) }, 30 * time.Second},
		"slow loris": {func(w *wire) {
			for _, c := range frame[:28] {
				w.bytes([]byte{c})
				time.Sleep(time.Second)
			}
		}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var q quiet
				s := newAuthorServer(newDesk(), &q)
				s.FrameTimeout = 30 * time.Second
				p := newPipes()
				done := make(chan error)
				go func() { done <- s.Serve(p) }()
				w := p.dial(t)
				begin := time.Now()
				c.script(w)
				w.conn.SetReadDeadline(time.Time{})
				if n, err := w.conn.Read(make([]byte, 1)); err == nil {
					t.Errorf("%d bytes came", n)
				}
				if took := time.Since(begin); took != c.after {
					t.Errorf("it ended after %v, not %v", took, c.after)
				}
				s.Close()
				<-done
			})
		})
	}
}

func TestAnAuthorThatDoesNotReadIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q quiet
		s := newAuthorServer(newDesk(), &q)
		p := newPipes()
		done := make(chan error)
		go func() { done <- s.Serve(p) }()
		w := p.dial(t)
		begin := time.Now()
		w.send(notice("1"))
		time.Sleep(time.Hour) // The pipe holds nothing, so the ack cannot be written.
		if !strings.Contains(q.String(), "reason=write") {
			t.Errorf("%s after %v", q.String(), time.Since(begin))
		}
		s.Close()
		<-done
	})
}

func TestAnAuthorsAddressMustBeAllowed(t *testing.T) {
	prefix := netip.MustParsePrefix
	for _, c := range []struct {
		allow []netip.Prefix
		from  string
		want  bool
	}{
		{nil, "192.0.2.1", true},
		{[]netip.Prefix{prefix("127.0.0.0/8")}, "127.0.0.1", true},
		{[]netip.Prefix{prefix("127.0.0.0/8")}, "::ffff:127.0.0.1", true},
		{[]netip.Prefix{prefix("::ffff:10.0.0.0/104")}, "10.1.2.3", true},
		{[]netip.Prefix{prefix("::ffff:10.0.0.0/104")}, "11.1.2.3", false},
		{[]netip.Prefix{prefix("127.0.0.0/8")}, "::1", false},
		{[]netip.Prefix{prefix("127.0.0.0/8"), prefix("2001:db8::/32")}, "2001:db8::5", true},
		{[]netip.Prefix{prefix("0.0.0.0/0")}, "2001:db8::5", false},
		{[]netip.Prefix{prefix("fe80::/10")}, "fe80::1", true},
		{[]netip.Prefix{prefix("10.0.0.7/8")}, "10.9.9.9", true},
	} {
		ip := addressOf(&net.TCPAddr{IP: net.ParseIP(c.from), Zone: "eth0"})
		if got := allowed(normalNetworks(c.allow), ip); got != c.want {
			t.Errorf("%v, %s: %v", c.allow, c.from, got)
		}
	}
	if !allowed([]netip.Prefix{prefix("10.0.0.0/8")}, addressOf(&net.UnixAddr{Name: "s"})) {
		t.Error("a Unix socket is judged by its address")
	}
	var q quiet
	s := newAuthorServer(newDesk(), &q)
	s.Allow = []netip.Prefix{prefix("192.0.2.0/24")}
	dialWire(t, serve(t, s)).expectEnd()
}

func TestConnectionsAreLimited(t *testing.T) {
	var q quiet
	s := newAuthorServer(newDesk(), &q)
	s.MaxConns = 2
	addr := serve(t, s)
	a, b := dialWire(t, addr), dialWire(t, addr)
	for _, w := range []*wire{a, b} {
		w.send(notice("1"))
		w.expectAck("1")
	}
	dialWire(t, addr).expectEnd()
	a.send(notice("2"))
	a.expectAck("2")

	e := endpoint{maxConns: 10, maxAddress: 1}
	e.start()
	far := netip.MustParseAddr("192.0.2.1")
	one, two, near := &accepted{ip: far}, &accepted{ip: far}, &accepted{ip: netip.MustParseAddr("127.0.0.1")}
	if e.admit(one) != "" || e.admit(two) != endLimit || e.admit(near) != "" || e.admit(&accepted{ip: near.ip}) != "" {
		t.Error("connections of one address are not limited, or those of loopback are")
	}
	e.leave(one)
	if e.admit(two) != "" {
		t.Error("an address does not get its place back")
	}
	e.cancel()
}

func TestAuthorsOnAUnixSocket(t *testing.T) {
	var q quiet
	d := newDesk()
	s := newAuthorServer(d, &q)
	s.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	path := socketPath(t)
	w := dialWire(t, serveOn(t, s, listen(t, "unix", path)))
	w.send(notice("1"))
	w.expectAck("1")
	if p := d.from[0]; p.Remote != path || p.Listener != "authors" {
		t.Errorf("%+v", p)
	}
}

// What is in flight when the server shuts down gets its receipt; a frame half here is read to its end.
func TestShutdownFinishesWhatIsInFlight(t *testing.T) {
	var q quiet
	d := newDesk()
	s := newAuthorServer(d, &q)
	s.Metrics = NewMetrics(nil)
	addr := serve(t, s)
	idle, waiting, reading := dialWire(t, addr), dialWire(t, addr), dialWire(t, addr)
	idle.send(notice("1"))
	idle.expectAck("1")
	waiting.send(notice("HOLD2"), notice("HOLD3"))
	frame := AppendFrame(nil, notice("4"))
	reading.send(notice("5"))
	reading.expectAck("5")
	reading.bytes(frame[:20])
	sent := 2*len(AppendFrame(nil, notice("1"))) + 2*len(AppendFrame(nil, notice("HOLD2"))) + 20
	for d.count() < 4 || testutil.ToFloat64(s.Metrics.bytesIn.WithLabelValues("authors")) < float64(sent) {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan error)
	go func() { ended <- s.Shutdown(context.Background()) }()
	idle.expectEnd()
	d.release <- struct{}{}
	d.release <- struct{}{}
	waiting.expectAck("HOLD2")
	waiting.expectAck("HOLD3")
	waiting.expectEnd()
	waiting.close()
	reading.bytes(frame[20:])
	reading.expectAck("4")
	reading.expectEnd()
	reading.close()
	idle.close()
	if err := got(t, ended, "end of Shutdown"); err != nil {
		t.Error(err)
	}
	if err := s.Serve(listen(t, "tcp", "127.0.0.1:0")); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

func TestShutdownDoesNotWaitForever(t *testing.T) {
	var q quiet
	d := newDesk()
	s := newAuthorServer(d, &q)
	w := dialWire(t, serve(t, s))
	w.send(notice("HOLD"))
	for d.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	w.expectEnd()
}

func TestMetrics(t *testing.T) {
	var q quiet
	reg := prometheus.NewRegistry()
	s := newAuthorServer(newDesk(), &q)
	s.Metrics = NewMetrics(reg)
	w := dialWire(t, serve(t, s))
	w.send(notice("1"), notice("REFUSE"), notice("3"))
	w.expectAck("1")
	w.expect(RoleNak)
	w.expectAck("3")
	m := s.Metrics
	for name, c := range map[string]struct {
		have prometheus.Collector
		want float64
	}{
		"open": {m.open.WithLabelValues("authors"), 1}, "frames": {m.framesIn.WithLabelValues("authors"), 3},
		"acks": {m.receipts.WithLabelValues("authors", "out", "ack"), 2}, "naks": {m.naks.WithLabelValues("authors", "schema"), 1},
	} {
		if got := testutil.ToFloat64(c.have); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	s.Close()
	if got := testutil.ToFloat64(m.open.WithLabelValues("authors")); got != 0 {
		t.Errorf("open after Close: %v", got)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// errListener fails as the system does when it runs out of files.
type errListener struct {
	net.Listener
	mu   sync.Mutex
	errs []error
}

func (l *errListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		l.mu.Unlock()
		return nil, err
	}
	l.mu.Unlock()
	return l.Listener.Accept()
}
