package broker

import (
	"context"
	"errors"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"

	"golang.org/x/sync/errgroup"
)

// An automatic subscription is a durable one that nobody asked for by name: it
// bridges the time until its owner comes back. See Subscription.Keep.

// ErrHeld says that somebody follows an automatic subscription already.
var ErrHeld = errors.New("broker: somebody else follows the automatic subscription")

// errRemoved says that a subscription went away while it was waited for.
var errRemoved = errors.New("broker: the subscription was removed just now")

const (
	// Each sweepInterval automatic subscriptions are removed whose time is over.
	// Nothing depends on it but the space they take.
	sweepInterval = time.Minute
	// A notice that was delivered patience times and never answered, while it was
	// the first to wait for an answer, is given up.
	patience = 3
	// After so many connections in a row without any answer (fruitlessMost) the
	// subscriber is one that does not answer, and its place is given up.
	fruitlessMost = 4
)

// found is how a follower found the automatic subscription that it leads.
type found struct {
	fresh     bool // there was none, or its time was over
	cursor    journal.Seq
	past      past
	since     time.Time
	fruitless int
}

// free waits for the holder of an automatic subscription if that is about to
// end; it gives ErrHeld when it is not.
func (q *queue) free(ctx context.Context) error {
	for {
		q.mu.Lock()
		h := q.holder
		q.mu.Unlock()
		switch {
		case h == nil:
			return nil
		case !h.ending():
			return ErrHeld
		}
		select {
		case <-h.done:
		case <-ctx.Done():
			return ErrHeld
		}
	}
}

// ending says that Run is over, or will be without anybody's doing.
func (f *Follower) ending() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over || f.cause != nil || f.ctx != nil && f.ctx.Err() != nil
}

// expired says whether the time of an automatic subscription is over. The
// caller holds mu.
func (q *queue) expired(now time.Time) bool {
	return q.automatic && q.holder == nil && now.Sub(q.since) >= q.keep
}

// claim prepares an automatic subscription for its next follower, which begins
// after from when there is nothing to go on with. The caller has the turn.
func (q *queue) claim(now time.Time, keep time.Duration, from journal.Seq) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.durable:
		return errRemoved
	case q.holder != nil:
		return ErrHeld
	}
	q.keep = keep
	fresh := !q.stored || q.expired(now)
	if fresh {
		q.stored = false // its cursor is to be written anew
		q.past, q.fruitless, q.tally, q.since = past{}, 0, tally{}, time.Time{}
		q.enter(from)
	}
	q.found = found{fresh: fresh, cursor: q.cursor, past: q.past.clone(), since: q.since, fruitless: q.fruitless}
	return nil
}

// Behind says that the follower goes on where another one of its automatic
// subscription ended, and that notices wait there which came before it began.
func (f *Follower) Behind() bool {
	f.q.mu.Lock()
	defer f.q.mu.Unlock()
	return f.q.automatic && f.q.durable && !f.q.found.fresh && f.q.found.cursor < f.live
}

// GiveBack leaves the automatic subscription as the follower found it, for the
// rest of the time it had; one that was made for this follower is forgotten.
// The follower goes on, live: what waited in the subscription stays there. It
// does nothing to other subscriptions.
func (f *Follower) GiveBack() {
	b, q := f.b, f.q
	q.mu.Lock()
	if q.holder != f || !q.automatic || !q.durable {
		q.mu.Unlock()
		return
	}
	was := q.found
	left := &queue{
		id: q.id, owner: q.owner, automatic: true, durable: true, turn: q.turn, stored: true, keep: q.keep,
		since: was.since, past: was.past, saved: q.saved, fruitless: was.fruitless, redefine: true, queued: true,
	}
	left.enter(was.cursor)
	q.durable = false // its receipts are still written, its cursor no more
	if !was.fresh && q.read < f.live {
		q.leave()
		q.enter(f.live)
		f.waiting = false
	}
	q.mu.Unlock()
	b.mu.Lock()
	if b.durables[q.id] == q {
		b.durables[q.id] = left
	}
	b.mu.Unlock()
	b.writer.put(left, true)
	f.nudge()
}

// judge gives up what a subscriber cannot deal with: an automatic subscription
// belongs to one that never asked to have a notice repeated, and that may crash
// on it each time, or answer nothing at all. It says how many receipts it added.
// The caller holds mu.
func (q *queue) judge(f *Follower, now time.Time) int {
	d, waiting := q.window.oldest()
	waiting = waiting && d.seq <= f.written
	switch {
	case f.answered:
		q.fruitless = 0
	case waiting:
		q.fruitless++
	}
	if !waiting || d.attempt < patience || q.fruitless < patience-1 {
		return 0
	}
	f.gaveUp = d.seq
	if q.fruitless >= fruitlessMost {
		f.gaveUpAll = true
		return 0
	}
	q.window.settle(d.seq)
	q.receipts = append(q.receipts, journal.Receipt{
		Notice: d.seq, State: journal.Failed, Sent: time.Unix(0, d.sent), Done: now, Attempt: d.attempt,
		Reason: "delivered again and again without an answer",
	})
	q.advance()
	return 1
}

// tellGivenUp logs and counts what judge has given up. The follower has ended.
func (f *Follower) tellGivenUp() {
	f.q.mu.Lock()
	seq, all := f.gaveUp, f.gaveUpAll
	f.q.mu.Unlock()
	switch {
	case seq == 0:
		return
	case all:
		f.b.log.Warn("a subscriber answers nothing: its place is not kept any longer", "subscription", f.q.id, "notice", seq)
	default:
		f.b.log.Warn("a notice was given up: the subscriber's connection ended each time it was delivered", "subscription", f.q.id, "notice", seq)
	}
	f.b.m.givenUp.Inc()
}

// sweep removes automatic subscriptions whose time is over, until ctx ends.
func (b *Broker) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.removeExpired(ctx)
		}
	}
}

func (b *Broker) removeExpired(ctx context.Context) {
	b.mu.Lock()
	var all []*queue
	for _, q := range b.durables {
		if q.automatic {
			all = append(all, q)
		}
	}
	b.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(definitionsAtOnce)
	for _, q := range all {
		q.mu.Lock()
		over := q.expired(b.now())
		q.mu.Unlock()
		if over {
			g.Go(func() error { return b.remove(ctx, q) })
		}
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		b.log.Warn("an automatic subscription was not removed, trying again later", "error", err)
	}
}

// remove removes an automatic subscription if its time is still over.
func (b *Broker) remove(ctx context.Context, q *queue) error {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	default:
		return nil // somebody comes back to it, or it is being written
	}
	q.mu.Lock()
	over := q.durable && q.expired(b.now())
	q.mu.Unlock()
	if !over {
		return nil
	}
	if err := b.c.Log.DeleteSubscription(ctx, q.id); err != nil {
		return err
	}
	b.mu.Lock()
	if b.durables[q.id] == q {
		delete(b.durables, q.id)
	}
	b.mu.Unlock()
	q.mu.Lock()
	q.durable = false
	q.spec = filter.Spec{}
	q.mu.Unlock()
	b.m.expired.Inc()
	return nil
}

// full says whether there is no room for one more durable subscription of a
// kind. Automatic ones are counted apart, so that strangers who connect cannot
// take the room of those who have a name. The caller holds b.mu.
func (b *Broker) full(automatic bool) bool {
	if len(b.durables) < b.c.MaxDurable {
		return false
	}
	n := 0
	for _, q := range b.durables {
		if q.automatic == automatic {
			n++
		}
	}
	return n >= b.c.MaxDurable
}
