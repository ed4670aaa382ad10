package broker

import (
	"maps"
	"sync"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"
)

// queue is what one subscription has not acknowledged: a place in the journal,
// a filter, and the deliveries in flight. A durable one outlives its followers;
// only the follower that holds it may change it.
type queue struct {
	id, owner string
	automatic bool          // see Subscription.Keep
	turn      chan struct{} // taken while its definition is written; nil unless durable
	stored    bool          // the journal knows it; belongs to who has the turn

	mu       sync.Mutex
	durable  bool
	holder   *Follower
	remote   string
	since    time.Time // of the holder, or when the last one ended
	spec     filter.Spec
	cursor   journal.Seq // all up to here is settled
	saved    journal.Seq // the cursor last given to the journal
	read     journal.Seq // all up to here was matched
	pass     uint64      // grows when read is set back
	start    journal.Seq // read at the beginning of the pass
	window   window
	past     past
	receipts []journal.Receipt // not yet given to the journal
	queued   bool              // the receipts writer has it in its list
	moved    bool              // likewise, in the list of those that only moved
	redefine bool              // its definition is to be written
	tally    tally

	// Only automatic ones use these.
	keep      time.Duration
	found     found // by the holder
	fruitless int   // connections in a row that ended without an answer to what they got
}

// tally counts what became of a subscription's deliveries since the broker
// started.
type tally struct{ delivered, acked, refused, repeated uint64 }

// past is what earlier followers, and earlier passes of this one, leave behind.
type past struct {
	// Notices in (From, To] may have been delivered.
	From, To journal.Seq
	// Attempts of those that were delivered more than once.
	Attempts map[journal.Seq]uint16
	// Settled are notices after the cursor that need not be delivered again.
	Settled map[journal.Seq]struct{}
}

// attempt says how often a notice was delivered already, as far as is known.
func (p *past) attempt(seq journal.Seq) uint16 {
	if n, ok := p.Attempts[seq]; ok {
		return n
	}
	if seq > p.From && seq <= p.To {
		return 1
	}
	return 0
}

// widen adds (from, to] to what may have been delivered.
func (p *past) widen(from, to journal.Seq) {
	if to <= from {
		return
	}
	if p.To <= p.From {
		p.From, p.To = from, to
		return
	}
	p.From, p.To = min(p.From, from), max(p.To, to)
}

func (p *past) clone() past {
	return past{From: p.From, To: p.To, Attempts: maps.Clone(p.Attempts), Settled: maps.Clone(p.Settled)}
}

// advance sets the cursor to where everything before it is settled, and says
// whether it moved. The caller holds mu.
func (q *queue) advance() bool {
	c := q.read
	if d, ok := q.window.oldest(); ok {
		c = d.seq - 1
	}
	if c == q.cursor {
		return false
	}
	q.cursor = c
	return true
}

// leave ends a pass at the present place: what is in flight becomes past. The
// caller holds mu.
func (q *queue) leave() {
	for _, d := range q.window.all() {
		switch {
		case d.settled:
			if q.past.Settled == nil {
				q.past.Settled = make(map[journal.Seq]struct{})
			}
			q.past.Settled[d.seq] = struct{}{}
		case d.attempt > 1:
			if q.past.Attempts == nil {
				q.past.Attempts = make(map[journal.Seq]uint16)
			}
			q.past.Attempts[d.seq] = d.attempt
		}
	}
	q.past.widen(q.start, q.read)
	q.window.clear()
	q.enter(q.cursor)
}

// enter begins a pass after seq. The caller holds mu.
func (q *queue) enter(seq journal.Seq) {
	q.cursor, q.read, q.start = seq, seq, seq
	q.pass++
}

// release lets f go and leaves receipts for what was written and not
// acknowledged; it says how many. The caller holds mu.
func (q *queue) release(f *Follower, now time.Time) int {
	if q.holder != f {
		return 0
	}
	n := 0
	if q.automatic {
		n = q.judge(f, now)
		q.spec = filter.Spec{} // it was the connection's
	}
	for _, d := range q.window.all() {
		if !d.settled && d.seq <= f.written {
			sent := time.Unix(0, d.sent)
			q.receipts = append(q.receipts, journal.Receipt{Notice: d.seq, State: journal.Sent, Sent: sent, Done: sent, Attempt: d.attempt})
			n++
		}
	}
	q.leave()
	q.holder, q.remote, q.since = nil, "", now
	if f.gaveUpAll {
		q.since = time.Time{} // its time is over
	}
	return n
}
