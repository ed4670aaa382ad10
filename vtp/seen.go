package vtp

import (
	"context"
	"crypto/sha256"
	"sync"
)

// seenLimit is how many notices a Subscriber remembers at least; twice as many at most, some 10 MB.
const seenLimit = 32 << 10

// seen drops notices that came before: the same bytes from the opening < to the closing > of the element (VTP 2.0 §6). A
// notice that came from two remotes at once is handled once, and both get the receipt it leads to. One that failed is
// forgotten again, so that its repetition counts as new.
type seen struct {
	next   Ingester
	repeat func(p Peer) // counts

	mu       sync.Mutex // guards what follows
	now, old map[[sha256.Size]byte]*sighting
}

// A sighting is a notice that came, however often.
type sighting struct {
	key       [sha256.Size]byte
	submitted chan struct{} // closed when pending is set, or the outcome is known
	pending   Pending
	waiting   chan struct{} // held while somebody waits for pending
	done      chan struct{} // closed when the outcome is known
	receipt   Receipt
	err       error
}

func newSeen(next Ingester, repeat func(p Peer)) *seen {
	return &seen{next: next, repeat: repeat, now: map[[sha256.Size]byte]*sighting{}}
}

// Submit hands on what is new.
func (s *seen) Submit(ctx context.Context, sub Submission) (Pending, error) {
	from, to, ok := elementRange(sub.Raw)
	if !ok {
		return s.next.Submit(ctx, sub) // To be refused there.
	}
	g, first := s.note(sha256.Sum256(sub.Raw[from:to]))
	if !first {
		s.repeat(sub.Peer)
		return &coming{s, g, true}, nil
	}
	err := errEnded // Of a panic, which must not leave others waiting.
	defer func() {
		if err != nil {
			s.settle(g, Receipt{}, err)
		}
		close(g.submitted)
	}()
	if g.pending, err = s.next.Submit(ctx, sub); err != nil {
		return nil, err
	}
	return &coming{s, g, false}, nil
}

// note returns the sighting of a notice, and whether this is it.
func (s *seen) note(key [sha256.Size]byte) (g *sighting, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.now[key]; ok {
		return g, false
	}
	if g, ok := s.old[key]; ok {
		return g, false
	}
	if len(s.now) >= seenLimit {
		s.old, s.now = s.now, make(map[[sha256.Size]byte]*sighting, seenLimit)
	}
	g = &sighting{key: key, submitted: make(chan struct{}), waiting: make(chan struct{}, 1), done: make(chan struct{})}
	s.now[key] = g
	return g, true
}

// settle makes the outcome of a sighting known.
func (s *seen) settle(g *sighting, r Receipt, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-g.done:
		return
	default:
	}
	g.receipt, g.err = r, err
	if err != nil {
		for _, m := range [...]map[[sha256.Size]byte]*sighting{s.now, s.old} {
			if m[g.key] == g {
				delete(m, g.key)
			}
		}
	}
	close(g.done)
}

// A coming is one coming of a notice.
type coming struct {
	seen     *seen
	sighting *sighting
	again    bool
}

// Wait waits for the outcome. Whichever coming waits first asks the Ingester: were it always the first coming, two
// sessions could wait for each other, each with the other's notice ahead of its own.
func (c *coming) Wait(ctx context.Context) (Receipt, error) {
	if err := c.outcome(ctx); err != nil {
		return Receipt{}, err
	}
	r, err := c.sighting.receipt, c.sighting.err
	if err == nil && c.again {
		r.Result = "already accepted"
	}
	return r, err
}

// outcome returns when the outcome is known, with an error only when ctx ended before.
func (c *coming) outcome(ctx context.Context) error {
	g := c.sighting
	select {
	case <-g.submitted:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case g.waiting <- struct{}{}:
	}
	defer func() { <-g.waiting }()
	select {
	case <-g.done:
		return nil
	default:
	}
	r, err := g.pending.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		return err // Ours alone: the next who waits asks again.
	}
	c.seen.settle(g, r, err)
	return nil
}

// Ready says whether the outcome is known.
func (c *coming) Ready() bool {
	select {
	case <-c.sighting.done:
		return true
	case <-c.sighting.submitted:
		return ready(answer{pending: c.sighting.pending})
	default:
		return false
	}
}
