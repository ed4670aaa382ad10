package vtp

import (
	"crypto/tls"
	"errors"
)

// ErrRetry marks failures after which the same bytes should be sent again: a connection lost before the receipt, a broker
// that is busy.
var ErrRetry = errors.New("vtp: no receipt, try again")

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("vtp: server closed")

// A Remote says where a broker listens.
type Remote struct {
	// Network is tcp (default), tcp4, tcp6 or unix.
	Network string
	// Address is HOST:PORT, or the path of a Unix socket.
	Address string
	// TLS makes the connection encrypted. An empty ServerName is taken from Address.
	TLS *tls.Config
	// Name is used in logs, metrics and Peer.Listener; default Address.
	Name string
}
