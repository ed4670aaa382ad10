package broker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tocsin/journal"
)

// names keeps two notices with one IVORN and different bytes from both getting
// in while RefuseSameIVORN is set: the journal alone would take both. It knows
// the appends under way by name.
type names struct {
	mu    sync.Mutex
	under map[string]*naming
}

// naming is an append under way.
type naming struct {
	began   time.Time
	decided chan struct{}   // closed when pending is set, or given up
	pending journal.Pending // nil when given up
}

// The bounds of names: entries as old as namingLife are looked for when there
// are many, since an append has long ended by then.
const (
	manyNamings = 4096
	namingLife  = time.Minute
)

// enqueue enqueues r unless a kept notice has its name with another key; then
// it says false. It waits for the end of an append under the same name.
func (n *names) enqueue(ctx context.Context, log journal.Log, r journal.Record) (journal.Pending, bool, error) {
	mine := &naming{began: time.Now(), decided: make(chan struct{})}
	for !n.claim(r.Name, mine) {
		if err := n.await(ctx, r.Name); err != nil {
			return nil, false, err
		}
	}
	defer close(mine.decided)
	ok, err := free(ctx, log, r)
	if err == nil && ok {
		mine.pending, err = log.Enqueue(ctx, r)
	}
	if mine.pending == nil {
		n.drop(r.Name, mine)
	}
	return mine.pending, ok, err
}

func free(ctx context.Context, log journal.Log, r journal.Record) (bool, error) {
	seqs, err := log.FindName(ctx, r.Name)
	if err != nil || len(seqs) == 0 {
		return err == nil, err
	}
	_, same, err := log.FindKey(ctx, r.Key) // the same bytes are a duplicate, which is for the journal to say
	return same, err
}

func (n *names) claim(name string, mine *naming) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, taken := n.under[name]; taken {
		return false
	}
	if n.under == nil {
		n.under = make(map[string]*naming)
	}
	if len(n.under) >= manyNamings {
		for other, u := range n.under {
			if mine.began.Sub(u.began) > namingLife {
				delete(n.under, other)
			}
		}
	}
	n.under[name] = mine
	return true
}

// await returns when the append under that name has ended, one way or another.
func (n *names) await(ctx context.Context, name string) error {
	n.mu.Lock()
	u, ok := n.under[name]
	n.mu.Unlock()
	if !ok {
		return nil
	}
	select {
	case <-u.decided:
	case <-ctx.Done():
		return fmt.Errorf("broker: waiting for another notice of that name: %w", ctx.Err())
	}
	if u.pending != nil {
		if _, err := u.pending.Wait(ctx); err != nil && ctx.Err() != nil {
			return fmt.Errorf("broker: waiting for another notice of that name: %w", ctx.Err())
		}
	}
	n.drop(name, u)
	return nil
}

func (n *names) drop(name string, u *naming) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.under[name] == u {
		delete(n.under, name)
	}
}

// done forgets a name whose append has ended.
func (n *names) done(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.under, name)
}
