package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"tocsin/broker"
	"tocsin/broker/filter"
	"tocsin/journal"
	"tocsin/vtp"
)

// maxSubscriptionName bounds the name that a subscriber gives to a durable subscription.
const maxSubscriptionName = 100

// feed plugs the broker into vtp's subscriber side.
type feed struct {
	broker *broker.Broker
	resume *resuming // nil: every connection begins live
}

// Open begins to follow: where the last connection of the same owner ended, or else live. What the subscriber wishes
// comes later, if it comes at all.
func (f feed) Open(ctx context.Context, p vtp.Peer, s vtp.Sink) (vtp.Follower, error) {
	out := &follower{broker: f.broker, peer: p, sink: sink{to: s}}
	inner, err := f.begin(ctx, p, &out.sink)
	if err != nil {
		return nil, err
	}
	out.current = inner
	if inner.Behind() {
		out.hold = newHold()
		f.resume.log.Info("subscriber goes on where it ended", "listener", p.Listener, "remote", p.Remote, "subscription", inner.ID())
	}
	return out, nil
}

// owner says to whom a durable subscription belongs: the name in the certificate, or else the host, because that is
// all that is known of a peer without one. The port changes with every connection.
func owner(p vtp.Peer) string {
	if p.Identity != "" {
		return "cert:" + p.Identity
	}
	if host, _, err := net.SplitHostPort(p.Remote); err == nil {
		return "host:" + host
	}
	return "host:local"
}

// follower is one connection's way through the journal. It starts as a follower of the broker that lives as long as
// the connection, and changes to another one when the subscriber names a durable subscription.
type follower struct {
	broker *broker.Broker
	peer   vtp.Peer
	sink   sink
	hold   *hold // nil when nothing is held back

	mu      sync.Mutex
	current *broker.Follower
	name    string             // of the durable subscription; empty for none
	next    *broker.Follower   // to change to as soon as the current one has ended
	stop    context.CancelFunc // ends the current one's Run; nil when it does not run
	ended   bool               // Run has returned, or is about to
	changes chan struct{}      // closed when next has become current; nil when nobody waits for it
}

// changeTime bounds how long a wish waits for a delivery under way.
const changeTime = 2 * time.Second

// Run delivers until ctx ends or the connection fails.
func (f *follower) Run(ctx context.Context) error {
	if f.hold != nil {
		f.hold.wait(ctx)
	}
	for {
		inner, run, cancel := f.begin(ctx)
		// When ctx has ended meanwhile this returns at once, as it must be called: Follow demands it.
		err := inner.Run(run)
		cancel()
		if !f.changed() {
			return err
		}
	}
}

func (f *follower) begin(ctx context.Context) (*broker.Follower, context.Context, context.CancelFunc) {
	run, cancel := context.WithCancel(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop = cancel
	if f.next != nil {
		cancel() // asked for before this one began
	}
	return f.current, run, cancel
}

// changed makes the next follower the current one, if there is a next one.
func (f *follower) changed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop = nil
	if f.changes != nil {
		close(f.changes)
		f.changes = nil
	}
	if f.next == nil {
		f.ended = true
		return false
	}
	f.current, f.next = f.next, nil
	return true
}

// latest is the follower that receipts and wishes are for: what an earlier one delivered on this connection is the
// same notice under the same number.
func (f *follower) latest() *broker.Follower {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

// Acked says that the subscriber has the notice.
func (f *follower) Acked(id uint64) { f.latest().Acked(journal.Seq(id)) }

// Refused says that the subscriber does not want it.
func (f *follower) Refused(id uint64, reason string) { f.latest().Refused(journal.Seq(id), reason) }

// Subscribe replaces what the subscriber wants. One that has its own means not to miss anything gives its automatic
// subscription back.
func (f *follower) Subscribe(w vtp.Wishes) error {
	spec := filter.Spec{XPath: w.XPath}
	f.mu.Lock()
	current, name, changing := f.current, f.name, f.next != nil
	f.mu.Unlock()
	if changing {
		return errors.New("the wish before this one is being fulfilled: ask again")
	}
	if w.Subscription == name {
		if err := current.SetFilter(spec); err != nil {
			return plain(err)
		}
		if w.NoResume || !w.Since.IsZero() {
			current.GiveBack()
		}
		if !w.Since.IsZero() {
			return plain(current.Rewind(w.Since))
		}
		return nil
	}
	next, err := f.open(w, spec)
	if err != nil {
		return plain(err)
	}
	current.GiveBack()
	f.mu.Lock()
	ended := f.ended
	var changes chan struct{}
	if !ended {
		f.next, f.name = next, w.Subscription
		if f.stop != nil {
			changes = make(chan struct{})
			f.changes = changes
			f.stop()
		}
	}
	f.mu.Unlock()
	f.await(changes)
	if ended {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = next.Run(over) // gives it back; there is nobody to deliver to
		return errors.New("the connection has ended")
	}
	return nil
}

// await waits for a change of followers, so that once a wish is answered every notice comes by it: the order that is
// promised is that of one subscription.
func (f *follower) await(changes <-chan struct{}) {
	if changes == nil {
		return
	}
	t := time.NewTimer(changeTime)
	defer t.Stop()
	select {
	case <-changes:
	case <-t.C:
	}
}

func (f *follower) open(w vtp.Wishes, spec filter.Spec) (*broker.Follower, error) {
	s := broker.Subscription{Owner: owner(f.peer), Remote: f.peer.Remote, Filter: spec}
	if !w.Since.IsZero() {
		s.Start = broker.Start{At: broker.StartSince, Since: w.Since}
	}
	if w.Subscription != "" {
		if err := checkName(w.Subscription); err != nil {
			return nil, err
		}
		s.ID, s.Durable = s.Owner+"/"+w.Subscription, true
		if w.Since.IsZero() {
			s.Start = broker.Start{At: broker.StartResume}
		}
	}
	// The follower outlives the message that asked for it: the connection's context is that of Run.
	return f.broker.Follow(context.Background(), s, &f.sink)
}

func checkName(name string) error {
	if len(name) > maxSubscriptionName {
		return fmt.Errorf("the name of a subscription has at most %d bytes", maxSubscriptionName)
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\uFFFD' }); i >= 0 {
		return errors.New("the name of a subscription holds no blanks and no control characters")
	}
	return nil
}

// plain leaves of a broker's error what a subscriber should read.
func plain(err error) error {
	if be := new(broker.Error); errors.As(err, &be) {
		return errors.New(be.Text)
	}
	return err
}

// sink writes the broker's notices to a connection. Deliver is called by one goroutine at a time, also while followers
// change, so the batch can be used again.
type sink struct {
	to    vtp.Sink
	batch []vtp.Notice
}

// Deliver hands the notices on.
func (s *sink) Deliver(ctx context.Context, batch []*broker.Notice) error {
	s.batch = s.batch[:0]
	for _, n := range batch {
		s.batch = append(s.batch, vtp.Notice{ID: uint64(n.Seq), IVORN: n.Name, Raw: n.Raw})
	}
	err := s.to.Deliver(ctx, s.batch)
	clear(s.batch) // do not hold the notices' bytes
	return err
}
