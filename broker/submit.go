package broker

import (
	"context"
	"time"

	"tocsin/journal"
	"tocsin/voevent"
)

// Source is where a submission comes from.
type Source struct {
	// Listener is the name of the listener it came in by, or of the remote
	// broker that sent it, as in the configuration.
	Listener string
	// Remote is the other side's address: "IP:port", or a path for a Unix socket.
	Remote string
	// Identity is the subject of its certificate or the name of the member;
	// empty when anonymous.
	Identity string
	// Upstream says that the broker itself called this peer because its
	// operator configured it; such peers need no rule to be believed.
	Upstream bool
}

// String gives listener, address and identity on one line, as the journal
// keeps it.
func (s Source) String() string {
	t := s.Listener
	if s.Remote != "" {
		t += " " + s.Remote
	}
	if s.Identity != "" {
		t += " " + s.Identity
	}
	return t
}

// Submission is one notice as an author sent it.
type Submission struct {
	// Raw is the broker's from now on: it is kept, and must not be changed.
	Raw    []byte
	Source Source
	// Relay takes notices that break the schema and flags them (FlagInvalid)
	// instead of refusing them. What cannot be read as a VOEvent, or has no
	// IVORN, is refused all the same.
	Relay bool
}

// Accepted tells about a notice that is on stable storage.
type Accepted struct {
	Seq journal.Seq
	// SHA256 is that of the VOEvent element as the author wrote it.
	SHA256 [32]byte
	// IVORN as the author wrote it.
	IVORN    string
	Received time.Time
	// Duplicate says that the journal had these bytes already, as Seq.
	Duplicate bool
	// SameIVORN says that another kept notice has this IVORN with other bytes.
	SameIVORN bool
	// Findings are the warnings of the check, and in relay mode its errors.
	Findings []voevent.Finding
}

// Pending is a submission on its way to stable storage.
type Pending interface {
	// Wait returns when the notice is on stable storage. For a duplicate it
	// returns the Accepted of the notice that is kept, with Duplicate set,
	// together with an *Error of kind Duplicate. Every other error is an *Error
	// of kind Busy: the notice may or may not be stored, and the author repeats
	// it. It may be called again and by several goroutines.
	Wait(ctx context.Context) (Accepted, error)
}

// Submit checks a submission and enqueues it; it does not wait for the disk.
// Notices get their sequence numbers in the order of the calls: one connection
// that calls Submit in turn has its notices journaled in that order. Every
// error is an *Error.
func (b *Broker) Submit(ctx context.Context, s Submission) (Pending, error) {
	panic("broker: Submit is being written")
}

// Ingest is Submit and Wait.
func (b *Broker) Ingest(ctx context.Context, s Submission) (Accepted, error) {
	p, err := b.Submit(ctx, s)
	if err != nil {
		return Accepted{}, err
	}
	return p.Wait(ctx)
}
