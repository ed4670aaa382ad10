package journaltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/journal"
)

// model is a journal as a child would write it: slices and maps.
type model struct {
	log    journal.Log
	reopen func() journal.Log

	kept     []journal.Record
	next     journal.Seq
	cursors  map[string]journal.Seq
	subs     map[string]string
	receipts []stored
}

// testModel runs random sequences of calls against an engine and a model.
func testModel(t *testing.T, open Opener) {
	rapid.Check(t, func(rt *rapid.T) {
		var m *model
		// Each check has a journal and a cleanup of its own.
		t.Run("", func(t *testing.T) {
			log, reopen := open(t)
			m = &model{log: log, reopen: reopen, next: 1, cursors: map[string]journal.Seq{}, subs: map[string]string{}}
			rt.Repeat(map[string]func(*rapid.T){
				"Append":       m.append,
				"AppendMany":   m.appendMany,
				"Commit":       m.commit,
				"Subscription": m.subscription,
				"Trim":         m.trim,
				"Find":         m.find,
				"SeekTime":     m.seek,
				"Reopen":       func(*rapid.T) { m.log = m.reopen() },
				"":             m.check,
			})
		})
	})
}

var ctx = context.Background()

func (m *model) draw(t *rapid.T) journal.Record {
	r := rec(rapid.IntRange(0, 300).Draw(t, "n"))
	r.Name = fmt.Sprintf("name %d", rapid.IntRange(0, 40).Draw(t, "name"))
	r.Received = day.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "second")) * time.Second)
	return r
}

// take does to the model what an append does, and gives its outcome.
func (m *model) take(r journal.Record) (seq journal.Seq, duplicate bool) {
	for _, k := range m.kept {
		if k.Key == r.Key {
			return k.Seq, true
		}
	}
	for _, k := range m.kept {
		if k.Name == r.Name {
			r.Flags |= journal.FlagSameName
		}
	}
	r.Seq = m.next
	m.next++
	m.kept = append(m.kept, r)
	return r.Seq, false
}

func (m *model) outcome(t *rapid.T, r journal.Record, seq journal.Seq, err error) {
	want, duplicate := m.take(r)
	var dup *journal.DuplicateError
	if duplicate {
		if !errors.As(err, &dup) || dup.Seq != want {
			t.Fatalf("a duplicate of %d: %d, %v", want, seq, err)
		}
	} else if err != nil || seq != want {
		t.Fatalf("append: %d, %v, want %d", seq, err, want)
	}
}

func (m *model) append(t *rapid.T) {
	r := m.draw(t)
	seq, err := m.log.Append(ctx, r)
	m.outcome(t, r, seq, err)
}

func (m *model) appendMany(t *rapid.T) {
	rs := rapid.SliceOfN(rapid.Custom(m.draw), 1, 60).Draw(t, "records")
	ps := make([]journal.Pending, 0, len(rs))
	for _, r := range rs {
		p, err := m.log.Enqueue(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	for i, p := range ps {
		seq, err := p.Wait(ctx)
		m.outcome(t, rs[i], seq, err)
	}
}

func (m *model) commit(t *rapid.T) {
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 4, rapid.ID[string]).Draw(t, "ids")
	ps := make([]journal.Progress, 0, len(ids))
	for _, id := range ids {
		p := journal.Progress{
			Subscription: id,
			Cursor:       journal.Seq(rapid.Uint64Range(0, 400).Draw(t, "cursor")),
			KeepCursor:   rapid.Bool().Draw(t, "keep"),
		}
		for range rapid.IntRange(0, 30).Draw(t, "receipts") {
			r := journal.Receipt{
				Notice:  journal.Seq(rapid.Uint64().Draw(t, "notice")),
				State:   journal.ReceiptState(rapid.IntRange(1, 7).Draw(t, "state")),
				Attempt: rapid.Uint16().Draw(t, "attempt"),
				Reason:  rapid.StringN(0, 20, 40).Draw(t, "reason"),
			}
			if rapid.Bool().Draw(t, "sent") {
				r.Sent = time.UnixMicro(rapid.Int64Range(-1<<50, 1<<52).Draw(t, "µs")).UTC()
			}
			if rapid.Bool().Draw(t, "done") {
				r.Done = time.UnixMicro(rapid.Int64Range(-1<<50, 1<<52).Draw(t, "µs")).UTC()
			}
			p.Receipts = append(p.Receipts, r)
			m.receipts = append(m.receipts, stored{id, r})
		}
		if !p.KeepCursor {
			m.cursors[id] = p.Cursor
		}
		ps = append(ps, p)
	}
	if err := m.log.Commit(ctx, ps); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func (m *model) subscription(t *rapid.T) {
	id := rapid.SampledFrom([]string{"a", "b", "z"}).Draw(t, "id")
	var err error
	if rapid.Bool().Draw(t, "put") {
		m.subs[id] = rapid.String().Draw(t, "def")
		err = m.log.PutSubscription(ctx, id, []byte(m.subs[id]))
	} else {
		delete(m.subs, id)
		delete(m.cursors, id)
		err = m.log.DeleteSubscription(ctx, id)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) trim(t *rapid.T) {
	// Receipts are as old as the calls of this test, which is younger than any
	// limit counted from day: they stay.
	age := time.Duration(rapid.IntRange(1, 200).Draw(t, "age")) * time.Second
	now := day.Add(100 * time.Second)
	tr, err := m.log.Trim(ctx, journal.TrimPolicy{MaxAge: age, Now: now})
	n := 0
	for n < len(m.kept)-1 && m.kept[n].Received.Before(now.Add(-age)) {
		n++
	}
	m.kept = m.kept[n:]
	if err != nil || tr.Records != n || tr.Receipts != 0 {
		t.Fatalf("Trim: %+v, %v, want %d records", tr, err, n)
	}
}

func (m *model) find(t *rapid.T) {
	r := m.draw(t)
	wantKey, wantNames := journal.Seq(0), []journal.Seq(nil)
	for _, k := range m.kept {
		if k.Key == r.Key {
			wantKey = k.Seq
		}
		if k.Name == r.Name {
			wantNames = append(wantNames, k.Seq)
		}
	}
	if seq, ok, err := m.log.FindKey(ctx, r.Key); seq != wantKey || ok != (wantKey != 0) || err != nil {
		t.Fatalf("FindKey: %d, %v, %v, want %d", seq, ok, err, wantKey)
	}
	if seqs, err := m.log.FindName(ctx, r.Name); !slices.Equal(seqs, wantNames) || err != nil {
		t.Fatalf("FindName: %v, %v, want %v", seqs, err, wantNames)
	}
}

func (m *model) seek(t *rapid.T) {
	at := day.Add(time.Duration(rapid.IntRange(-1, 101).Draw(t, "second")) * time.Second)
	want := journal.Seq(0)
	for _, k := range m.kept {
		if !k.Received.Before(at) {
			break
		}
		want = k.Seq
	}
	if got, err := m.log.SeekTime(ctx, at); got != want || err != nil {
		t.Fatalf("SeekTime: %d, %v, want %d", got, err, want)
	}
}

// check compares all that the journal gives out with the model.
func (m *model) check(t *rapid.T) {
	first, last := journal.Seq(0), journal.Seq(0)
	if n := len(m.kept); n > 0 {
		first, last = m.kept[0].Seq, m.kept[n-1].Seq
	}
	if f, l := m.log.Bounds(); f != first || l != last {
		t.Fatalf("Bounds: %d to %d, want %d to %d", f, l, first, last)
	}
	dst := make([]journal.Record, len(m.kept)+1)
	n, err := m.log.Read(ctx, 0, dst)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(m.kept, dst[:n], func(a, b journal.Record) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("records (-want +got):\n%s", cmp.Diff(m.kept, dst[:n]))
	}
	subs, err := m.log.Subscriptions(ctx)
	if err != nil || len(subs) != len(m.subs) {
		t.Fatalf("Subscriptions: %v, %v", subs, err)
	}
	for _, s := range subs {
		if def, ok := m.subs[s.ID]; !ok || def != string(s.Def) || s.Cursor != m.cursors[s.ID] {
			t.Fatalf("Subscription %q: %q, %d", s.ID, s.Def, s.Cursor)
		}
	}
	for _, id := range []string{"a", "b", "c", "d"} {
		want, have := m.cursors[id]
		if got, ok, err := m.log.Cursor(ctx, id); got != want || ok != have || err != nil {
			t.Fatalf("Cursor of %s: %d, %v, %v", id, got, ok, err)
		}
	}
	var rs []stored
	before := uint64(0)
	if err := m.log.Receipts(ctx, 0, func(n uint64, id string, r journal.Receipt) error {
		if n <= before {
			t.Fatalf("receipt %d after %d", n, before)
		}
		before = n
		rs = append(rs, stored{id, r})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.receipts, rs) {
		t.Fatalf("receipts (-want +got):\n%s", cmp.Diff(m.receipts, rs))
	}
}
