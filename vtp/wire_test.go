package vtp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	brokerName = "ivo://test.broker/b"
	patience   = 20 * time.Second // for what must happen; never waited for in a test that passes
)

// notice makes a small notice.
func notice(local string) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0"?><v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="test" ivorn="ivo://test/stream#%s"><Who/></v:VOEvent>`, local)
}

func nameOf(local string) string { return "ivo://test/stream#" + local }

// quiet drops logs, and keeps what a test wants to see of them.
type quiet struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (q *quiet) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.out.Write(p)
}

func (q *quiet) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.out.String()
}

func (q *quiet) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(q, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// wire is the peer's end of a connection, driven by hand.
type wire struct {
	t    testing.TB
	conn net.Conn
}

func dialWire(t testing.TB, a net.Addr) *wire {
	t.Helper()
	conn, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &wire{t, conn}
}

// bytes sends bytes as they are.
func (w *wire) bytes(b []byte) {
	w.t.Helper()
	w.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := w.conn.Write(b); err != nil {
		w.t.Fatalf("write: %v", err)
	}
}

// send sends payloads as frames, in one write.
func (w *wire) send(payloads ...[]byte) {
	w.t.Helper()
	var b []byte
	for _, p := range payloads {
		b = AppendFrame(b, p)
	}
	w.bytes(b)
}

func (w *wire) transport(m Transport) {
	w.t.Helper()
	w.send(m.Append(nil))
}

// next reads a frame.
func (w *wire) next() []byte {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(patience))
	raw, err := ReadFrame(w.conn, 0)
	if err != nil {
		w.t.Fatalf("no frame: %v", err)
	}
	return raw
}

// expect reads a Transport message of that role.
func (w *wire) expect(role string) Transport {
	w.t.Helper()
	raw := w.next()
	m, err := ParseTransport(raw)
	if err != nil {
		w.t.Fatalf("%v: %q", err, raw)
	}
	if m.Role != role {
		w.t.Fatalf("a %s came (%s, %q), not a %s", m.Role, m.Origin, m.Result, role)
	}
	return m
}

// expectAck reads an ack for a notice and returns its text.
func (w *wire) expectAck(local string) string {
	w.t.Helper()
	m := w.expect(RoleAck)
	if m.Origin != nameOf(local) {
		w.t.Fatalf("an ack for %s, not for %s", m.Origin, nameOf(local))
	}
	return m.Result
}

// expectNak reads a nak.
func (w *wire) expectNak(origin, reason string) Transport {
	w.t.Helper()
	m := w.expect(RoleNak)
	if m.Origin != origin || m.Reason() != reason || m.Result == "" {
		w.t.Fatalf("a nak for %q, %q (%q); want %q, %q and a text", m.Origin, m.Reason(), m.Result, origin, reason)
	}
	return m
}

// expectEnd reads the end of the connection, with nothing before it.
func (w *wire) expectEnd() {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(patience))
	var b [1]byte
	n, err := w.conn.Read(b[:])
	var timeout net.Error
	if n > 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		w.t.Fatalf("the connection goes on: %d bytes, %v", n, err)
	}
}

func (w *wire) close() { w.conn.Close() }

// A desk is an Ingester that decides by what stands in the notice: REFUSE, BUSY, PANIC, WAITPANIC, and HOLD, which waits
// for a word on release.
type desk struct {
	release chan struct{}
	unready bool // outcomes are never known to be ready

	mu   sync.Mutex
	got  [][]byte
	from []Peer
	seen map[string]bool
}

func newDesk() *desk { return &desk{release: make(chan struct{}, 1000), seen: map[string]bool{}} }

type deskPending struct {
	d    *desk
	raw  string
	name string
	seen bool
}

func (d *desk) Submit(_ context.Context, s Submission) (Pending, error) {
	raw := string(s.Raw)
	name := ivornOf(s.Raw)
	switch {
	case strings.Contains(raw, "REFUSE"):
		return nil, &RefusalError{IVORN: name, Reason: "schema", Text: "refused as asked"}
	case strings.Contains(raw, "BUSY"):
		return nil, errors.New("busy as asked")
	case strings.Contains(raw, "WAITPANIC"):
	case strings.Contains(raw, "PANIC"):
		panic("as asked")
	case name == "":
		return nil, &RefusalError{Reason: "not-well-formed", Text: "no ivorn to be found"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := deskPending{d, raw, name, d.seen[raw]}
	d.seen[raw] = true
	d.got = append(d.got, s.Raw)
	d.from = append(d.from, s.Peer)
	if d.unready {
		return struct{ Pending }{p}, nil
	}
	return p, nil
}

func (p deskPending) Wait(ctx context.Context) (Receipt, error) {
	switch {
	case strings.Contains(p.raw, "HOLD"):
		select {
		case <-p.d.release:
		case <-ctx.Done():
			return Receipt{}, ctx.Err()
		}
	case strings.Contains(p.raw, "WAITPANIC"):
		panic("as asked")
	case strings.Contains(p.raw, "LATE"):
		return Receipt{}, errors.New("disk full as asked")
	}
	r := Receipt{IVORN: p.name}
	if p.seen {
		r.Result = "already accepted"
	}
	return r, nil
}

func (p deskPending) Ready() bool { return !strings.Contains(p.raw, "HOLD") }

func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.got)
}

// server is what both servers are.
type server interface {
	Serve(l net.Listener) error
	Close() error
	Addr() net.Addr
}

// serve runs a server on a free port until the test ends.
func serve(t testing.TB, s server) net.Addr {
	t.Helper()
	return serveOn(t, s, listen(t, "tcp", "127.0.0.1:0"))
}

func listen(t testing.TB, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serveOn(t testing.TB, s server, l net.Listener) net.Addr {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr()
}

// pipes is a listener for connections in memory, which tests of time need.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// dial connects; the wire's own patience is long enough for any clock.
func (p *pipes) dial(t testing.TB) *wire {
	theirs, ours := net.Pipe()
	p.conns <- theirs
	return &wire{t, ours}
}

// A stage is a Feed whose notices a test delivers by hand.
type stage struct {
	mu        sync.Mutex
	followers chan *actor
	openErr   error
	held      bool // its followers hold deliveries back
}

func newStage() *stage { return &stage{followers: make(chan *actor, 1000)} }

type actor struct {
	peer    Peer
	sink    Sink
	batches chan []Notice
	failed  chan error // of Deliver
	acked   chan uint64
	refused chan string
	wishes  chan Wishes
	ended   chan struct{}
	stop    chan struct{} // ends Run from inside
	reject  atomic.Pointer[string]
}

func (s *stage) Open(_ context.Context, p Peer, sink Sink) (Follower, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.openErr != nil {
		return nil, s.openErr
	}
	a := &actor{
		peer: p, sink: sink, batches: make(chan []Notice, 100), failed: make(chan error, 1), acked: make(chan uint64, 100_000),
		refused: make(chan string, 1000), wishes: make(chan Wishes, 1000), ended: make(chan struct{}), stop: make(chan struct{}),
	}
	s.followers <- a
	if s.held {
		return &holder{actor: a, heard: make(chan struct{}, 10)}, nil
	}
	return a, nil
}

// holder is an actor that delivers when the subscriber was heard.
type holder struct {
	*actor
	heard chan struct{}
}

func (h *holder) Held() bool { return true }

func (h *holder) Heard() { h.heard <- struct{}{} }

func (h *holder) Run(ctx context.Context) error {
	select {
	case <-h.heard:
	case <-ctx.Done():
	}
	return h.actor.Run(ctx)
}

func (a *actor) Run(ctx context.Context) error {
	defer close(a.ended)
	for {
		select {
		case b := <-a.batches:
			if err := a.sink.Deliver(ctx, b); err != nil {
				a.failed <- err
				return err
			}
		case <-a.stop:
			return errors.New("stopped by the test")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *actor) Acked(id uint64) { a.acked <- id }

func (a *actor) Refused(id uint64, reason string) { a.refused <- fmt.Sprint(id, " ", reason) }

func (a *actor) Subscribe(w Wishes) error {
	if bad := a.reject.Load(); bad != nil {
		for _, x := range w.XPath {
			if x == *bad {
				return errors.New("bad filter " + x)
			}
		}
	}
	a.wishes <- w
	return nil
}

// got takes from a channel, or fails.
func got[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// notices makes a batch with IDs from first on.
func notices(first uint64, locals ...string) []Notice {
	list := make([]Notice, 0, len(locals))
	for i, l := range locals {
		list = append(list, Notice{ID: first + uint64(i), IVORN: nameOf(l), Raw: notice(l)})
	}
	return list
}

func socketPath(t testing.TB) string { return filepath.Join(t.TempDir(), "s") }

func littleEndian(n int) []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(n))
}

var _ io.Writer = (*quiet)(nil)
