package vtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
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

// String names the remote in logs.
func (r Remote) String() string {
	if r.Name != "" {
		return r.Name
	}
	return r.Address
}

// dialTimeout bounds connecting and the TLS handshake.
const dialTimeout = 15 * time.Second

// dial connects to a remote.
func dial(ctx context.Context, r Remote) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	network := r.Network
	if network == "" {
		network = "tcp"
	}
	var (
		conn net.Conn
		err  error
	)
	if r.TLS != nil {
		conn, err = (&tls.Dialer{Config: r.TLS}).DialContext(ctx, network, r.Address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, r.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("vtp: connect to %s: %w", r, err)
	}
	return conn, nil
}
