package main

import (
	"testing"
	"time"
)

// The client's figures are worth nothing when its own wire code is wrong: it is tried against the do-nothing server.
func TestClientAgainstTheDoNothingServer(t *testing.T) {
	for _, window := range []int{0, 1, 16} {
		n, err := newNothing()
		if err != nil {
			t.Fatal(err)
		}
		feed, author, err := ports(n)
		if err != nil {
			t.Fatal(err)
		}
		subs, err := subscribe(feed, 3, newTemplate("A0"))
		if err != nil {
			t.Fatal(err)
		}
		if err := settle(func() bool { return n.following() == 3 }); err != nil {
			t.Fatal(err)
		}
		acked := 0
		l := authorLoad{port: author, authors: 1, window: window, rate: 500, duration: 200 * time.Millisecond, series: "A", acked: func(uint64) { acked++ }}
		r, err := l.run()
		if err != nil {
			t.Fatal(err)
		}
		if r.count == 0 || r.count != acked || len(r.took) != r.count {
			t.Errorf("window %d: %d acks counted, %d told, %d timed", window, r.count, acked, len(r.took))
		}
		if err := settle(func() bool { return int(subs.delivered.Load()) == 3*r.count }); err != nil {
			t.Errorf("window %d: %d of %d deliveries: %v", window, subs.delivered.Load(), 3*r.count, err)
		}
		if err := subs.close(); err != nil {
			t.Error(err)
		}
		if d := subs.disorder.Load(); d != 0 {
			t.Errorf("window %d: %d out of order on one connection", window, d)
		}
		n.close()
	}
}

func TestTemplateRoundTrip(t *testing.T) {
	tm := newTemplate("A0")
	if n := len(tm.frame); n < 6000 || n > 6600 {
		t.Errorf("a notice has %d bytes, not those of a real one", n)
	}
	f := tm.next(987654321)
	if serial, ok := tm.readSerial(f); !ok || serial != 987654321 {
		t.Errorf("serial %d, %v", serial, ok)
	}
	if got, want := string(tm.ivorn(f)), "ivo://tocsin.load/A0#Pos_000987654321"; got != want {
		t.Errorf("ivorn %q, want %q", got, want)
	}
	if age := tm.age(f); age < 0 || age > time.Minute {
		t.Errorf("age %s", age)
	}
}
