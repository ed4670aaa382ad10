package broker

import (
	"sync"

	"tocsin/journal"
)

// ring keeps the newest notices in memory, so that followers that are up to
// date never touch the journal, and wakes those that wait for more. Its
// sequence numbers are without gaps.
type ring struct {
	max int64 // bytes

	mu      sync.RWMutex
	slots   []*Notice // a circle; its length is a power of two
	head, n int       // the oldest notice, and how many there are
	bytes   int64
	last    journal.Seq // the newest ever pushed, also of an empty ring
	changed chan struct{}
	waiting bool // somebody took changed since it was made
}

func newRing(maxBytes int64, last journal.Seq) *ring {
	return &ring{max: maxBytes, slots: make([]*Notice, 64), last: last, changed: make(chan struct{})}
}

// push appends notices that follow each other. After a gap, which only a
// journal that breaks its promise could leave, the ring starts afresh.
func (r *ring) push(notices []*Notice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range notices {
		if n.Seq <= r.last {
			continue
		}
		if n.Seq != r.last+1 {
			for r.n > 0 {
				r.drop()
			}
		}
		if r.n == len(r.slots) {
			r.grow()
		}
		r.slots[(r.head+r.n)&(len(r.slots)-1)] = n
		r.n++
		r.bytes += n.weight
		r.last = n.Seq
		for r.bytes > r.max && r.n > 1 {
			r.drop()
		}
	}
}

func (r *ring) drop() {
	n := r.slots[r.head]
	r.slots[r.head] = nil
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.n--
	r.bytes -= n.weight
}

func (r *ring) grow() {
	bigger := make([]*Notice, 2*len(r.slots))
	for i := range r.n {
		bigger[i] = r.slots[(r.head+i)&(len(r.slots)-1)]
	}
	r.slots, r.head = bigger, 0
}

// read fills dst with the notices that follow after. When there is none yet it
// returns a channel that is closed once there may be. When the notices that
// follow have left the ring already, behind is true.
func (r *ring) read(after journal.Seq, dst []*Notice) (n int, more <-chan struct{}, behind bool) {
	r.mu.RLock()
	switch {
	case after >= r.last:
		waiting, c := r.waiting, r.changed
		r.mu.RUnlock()
		if waiting {
			return 0, c, false
		}
		return r.await(after)
	case after+1+journal.Seq(r.n) <= r.last:
		r.mu.RUnlock()
		return 0, nil, true
	}
	skip := r.n - int(r.last-after)
	n = min(r.n-skip, len(dst))
	for i := range n {
		dst[i] = r.slots[(r.head+skip+i)&(len(r.slots)-1)]
	}
	r.mu.RUnlock()
	return n, nil, false
}

// await says that somebody waits, so that the next wake closes the channel. A
// push between the caller's look and this one is told by a closed channel.
func (r *ring) await(after journal.Seq) (int, <-chan struct{}, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if after < r.last {
		return 0, closed, false
	}
	r.waiting = true
	return 0, r.changed, false
}

// closed is a channel that never makes anybody wait.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// wake wakes all who wait. It is not done by push: with thousands of followers
// it takes a millisecond, which the journal's owner must not spend.
func (r *ring) wake() {
	r.mu.Lock()
	c, waiting := r.changed, r.waiting
	if waiting {
		r.changed, r.waiting = make(chan struct{}), false
	}
	r.mu.Unlock()
	if waiting {
		close(c)
	}
}

// at gives the notice with that number while the ring has it.
func (r *ring) at(seq journal.Seq) *Notice {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if seq > r.last || seq+journal.Seq(r.n) <= r.last {
		return nil
	}
	return r.slots[(r.head+r.n-1-int(r.last-seq))&(len(r.slots)-1)]
}

// newest gives the last number.
func (r *ring) newest() journal.Seq {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.last
}
