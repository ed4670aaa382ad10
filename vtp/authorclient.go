package vtp

import (
	"context"
	"time"
)

// An Author hands notices in to a broker. It opens its connection when it is first needed, keeps it, and opens it anew
// after a loss; a broker that closes after every receipt, as Comet does, is noticed and gets one connection per notice.
// Its methods may be used by several goroutines.
type Author struct {
	// Remote is the broker's author port; required.
	Remote Remote
	// Window is how many notices may be without a receipt; default 64.
	Window int
	// AckTimeout is how long the broker may take for a receipt; default 30 s.
	AckTimeout time.Duration
}

// Dial opens the connection now, to find out early whether there is a broker. It is not necessary.
func (a *Author) Dial(ctx context.Context) error { panic("vtp: not yet") }

// Send hands one notice in and waits for its receipt. A nak is a *RefusalError and final. Errors that match ErrRetry mean
// that nobody can say whether the broker has the notice: it is right to send the same bytes again.
func (a *Author) Send(ctx context.Context, raw []byte) (Receipt, error) { panic("vtp: not yet") }

// Start hands one notice in and leaves its receipt to be waited for, so that one goroutine can keep many in flight. It
// waits only while the window is full. raw must not change before the receipt.
func (a *Author) Start(ctx context.Context, raw []byte) (Pending, error) { panic("vtp: not yet") }

// Close closes the connection; notices without a receipt fail with ErrRetry.
func (a *Author) Close() error { panic("vtp: not yet") }
