package vtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Why a connection ended: the label reason of a metric, and of a line in the log.
const (
	endPeer        = "peer"         // The peer closed it.
	endIdle        = "idle"         // Nothing came in time.
	endSlow        = "slow"         // A frame was not finished in time.
	endTruncated   = "truncated"    // The peer ended it within a frame.
	endOversize    = "oversize"     // A frame was too long.
	endRetry       = "retry"        // The notice could not be taken now; the author is to try again.
	endStrays      = "strays"       // Too many senseless messages.
	endSilent      = "silent"       // No answer to an iamalive.
	endUnacked     = "unacked"      // A notice had no receipt in time.
	endWrite       = "write"        // A write failed or made no progress.
	endNetwork     = "network"      // Not in an allowed network.
	endLimit       = "limit"        // Too many connections.
	endTLS         = "tls"          // No TLS handshake.
	endShutdown    = "shutdown"     // We are shutting down.
	endPanic       = "panic"        // A bug of ours.
	endFeed        = "feed"         // The feed ended it.
	endImpatient   = "authenticate" // Wishes came too fast.
	endError       = "error"        // The network failed.
	handshakeLimit = 10 * time.Second
	lingerLimit    = time.Second
	lingerBytes    = 4 << 20
)

// A session serves one connection.
type session interface {
	// serve returns why it ended. ctx ends when the server is closed at once.
	serve(ctx context.Context) string
	// finish asks serve to begin nothing new; it may be called at any time and returns at once.
	finish()
}

// An endpoint is what AuthorServer and FeedServer have in common: listeners, connections and their limits.
type endpoint struct {
	name       string
	allow      []netip.Prefix
	maxConns   int
	maxAddress int
	log        *slog.Logger
	metrics    *Metrics
	open       func(conn net.Conn, p Peer, m *meter) session

	ctx      context.Context //nolint:containedctx // the life of the server, which has no caller to take it from
	cancel   context.CancelFunc
	stopping atomic.Bool
	stopped  chan struct{}
	wg       sync.WaitGroup

	mu        sync.Mutex // guards what follows
	listeners map[net.Listener]struct{}
	addr      net.Addr
	conns     map[*accepted]struct{}
	byAddress map[netip.Addr]int
}

// accepted is one connection with what is needed to end it.
type accepted struct {
	conn    net.Conn
	ip      netip.Addr
	session session // nil during the TLS handshake; guarded by endpoint.mu
}

func (e *endpoint) start() {
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.stopped = make(chan struct{})
	e.listeners = map[net.Listener]struct{}{}
	e.conns = map[*accepted]struct{}{}
	e.byAddress = map[netip.Addr]int{}
	e.allow = normalNetworks(e.allow)
	if e.log == nil {
		e.log = slog.Default()
	}
}

// add registers a listener, unless the server has ended.
func (e *endpoint) add(l net.Listener) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping.Load() {
		return false
	}
	e.listeners[l] = struct{}{}
	if e.addr == nil {
		e.addr = l.Addr()
	}
	e.wg.Add(1)
	return true
}

// serve accepts connections until the server ends or the listener fails.
func (e *endpoint) serve(l net.Listener) error {
	if !e.add(l) {
		_ = l.Close()
		return ErrServerClosed
	}
	defer e.wg.Done()
	defer func() {
		e.mu.Lock()
		delete(e.listeners, l)
		e.mu.Unlock()
		_ = l.Close()
	}()
	name := e.name
	if name == "" {
		name = l.Addr().String()
	}
	m := e.metrics.meter(name)
	var pause time.Duration
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			e.accept(conn, name, m)
		case e.stopping.Load():
			return ErrServerClosed
		case passing(err):
			// Out of file descriptors or memory: connections that end will make room.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			e.log.Warn("cannot accept connections", "listener", name, "error", err, "retry_in", pause)
			m.acceptFailed()
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-e.stopped:
				t.Stop()
			}
		default:
			return fmt.Errorf("vtp: accept on %s: %w", name, err)
		}
	}
}

// passing says that accepting may work again later.
func passing(err error) bool {
	for _, e := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// accept checks a new connection and starts to serve it.
func (e *endpoint) accept(conn net.Conn, name string, m *meter) {
	a := &accepted{conn: conn, ip: addressOf(conn.RemoteAddr())}
	if reason := e.admit(a); reason != "" {
		_ = conn.Close()
		m.turnedAway(reason)
		e.log.Debug("connection turned away", "listener", name, "remote", conn.RemoteAddr().String(), "reason", reason)
		return
	}
	m.opened()
	go e.handle(a, Peer{Listener: name, Remote: remoteName(conn)}, m)
}

// remoteName names the peer; one on a Unix socket has seldom a name, so it gets that of the socket.
func remoteName(conn net.Conn) string {
	if s := conn.RemoteAddr().String(); s != "" && s != "@" {
		return s
	}
	return conn.LocalAddr().String()
}

// admit counts the connection in, or says why it may not stay.
func (e *endpoint) admit(a *accepted) string {
	if !allowed(e.allow, a.ip) {
		return endNetwork
	}
	counted := a.ip.IsValid() && !a.ip.IsLoopback()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.stopping.Load():
		return endShutdown
	case len(e.conns) >= e.maxConns, counted && e.byAddress[a.ip] >= e.maxAddress:
		return endLimit
	}
	e.conns[a] = struct{}{}
	if counted {
		e.byAddress[a.ip]++
	}
	e.wg.Add(1)
	return ""
}

// leave counts the connection out.
func (e *endpoint) leave(a *accepted) {
	e.mu.Lock()
	delete(e.conns, a)
	if n, ok := e.byAddress[a.ip]; ok {
		if n <= 1 {
			delete(e.byAddress, a.ip)
		} else {
			e.byAddress[a.ip] = n - 1
		}
	}
	e.mu.Unlock()
	e.wg.Done()
}

// handle serves a connection to its end.
func (e *endpoint) handle(a *accepted, p Peer, m *meter) {
	reason := endPanic
	defer func() {
		if r := recover(); r != nil {
			reportPanic(e.log, m, p, r)
		}
		_ = a.conn.Close()
		e.leave(a)
		m.ended(reason)
		e.log.Debug("connection ended", "listener", p.Listener, "remote", p.Remote, "identity", p.Identity, "reason", reason)
	}()
	identity, err := handshake(e.ctx, a.conn)
	if err != nil {
		reason = endTLS
		e.log.Info("no TLS handshake", "listener", p.Listener, "remote", p.Remote, "error", err)
		return
	}
	p.Identity = identity
	s := e.open(a.conn, p, m)
	e.mu.Lock()
	a.session = s
	stopping := e.stopping.Load()
	e.mu.Unlock()
	if stopping {
		s.finish()
	}
	reason = s.serve(e.ctx)
}

// reportPanic reports a bug of ours that one connection ran into.
func reportPanic(log *slog.Logger, m *meter, p Peer, r any) {
	m.panicked()
	log.Error("panic on a connection", "listener", p.Listener, "remote", p.Remote, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
}

// handshake does that of TLS, where there is one, and returns whom the peer has proved to be.
func handshake(ctx context.Context, conn net.Conn) (string, error) {
	t, ok := conn.(*tls.Conn)
	if !ok {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return "", err
	}
	state := t.ConnectionState()
	if len(state.VerifiedChains) == 0 {
		return "", nil // A certificate that nobody vouches for proves nothing.
	}
	return identityOf(state.PeerCertificates[0]), nil
}

// identityOfServer names the server at the other end of a connection of ours.
func identityOfServer(conn net.Conn) string {
	t, ok := conn.(*tls.Conn)
	if !ok {
		return ""
	}
	if state := t.ConnectionState(); len(state.VerifiedChains) > 0 {
		return identityOf(state.PeerCertificates[0])
	}
	return ""
}

// identityOf names the holder of a certificate: by its first URI, else by its common name.
func identityOf(c *x509.Certificate) string {
	if len(c.URIs) > 0 {
		return c.URIs[0].String()
	}
	return c.Subject.CommonName
}

// stop ends accepting and returns the sessions that are left.
func (e *endpoint) stop() []session {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.stopping.Swap(true) {
		close(e.stopped)
	}
	for l := range e.listeners {
		_ = l.Close()
	}
	sessions := make([]session, 0, len(e.conns))
	for a := range e.conns {
		if a.session != nil {
			sessions = append(sessions, a.session)
		}
	}
	return sessions
}

// shutdown is Shutdown of both servers.
func (e *endpoint) shutdown(ctx context.Context) error {
	sessions := e.stop()
	for _, s := range sessions {
		s.finish()
	}
	done := make(chan struct{})
	go func() {
		e.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		e.cancel()
		return nil
	case <-ctx.Done():
	}
	e.abort()
	<-done
	return ctx.Err()
}

// close is Close of both servers.
func (e *endpoint) close() error {
	e.stop()
	e.abort()
	e.wg.Wait()
	return nil
}

// abort closes every connection.
func (e *endpoint) abort() {
	e.cancel()
	e.mu.Lock()
	conns := make([]net.Conn, 0, len(e.conns))
	for a := range e.conns {
		conns = append(conns, a.conn)
	}
	e.mu.Unlock()
	for _, c := range conns {
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn() // Close of a tls.Conn waits to say good-bye.
		}
		_ = c.Close()
	}
}

func (e *endpoint) address() net.Addr {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addr
}

// linger ends a connection so that the peer still gets what was written: closing with unread input would send a reset,
// which may overtake our last answer. It waits a second at most.
func linger(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || conn.SetReadDeadline(time.Now().Add(lingerLimit)) != nil {
		return
	}
	buf, _ := smallBuffers.Get().(*[]byte)
	defer smallBuffers.Put(buf)
	for left := lingerBytes; left > 0; {
		n, err := conn.Read(*buf)
		if err != nil {
			return
		}
		left -= n
	}
}

// endOf says in one word why reading ended.
func endOf(err error) string {
	var over *OversizeError
	switch {
	case errors.Is(err, io.EOF):
		return endPeer
	case errors.Is(err, errIdle):
		return endIdle
	case errors.Is(err, errSlowFrame):
		return endSlow
	case errors.Is(err, ErrTruncated):
		return endTruncated
	case errors.As(err, &over):
		return endOversize
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return endPeer
	}
	return endError
}
