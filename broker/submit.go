package broker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
	"unicode/utf8"

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
	// Ready says whether Wait would return at once, so that a protocol can
	// answer many authors, or many notices of one, together.
	Ready() bool
}

// Submit checks a submission and enqueues it; it does not wait for the disk.
// Notices get their sequence numbers in the order of the calls: one connection
// that calls Submit in turn has its notices journaled in that order. Every
// error is an *Error.
func (b *Broker) Submit(ctx context.Context, s Submission) (Pending, error) {
	b.m.received.Inc()
	p, refused := b.submit(ctx, s)
	if refused != nil {
		b.refused(s.Source, refused)
		return nil, refused
	}
	return p, nil
}

// Ingest is Submit and Wait.
func (b *Broker) Ingest(ctx context.Context, s Submission) (Accepted, error) {
	p, err := b.Submit(ctx, s)
	if err != nil {
		return Accepted{}, err
	}
	return p.Wait(ctx)
}

func (b *Broker) submit(ctx context.Context, s Submission) (*pending, *Error) {
	now := b.now()
	if !b.throttle.allow(s.Source, now) {
		return nil, &Error{Kind: Busy, Reason: ReasonRate, Text: "you send more notices than the broker takes from one source; send this one again later"}
	}
	e, err := voevent.ParseLimits(s.Raw, b.c.Limits)
	if err != nil {
		return nil, b.unreadable(err)
	}
	findings, refused := check(e, s.Relay)
	if refused != nil {
		return nil, refused
	}
	if err := b.policy.MayPublish(s.Source, e.Stream(), e.Role); err != nil {
		return nil, &Error{Kind: Forbidden, Reason: ReasonUnauthorized, Text: err.Error(), IVORN: e.IVORN.String(), Err: err}
	}
	p := &pending{
		b: b, source: s.Source, findings: findings,
		notice: &Notice{
			Record: journal.Record{
				Key: e.SHA256(), Name: e.IVORN.String(), Received: now,
				Source: clip(s.Source.String(), journal.MaxSource), Raw: s.Raw,
			},
			Attempt: 1,
			parsed:  &parsed{event: e},
		},
	}
	if s.Relay {
		p.notice.Flags |= FlagRelayed
		if !voevent.Valid(findings) {
			p.notice.Flags |= FlagInvalid
		}
	}
	if refused := b.enqueue(ctx, p); refused != nil {
		return nil, refused
	}
	return p, nil
}

// enqueue hands p to the journal.
func (b *Broker) enqueue(ctx context.Context, p *pending) *Error {
	r := p.notice.Record
	r.Attach = p
	p.enqueued = b.now()
	var (
		journaled journal.Pending
		ok        = true
		err       error
	)
	if b.c.RefuseSameIVORN {
		journaled, ok, err = b.names.enqueue(ctx, b.c.Log, r)
	} else {
		journaled, err = b.c.Log.Enqueue(ctx, r)
	}
	switch {
	case errors.Is(err, journal.ErrTooLarge):
		return &Error{Kind: Invalid, Reason: ReasonOversize, Text: "the notice or its ivorn is larger than the broker can keep; shorten it", IVORN: r.Name, Err: err}
	case err != nil:
		refused := busy(err)
		refused.IVORN = r.Name
		return refused
	case !ok:
		return &Error{
			Kind: Invalid, Reason: ReasonIVORN, IVORN: r.Name,
			Text: "this broker already has another notice with this ivorn; give each notice an ivorn of its own, and cite the earlier one to supersede it",
		}
	}
	p.journaled = journaled
	return nil
}

// pending is a submission that the journal has taken; it travels with the
// record to committed.
type pending struct {
	b         *Broker
	source    Source
	notice    *Notice
	findings  []voevent.Finding
	enqueued  time.Time
	journaled journal.Pending
	told      atomic.Bool // an end other than acceptance was counted
}

// Ready implements Pending.
func (p *pending) Ready() bool { return p.journaled.Ready() }

// Wait implements Pending.
func (p *pending) Wait(ctx context.Context) (Accepted, error) {
	seq, err := p.journaled.Wait(ctx)
	// The journal writes the record's number and flags into the notice before
	// Wait returns without an error, and never otherwise.
	n := p.notice
	a := Accepted{SHA256: n.Key, IVORN: n.Name, Received: n.Received, Findings: p.findings}
	var duplicate *journal.DuplicateError
	switch {
	case err == nil:
		a.Seq, a.SameIVORN = seq, n.SameIVORN()
		return a, nil
	case errors.As(err, &duplicate):
		a.Seq, a.Duplicate = duplicate.Seq, true
		if p.told.CompareAndSwap(false, true) {
			p.b.m.duplicates.Inc()
		}
		return a, &Error{
			Kind: Duplicate, Reason: ReasonDuplicate, Text: "already accepted", IVORN: n.Name, Err: err,
		}
	}
	refused := busy(err)
	refused.IVORN = n.Name
	if ctx.Err() != nil {
		refused.Text = "the broker did not answer in time; send it again"
	}
	if p.told.CompareAndSwap(false, true) {
		p.b.refused(p.source, refused)
	}
	return Accepted{}, refused
}

// clip shortens a text to at most n bytes without cutting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
