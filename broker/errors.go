package broker

import (
	"errors"
	"strings"

	"tocsin/voevent"
)

// Kind says what an author can do about a refusal.
type Kind uint8

// The four kinds. Invalid and Forbidden are permanent: the same bytes from the
// same source will be refused again. Duplicate is an answer rather than a
// failure: the notice is on stable storage. Busy passes: the author keeps the
// notice and repeats it; it must never become a VTP nak, which is permanent.
const (
	Invalid Kind = iota + 1
	Duplicate
	Forbidden
	Busy
)

// String gives the word for the kind: invalid, duplicate, forbidden, busy.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Duplicate:
		return "duplicate"
	case Forbidden:
		return "forbidden"
	case Busy:
		return "busy"
	}
	return "unknown"
}

// The kinds as errors, for errors.Is.
var (
	ErrInvalid   = errors.New("broker: invalid")
	ErrDuplicate = errors.New("broker: already accepted")
	ErrForbidden = errors.New("broker: forbidden")
	ErrBusy      = errors.New("broker: busy")
)

// The reasons a submission is refused for: a fixed vocabulary that protocols
// pass on as it is (VTP: Meta/Param name="reason").
const (
	ReasonNotWellFormed = "not-well-formed"
	ReasonSchema        = "schema"
	ReasonVersion       = "version"
	ReasonIVORN         = "ivorn"
	ReasonRole          = "role"
	ReasonOversize      = "oversize"
	ReasonDoctype       = "doctype"
	ReasonUnauthorized  = "unauthorized"
	ReasonRate          = "rate"
	ReasonInternal      = "internal"
	// ReasonDuplicate goes with Kind Duplicate only.
	ReasonDuplicate = "duplicate"
)

// Reasons lists the vocabulary of refusals in a fixed order.
func Reasons() []string {
	return []string{
		ReasonNotWellFormed, ReasonSchema, ReasonVersion, ReasonIVORN, ReasonRole, ReasonOversize,
		ReasonDoctype, ReasonUnauthorized, ReasonRate, ReasonInternal,
	}
}

// Error says why the broker did not take something, or that it had it already.
type Error struct {
	// Kind decides how a protocol answers.
	Kind Kind
	// Reason is one of the Reason constants.
	Reason string
	// Text tells the author in one or two sentences what is wrong and what to
	// do. It carries no line break.
	Text string
	// IVORN is the notice's as its author wrote it; empty when none could be
	// read.
	IVORN string
	// Findings are those of the check, when the check is the reason.
	Findings []voevent.Finding
	// Err is the cause, may be nil. It is for logs, not for authors.
	Err error
}

// Error gives the reason and the text.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("broker: ")
	b.WriteString(e.Reason)
	if e.Text != "" {
		b.WriteString(": ")
		b.WriteString(e.Text)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Is matches the four Err values by kind.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrInvalid:
		return e.Kind == Invalid
	case ErrDuplicate:
		return e.Kind == Duplicate
	case ErrForbidden:
		return e.Kind == Forbidden
	case ErrBusy:
		return e.Kind == Busy
	}
	return false
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// The ways a follower ends from the broker's side.
var (
	// ErrTakenOver ends a follower whose durable subscription was followed
	// again by a newer connection.
	ErrTakenOver = errors.New("broker: the subscription was taken over by a newer connection")
	// ErrStopped ends the followers that run when the broker's Run ends.
	ErrStopped = errors.New("broker: stopped")
)
