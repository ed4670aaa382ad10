package broker

import (
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"
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
	Disconnected    []FollowerStatus  `json:"disconnected"` // durable subscriptions nobody follows now, at most 1,000
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
	ID      string      `json:"id"`
	Owner   string      `json:"owner,omitempty"`
	Remote  string      `json:"remote,omitempty"`
	Durable bool        `json:"durable"`
	Filter  filter.Spec `json:"filter"`
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
}

// Status gives a snapshot.
func (b *Broker) Status() Status { panic("broker: Status is being written") }
