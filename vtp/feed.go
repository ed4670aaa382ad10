package vtp

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
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
}

// Serve accepts subscribers on l until Shutdown or Close, then returns ErrServerClosed. It may be called for several listeners.
func (s *FeedServer) Serve(l net.Listener) error { panic("vtp: not yet") }

// Shutdown stops accepting and delivering, waits for the receipts of what was sent, and closes the rest when ctx ends.
func (s *FeedServer) Shutdown(ctx context.Context) error { panic("vtp: not yet") }

// Close ends everything at once.
func (s *FeedServer) Close() error { panic("vtp: not yet") }

// Addr is the address of the first listener, nil before Serve.
func (s *FeedServer) Addr() net.Addr { panic("vtp: not yet") }
