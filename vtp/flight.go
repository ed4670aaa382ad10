package vtp

import (
	"bytes"
	"time"
)

// A flight holds the notices sent to a subscriber that have no receipt yet, in the order sent, and finds the one that a
// receipt means. A receipt names a notice by its IVORN, which need not be unique, and some clients name it wrongly or not at
// all; so the rule is: the oldest of that name, else the oldest.
//
// The owner guards it by a mutex. The zero value is empty.
type flight struct {
	ring    []sent // length a power of two
	head    int    // index of the oldest
	size    int    // entries from head on, settled ones included
	open    int    // entries without a receipt
	guessed [16]string
	guess   int // next of guessed to be written
}

// sent is a notice on its way.
type sent struct {
	id      uint64
	ivorn   string
	raw     []byte
	at      time.Time
	settled bool
}

// keepRing is how many entries an idle connection keeps room for.
const keepRing = 64

func (f *flight) add(n Notice, at time.Time) {
	if f.size == len(f.ring) {
		f.grow()
	}
	f.ring[(f.head+f.size)&(len(f.ring)-1)] = sent{id: n.ID, ivorn: n.IVORN, raw: n.Raw, at: at}
	f.size++
	f.open++
}

func (f *flight) grow() {
	ring := make([]sent, max(4, 2*len(f.ring)))
	for i := range f.size {
		ring[i] = *f.at(i)
	}
	f.ring, f.head = ring, 0
}

func (f *flight) at(i int) *sent { return &f.ring[(f.head+i)&(len(f.ring)-1)] }

// oldest returns the notice that has waited longest.
func (f *flight) oldest() (sent, bool) {
	if f.open == 0 {
		return sent{}, false
	}
	return *f.at(0), true // Settled entries never stay in front.
}

// settle finds the notice a receipt with that Origin means and takes it out. An Origin that belongs to no notice on its
// way is taken for the oldest, unless a receipt without a name was taken for it before: then this is the late right one,
// and there is nothing left to settle.
func (f *flight) settle(origin string) (sent, bool) {
	if f.open == 0 {
		return sent{}, false
	}
	if origin != "" {
		for i := range f.size {
			if e := f.at(i); !e.settled && e.ivorn == origin {
				return f.take(i), true
			}
		}
		for i, g := range f.guessed {
			if g == origin {
				f.guessed[i] = ""
				return sent{}, false
			}
		}
	}
	e := f.take(0)
	f.guessed[f.guess] = e.ivorn
	f.guess = (f.guess + 1) % len(f.guessed)
	return e, true
}

// settleAlive takes the oldest notice for settled by an iamalive nobody asked for, if a client might have mistaken it for
// an iamalive: those derived from GCN's demonstration do so with any text that contains the word (or its old misspelling),
// and would get the notice again and again for want of an ack.
func (f *flight) settleAlive() (sent, bool) {
	e, ok := f.oldest()
	if !ok || !bytes.Contains(e.raw, []byte("iamalive")) && !bytes.Contains(e.raw, []byte("imalive")) {
		return sent{}, false
	}
	return f.take(0), true
}

func (f *flight) take(i int) sent {
	e := *f.at(i)
	*f.at(i) = sent{settled: true}
	f.open--
	for f.size > 0 && f.at(0).settled {
		f.head = (f.head + 1) & (len(f.ring) - 1)
		f.size--
	}
	if f.size == 0 && len(f.ring) > keepRing {
		f.ring, f.head = nil, 0
	}
	return e
}
