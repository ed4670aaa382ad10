package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"tocsin/internal/program"
)

// kill kills the broker again and again while authors send, and checks the promises afterwards: every acknowledged notice
// is in the journal and was delivered to a subscriber that came back each time, each author's notices in order; repeats
// are allowed, gaps are not.
func (b *bench) kill() error {
	data, err := os.MkdirTemp("", "tocsin-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	k := &killing{acked: make(map[uint64]bool), seen: make(map[uint64]bool), last: make(map[uint16]uint64)}
	var slowest time.Duration
	for round := range b.kills {
		s, err := program.Start(program.Options{Path: b.program, Data: data})
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if round > 0 {
			slowest = max(slowest, s.Ready)
		}
		k.round(s, round, time.Duration(100+rand.IntN(400))*time.Millisecond)
	}
	s, err := program.Start(program.Options{Path: b.program, Data: data})
	if err != nil {
		return fmt.Errorf("after the last kill: %w", err)
	}
	missing, err := k.finish(s)
	if err != nil {
		_ = s.Kill()
		return err
	}
	if err := s.Stop(); err != nil {
		return err
	}
	line(os.Stdout, fmt.Sprintf("KillNine/times=%d", b.kills), len(k.acked),
		figure{float64(len(k.acked)), "acknowledged"}, figure{float64(missing), "lost"},
		figure{float64(k.disorder), "out_of_order"}, figure{float64(k.repeats), "repeats"},
		figure{slowest.Seconds(), "slowest_restart-s"})
	if missing > 0 || k.disorder > 0 {
		return fmt.Errorf("%d acknowledged notices lost, %d deliveries out of order", missing, k.disorder)
	}
	return nil
}

type killing struct {
	mu       sync.Mutex
	acked    map[uint64]bool
	seen     map[uint64]bool
	last     map[uint16]uint64 // the greatest serial number of each series
	disorder int
	repeats  int
}

// round loads the broker and kills it in the midst of the load.
func (k *killing) round(s *program.Broker, round int, after time.Duration) {
	var wg sync.WaitGroup
	wg.Go(func() { _ = k.follow(s.Feed, round == 0, func() bool { return false }) })
	wg.Go(func() {
		l := authorLoad{
			port: s.Author, authors: 4, window: 16, duration: time.Minute, series: string(rune('A' + round%26)),
			acked: func(serial uint64) {
				k.mu.Lock()
				k.acked[serial] = true
				k.mu.Unlock()
			},
			first: uint64(round) * 1_000_000, // so that serial numbers are unique over all rounds
		}
		_, _ = l.run() // it ends with the broker
	})
	<-time.After(after)
	_ = s.Kill()
	wg.Wait()
}

// finish lets the subscriber catch up and counts what it never saw.
func (k *killing) finish(s *program.Broker) (missing int, err error) {
	count := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		n := 0
		for serial := range k.acked {
			if !k.seen[serial] {
				n++
			}
		}
		return n
	}
	deadline := time.Now().Add(2 * time.Minute)
	err = k.follow(s.Feed, false, func() bool {
		missing = count()
		return missing == 0 || time.Now().After(deadline)
	})
	if missing = count(); missing > 0 && err != nil {
		return missing, fmt.Errorf("%d acknowledged notices did not come: %w", missing, err)
	}
	return missing, nil
}

// wish is the authenticate answer that asks for a subscription which outlives its connection. The first one asks for
// everything since the client's start, so that nothing an author sent before the subscriber was there counts as lost.
func wish(first bool) []byte {
	since := ""
	if first {
		since = `<Param name="since" value="` + start.UTC().Format(time.RFC3339) + `"/>`
	}
	return appendFrame(nil, []byte(`<?xml version="1.0" encoding="UTF-8"?>`+
		`<trn:Transport role="authenticate" version="1.0" xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1">`+
		`<Origin>ivo://tocsin.load/broker</Origin><Response>ivo://tocsin.load/client</Response><TimeStamp>2026-04-06T12:00:00Z</TimeStamp>`+
		`<Meta><Param name="client" value="load"/><Param name="subscription" value="survivor"/>`+since+`</Meta></trn:Transport>`))
}

// follow is a subscriber with a subscription that outlives its connection. It ends with the connection or when done says so.
func (k *killing) follow(port int, first bool, done func() bool) error {
	c, err := dial(port)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write(wish(first)); err != nil {
		return err
	}
	t := newTemplate("A0")
	in := newFrameReader(64 << 10)
	var out []byte
	// Until the broker has answered the wish, notices come by the subscription of those who name none: they are received,
	// but the order that is promised is that of one subscription.
	answers := 0
	for !done() {
		f, err := in.frame(c)
		if err != nil {
			return err
		}
		out = out[:0]
		for ; f != nil; f = in.next() {
			serial, ok := t.readSerial(f)
			if !ok {
				if bytes.Contains(f, []byte(`role="authenticate"`)) {
					answers++ // the greeting, then the answer
				}
				continue
			}
			k.note(serial, binary.BigEndian.Uint16(f[t.serial-7:]), answers >= 2)
			out = appendAck(out, t.ivorn(f))
		}
		if _, err := c.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// note keeps one delivery. A notice seen for the first time must follow what its author sent before it.
func (k *killing) note(serial uint64, series uint16, ordered bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen[serial] {
		k.repeats++
		return
	}
	k.seen[serial] = true
	if !ordered {
		return
	}
	if serial < k.last[series] {
		k.disorder++
	}
	k.last[series] = serial
}
