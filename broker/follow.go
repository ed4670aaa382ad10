package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"
)

// Subscription is what a connection asks for.
type Subscription struct {
	// ID names it in receipts. A durable one needs it; for others one is made
	// up when empty, see Follower.ID.
	ID string
	// Owner is the member or address that asks. A durable subscription can only
	// be followed by the owner that made it.
	Owner string
	// Remote is the address of the connection, for Status.
	Remote string
	// Filter says which notices; the zero value all of them.
	Filter filter.Spec
	// Durable keeps definition and cursor in the journal, so that a later
	// Follow with StartResume goes on where this one ended.
	Durable bool
	// Keep makes a durable subscription an automatic one, for subscribers that
	// cannot name theirs. Follow never takes it over from another follower but
	// gives ErrHeld; it lasts for Keep after its follower has ended (or since the
	// start of the broker, if that was later), and then the next one begins anew;
	// its filter is the follower's own and ends with it; and a notice that is not
	// answered again and again is given up. Start is StartResume.
	Keep  time.Duration
	Start Start
}

// StartAt says where a follower begins.
type StartAt uint8

// The places to start at.
const (
	// StartLive begins with the notices that are journaled from now on.
	StartLive StartAt = iota
	// StartAfter begins after Start.After.
	StartAfter
	// StartSince begins with the first notice received at or after Start.Since.
	StartSince
	// StartResume goes on at the cursor of a durable subscription; one that has
	// none yet starts live.
	StartResume
)

// Start is where a follower begins; the zero value is live.
type Start struct {
	At    StartAt
	After journal.Seq
	Since time.Time
}

// Sink is where a follower's deliveries go.
type Sink interface {
	// Deliver hands over the notices in order and returns when they are written
	// (not: acknowledged), at the latest when ctx ends. The slice is only lent;
	// the notices may be kept and must not be changed. An error ends the
	// follower; what was not acknowledged will be delivered again to the next
	// one. Acked and Refused may be called before Deliver returns.
	Deliver(ctx context.Context, batch []*Notice) error
}

// Follower leads one subscription through the journal.
type Follower struct {
	b       *Broker
	q       *queue
	sink    Sink
	began   time.Time
	live    journal.Seq // notices after it came in while it was following
	filter  atomic.Pointer[filter.Filter]
	failed  atomic.Uint64          // notices that the filter could not decide on
	failure atomic.Pointer[string] // the last time why
	kick    chan struct{}          // there may be room, or another place to read from
	done    chan struct{}          // closed when Run has returned

	// Only Run uses these.
	counted *filter.Filter // whose failures are in failed
	ended   uint64         // as many of them

	mu      sync.Mutex
	started bool
	cancel  context.CancelCauseFunc // of Run, nil before it
	ctx     context.Context         //nolint:containedctx // likewise; only asked whether it has ended
	cause   error                   // why the broker ended it
	filters bool                    // it counts as one that has a filter
	over    bool                    // Run has ended

	// Guarded by q.mu.
	waiting   bool        // Run waits for room in the window
	written   journal.Seq // the last number that the sink confirmed
	answered  bool        // by at least one receipt
	gaveUp    journal.Seq // see queue.judge
	gaveUpAll bool
}

// Follow prepares a follower. Its Run does the work and must be called, be it
// with an ended context, to let go of it. For a durable subscription that is
// being followed already it takes over: the older follower ends with
// ErrTakenOver. A bad filter gives an *Error of kind Invalid that wraps the
// *filter.Error; somebody else's durable subscription one of kind Forbidden; a
// journal that takes no definitions one of kind Busy.
func (b *Broker) Follow(ctx context.Context, s Subscription, sink Sink) (*Follower, error) {
	compiled, err := b.compile(s.Filter)
	if err != nil {
		return nil, err
	}
	from, given, err := b.startAt(ctx, s.Start)
	if err != nil {
		return nil, err
	}
	f := &Follower{
		b: b, sink: sink, began: b.now(), live: b.ring.newest(),
		kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if s.Durable {
		if f.q, err = b.durable(ctx, s, from); err != nil {
			return nil, err
		}
		defer func() { <-f.q.turn }()
	} else {
		if s.ID == "" {
			s.ID = "live-" + rand.Text()[:16]
		}
		if len(s.ID) > journal.MaxSubscriptionID {
			return nil, &Error{Kind: Invalid, Reason: ReasonSchema, Text: fmt.Sprintf("a subscription's name has at most %d bytes", journal.MaxSubscriptionID)}
		}
		f.q = &queue{id: s.ID, owner: s.Owner}
		f.q.enter(from)
	}
	if err := b.hold(f, s, from, given); err != nil {
		return nil, err
	}
	if f.Behind() {
		b.m.resumes.Inc()
	}
	f.use(compiled)
	return f, nil
}

// hold makes f the one that leads its queue, from the place that was asked for
// when one was given.
func (b *Broker) hold(f *Follower, s Subscription, from journal.Seq, given bool) error {
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return &Error{Kind: Busy, Reason: ReasonInternal, Text: "the broker is shutting down; connect again later"}
	}
	b.followers[f] = struct{}{}
	b.mu.Unlock()

	q := f.q
	q.mu.Lock()
	older, grown := q.holder, 0
	if older != nil {
		grown = q.release(older, f.began)
	}
	q.holder, q.remote, q.since, q.spec = f, s.Remote, f.began, s.Filter
	if given && from != q.cursor {
		q.past.Settled = nil
		q.enter(from)
	}
	put := b.writer.mark(q, grown > 0 || q.durable && q.cursor != q.saved)
	q.mu.Unlock()
	b.writer.gathered(grown)
	b.writer.put(q, put)
	if older != nil {
		b.m.takeovers.Inc()
		older.stop(ErrTakenOver)
	}
	return nil
}

// startAt gives the number to start after; given is false when a stored cursor
// goes before it.
func (b *Broker) startAt(ctx context.Context, s Start) (from journal.Seq, given bool, err error) {
	from = b.ring.newest()
	switch s.At {
	case StartResume:
		return from, false, nil
	case StartAfter:
		from = min(s.After, from)
	case StartSince:
		if from, err = b.c.Log.SeekTime(ctx, s.Since); err != nil {
			return 0, false, busy(fmt.Errorf("broker: looking for %s in the journal: %w", s.Since, err))
		}
	}
	if first, _ := b.c.Log.Bounds(); first > 0 {
		from = max(from, first-1) // what is trimmed was not asked for
	}
	return from, true, nil
}

// everything is the filter of most subscribers; they share it.
var everything = sync.OnceValues(func() (*filter.Filter, error) { return filter.Compile(filter.Spec{}, filter.Limits{}) })

func (b *Broker) compile(s filter.Spec) (*filter.Filter, error) {
	if s.IsZero() {
		return everything()
	}
	f, err := filter.Compile(s, b.c.FilterLimits)
	if err != nil {
		return nil, &Error{Kind: Invalid, Reason: ReasonSchema, Text: "the filter was refused: " + filterText(err), Err: err}
	}
	return f, nil
}

func filterText(err error) string {
	if fe, ok := errors.AsType[*filter.Error](err); ok {
		return fe.Field + ": " + fe.Text
	}
	return err.Error()
}

// busy makes a failure of the broker's own an *Error that passes.
func busy(err error) *Error {
	text := "the broker could not do this just now; try again later"
	switch {
	case errors.Is(err, journal.ErrFull):
		text = "the broker's disk is full; keep it and try again later"
	case errors.Is(err, journal.ErrClosed):
		text = "the broker is shutting down; try again later"
	}
	return &Error{Kind: Busy, Reason: ReasonInternal, Text: text, Err: err}
}

// ID gives the subscription's id.
func (f *Follower) ID() string { return f.q.id }

// SetFilter replaces the filter for all notices not yet delivered. On error
// (an *Error of kind Invalid) the old filter stays.
func (f *Follower) SetFilter(spec filter.Spec) error {
	compiled, err := f.b.compile(spec)
	if err != nil {
		return err
	}
	f.use(compiled)
	q := f.q
	q.mu.Lock()
	put := false
	if q.holder == f {
		q.spec = spec
		q.redefine = q.durable && !q.automatic
		put = f.b.writer.mark(q, q.redefine)
	}
	q.mu.Unlock()
	f.b.writer.put(q, put)
	return nil
}

// use puts a filter in the place of the old one; nil takes it away for good.
func (f *Follower) use(m *filter.Filter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	f.over = m == nil
	if m != nil {
		f.filter.Store(m)
	}
	if filters := m != nil && !m.Everything(); filters != f.filters {
		f.filters = filters
		f.b.filters.Add(map[bool]int32{true: 1, false: -1}[filters])
	}
}

// Rewind goes back to the first notice received at or after since, and delivers
// from there again; it never goes forward.
func (f *Follower) Rewind(since time.Time) error {
	// One look into an index: it needs no longer than a delivery.
	to, err := f.b.c.Log.SeekTime(context.Background(), since)
	if err != nil {
		return busy(fmt.Errorf("broker: looking for %s in the journal: %w", since, err))
	}
	q := f.q
	q.mu.Lock()
	put := false
	if q.holder == f && to < q.read {
		q.leave()
		for seq := range q.past.Settled {
			if seq > to {
				delete(q.past.Settled, seq)
			}
		}
		q.enter(min(to, q.cursor))
		f.waiting = false
		put = f.b.writer.mark(q, q.durable)
	}
	q.mu.Unlock()
	f.b.writer.put(q, put)
	f.nudge()
	return nil
}

// nudge makes Run look again.
func (f *Follower) nudge() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// stop ends Run for a reason of the broker's.
func (f *Follower) stop(cause error) {
	f.mu.Lock()
	if f.cause == nil {
		f.cause = cause
	}
	cancel := f.cancel
	f.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

// Acked says that the subscriber has the notice. Unknown and repeated numbers
// are ignored. It never blocks.
func (f *Follower) Acked(seq journal.Seq) { f.settle(seq, journal.Acked, "") }

// Refused says that the subscriber does not want the notice: it is not
// delivered again, and the reason stays in its receipt. It never blocks.
func (f *Follower) Refused(seq journal.Seq, reason string) { f.settle(seq, journal.Refused, reason) }

func (f *Follower) settle(seq journal.Seq, state journal.ReceiptState, reason string) {
	now, q, w := f.b.now(), f.q, &f.b.writer
	q.mu.Lock()
	if q.holder != f {
		q.mu.Unlock()
		return
	}
	d, ok := q.window.settle(seq)
	if !ok {
		q.mu.Unlock()
		return
	}
	q.receipts = append(q.receipts, journal.Receipt{
		Notice: seq, State: state, Sent: time.Unix(0, d.sent), Done: now, Reason: reason, Attempt: d.attempt,
	})
	q.advance()
	f.answered = true
	if state == journal.Acked {
		q.tally.acked++
	} else {
		q.tally.refused++
	}
	roomy := f.waiting && q.window.open <= f.b.c.Window*3/4 && q.window.bytes <= f.b.c.WindowBytes*3/4
	if roomy {
		f.waiting = false
	}
	put := w.mark(q, true)
	q.mu.Unlock()

	w.gathered(1)
	w.put(q, put)
	if roomy {
		f.nudge()
	}
	if state == journal.Acked {
		f.b.m.acks.Inc()
	} else {
		f.b.m.refusals.Inc()
	}
}

// OldestUnacked gives the time at which the oldest delivery that is not yet
// acknowledged was handed to the sink; false when there is none.
func (f *Follower) OldestUnacked() (time.Time, bool) {
	f.q.mu.Lock()
	defer f.q.mu.Unlock()
	d, ok := f.q.window.oldest()
	if !ok || f.q.holder != f {
		return time.Time{}, false
	}
	return time.Unix(0, d.sent), true
}
