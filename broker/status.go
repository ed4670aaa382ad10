package broker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Status tells an operator what the broker does: `tocsin status` shows it.
type Status struct {
	Time            time.Time         `json:"time"`
	Started         time.Time         `json:"started"`
	Journal         JournalStatus     `json:"journal"`
	Received        uint64            `json:"received"`
	Accepted        uint64            `json:"accepted"`
	Duplicates      uint64            `json:"duplicates"`
	Refused         map[string]uint64 `json:"refused"`       // by reason
	LastRefusals    []Refusal         `json:"last_refusals"` // newest first, at most 50
	Deliveries      uint64            `json:"deliveries"`
	Acks            uint64            `json:"acks"`
	UnsavedReceipts int64             `json:"unsaved_receipts"` // gathered and not yet on stable storage
	FollowerCount   int               `json:"follower_count"`
	Followers       []FollowerStatus  `json:"followers"`    // furthest behind first, at most 1,000
	Disconnected    []FollowerStatus  `json:"disconnected"` // durable and automatic subscriptions nobody follows now, at most 1,000
}

// JournalStatus is the journal's part of Status.
type JournalStatus struct {
	First     journal.Seq `json:"first"`
	Last      journal.Seq `json:"last"`
	Records   int64       `json:"records"`
	LiveBytes int64       `json:"live_bytes"`
	FileBytes int64       `json:"file_bytes"`
	QueueLen  int         `json:"queue_len"` // appends that wait at this moment
}

// Refusal is one submission that was not taken.
type Refusal struct {
	Time   time.Time `json:"time"`
	Source string    `json:"source"`
	Kind   string    `json:"kind"`
	Reason string    `json:"reason"`
	IVORN  string    `json:"ivorn,omitempty"`
	Text   string    `json:"text"`
}

// FollowerStatus tells about one subscription.
type FollowerStatus struct {
	ID      string `json:"id"`
	Owner   string `json:"owner,omitempty"`
	Remote  string `json:"remote,omitempty"`
	Durable bool   `json:"durable"`
	// Automatic: nobody named it; see Subscription.Keep. One nobody follows is
	// kept until KeptUntil.
	Automatic bool        `json:"automatic,omitempty"`
	KeptUntil time.Time   `json:"kept_until,omitzero"`
	Filter    filter.Spec `json:"filter"`
	// Since is when the connection began to follow, or, of one nobody follows,
	// when the last connection ended.
	Since time.Time `json:"since"`
	// Cursor is the number up to which all is settled.
	Cursor journal.Seq `json:"cursor"`
	// Lag counts the journal's notices after the cursor; LagS is the age of the
	// oldest of them in seconds, 0 when there is none.
	Lag  uint64  `json:"lag"`
	LagS float64 `json:"lag_s"`
	// InFlight counts deliveries not yet acknowledged, OldestUnackedS is how
	// many seconds ago the oldest of them was handed to the sink.
	InFlight       int     `json:"in_flight"`
	OldestUnackedS float64 `json:"oldest_unacked_s"`
	Delivered      uint64  `json:"delivered"`
	Acked          uint64  `json:"acked"`
	Refused        uint64  `json:"refused"`
	Repeated       uint64  `json:"repeated"`
	// FilterFailures counts notices that the present follower's filter could
	// not decide on.
	FilterFailures uint64 `json:"filter_failures"`
	FilterError    string `json:"filter_error,omitempty"` // the last of them

	following, expired bool
}

// The bounds of a Status.
const (
	maxListed   = 1000
	maxRefusals = 50
)

// Status gives a snapshot.
func (b *Broker) Status() Status {
	st := b.c.Log.Stats()
	s := Status{
		Time: b.now(), Started: b.started,
		Journal: JournalStatus{
			First: st.First, Last: st.Last, Records: st.Records, LiveBytes: st.LiveBytes, FileBytes: st.FileBytes, QueueLen: st.QueueLen,
		},
		Received: value(b.m.received), Accepted: value(b.m.accepted), Duplicates: value(b.m.duplicates),
		Refused: make(map[string]uint64), LastRefusals: b.refusals.newestFirst(),
		Deliveries: value(b.m.deliveries), Acks: value(b.m.acks), UnsavedReceipts: b.writer.unsaved.Load(),
	}
	for _, r := range Reasons() {
		if n := value(b.m.refusedBy.WithLabelValues(r)); n > 0 {
			s.Refused[r] = n
		}
	}
	following, away := b.queues()
	s.FollowerCount = len(following)
	s.Followers = b.aged(furthest(following, maxListed))
	s.Disconnected = b.aged(furthest(away, maxListed))
	return s
}

// Status tells how far the follower is. After it has ended, or was taken over,
// it tells about its subscription.
func (f *Follower) Status() FollowerStatus {
	return f.b.aged([]FollowerStatus{f.q.status(f.b.now(), f.b.ring.newest())})[0]
}

// queues gives the state of all subscriptions: those that are followed, and the
// durable ones that are not. LagS is only known of those with deliveries in
// flight.
func (b *Broker) queues() (following, away []FollowerStatus) {
	b.mu.Lock()
	followed := make([]*queue, 0, len(b.followers))
	for f := range b.followers {
		followed = append(followed, f.q)
	}
	durable := slices.Collect(maps.Values(b.durables))
	b.mu.Unlock()
	now, last := b.now(), b.ring.newest()
	for _, q := range followed {
		if s := q.status(now, last); s.following && !s.Durable {
			following = append(following, s)
		}
	}
	for _, q := range durable {
		if s := q.status(now, last); s.following {
			following = append(following, s)
		} else if !s.expired {
			away = append(away, s)
		}
	}
	return following, away
}

func (q *queue) status(now time.Time, last journal.Seq) FollowerStatus {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := FollowerStatus{
		ID: q.id, Owner: q.owner, Remote: q.remote, Durable: q.durable, Filter: q.spec, Since: q.since,
		Cursor: q.cursor, InFlight: q.window.open, following: q.holder != nil,
		Delivered: q.tally.delivered, Acked: q.tally.acked, Refused: q.tally.refused, Repeated: q.tally.repeated,
	}
	if s.Automatic = q.automatic && q.durable; s.Automatic && q.holder == nil {
		s.KeptUntil, s.expired = q.since.Add(q.keep), q.expired(now)
	}
	if last > q.cursor {
		s.Lag = uint64(last - q.cursor)
	}
	if d, ok := q.window.oldest(); ok {
		s.OldestUnackedS = now.Sub(time.Unix(0, d.sent)).Seconds()
		s.LagS = max(now.Sub(time.Unix(0, d.received)).Seconds(), 0)
	}
	if q.holder != nil {
		s.FilterFailures = q.holder.failed.Load()
		if why := q.holder.failure.Load(); why != nil {
			s.FilterError = *why
		}
	}
	return s
}

// aged fills in LagS: for those behind with nothing in flight the journal is
// asked how old the next notice is.
func (b *Broker) aged(all []FollowerStatus) []FollowerStatus {
	now := b.now()
	for i := range all {
		s := &all[i]
		if s.Lag == 0 || s.InFlight > 0 {
			continue
		}
		if n := b.ring.at(s.Cursor + 1); n != nil {
			s.LagS = max(now.Sub(n.Received).Seconds(), 0)
			continue
		}
		var next [1]journal.Record
		if n, err := b.c.Log.Read(context.Background(), s.Cursor, next[:]); err == nil && n == 1 {
			s.LagS = max(now.Sub(next[0].Received).Seconds(), 0)
		}
	}
	return all
}

// value reads a counter.
func value(c prometheus.Metric) uint64 {
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		return 0
	}
	return uint64(m.GetCounter().GetValue())
}

// refused counts and remembers a submission that was not taken.
func (b *Broker) refused(s Source, e *Error) {
	b.m.refusedBy.WithLabelValues(e.Reason).Inc()
	b.refusals.add(Refusal{
		Time: b.now(), Source: clip(s.String(), 256), Kind: e.Kind.String(), Reason: e.Reason,
		IVORN: clip(e.IVORN, 256), Text: clip(e.Text, 512),
	})
}

// refusalRing holds the last refusals.
type refusalRing struct {
	mu    sync.Mutex
	slots [maxRefusals]Refusal
	n     int // ever added
}

func (r *refusalRing) add(x Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slots[r.n%maxRefusals] = x
	r.n++
}

func (r *refusalRing) newestFirst() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Refusal, 0, min(r.n, maxRefusals))
	for i := r.n - 1; i >= 0 && i >= r.n-maxRefusals; i-- {
		out = append(out, r.slots[i%maxRefusals])
	}
	return out
}
