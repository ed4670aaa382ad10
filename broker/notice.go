package broker

import (
	"sync"

	"tocsin/journal"
	"tocsin/voevent"
)

// FlagInvalid is set in Record.Flags of a notice that was relayed although the
// check found errors in it. FlagRelayed marks every notice taken in relay mode.
// The third flag, journal.FlagSameName, is the journal's.
const (
	FlagInvalid uint32 = 1 << 0
	FlagRelayed uint32 = 1 << 1
)

// Notice is one notice on its way to a sink. Many followers share it: nothing
// in it may be changed.
type Notice struct {
	journal.Record
	// Repeat says that the subscription may have been given this notice before:
	// it was, when the last follower ended as it should; after a crash all that
	// was journaled before the crash and not acknowledged counts.
	Repeat bool
	// Attempt counts the deliveries of this notice to this subscription, 1 for
	// the first.
	Attempt uint16

	parsed *parsed
	weight int64 // bytes of memory it is counted as
}

// newNotice makes a notice of a record that is in the journal. Its event, which
// may be nil, takes six times the text; with filters about, notices without
// one will get theirs.
func newNotice(r journal.Record, filtered bool) *Notice {
	r.Attach = nil
	n := &Notice{Record: r, Attempt: 1, parsed: &parsed{}}
	n.weigh(filtered)
	return n
}

func (n *Notice) weigh(parsed bool) {
	n.weight = int64(len(n.Raw)) + 512
	if parsed {
		n.weight += 6 * int64(len(n.Raw))
	}
}

// parsed is what all copies of a notice share: its event, parsed at most once.
type parsed struct {
	once  sync.Once
	event *voevent.Event
}

// Event gives the parsed notice. It is parsed at most once, however many
// followers ask; one that came in while a follower had a filter is parsed
// already.
// It is nil only when the journal holds bytes that are no VOEvent, which Submit
// never lets in.
func (n *Notice) Event() *voevent.Event {
	if n.parsed == nil { // built by hand, in a test of a sink
		e, err := voevent.Parse(n.Raw)
		if err != nil {
			return nil
		}
		return e
	}
	n.parsed.once.Do(func() {
		if n.parsed.event != nil {
			return
		}
		// The limits of today do not apply to what was let in before.
		if e, err := voevent.ParseLimits(n.Raw, journaledLimits); err == nil {
			n.parsed.event = e
		}
	})
	return n.parsed.event
}

// Invalid says that the notice was relayed although the check found errors.
func (n *Notice) Invalid() bool { return n.Flags&FlagInvalid != 0 }

// SameIVORN says that another kept notice has this IVORN with other bytes.
func (n *Notice) SameIVORN() bool { return n.Flags&journal.FlagSameName != 0 }

// journaledLimits bound what is read back: the journal's own bound, and the
// default shape.
var journaledLimits = voevent.Limits{Bytes: journal.MaxRaw}
