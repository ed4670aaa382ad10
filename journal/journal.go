// Package journal is the ordered, durable log of all notices: the only thing
// the way of an alert depends on.
//
// A notice that Append has returned for is on stable storage, has a sequence
// number that never changes, and is known by the SHA-256 of its element for as
// long as the journal keeps it. Cursors and receipts of subscriptions live in
// the same store and are written together, so they never disagree.
//
// Log is the contract; Open gives the embedded engine (bbolt, one file, group
// commit). Package journaltest holds the tests that every engine must pass.
// DESIGN.md in this folder says why it is built as it is.
package journal

import (
	"context"
	"time"
)

// Seq numbers the notices of one journal: 1 is the first ever stored, each
// later one is greater than all before it. Numbers are never given twice, also
// not after a trim or a restart; they are without gaps except where notices
// were trimmed or, in a salvaged file, lost. Zero means "before the first".
type Seq uint64

// FlagSameName is set by the journal in Record.Flags when another notice with
// the same Name but another Key was kept at the time of the append.
const FlagSameName uint32 = 1 << 31

// Record is one notice as the journal keeps it.
type Record struct {
	// Seq is given by the journal; Append and Enqueue ignore what is here.
	Seq Seq
	// Key is the SHA-256 of the notice's element: two records with the same
	// Key are the same notice.
	Key [32]byte
	// Name is the notice's IVORN as its author wrote it, at most MaxName bytes.
	Name string
	// Received is when the notice came in, kept to the nanosecond in UTC. The
	// zero time means "now" as the journal sees it.
	Received time.Time
	// Source says where it came from, at most MaxSource bytes.
	Source string
	// Flags belong to the caller, save FlagSameName.
	Flags uint32
	// Raw is the notice as received. The journal reads it until the append has
	// ended, the caller must not change it before that; what Read gives out
	// belongs to the reader.
	Raw []byte
	// Attach is handed to Observe's function together with the record and
	// never stored; records from Read have none.
	Attach any
}

// The greatest lengths of a record's parts, in bytes. Longer ones are refused
// with ErrTooLarge.
const (
	MaxName   = 4 << 10
	MaxSource = 4 << 10
	MaxRaw    = 16 << 20
)

// Pending is an append under way.
type Pending interface {
	// Wait returns when the append has ended: with its number when the record
	// is on stable storage; with a *DuplicateError (errors.Is ErrDuplicate) when
	// that Key is already on stable storage; with ErrFull when the disk took no
	// more; with ErrClosed when the journal closed before the record was
	// written; with another error when the store failed. After any of these
	// errors nothing of the record is stored.
	//
	// When ctx ends first Wait returns its error, and the record may yet become
	// durable. Wait may be called again and by several goroutines.
	Wait(ctx context.Context) (Seq, error)
	// Ready says whether Wait would return at once.
	Ready() bool
}

// Log is an ordered, durable log of notices with the cursors, receipts and
// definitions of the subscriptions that read it. All methods may be called by
// many goroutines at once. After Close all of them fail with ErrClosed.
type Log interface {
	// Enqueue hands r over and returns without waiting for the disk, unless too
	// many appends wait already. Records get their numbers in the order of the
	// calls: of two calls of which one returned before the other began, the
	// first has the smaller number. It fails with ErrTooLarge, ErrClosed or the
	// error of ctx; then nothing was taken.
	Enqueue(ctx context.Context, r Record) (Pending, error)
	// Append is Enqueue and Wait.
	Append(ctx context.Context, r Record) (Seq, error)
	// Observe sets the function that sees every commit of new records: once
	// they are on stable storage, in the order of their numbers, before the
	// Wait of any of their Pendings returns and before callers of Wait wake.
	// Duplicates are not in it. The function must not block, must not call the
	// journal and must not keep the slice; the records' Raw is the caller's own
	// of Enqueue. Observe itself returns when no call of an earlier function is
	// running any more. Nil ends it.
	Observe(fn func(committed []Record))
	// Read fills dst with the first records that follow after, in order, and
	// says how many: 0 and no error when there is none yet. It starts at the
	// first kept record when after lies before it. One call may give fewer
	// than there are (engines bound the bytes of one call), but at least one.
	Read(ctx context.Context, after Seq, dst []Record) (int, error)
	// Wait returns nil as soon as the last number is greater than after.
	Wait(ctx context.Context, after Seq) error
	// Bounds gives the numbers of the first and last kept record; both are 0
	// when nothing is kept.
	Bounds() (first, last Seq)
	// FindKey finds the kept record with that Key.
	FindKey(ctx context.Context, key [32]byte) (Seq, bool, error)
	// FindName finds the kept records with exactly that Name, oldest first.
	FindName(ctx context.Context, name string) ([]Seq, error)
	// SeekTime gives the greatest number such that it and all before it were
	// received before t: the "after" for a replay since t. It is 0 when the
	// first kept record was not received before t. Clocks may step back, so records
	// after it may carry times before t; none received at or after t is missed.
	SeekTime(ctx context.Context, t time.Time) (Seq, error)

	// Commit stores cursors and receipts of many subscriptions in one
	// transaction: all of it or nothing. It returns when they are on stable
	// storage. A subscription need not be known to PutSubscription. A cursor
	// may move back (a replay) and may point before the first or after the last
	// kept record. Progress with KeepCursor leaves the stored cursor alone.
	Commit(ctx context.Context, ps []Progress) error
	// PutSubscription stores a definition under id, replacing an earlier one.
	// Its cursor stays as it is.
	PutSubscription(ctx context.Context, id string, def []byte) error
	// DeleteSubscription removes the definition and the cursor of id; its
	// receipts stay until they are trimmed. Unknown ids are no error.
	DeleteSubscription(ctx context.Context, id string) error
	// Subscriptions lists what PutSubscription stored, by id.
	Subscriptions(ctx context.Context) ([]StoredSubscription, error)
	// Cursor gives the cursor that Commit stored last for id.
	Cursor(ctx context.Context, id string) (Seq, bool, error)
	// Receipts calls fn for every kept receipt whose number is greater than
	// after, in the order in which they were committed, until fn fails; it
	// returns fn's error. Numbers grow and are not without gaps. fn may call
	// the journal.
	Receipts(ctx context.Context, after uint64, fn func(n uint64, subscription string, r Receipt) error) error

	// Trim removes the oldest records until the policy holds, and receipts as
	// old as the removed records. It works in small steps between which
	// appends go on; an error or the end of ctx leaves the steps done so far.
	// The newest record is always kept.
	Trim(ctx context.Context, p TrimPolicy) (Trimmed, error)
	// Stats tells about the journal and its work since it was opened.
	Stats() Stats
	// Close ends the journal: what was enqueued before is written, later calls
	// get ErrClosed. A second call returns what the first one did.
	Close() error
}

// Progress is what one subscription has come to: its cursor and the receipts
// that brought it there.
type Progress struct {
	// Subscription is its id, 1 to MaxSubscriptionID bytes.
	Subscription string
	// Cursor is the number up to which (inclusive) nothing is to be delivered
	// again.
	Cursor Seq
	// KeepCursor stores only the receipts.
	KeepCursor bool
	Receipts   []Receipt
}

// MaxSubscriptionID is the greatest length of a subscription's id in bytes,
// MaxDefinition that of its definition, MaxReason that of a receipt's reason
// (longer reasons are cut).
const (
	MaxSubscriptionID = 1 << 10
	MaxDefinition     = 1 << 20
	MaxReason         = 1 << 10
)

// Receipt says what became of one notice for one subscription.
type Receipt struct {
	Notice Seq
	State  ReceiptState
	// Sent is when it was handed to the sink, Done when the state was reached;
	// both are kept to the microsecond in UTC and may be zero.
	Sent, Done time.Time
	// Reason is the sink's or the member's word for refused and failed.
	Reason string
	// Attempt counts the deliveries so far: 1 for the first, 0 for unknown.
	Attempt uint16
}

// ReceiptState is how far a delivery has come.
type ReceiptState uint8

// The states of a delivery. Their values are stored: they never change.
const (
	Queued  ReceiptState = 1 // waits in the subscription's queue
	Sent    ReceiptState = 2 // written to the sink
	Acked   ReceiptState = 3 // the other side's software has it
	Read    ReceiptState = 4 // a person has seen it
	Acted   ReceiptState = 5 // a person or a program has acted on it
	Refused ReceiptState = 6 // the other side does not want it; not repeated
	Failed  ReceiptState = 7 // given up
)

// String gives the word for the state: queued, sent, acked, read, acted,
// refused, failed.
func (s ReceiptState) String() string {
	switch s {
	case Queued:
		return "queued"
	case Sent:
		return "sent"
	case Acked:
		return "acked"
	case Read:
		return "read"
	case Acted:
		return "acted"
	case Refused:
		return "refused"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// StoredSubscription is a definition together with its cursor.
type StoredSubscription struct {
	ID  string
	Def []byte
	// Cursor is 0 when none was stored yet.
	Cursor Seq
}

// TrimPolicy says what the journal keeps. Zero fields set no limit.
type TrimPolicy struct {
	// MaxAge is how long after Received a record is kept.
	MaxAge time.Duration
	// MaxBytes is how many bytes of live data (records and receipts as stored)
	// are kept. It is not the size of the file: see Stats.
	MaxBytes int64
	// Now is the time that ages are counted from, the present when zero.
	Now time.Time
}

// Trimmed tells what a Trim removed.
type Trimmed struct {
	Records  int
	Receipts int
	// Bytes is the live data removed, as stored.
	Bytes int64
}

// Stats tells about a journal. The counters begin at zero when it is opened.
type Stats struct {
	First, Last Seq   // as Bounds
	Records     int64 // kept
	LiveBytes   int64 // of kept records and receipts, as stored
	FileBytes   int64 // size of the files; they do not shrink
	IndexBytes  int64 // memory of the in-memory index, estimated

	Appended   uint64 // records stored
	Duplicates uint64 // appends refused as duplicates
	Receipts   uint64 // receipts stored
	RawBytes   uint64 // of the records stored, before compression
	Stored     uint64 // bytes of the records stored, after compression
	Commits    uint64 // batches of appends or changes brought to stable storage
	Applies    uint64 // transactions that only moved records from the write-ahead file into the store
	Failures   uint64 // batches and transactions that failed

	CommitTime time.Duration // sum over all Commits, from the first write to the end of the sync
	QueueLen   int           // appends that wait at this moment
}
