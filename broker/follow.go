package broker

import (
	"context"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"
)

// Subscription is what a connection asks for.
type Subscription struct {
	// ID names it in receipts. A durable one needs it; for others one is made
	// up when empty, and is in FollowerStatus.
	ID string
	// Owner is the member or address that asks. A durable subscription can only
	// be followed by the owner that made it.
	Owner string
	// Remote is the address of the connection, for Status.
	Remote string
	// Filter says which notices; the zero value all of them.
	Filter filter.Spec
	// Durable keeps definition and cursor in the journal, so that a later
	// Follow with StartResume goes on where this one ended.
	Durable bool
	Start   Start
}

// StartAt says where a follower begins.
type StartAt uint8

// The places to start at.
const (
	// StartLive begins with the notices that are journaled from now on.
	StartLive StartAt = iota
	// StartAfter begins after Start.After.
	StartAfter
	// StartSince begins with the first notice received at or after Start.Since.
	StartSince
	// StartResume goes on at the cursor of a durable subscription; one that has
	// none yet starts live.
	StartResume
)

// Start is where a follower begins; the zero value is live.
type Start struct {
	At    StartAt
	After journal.Seq
	Since time.Time
}

// Sink is where a follower's deliveries go.
type Sink interface {
	// Deliver hands over the notices in order and returns when they are written
	// (not: acknowledged), at the latest when ctx ends. The slice is only lent;
	// the notices may be kept and must not be changed. An error ends the
	// follower; what was not acknowledged will be delivered again to the next
	// one. Acked and Refused may be called before Deliver returns.
	Deliver(ctx context.Context, batch []*Notice) error
}

// Follower leads one subscription through the journal.
type Follower struct{}

// Follow prepares a follower; its Run does the work, and must be called. For a
// durable subscription that is being followed already it takes over: the older
// follower ends with ErrTakenOver. A bad filter gives an *Error of kind Invalid
// that wraps the *filter.Error; somebody else's durable subscription one of
// kind Forbidden.
func (b *Broker) Follow(ctx context.Context, s Subscription, sink Sink) (*Follower, error) {
	panic("broker: Follow is being written")
}

// Unsubscribe forgets a durable subscription and ends its follower, if it has
// one. Its receipts stay.
func (b *Broker) Unsubscribe(ctx context.Context, id, owner string) error {
	panic("broker: Unsubscribe is being written")
}

// Run delivers until ctx ends, the sink fails, or the broker ends the follower
// (ErrTakenOver, ErrStopped), and returns the reason. What was not acknowledged
// stays after the cursor. It may be called once.
func (f *Follower) Run(ctx context.Context) error { panic("broker: Run is being written") }

// Acked says that the subscriber has the notice. Unknown and repeated numbers
// are ignored. It never blocks.
func (f *Follower) Acked(seq journal.Seq) {}

// Refused says that the subscriber does not want the notice: it is not
// delivered again, and the reason stays in its receipt. It never blocks.
func (f *Follower) Refused(seq journal.Seq, reason string) {}

// SetFilter replaces the filter for all notices not yet delivered. On error
// (an *Error of kind Invalid) the old filter stays.
func (f *Follower) SetFilter(spec filter.Spec) error { return nil }

// Rewind goes back to the first notice received at or after since, and delivers
// from there again; it never goes forward.
func (f *Follower) Rewind(since time.Time) error { return nil }

// OldestUnacked gives the time at which the oldest delivery that is not yet
// acknowledged was handed to the sink; false when there is none.
func (f *Follower) OldestUnacked() (time.Time, bool) { return time.Time{}, false }

// ID gives the subscription's id.
func (f *Follower) ID() string { return "" }

// Status tells how far the follower is.
func (f *Follower) Status() FollowerStatus { return FollowerStatus{} }
