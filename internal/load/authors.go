package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// answerTimeout is how long the client waits for any answer before it calls the run failed.
const answerTimeout = 20 * time.Second

var errNoAck = errors.New("the answer is not an ack")

// An authorLoad says how notices are sent.
type authorLoad struct {
	port     int
	authors  int
	window   int           // notices in flight on each kept connection; 0 opens one connection per notice
	rate     float64       // notices a second over all authors; 0 is as fast as possible
	duration time.Duration // how long to send
	series   string
	first    uint64              // the serial number before the first
	acked    func(serial uint64) // called for each acknowledged notice, from any author; may be nil
}

// run sends notices until the time is over, and returns how many were acknowledged and how
// long each took from write to ack.
func (l authorLoad) run() (result, error) {
	var serial atomic.Uint64
	serial.Store(l.first)
	var wg sync.WaitGroup
	results := make([]result, l.authors)
	errs := make([]error, l.authors)
	begin := time.Now()
	end := begin.Add(l.duration)
	for i := range l.authors {
		wg.Go(func() {
			t := newTemplate(fmt.Sprintf("%s%d", l.series, i))
			p := pace{rate: l.rate / float64(l.authors), begin: begin, end: end}
			if l.window == 0 {
				results[i], errs[i] = l.perConnection(t, &serial, &p)
			} else {
				results[i], errs[i] = l.kept(t, &serial, &p)
			}
		})
	}
	wg.Wait()
	var sum result
	for _, r := range results {
		sum.add(r)
	}
	sum.elapsed = time.Since(begin)
	return sum, errors.Join(errs...)
}

// perConnection opens a connection for each notice, as Comet's authors do.
func (l authorLoad) perConnection(t *template, serial *atomic.Uint64, p *pace) (result, error) {
	var r result
	in := newFrameReader(2048)
	for p.next() {
		n := serial.Add(1)
		s, err := dial(l.port)
		if err != nil {
			return r, err
		}
		sent := time.Now()
		_, err = s.Write(t.next(n))
		var answer []byte
		if err == nil {
			in.start, in.end = 0, 0
			answer, err = in.frame(s)
		}
		if err == nil && !isAck(answer) {
			err = fmt.Errorf("%w: %s", errNoAck, answer)
		}
		_ = s.Close()
		if err != nil {
			return r, err
		}
		r.count++
		r.took = append(r.took, time.Since(sent))
		if l.acked != nil {
			l.acked(n)
		}
	}
	return r, nil
}

// A flight is a notice that has been sent and not answered.
type flight struct {
	serial uint64
	sent   time.Time
}

// kept sends on one connection with a window of unanswered notices, and reads the answers beside it.
func (l authorLoad) kept(t *template, serial *atomic.Uint64, p *pace) (result, error) {
	s, err := dial(l.port)
	if err != nil {
		return result{}, err
	}
	defer s.Close()
	flights := make(chan flight, l.window)
	ended := make(chan struct{})
	var r result
	var failed error
	go func() {
		defer close(ended)
		r, failed = l.answers(s, flights)
	}()
	var out []byte
	for more := true; more && err == nil; {
		// A paced author writes each notice at its own time; a saturating one writes at once all that its window takes.
		out = out[:0]
		for room := 1; room > 0; room-- {
			if more = p.next(); !more {
				break
			}
			n := serial.Add(1)
			select {
			case flights <- flight{n, time.Now()}:
			case <-ended:
				return r, failed
			}
			out = append(out, t.next(n)...)
			if l.rate == 0 && room == 1 {
				room += min(cap(flights)-len(flights), 32)
			}
			if len(flights) == cap(flights) {
				break
			}
		}
		if len(out) > 0 {
			_, err = s.Write(out)
		}
	}
	close(flights)
	<-ended
	return r, errors.Join(failed, err)
}

// answers reads the ack of each flight, in order.
func (l authorLoad) answers(s socket, flights <-chan flight) (result, error) {
	var r result
	in := newFrameReader(64 << 10)
	for f := range flights {
		answer, err := in.frame(s)
		if err != nil {
			return r, fmt.Errorf("waiting for the ack of notice %d: %w", f.serial, err)
		}
		if !isAck(answer) {
			return r, fmt.Errorf("%w: %s", errNoAck, answer)
		}
		r.count++
		r.took = append(r.took, time.Since(f.sent))
		if l.acked != nil {
			l.acked(f.serial)
		}
	}
	return r, nil
}

func isAck(frame []byte) bool {
	return bytes.Contains(frame, []byte(`role="ack"`)) || bytes.Contains(frame, []byte(`role='ack'`))
}

// pace spreads notices evenly over time.
type pace struct {
	rate       float64
	begin, end time.Time
	sent       int
}

// next waits until the next notice is due; false when the time is over.
func (p *pace) next() bool {
	if p.rate > 0 {
		due := p.begin.Add(time.Duration(float64(p.sent) / p.rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			<-time.After(wait)
		}
	}
	p.sent++
	return time.Now().Before(p.end)
}
