package broker

import (
	"cmp"
	"slices"

	"tocsin/journal"
)

// delivery is one notice that was handed to the sink.
type delivery struct {
	seq      journal.Seq
	sent     int64 // nanoseconds since 1970
	received int64 // likewise: when the notice came in
	bytes    int32
	attempt  uint16
	settled  bool
}

// window holds the deliveries of one subscription from the oldest that is not
// settled onward, in the order of their numbers. The first one is never
// settled.
type window struct {
	entries []delivery // from head on
	head    int
	open    int // not settled
	bytes   int64
}

// keepEntries is how many entries an empty window keeps room for: thousands of
// idle followers must cost little.
const keepEntries = 64

// push adds a delivery. One that is settled already is only needed behind one
// that is not.
func (w *window) push(d delivery) {
	if d.settled && w.head == len(w.entries) {
		return
	}
	if len(w.entries) == cap(w.entries) && w.head > 0 {
		n := copy(w.entries, w.entries[w.head:])
		w.entries, w.head = w.entries[:n], 0
	}
	w.entries = append(w.entries, d)
	if !d.settled {
		w.open++
		w.bytes += int64(d.bytes)
	}
}

// settle marks a delivery and returns it; false when there is no such delivery
// that is not settled.
func (w *window) settle(seq journal.Seq) (delivery, bool) {
	live := w.entries[w.head:]
	if len(live) == 0 {
		return delivery{}, false
	}
	i := 0
	if live[0].seq != seq { // acknowledgements mostly come in order
		var ok bool
		i, ok = slices.BinarySearchFunc(live, seq, func(d delivery, seq journal.Seq) int { return cmp.Compare(d.seq, seq) })
		if !ok || live[i].settled {
			return delivery{}, false
		}
	}
	d := live[i]
	live[i].settled = true
	w.open--
	w.bytes -= int64(d.bytes)
	for w.head < len(w.entries) && w.entries[w.head].settled {
		w.head++
	}
	if w.head == len(w.entries) {
		w.clear()
	}
	return d, true
}

// oldest gives the first delivery that is not settled.
func (w *window) oldest() (delivery, bool) {
	if w.head == len(w.entries) {
		return delivery{}, false
	}
	return w.entries[w.head], true
}

// all gives the deliveries from the oldest unsettled one on.
func (w *window) all() []delivery { return w.entries[w.head:] }

func (w *window) clear() {
	if cap(w.entries) > keepEntries {
		w.entries = nil
	}
	w.entries, w.head, w.open, w.bytes = w.entries[:0], 0, 0, 0
}
