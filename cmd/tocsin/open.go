package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// listen opens the port or socket of an endpoint, with TLS where the endpoint has it.
func listen(ctx context.Context, e endpoint, log *slog.Logger) (net.Listener, error) {
	var l net.Listener
	var err error
	if e.network == "unix" {
		l, err = listenUnix(ctx, e.host, 0o660)
	} else {
		// VTP has keep-alives and time-outs of its own; TCP's would cost four system calls for each connection, and some
		// authors open one for each notice.
		l, err = (&net.ListenConfig{KeepAlive: -1}).Listen(ctx, e.network, e.host)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listener %s: %s is in use: another broker runs there? --listen takes other ports", e.Name, e.host)
	}
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", e.Name, err)
	}
	if !e.tls {
		return l, nil
	}
	c, err := newCertificate(*e.TLS, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listener %s: %w", e.Name, err), l.Close())
	}
	return tls.NewListener(l, c.server()), nil
}

// listenUnix opens a Unix socket. A socket file that nobody answers on is left over from a crash and replaced.
func listenUnix(ctx context.Context, path string, mode os.FileMode) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the path of a Unix socket has at most %d bytes, this one has %d: %s", maxSocketPath, len(path), path)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && abandoned(ctx, path) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		l, err = (&net.ListenConfig{}).Listen(ctx, "unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// maxSocketPath is what fits into a sockaddr_un on Linux and the BSDs.
const maxSocketPath = 103

func abandoned(ctx context.Context, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// guarded wraps the listener of the HTTP side, which has no allow-list and no limit of its own: it closes connections
// from elsewhere at once, and lets at most so many be open.
type guarded struct {
	net.Listener
	allow []netip.Prefix
	slots chan struct{}
	once  sync.Once
	done  chan struct{}
}

func guard(l net.Listener, allow []netip.Prefix, most int) *guarded {
	return &guarded{Listener: l, allow: allow, slots: make(chan struct{}, most), done: make(chan struct{})}
}

// Accept waits for a place, then for a connection that is allowed.
func (g *guarded) Accept() (net.Conn, error) {
	select {
	case g.slots <- struct{}{}:
	case <-g.done:
		return nil, net.ErrClosed
	}
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			<-g.slots
			return nil, err
		}
		if g.allowed(c) {
			return &guardedConn{Conn: c, release: sync.OnceFunc(func() { <-g.slots })}, nil
		}
		_ = c.Close()
	}
}

func (g *guarded) allowed(c net.Conn) bool {
	if len(g.allow) == 0 || c.RemoteAddr().Network() == "unix" {
		return true
	}
	ip, ok := remoteIP(c.RemoteAddr().String())
	return ok && slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Close ends Accept too when it waits for a place.
func (g *guarded) Close() error {
	g.once.Do(func() { close(g.done) })
	return g.Listener.Close()
}

type guardedConn struct {
	net.Conn
	release func()
}

// Close gives the place back.
func (c *guardedConn) Close() error {
	c.release()
	return c.Conn.Close()
}
