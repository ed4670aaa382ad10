package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tocsin/broker"
	"tocsin/vtp"
)

const (
	// For defaultResume a place is kept for a subscriber that named none: clients in the field dial again after seconds to
	// about twenty minutes.
	defaultResume = 20 * time.Minute
	// What was missed is held back for heldFor at most, so that a subscriber's filters come first.
	heldFor = 2 * time.Second
	// An automatic subscription must be had within findTime: a connection is worth more than its past.
	findTime = 2 * time.Second
)

// resuming is what a feed needs to keep the places of subscribers that cannot name a subscription.
type resuming struct {
	keep time.Duration // 0: nothing is kept
	log  *slog.Logger
	full sync.Once // told that there is no room
}

// begin follows the automatic subscription of the peer, when nobody else of the same owner does, and else live.
func (f feed) begin(ctx context.Context, p vtp.Peer, to broker.Sink) (*broker.Follower, error) {
	s := broker.Subscription{Owner: owner(p), Remote: p.Remote}
	if f.resume != nil && f.resume.keep > 0 {
		auto := s
		// Names given by subscribers hold no blanks, so this is none of them.
		auto.ID, auto.Durable, auto.Keep = s.Owner+" on "+p.Listener, true, f.resume.keep
		auto.Start.At = broker.StartResume
		find, cancel := context.WithTimeout(ctx, findTime)
		defer cancel()
		inner, err := f.broker.Follow(find, auto, to)
		if err == nil {
			return inner, nil
		}
		f.resume.tell(p, err)
	}
	return f.broker.Follow(ctx, s, to)
}

// tell logs why a subscriber has no automatic subscription, unless that is in order.
func (r *resuming) tell(p vtp.Peer, err error) {
	be := new(broker.Error)
	switch {
	case errors.Is(err, broker.ErrHeld):
	case errors.As(err, &be) && be.Reason == broker.ReasonRate:
		r.full.Do(func() {
			r.log.Warn("no room for more automatic subscriptions: further subscribers begin live after a loss of their line",
				"listener", p.Listener, "limit", "limits.durable_subscriptions")
		})
	default:
		r.log.Warn("no place is kept for a subscriber", "listener", p.Listener, "remote", p.Remote, "error", err)
	}
}

// A hold keeps Run from delivering what was missed until the subscriber has said something, since Comet's filters come
// only after it was greeted.
type hold struct {
	heard chan struct{}
	once  sync.Once
}

func newHold() *hold { return &hold{heard: make(chan struct{})} }

func (h *hold) release() { h.once.Do(func() { close(h.heard) }) }

// wait waits for the release, heldFor, or the end of ctx, whichever comes first.
func (h *hold) wait(ctx context.Context) {
	t := time.NewTimer(heldFor)
	defer t.Stop()
	select {
	case <-h.heard:
	case <-t.C:
	case <-ctx.Done():
	}
}

// Held says that what was missed is held back until the subscriber has been heard.
func (f *follower) Held() bool { return f.hold != nil }

// Heard says that the subscriber has sent something, and its wishes before that if it has any.
func (f *follower) Heard() {
	if f.hold != nil {
		f.hold.release()
	}
}
