package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/journal"
)

// fillJournal writes n notices into a fresh journal, as a broker would have.
func fillJournal(file string, n int) error {
	log, err := journal.Open(file, journal.Options{})
	if err != nil {
		return err
	}
	var serial atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 1)
	for range 128 {
		wg.Go(func() {
			t := newTemplate("A0")
			for {
				i := serial.Add(1)
				if i > int64(n) {
					return
				}
				raw := append([]byte(nil), t.next(uint64(i))[4:]...)
				_, err := log.Append(context.Background(), journal.Record{
					Key: sha256.Sum256(raw), Name: string(t.ivorn(t.frame)), Received: time.Now(), Source: "load", Raw: raw,
				})
				if err != nil {
					select {
					case errs <- fmt.Errorf("filling the journal: %w", err):
					default:
					}
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		_ = log.Close()
		return err
	default:
		return log.Close()
	}
}

// ports of the do-nothing server.
func ports(n *nothing) (feed, author int, err error) {
	for _, p := range []struct {
		l   net.Listener
		dst *int
	}{{n.feed, &feed}, {n.author, &author}} {
		_, port, err := net.SplitHostPort(p.l.Addr().String())
		if err != nil {
			return 0, 0, fmt.Errorf("do-nothing server: %w", err)
		}
		if *p.dst, err = strconv.Atoi(port); err != nil {
			return 0, 0, fmt.Errorf("do-nothing server: %w", err)
		}
	}
	return feed, author, nil
}

// settle waits, for at most answerTimeout, until what is asked for is true.
func settle(done func() bool) error {
	for range int(answerTimeout / (5 * time.Millisecond)) {
		if done() {
			return nil
		}
		<-time.After(5 * time.Millisecond)
	}
	return fmt.Errorf("not within %s", answerTimeout)
}
