package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"
)

// definition is what the journal keeps of a durable subscription besides its
// cursor. It is written when a follower begins and when it has ended; from one
// that began and never ended (a crash) the next start concludes that all the
// journal held then may have been delivered.
type definition struct {
	Owner     string                 `json:"owner"`
	Filter    filter.Spec            `json:"filter"`
	Following bool                   `json:"following"`
	Ended     time.Time              `json:"ended,omitzero"`
	From      journal.Seq            `json:"sent_after,omitempty"`
	To        journal.Seq            `json:"sent_to,omitempty"`
	Attempts  map[journal.Seq]uint16 `json:"attempts,omitempty"`
	Settled   []journal.Seq          `json:"settled,omitempty"`

	// Of automatic subscriptions, which keep no filter.
	KeepS     float64 `json:"keep_s,omitempty"`
	Fruitless int     `json:"fruitless,omitempty"`
}

// definition gives what is to be stored; false when the subscription was
// removed.
func (q *queue) definition() ([]byte, bool) {
	q.mu.Lock()
	d := q.define(q.spec, q.holder != nil)
	durable := q.durable
	q.mu.Unlock()
	if !durable {
		return nil, false
	}
	b, err := json.Marshal(d)
	return b, err == nil
}

// define gathers a definition. The caller holds mu.
func (q *queue) define(spec filter.Spec, following bool) definition {
	p := q.past.clone()
	d := definition{Owner: q.owner, Filter: spec, Following: following, From: p.From, To: p.To, Attempts: p.Attempts}
	if !following {
		d.Ended = q.since
	}
	if q.automatic {
		d.Filter, d.KeepS, d.Fruitless = filter.Spec{}, q.keep.Seconds(), q.fruitless
	}
	for seq := range p.Settled {
		d.Settled = append(d.Settled, seq)
	}
	slices.Sort(d.Settled)
	return d
}

// load reads the durable subscriptions that the journal knows. One with a
// definition that cannot be read is left alone: its name can be taken anew.
func (b *Broker) load(ctx context.Context) error {
	stored, err := b.c.Log.Subscriptions(ctx)
	if err != nil {
		return fmt.Errorf("broker: reading the subscriptions: %w", err)
	}
	last := b.ring.newest()
	for _, s := range stored {
		var d definition
		if err := json.Unmarshal(s.Def, &d); err != nil {
			b.log.Error("a subscription's definition cannot be read", "subscription", s.ID, "error", err)
			continue
		}
		q := &queue{
			id: s.ID, owner: d.Owner, durable: true, turn: make(chan struct{}, 1), stored: true,
			spec: d.Filter, since: d.Ended, saved: s.Cursor, past: past{From: d.From, To: d.To, Attempts: d.Attempts},
		}
		q.enter(s.Cursor)
		for _, seq := range d.Settled {
			if q.past.Settled == nil {
				q.past.Settled = make(map[journal.Seq]struct{}, len(d.Settled))
			}
			q.past.Settled[seq] = struct{}{}
		}
		if d.Following {
			q.past.widen(s.Cursor, last)
			q.since = b.now()
		}
		if d.KeepS > 0 {
			// Nobody could come back while there was no broker: the time begins anew,
			// unless it was over already.
			q.automatic, q.keep, q.fruitless = true, time.Duration(d.KeepS*float64(time.Second)), d.Fruitless
			if !q.since.IsZero() {
				q.since = b.now()
			}
		}
		b.durables[s.ID] = q
	}
	return nil
}

// durable finds or makes the queue of a durable subscription and stores its
// definition as one that is being followed. On success the caller has its turn
// and gives it back.
func (b *Broker) durable(ctx context.Context, s Subscription, from journal.Seq) (*queue, error) {
	for {
		q, err := b.tryDurable(ctx, s, from)
		if !errors.Is(err, errRemoved) {
			return q, err
		}
		if ctx.Err() != nil {
			return nil, busy(ctx.Err())
		}
	}
}

func (b *Broker) tryDurable(ctx context.Context, s Subscription, from journal.Seq) (*queue, error) {
	if s.ID == "" || len(s.ID) > journal.MaxSubscriptionID {
		return nil, &Error{
			Kind: Invalid, Reason: ReasonSchema,
			Text: fmt.Sprintf("a durable subscription needs a name of 1 to %d bytes", journal.MaxSubscriptionID),
		}
	}
	b.mu.Lock()
	q, ok := b.durables[s.ID]
	if !ok {
		if b.full(s.Keep > 0) {
			b.mu.Unlock()
			return nil, &Error{
				Kind: Busy, Reason: ReasonRate,
				Text: "the broker keeps no more durable subscriptions; remove one that is no longer used, or ask its operator",
			}
		}
		q = &queue{id: s.ID, owner: s.Owner, automatic: s.Keep > 0, durable: true, turn: make(chan struct{}, 1)}
		q.enter(from)
		b.durables[s.ID] = q
	}
	b.mu.Unlock()
	if q.owner != s.Owner || q.automatic != (s.Keep > 0) {
		return nil, &Error{
			Kind: Forbidden, Reason: ReasonUnauthorized,
			Text: fmt.Sprintf("the subscription %q belongs to somebody else; choose another name", s.ID),
		}
	}
	if q.automatic {
		if err := q.free(ctx); err != nil {
			return nil, err
		}
	}
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, busy(ctx.Err())
	}
	if q.automatic {
		if err := q.claim(b.now(), s.Keep, from); err != nil {
			<-q.turn
			return nil, err
		}
	}
	if err := b.store(ctx, q, s.Filter); err != nil {
		if q.automatic && q.stored {
			// Its place is known; only the marks of repeats after a crash depend on this.
			b.log.Warn("a subscription's definition was not written", "subscription", q.id, "error", err)
			return q, nil
		}
		if !q.stored {
			b.mu.Lock()
			if b.durables[q.id] == q {
				delete(b.durables, q.id)
			}
			b.mu.Unlock()
		}
		<-q.turn
		return nil, err
	}
	return q, nil
}

// store writes the definition of q as one that is being followed, and before
// it the cursor of a new one: without it a crash before the first
// acknowledgement would lose what came in meanwhile. The caller has the turn.
func (b *Broker) store(ctx context.Context, q *queue, spec filter.Spec) error {
	b.mu.Lock()
	gone := b.durables[q.id] != q
	b.mu.Unlock()
	if gone {
		return &Error{Kind: Busy, Reason: ReasonInternal, Text: "the subscription was removed just now; try again"}
	}
	q.mu.Lock()
	d, cursor := q.define(spec, true), q.cursor
	q.mu.Unlock()
	def, err := json.Marshal(d)
	if err == nil && !q.stored {
		err = b.c.Log.Commit(ctx, []journal.Progress{{Subscription: q.id, Cursor: cursor}})
	}
	if err == nil {
		err = b.c.Log.PutSubscription(ctx, q.id, def)
	}
	if err != nil {
		return busy(fmt.Errorf("broker: storing the subscription %s: %w", q.id, err))
	}
	if !q.stored {
		q.stored = true
		q.mu.Lock()
		q.saved = cursor
		q.mu.Unlock()
	}
	return nil
}

// ErrUnsubscribed ends the follower of a durable subscription that was removed.
var ErrUnsubscribed = errors.New("broker: the subscription was removed")

// Unsubscribe forgets a durable subscription and ends its follower, if it has
// one (ErrUnsubscribed). Its receipts stay.
func (b *Broker) Unsubscribe(ctx context.Context, id, owner string) error {
	b.mu.Lock()
	q, ok := b.durables[id]
	b.mu.Unlock()
	switch {
	case !ok:
		return &Error{Kind: Invalid, Reason: ReasonSchema, Text: fmt.Sprintf("there is no durable subscription %q", id)}
	case q.owner != owner:
		return &Error{Kind: Forbidden, Reason: ReasonUnauthorized, Text: fmt.Sprintf("the subscription %q belongs to somebody else", id)}
	}
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return busy(ctx.Err())
	}
	if err := b.c.Log.DeleteSubscription(ctx, id); err != nil {
		return busy(fmt.Errorf("broker: removing the subscription %s: %w", id, err))
	}
	b.mu.Lock()
	if b.durables[id] == q {
		delete(b.durables, id)
	}
	b.mu.Unlock()
	q.mu.Lock()
	q.durable = false // its last receipts are still written, its cursor no more
	holder, grown, put := q.holder, 0, false
	if holder != nil {
		grown = q.release(holder, b.now())
		put = b.writer.mark(q, grown > 0)
	}
	q.mu.Unlock()
	b.writer.gathered(grown)
	b.writer.put(q, put)
	if holder != nil {
		holder.stop(ErrUnsubscribed)
	}
	return nil
}
