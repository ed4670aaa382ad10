package broker

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/journal"

	"pgregory.net/rapid"
)

// bare gives a broker that nothing runs, for driving the writer by hand.
func bare(t testing.TB, log journal.Log) *Broker {
	t.Helper()
	b, err := New(Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestQueueAgreesWithAModel acknowledges, refuses, rewinds, interrupts and
// takes over at random, and holds cursor, receipts and deliveries against a
// model after each step. The journal is a real one.
func TestQueueAgreesWithAModel(t *testing.T) {
	t.Parallel()
	log := openLog(t, filepath.Join(t.TempDir(), "journal.db"))
	filler := bare(t, log)
	h := &house{Broker: filler, log: log}
	h.ingest(t, some(0, 200)...)
	rapid.Check(t, func(t *rapid.T) {
		sub := Subscription{ID: "model-" + time.Now().String(), Durable: true, Start: Start{At: StartAfter, After: 0}}
		b, err := New(Config{Log: log, Window: 40})
		if err != nil {
			t.Fatal(err)
		}
		r := newReader(false)
		follow := func() *Follower {
			f, err := b.Follow(t.Context(), sub, r)
			if err != nil {
				t.Fatal(err)
			}
			sub.Start.At = StartResume
			return f
		}
		f := follow()
		settled := map[journal.Seq]journal.ReceiptState{} // of this pass
		delivered := map[journal.Seq]int{}
		open := map[journal.Seq]bool{} // delivered in this pass, not settled
		cursor := func() journal.Seq {
			c := journal.Seq(0)
			for c < 200 && settled[c+1] != 0 {
				c++
			}
			return c
		}
		flush := func() {
			if err := b.writer.flush(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"deliver": func(t *rapid.T) {
				p := f.q.read
				if p >= 200 || f.q.window.open >= 40 {
					t.Skip()
				}
				r.got = nil
				if err := f.step(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, n := range r.got {
					if settled[n.Seq] != 0 || open[n.Seq] {
						t.Fatalf("%d was delivered although it was settled or in flight", n.Seq)
					}
					if n.Repeat != (delivered[n.Seq] > 0) || int(n.Attempt) != delivered[n.Seq]+1 && n.Attempt < 2 {
						t.Fatalf("%d: repeat %v, attempt %d after %d deliveries", n.Seq, n.Repeat, n.Attempt, delivered[n.Seq])
					}
					delivered[n.Seq]++
					open[n.Seq] = true
				}
			},
			"settle": func(t *rapid.T) {
				if len(open) == 0 {
					t.Skip()
				}
				seq := rapid.SampledFrom(slices.Sorted(maps.Keys(open))).Draw(t, "seq")
				delete(open, seq)
				if rapid.Bool().Draw(t, "refuse") {
					f.Refused(seq, "no")
					settled[seq] = journal.Refused
				} else {
					f.Acked(seq)
					settled[seq] = journal.Acked
				}
			},
			"settle what is not in flight": func(t *rapid.T) {
				seq := journal.Seq(rapid.Uint64Range(0, 250).Draw(t, "seq"))
				if !open[seq] {
					before := len(f.q.receipts)
					f.Acked(seq)
					if len(f.q.receipts) != before {
						t.Fatalf("%d was settled", seq)
					}
				}
			},
			"flush": func(t *rapid.T) {
				flush()
				c, _, err := log.Cursor(t.Context(), sub.ID)
				if err != nil || c != cursor() {
					t.Fatalf("the journal's cursor is %d, %v; want %d", c, err, cursor())
				}
			},
			"interrupt": func(t *rapid.T) {
				f.end()
				flush()
				clear(open)
				if rapid.Bool().Draw(t, "restart") {
					if b, err = New(Config{Log: log, Window: 40}); err != nil {
						t.Fatal(err)
					}
				}
				f = follow()
			},
			"take over": func(t *rapid.T) {
				clear(open)
				f = follow()
			},
			"rewind": func(t *rapid.T) {
				if f.q.read == 0 {
					t.Skip()
				}
				if err := f.Rewind(time.Time{}); err != nil {
					t.Fatal(err)
				}
				clear(open)
				clear(settled)
			},
			"": func(t *rapid.T) {
				q := f.q
				if q.cursor != cursor() || q.window.open != len(open) || q.cursor > q.read {
					t.Fatalf("cursor %d, want %d; %d open, want %d", q.cursor, cursor(), q.window.open, len(open))
				}
				var bytes int64
				for _, d := range q.window.all() {
					if d.settled == open[d.seq] {
						t.Fatalf("%d: settled %v", d.seq, d.settled)
					}
					bytes += map[bool]int64{true: 0, false: int64(d.bytes)}[d.settled]
				}
				if bytes != q.window.bytes {
					t.Fatalf("%d bytes in flight, counted %d", bytes, q.window.bytes)
				}
			},
		})
		// At least once: in the end everything was delivered.
		for f.q.read < 200 {
			for _, d := range slices.Clone(f.q.window.all()) {
				f.Acked(d.seq)
			}
			if err := f.step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range r.got {
			delivered[n.Seq]++
		}
		f.end()
		flush()
	})
}

// TestCursorAndReceiptAgree looks into the journal at every commit: each notice
// up to the cursor has a receipt by then.
func TestCursorAndReceiptAgree(t *testing.T) {
	t.Parallel()
	log := &failing{Log: openLog(t, filepath.Join(t.TempDir(), "journal.db"))}
	h := start(t, Config{Log: log, ReceiptInterval: time.Millisecond})
	fs := map[string]*following{}
	for _, id := range []string{"a", "b", "c"} {
		fs[id] = h.follow(t, Subscription{ID: id, Durable: true}, true)
	}
	h.follow(t, Subscription{ID: "passer-by"}, true).first(t, 0)
	for i := range 20 {
		h.ingest(t, some(50*i, 50)...)
	}
	for _, f := range fs {
		f.first(t, 1000)
	}
	h.stop()
	log.mu.Lock()
	defer log.mu.Unlock()
	seen := map[string]map[journal.Seq]bool{}
	for _, p := range log.progress {
		if p.Subscription == "passer-by" && !p.KeepCursor {
			t.Error("a subscription that is not durable got a cursor")
		}
		if seen[p.Subscription] == nil {
			seen[p.Subscription] = map[journal.Seq]bool{}
		}
		for _, r := range p.Receipts {
			seen[p.Subscription][r.Notice] = true
		}
		if !p.KeepCursor {
			for seq := journal.Seq(1); seq <= p.Cursor; seq++ {
				if !seen[p.Subscription][seq] {
					t.Fatalf("%s: the cursor is %d and %d has no receipt", p.Subscription, p.Cursor, seq)
				}
			}
		}
	}
	for id := range fs {
		if c := h.cursorOf(t, id); c != 1000 || len(seen[id]) != 1000 {
			t.Errorf("%s: cursor %d, %d receipts", id, c, len(seen[id]))
		}
	}
	if len(seen["passer-by"]) == 0 {
		t.Error("a subscription that is not durable left no receipts")
	}
}

var errDisk = errors.New("input/output error")

func TestReceiptsAreWrittenOnceTheJournalTakesThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &failing{Log: openLog(t, filepath.Join(t.TempDir(), "journal.db"))}
		b := bare(t, log)
		(&house{Broker: b, log: log}).ingest(t, some(0, 3)...)
		log.set(nil, errDisk)
		q := &queue{id: "late", durable: true}
		f := &Follower{b: b, q: q}
		q.holder, q.read = f, 3
		for seq := range journal.Seq(3) {
			q.window.push(delivery{seq: seq + 1, sent: time.Now().UnixNano(), attempt: 1})
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.writer.run(t.Context())
		}()
		began := time.Now()
		f.Acked(1)
		time.Sleep(time.Minute)
		f.Acked(2)
		tries := log.called()
		if tries < 5 || tries > 30 {
			t.Errorf("%d attempts in a minute", tries)
		}
		if n := b.writer.unsaved.Load(); n != 2 {
			t.Errorf("%d are unsaved", n)
		}
		log.set(nil, nil)
		time.Sleep(retryMost + time.Second)
		synctest.Wait()
		if n := b.writer.unsaved.Load(); n != 0 {
			t.Errorf("%d are still unsaved after %v", n, time.Since(began))
		}
		if c, _, err := log.Cursor(t.Context(), "late"); err != nil || c != 2 {
			t.Errorf("cursor %d, %v", c, err)
		}
		f.Acked(3)
		before := log.called()
		time.Sleep(60 * time.Millisecond)
		synctest.Wait()
		if n := log.called() - before; n != 1 {
			t.Errorf("%d commits within the interval", n)
		}
	})
}

func TestTooManyUnsavedReceiptsHoldUpDeliveriesAndNotAcks(t *testing.T) {
	t.Parallel()
	log := &failing{Log: openLog(t, filepath.Join(t.TempDir(), "journal.db"))}
	h := start(t, Config{Log: log})
	f := h.follow(t, Subscription{}, false)
	h.ingest(t, nth(0))
	f.first(t, 1)
	log.set(nil, errDisk)
	h.writer.gathered(maxUnsaved) // as if so many had been acknowledged already
	f.Acked(1)
	h.ingest(t, nth(1))
	late := h.follow(t, Subscription{Start: Start{At: StartAfter}}, true)
	until(t, "a follower waits at the gate", func() bool {
		h.writer.mu.Lock()
		defer h.writer.mu.Unlock()
		return h.writer.gate != nil
	})
	if got := late.first(t, 0); len(got) != 0 {
		t.Error("it was delivered to")
	}
	h.writer.gathered(-maxUnsaved)
	log.set(nil, nil)
	late.first(t, 2)
}

func TestCursorsThatOnlyMoveAreWrittenSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &failing{Log: openLog(t, filepath.Join(t.TempDir(), "journal.db"))}
		b := bare(t, log)
		(&house{Broker: b, log: log}).ingest(t, some(0, 100)...)
		q := &queue{id: "mover", durable: true}
		f := &Follower{b: b, q: q}
		q.holder = f
		go b.writer.run(t.Context())
		for i := range 100 {
			if _, ok := f.record(place{pass: q.pass}, nil, journal.Seq(i+1)); !ok {
				t.Fatal("not recorded")
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := log.called(); n < 8 || n > 14 {
			t.Errorf("%d commits in 10 seconds", n)
		}
		if c, _, err := log.Cursor(t.Context(), "mover"); err != nil || c != 100 {
			t.Errorf("cursor %d, %v", c, err)
		}
	})
}
