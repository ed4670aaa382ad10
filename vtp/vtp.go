// Package vtp speaks the VOEvent Transport Protocol (IVOA Recommendation VTP 2.0 of 20 March 2017): the port on which
// authors hand in notices (AuthorServer), the port on which subscribers get them (FeedServer), and the clients of both
// (Author, Subscriber).
//
// The package knows frames, Transport messages and connections, and nothing of what happens to a notice: an Ingester
// takes notices in, a Feed gives them out, and whoever wires the program together plugs the broker into both. The servers
// are used as net/http's are: fill in a struct, call Serve with a listener, end with Shutdown or Close.
//
// Notices go through as they came, byte for byte (VTP 2.0 §3.1): nothing here re-writes or even parses a VOEvent.
package vtp

import (
	"context"
	"time"
)

// A Peer says who is at the other end of a connection.
type Peer struct {
	// Listener is the name of the listener that accepted the connection, or of the remote for a connection we opened.
	Listener string
	// Remote is the address of the peer, HOST:PORT, or the path of a Unix socket.
	Remote string
	// Identity is the URI or else the common name of the peer's verified TLS certificate; empty when it showed none.
	Identity string
}

// A Submission is one notice as it arrived.
type Submission struct {
	// Raw is the payload of the frame. It belongs to the Ingester from the call on; vtp neither changes nor reuses it.
	Raw []byte
	// Peer is where it came from.
	Peer Peer
}

// An Ingester takes notices in. Submit is called in the order in which the notices of a connection arrived, and must
// not wait for storage: that is what the Pending is for. Its errors mean the same as those of Pending.Wait.
type Ingester interface {
	Submit(ctx context.Context, s Submission) (Pending, error)
}

// A Pending is a notice on its way to stable storage.
//
// A Pending may also have a method Ready() bool, which says without waiting whether Wait would return at once; then
// the receipts of many notices that became durable together leave in one write.
type Pending interface {
	// Wait returns when the notice is on stable storage: the author then gets an ack. A *RefusalError becomes a nak. Any
	// other error closes the connection without an answer, which VTP 2.0 §3.2 defines as "try again later". One goroutine
	// waits at a time; when its ctx ended before the outcome, Wait may be called again. When the connection is lost nobody
	// may ever wait.
	Wait(ctx context.Context) (Receipt, error)
}

// A Receipt is what an ack says.
type Receipt struct {
	// IVORN of the notice, as its author wrote it.
	IVORN string
	// Result is a text for people that goes along, such as "already accepted"; it may be empty.
	Result string
}

// A RefusalError is a permanent refusal of a notice: a nak. An Ingester returns one to have it sent; Author.Send returns
// the one it received.
type RefusalError struct {
	// IVORN of the refused notice; empty when none could be read.
	IVORN string
	// Reason is a word for programs: not-well-formed, schema, version, ivorn, role, oversize, doctype, unauthorized. It
	// is empty when the peer gave none, as Comet does.
	Reason string
	// Text says to a person what is wrong.
	Text string
}

// Error gives the text, after the reason where there is one.
func (e *RefusalError) Error() string {
	if e.Reason == "" {
		return "vtp: refused: " + e.Text
	}
	return "vtp: refused (" + e.Reason + "): " + e.Text
}

// Handle makes an Ingester of a function that deals with one notice after the other. It suits a subscriber that does
// something with each notice; a program that stores notices gains by a real Ingester, whose waits overlap.
func Handle(fn func(ctx context.Context, s Submission) (Receipt, error)) Ingester { return handler(fn) }

type handler func(ctx context.Context, s Submission) (Receipt, error)

// Submit calls the function and has the outcome ready.
func (h handler) Submit(ctx context.Context, s Submission) (Pending, error) {
	r, err := h(ctx, s)
	if err != nil {
		return nil, err
	}
	return settled(r), nil
}

// settled is a Pending whose outcome is known.
type settled Receipt

// Wait returns the receipt.
func (p settled) Wait(context.Context) (Receipt, error) { return Receipt(p), nil }

// Ready is always true.
func (settled) Ready() bool { return true }

// A Notice is one notice on its way to a subscriber.
type Notice struct {
	// ID names the notice towards the Follower: Acked and Refused give it back. It grows with the order of delivery.
	ID uint64
	// IVORN of the notice, as its author wrote it. A subscriber's receipt names the notice by it.
	IVORN string
	// Raw is the payload of the frame. It is only read, and only until its receipt.
	Raw []byte
}

// A Sink is the connection of one subscriber, as a Feed sees it.
type Sink interface {
	// Deliver writes the notices in order and returns when all are handed to the network: not yet received, let alone
	// acknowledged. The slice is free again when it returns. An error is final: the connection has ended. Deliver is
	// called from one goroutine at a time.
	Deliver(ctx context.Context, batch []Notice) error
}

// A Feed gives notices out. Open is called for each new subscriber; until its first Subscribe the subscriber gets
// everything there is from now on.
type Feed interface {
	Open(ctx context.Context, p Peer, s Sink) (Follower, error)
}

// A Follower delivers to one subscriber. Its methods may be called at the same time as Run and must not wait for Deliver.
//
// A Follower may also have the methods Held() bool and Heard(). When Held says that Run holds deliveries back until the
// subscriber has had the opportunity to say what it wants, the subscriber gets an iamalive right after the greeting, since
// the answer to it comes behind its wishes, if it has any. Heard is called after its first message has been dealt with.
type Follower interface {
	// Run delivers until ctx ends or Deliver fails. What was not acknowledged by then stays to be delivered.
	Run(ctx context.Context) error
	// Acked says that the subscriber has the notice.
	Acked(id uint64)
	// Refused says that the subscriber does not want the notice, which must not be repeated (VTP 2.0 §3.2).
	Refused(id uint64, reason string)
	// Subscribe replaces what the subscriber wants. An error means that nothing has changed, and its text goes to the
	// subscriber where it can be told.
	Subscribe(w Wishes) error
}

// Wishes are what a subscriber asked for in an authenticate message.
type Wishes struct {
	// XPath holds Comet's filters: a notice passes when one of them is true. Empty means every notice.
	XPath []string
	// Since asks for the notices received from then on, ahead of the new ones; zero asks for new ones only.
	Since time.Time
	// Subscription names a durable subscription to go on with; empty for none.
	Subscription string
	// NoResume says that nothing need be kept for the subscriber when the connection ends, nor was: it has its own means.
	NoResume bool
}
