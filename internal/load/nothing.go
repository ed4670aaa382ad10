package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// nothing is a pair of servers that do nothing with a notice: no parsing, no checking, no storing. What the load client
// reaches against them is its own ceiling on this machine.
type nothing struct {
	author, feed net.Listener
	mu           sync.Mutex
	subs         []net.Conn
	wg           sync.WaitGroup
	relay        chan []byte
}

func newNothing() (*nothing, error) {
	n := &nothing{relay: make(chan []byte, 1024)}
	var err error
	if n.author, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("do-nothing server: %w", err)
	}
	if n.feed, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("do-nothing server: %w", err)
	}
	n.wg.Go(func() { n.accept(n.author, n.serveAuthor) })
	n.wg.Go(func() { n.accept(n.feed, n.serveSubscriber) })
	n.wg.Go(n.fanOut)
	return n, nil
}

func (n *nothing) accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		n.wg.Go(func() {
			defer c.Close()
			serve(c)
		})
	}
}

func (n *nothing) serveAuthor(c net.Conn) {
	in := newFrameReader(8 << 10)
	var out []byte
	for {
		f, err := in.frame(c)
		if err != nil {
			return
		}
		out = out[:0]
		for ; f != nil; f = in.next() {
			out = appendAck(out, []byte("ivo://tocsin.load/nothing#0"))
			select {
			case n.relay <- append([]byte(nil), f...):
			default: // nobody follows, or they are behind: the server does nothing about it
			}
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

func (n *nothing) serveSubscriber(c net.Conn) {
	n.mu.Lock()
	n.subs = append(n.subs, c)
	n.mu.Unlock()
	buf := make([]byte, 4<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// fanOut writes each notice to each subscriber, several notices with one write when several wait.
func (n *nothing) fanOut() {
	for f := range n.relay {
		batch := f
		for range 15 {
			select {
			case g, ok := <-n.relay:
				if !ok {
					return
				}
				batch = append(batch, g...)
				continue
			default:
			}
			break
		}
		n.mu.Lock()
		subs := n.subs
		n.mu.Unlock()
		for _, c := range subs {
			_ = c.SetWriteDeadline(time.Now().Add(answerTimeout))
			if _, err := c.Write(batch); err != nil && !errors.Is(err, net.ErrClosed) {
				continue
			}
		}
	}
}

// following is the number of subscribers that are served.
func (n *nothing) following() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.subs)
}

func (n *nothing) close() {
	_ = n.author.Close()
	_ = n.feed.Close()
	n.mu.Lock()
	for _, c := range n.subs {
		_ = c.Close()
	}
	n.mu.Unlock()
	close(n.relay)
	n.wg.Wait()
}
