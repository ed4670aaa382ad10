package vtp

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// An AuthorServer takes notices from authors (VTP 2.0 §3.2, usually port 8098/tcp). Fields are read when Serve begins and
// must not change afterwards; a zero field means its default.
type AuthorServer struct {
	// Ingester gets the notices; required.
	Ingester Ingester
	// LocalIVORN is the broker's own identifier, such as ivo://observatory.org/broker; required by the protocol.
	LocalIVORN string
	// Name of the listener in metrics, logs and Peer.Listener; default: the address it listens on.
	Name string

	// MaxFrameBytes is the greatest payload taken; default 1 MiB.
	MaxFrameBytes int
	// FirstFrameTimeout is how long a new connection may take to begin its first frame; default 20 s, as Comet.
	FirstFrameTimeout time.Duration
	// FrameTimeout is how long one frame may take from its first byte to its last; default 20 s.
	FrameTimeout time.Duration
	// IdleTimeout is how long a connection may stay open between two frames; default 90 s.
	IdleTimeout time.Duration
	// WriteTimeout is how long the peer may refuse to take an answer; default 10 s.
	WriteTimeout time.Duration
	// MaxPending is how many notices of one connection may wait for storage; more are left unread. Default 256.
	MaxPending int
	// MaxConns is how many connections are open at most; more are closed at once. Default 1024.
	MaxConns int
	// MaxConnsPerAddress limits one address of the network; loopback and Unix sockets are exempt. Default MaxConns / 4.
	MaxConnsPerAddress int
	// Allow lists the networks that may connect; others are closed without a message (VTP 2.0 §7). Empty allows all.
	// Unix sockets are guarded by the rights of their file instead.
	Allow []netip.Prefix

	// Logger defaults to slog.Default.
	Logger *slog.Logger
	// Metrics may be nil.
	Metrics *Metrics

	once     sync.Once
	endpoint endpoint
	settings authorSettings
}

// authorSettings are the fields of an AuthorServer with their defaults filled in.
type authorSettings struct {
	maxFrameBytes, maxPending      int
	firstFrame, frame, idle, write time.Duration
}

func (s *AuthorServer) init() {
	s.settings = authorSettings{
		maxFrameBytes: orDefault(s.MaxFrameBytes, defaultMaxFrameBytes),
		maxPending:    orDefault(s.MaxPending, 256),
		firstFrame:    orDefault(s.FirstFrameTimeout, 20*time.Second),
		frame:         orDefault(s.FrameTimeout, 20*time.Second),
		idle:          orDefault(s.IdleTimeout, 90*time.Second),
		write:         orDefault(s.WriteTimeout, 10*time.Second),
	}
	conns := orDefault(s.MaxConns, 1024)
	s.endpoint = endpoint{
		name: s.Name, allow: s.Allow, maxConns: conns, maxAddress: orDefault(s.MaxConnsPerAddress, max(conns/4, 1)),
		log: s.Logger, metrics: s.Metrics, open: s.newConn,
	}
	s.endpoint.start()
}

// orDefault returns v, or d when v is zero or below.
func orDefault[T int | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// Serve accepts authors on l until Shutdown or Close, then returns ErrServerClosed. It may be called for several listeners.
func (s *AuthorServer) Serve(l net.Listener) error {
	s.once.Do(s.init)
	return s.endpoint.serve(l)
}

// Shutdown stops accepting, lets what is in flight have its receipt, and closes the rest when ctx ends. It returns when
// every connection has ended, with ctx's error when some had to be closed.
func (s *AuthorServer) Shutdown(ctx context.Context) error {
	s.once.Do(s.init)
	return s.endpoint.shutdown(ctx)
}

// Close ends everything at once.
func (s *AuthorServer) Close() error {
	s.once.Do(s.init)
	return s.endpoint.close()
}

// Addr is the address of the first listener, nil before Serve.
func (s *AuthorServer) Addr() net.Addr {
	s.once.Do(s.init)
	return s.endpoint.address()
}
