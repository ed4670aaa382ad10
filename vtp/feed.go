package vtp

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A FeedServer gives notices to subscribers (VTP 2.0 §3.2, usually port 8099/tcp). Fields are read when Serve begins and
// must not change afterwards; a zero field means its default.
type FeedServer struct {
	// Feed opens a follower for each subscriber; required.
	Feed Feed
	// LocalIVORN is the broker's own identifier, such as ivo://observatory.org/broker; required by the protocol.
	LocalIVORN string
	// Name of the listener in metrics, logs and Peer.Listener; default: the address it listens on.
	Name string

	// SendAuthenticate greets each subscriber with an authenticate message, as Comet does. Comet's subscribers install
	// their filters only then; clients derived from GCN's log an error for it or acknowledge it.
	SendAuthenticate bool
	// KeepAlive is how long a connection may be silent before it gets an iamalive; default 60 s, at most 90 s by the standard.
	KeepAlive time.Duration
	// KeepAliveJitter shortens each wait by up to this much, so that connections do not tick together; default KeepAlive / 8.
	KeepAliveJitter time.Duration
	// AckTimeout is how old the oldest notice or iamalive without an answer may become before the connection is closed;
	// default 60 s.
	AckTimeout time.Duration
	// WriteTimeout is how long a write may make no progress; default 20 s.
	WriteTimeout time.Duration
	// FrameTimeout is how long one frame of the subscriber may take from its first byte to its last; default 20 s.
	FrameTimeout time.Duration
	// MaxFrameBytes is the greatest message taken from a subscriber; default 64 KiB.
	MaxFrameBytes int
	// MaxStrays is how many senseless frames (notices, garbage) a subscriber may send between two sensible ones; default 64.
	MaxStrays int
	// MaxConns is how many connections are open at most; more are closed at once. Default 10,000.
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
	settings feedSettings
}

// feedSettings are the fields of a FeedServer with their defaults filled in.
type feedSettings struct {
	maxFrameBytes, maxStrays int
	keepAlive, jitter        time.Duration
	ackTimeout, write, frame time.Duration
}

func (s *FeedServer) init() {
	s.settings = feedSettings{
		maxFrameBytes: orDefault(s.MaxFrameBytes, 64<<10),
		maxStrays:     orDefault(s.MaxStrays, 64),
		keepAlive:     orDefault(s.KeepAlive, time.Minute),
		ackTimeout:    orDefault(s.AckTimeout, time.Minute),
		write:         orDefault(s.WriteTimeout, 20*time.Second),
		frame:         orDefault(s.FrameTimeout, 20*time.Second),
	}
	s.settings.jitter = min(orDefault(s.KeepAliveJitter, s.settings.keepAlive/8), s.settings.keepAlive/2)
	conns := orDefault(s.MaxConns, 10_000)
	s.endpoint = endpoint{
		name: s.Name, allow: s.Allow, maxConns: conns, maxAddress: orDefault(s.MaxConnsPerAddress, max(conns/4, 1)),
		log: s.Logger, metrics: s.Metrics, open: s.newConn,
	}
	s.endpoint.start()
}

// keepAlive is how long to wait this time before an iamalive.
func (s *FeedServer) keepAlive() time.Duration {
	if s.settings.jitter <= 0 {
		return s.settings.keepAlive
	}
	return s.settings.keepAlive - rand.N(s.settings.jitter)
}

// Serve accepts subscribers on l until Shutdown or Close, then returns ErrServerClosed. It may be called for several listeners.
func (s *FeedServer) Serve(l net.Listener) error {
	s.once.Do(s.init)
	return s.endpoint.serve(l)
}

// Shutdown stops accepting and delivering, waits for the receipts of what was sent, and closes the rest when ctx ends. It
// returns when every connection has ended, with ctx's error when some had to be closed.
func (s *FeedServer) Shutdown(ctx context.Context) error {
	s.once.Do(s.init)
	return s.endpoint.shutdown(ctx)
}

// Close ends everything at once.
func (s *FeedServer) Close() error {
	s.once.Do(s.init)
	return s.endpoint.close()
}

// Addr is the address of the first listener, nil before Serve.
func (s *FeedServer) Addr() net.Addr {
	s.once.Do(s.init)
	return s.endpoint.address()
}
