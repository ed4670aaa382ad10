package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// subscribers are many acknowledging subscribers on one thread: with a goroutine for each, the client would be the limit.
type subscribers struct {
	template *template
	epoll    int
	wake     int // eventfd that ends the loop
	conns    map[int32]*subscriber
	events   []unix.EpollEvent

	delivered atomic.Int64
	greeted   atomic.Int64 // frames that were no notices: a broker greets each subscriber with an authenticate
	latencies atomic.Bool  // whether to keep each delivery's age
	ages      []time.Duration
	disorder  atomic.Int64
	done      chan error
}

type subscriber struct {
	socket socket
	in     *frameReader
	out    []byte // acks that the socket did not take yet
	full   bool   // whether epoll is asked for room
	last   map[uint16]uint64
}

// subscribe opens n subscribers to the port; the IVORNs are those of the template's.
func subscribe(port, n int, t *template) (*subscribers, error) {
	s := &subscribers{
		template: t, conns: make(map[int32]*subscriber, n), events: make([]unix.EpollEvent, 256),
		ages: make([]time.Duration, 0, 1<<20), done: make(chan error, 1),
	}
	var err error
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if err := s.watch(s.wake); err != nil {
		return nil, err
	}
	for range n {
		c, err := dial(port)
		if err != nil {
			return nil, fmt.Errorf("subscriber %d of %d: %w", len(s.conns)+1, n, err)
		}
		if err := unix.SetNonblock(int(c), true); err != nil {
			return nil, fmt.Errorf("nonblock: %w", err)
		}
		if err := s.watch(int(c)); err != nil {
			return nil, err
		}
		s.conns[int32(c)] = &subscriber{socket: c, in: newFrameReader(1 << 10), last: make(map[uint16]uint64)}
	}
	go func() { s.done <- s.loop() }()
	return s, nil
}

func (s *subscribers) watch(fd int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// close ends the loop and all connections; it returns what went wrong on the way.
func (s *subscribers) close() error {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(s.wake, one[:])
	err := <-s.done
	for _, c := range s.conns {
		_ = c.socket.Close()
	}
	_ = unix.Close(s.wake)
	_ = unix.Close(s.epoll)
	return err
}

func (s *subscribers) loop() error {
	for {
		n, err := unix.EpollWait(s.epoll, s.events, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, ev := range s.events[:n] {
			if int(ev.Fd) == s.wake {
				return nil
			}
			c := s.conns[ev.Fd]
			if ev.Events&unix.EPOLLOUT != 0 {
				if err := s.flush(c); err != nil {
					return err
				}
			}
			if ev.Events&unix.EPOLLIN == 0 && ev.Events&(unix.EPOLLHUP|unix.EPOLLERR) == 0 {
				continue
			}
			if err := s.read(c); err != nil {
				return err
			}
		}
	}
}

// read takes what one read gives, and acknowledges each notice in it.
func (s *subscribers) read(c *subscriber) error {
	switch err := c.in.fill(c.socket); {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case errors.Is(err, io.EOF):
		return errors.New("the broker closed a subscriber's connection")
	case err != nil:
		return fmt.Errorf("reading as a subscriber: %w", err)
	}
	for {
		f := c.in.next()
		if f == nil {
			break
		}
		serial, ok := s.template.readSerial(f)
		if !ok {
			s.greeted.Add(1) // authenticate or iamalive; the acks that follow count as life
			continue
		}
		series := binary.BigEndian.Uint16(f[s.template.serial-7:])
		if serial <= c.last[series] {
			s.disorder.Add(1)
		}
		c.last[series] = serial
		s.delivered.Add(1)
		if s.latencies.Load() && len(s.ages) < cap(s.ages) {
			s.ages = append(s.ages, s.template.age(f))
		}
		c.out = appendAck(c.out, s.template.ivorn(f))
	}
	if len(c.out) > 0 {
		return s.flush(c)
	}
	return nil
}

// flush writes the acks that wait. What the socket does not take now is written when epoll says that there is room.
func (s *subscribers) flush(c *subscriber) error {
	n, err := c.socket.Write(c.out)
	c.out = append(c.out[:0], c.out[n:]...)
	full := errors.Is(err, unix.EAGAIN)
	if err != nil && !full {
		return fmt.Errorf("acknowledging: %w", err)
	}
	if full == c.full {
		return nil
	}
	c.full = full
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.socket)}
	if full {
		ev.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_MOD, int(c.socket), &ev); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}
