package vtp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	feedBuffer = 4 << 10 // holds some eight receipts
	// The limits batchNotices and batchBytes bound one write, so that the deadline of a write is one for progress.
	batchNotices = 64
	batchBytes   = 256 << 10
	// At most maxControl messages of ours may wait for a write to end.
	maxControl = 4
	// Wishes may come this many at once, and then one each wishInterval: each may compile filters and begin a replay.
	wishBurst    = 8
	wishInterval = 2 * time.Second
)

// holding are the optional methods of a Follower.
type holding interface {
	Held() bool
	Heard()
}

// nothing is a filter that no notice passes.
const nothing = "false()"

// errEnded is what Deliver returns after the end of the connection.
var errEnded = errors.New("vtp: the connection has ended")

// feedConn is the connection of one subscriber. It has two goroutines: serve reads, and the follower's Run writes by
// Deliver. A timer looks after time limits, so that none is touched while notices flow.
type feedConn struct {
	server   *FeedServer
	conn     net.Conn
	peer     Peer
	meter    *meter
	in       frameReader
	follower Follower
	ctx      context.Context    //nolint:containedctx // ends when delivering shall end
	cancel   context.CancelFunc // of ctx

	// token is held while something is written; nobody holds mu then.
	token chan struct{}
	base  [][]byte    // owned by the holder of token: the memory of vec
	vec   net.Buffers // likewise: what is left to be written
	heads []byte      // likewise

	mu        sync.Mutex // guards what follows
	flight    flight
	control   [][]byte // frames to be written when the token is free
	lastRead  time.Time
	lastWrite time.Time
	aliveAt   time.Time     // when the iamalive was sent that nothing came after; zero for none
	interval  time.Duration // of silence before the next iamalive
	finishing bool
	idle      bool   // Run has returned
	reason    string // why the connection was ended by us
	ended     bool
	timer     *time.Timer
	ticks     sync.WaitGroup

	// Owned by the reader.
	held       holding // nil when nothing is held back
	wishes     Wishes
	answers    bool // the subscriber understands answers to its wishes
	strays     int
	wishCredit float64
	wishAt     time.Time
}

func (s *FeedServer) newConn(conn net.Conn, p Peer, m *meter) session {
	c := &feedConn{server: s, conn: conn, peer: p, meter: m, token: make(chan struct{}, 1), wishCredit: wishBurst}
	c.in.conn, c.in.meter, c.in.limit, c.in.frame = conn, m, s.settings.maxFrameBytes, s.settings.frame
	c.in.buf = make([]byte, feedBuffer)
	c.ctx, c.cancel = context.WithCancel(s.endpoint.ctx)
	return c
}

// serve reads receipts and wishes until the connection ends.
func (c *feedConn) serve(ctx context.Context) string {
	defer c.cancel()
	follower, err := c.server.Feed.Open(ctx, c.peer, c)
	if err != nil {
		c.server.endpoint.log.Warn("no feed for a subscriber", "listener", c.peer.Listener, "remote", c.peer.Remote, "error", err)
		return endFeed
	}
	c.follower = follower
	c.server.endpoint.log.Info("subscriber connected", "listener", c.peer.Listener, "remote", c.peer.Remote, "identity", c.peer.Identity)
	c.begin()
	running := make(chan struct{})
	// Deferred, so that nothing is left behind when reading ends by a panic.
	defer func() {
		c.end(endPeer)
		<-running
		c.ticks.Wait()
	}()
	go c.deliver(running)
	if c.server.SendAuthenticate {
		c.send(&Transport{Role: RoleAuthenticate, Origin: c.server.LocalIVORN})
	}
	if h, ok := follower.(holding); ok && h.Held() {
		c.held = h
		c.sendAlive(time.Now())
	}
	reason := c.receive()
	reason = c.end(reason)
	c.server.endpoint.log.Info("subscriber gone", "listener", c.peer.Listener, "remote", c.peer.Remote, "identity", c.peer.Identity, "reason", reason)
	return reason
}

// begin starts the clock.
func (c *feedConn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastRead = time.Now()
	c.lastWrite = c.lastRead
	c.interval = c.server.keepAlive()
	c.timer = time.AfterFunc(min(c.interval, c.server.settings.ackTimeout), c.tick)
}

// deliver runs the follower.
func (c *feedConn) deliver(done chan<- struct{}) {
	defer close(done)
	defer func() {
		if r := recover(); r != nil {
			reportPanic(c.server.endpoint.log, c.meter, c.peer, r)
			c.end(endPanic)
		}
	}()
	err := c.follower.Run(c.ctx)
	c.mu.Lock()
	c.idle = true
	finishing, ended := c.finishing, c.ended
	empty := c.flight.open == 0
	c.mu.Unlock()
	switch {
	case ended:
	case finishing:
		if empty {
			c.end(endShutdown)
		}
	default:
		c.server.endpoint.log.Warn("feed of a subscriber ended", "listener", c.peer.Listener, "remote", c.peer.Remote, "error", err)
		c.end(endFeed)
	}
}

// finish stops delivering; the connection ends when every notice sent has its receipt.
func (c *feedConn) finish() {
	c.mu.Lock()
	c.finishing = true
	c.mu.Unlock()
	c.cancel()
}

// end closes the connection; the first reason given counts and is returned.
func (c *feedConn) end(reason string) string {
	c.mu.Lock()
	if c.ended {
		reason = c.reason
		c.mu.Unlock()
		return reason
	}
	c.ended, c.reason = true, reason
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.cancel()
	_ = c.conn.SetDeadline(time.Unix(1, 0)) // A tls.Conn would wait for its turn to say good-bye.
	_ = c.conn.Close()
	return reason
}

// tick keeps the time limits.
func (c *feedConn) tick() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ticks.Add(1)
	defer c.ticks.Done()
	now := time.Now()
	set := &c.server.settings
	oldest, waiting := c.flight.oldest()
	reason := ""
	switch {
	case waiting && now.Sub(oldest.at) >= set.ackTimeout:
		reason = endUnacked
	case !c.aliveAt.IsZero() && now.Sub(c.aliveAt) >= set.ackTimeout:
		reason = endSilent
	}
	next := c.lastWrite.Add(c.interval).Sub(now)
	alive := next <= 0
	if alive {
		c.interval = c.server.keepAlive()
		next = c.interval
	}
	next = min(next, set.ackTimeout)
	if waiting {
		next = min(next, oldest.at.Add(set.ackTimeout).Sub(now))
	}
	if !c.aliveAt.IsZero() {
		next = min(next, c.aliveAt.Add(set.ackTimeout).Sub(now))
	}
	c.mu.Unlock()
	if reason != "" {
		c.end(reason)
		return
	}
	if alive {
		c.sendAlive(now)
	}
	c.mu.Lock()
	if !c.ended {
		c.timer.Reset(max(next, time.Millisecond))
	}
	c.mu.Unlock()
}

// sendAlive asks the subscriber for a sign of life, unless something is being written: that is a question as well.
func (c *feedConn) sendAlive(now time.Time) {
	c.mu.Lock()
	if len(c.control) > 0 || len(c.token) > 0 {
		c.mu.Unlock()
		return
	}
	if c.aliveAt.IsZero() {
		c.aliveAt = now
	}
	c.mu.Unlock()
	c.meter.aliveOut()
	c.send(&Transport{Role: RoleAlive, Origin: c.server.LocalIVORN})
}

// receive reads until the connection ends, and says why it did.
func (c *feedConn) receive() string {
	for {
		raw, err := c.in.view()
		if err != nil {
			return endOf(err)
		}
		c.meter.frameIn()
		reason := c.message(raw)
		if reason != "" {
			return reason
		}
	}
}

// message deals with one frame from the subscriber; the result is why the connection must end, or empty.
func (c *feedConn) message(raw []byte) string {
	t, err := parseTransport(raw)
	if err != nil {
		return c.stray()
	}
	var e sent
	found := false
	now := time.Now()
	c.mu.Lock()
	c.lastRead = now
	asked := !c.aliveAt.IsZero()
	c.aliveAt = time.Time{}
	switch t.Role {
	case RoleAck, RoleNak:
		e, found = c.flight.settle(t.Origin)
	case RoleAlive:
		if !asked {
			e, found = c.flight.settleAlive()
		}
	}
	over := c.finishing && c.idle && c.flight.open == 0
	c.mu.Unlock()

	switch {
	case t.Role == RoleAuthenticate:
		if reason := c.wish(&t, now); reason != "" {
			return reason
		}
	case t.Role == RoleNak && found:
		c.meter.receipt(receiptNak, now.Sub(e.at))
		c.follower.Refused(e.id, refusalText(&t))
	case found:
		c.meter.receipt(receiptAck, now.Sub(e.at))
		c.follower.Acked(e.id)
	case t.Role == RoleAlive:
		c.meter.aliveIn()
	default:
		// A receipt for nothing: some clients acknowledge an authenticate. That is no offence.
		c.meter.stray()
		return ""
	}
	if c.held != nil {
		c.held.Heard()
		c.held = nil
	}
	c.strays = 0
	if over {
		return endShutdown
	}
	return ""
}

// refusalText says why a subscriber refused a notice.
func refusalText(t *Transport) string {
	s := t.Result
	if r := t.Reason(); r != "" {
		s = strings.TrimSuffix(r+": "+s, ": ")
	}
	return strings.Clone(shorten(s, maxResult))
}

// stray counts a frame that makes no sense here: a notice, or no XML.
func (c *feedConn) stray() string {
	c.meter.stray()
	c.mu.Lock()
	c.lastRead = time.Now()
	c.aliveAt = time.Time{}
	c.mu.Unlock()
	c.strays++
	if c.strays > c.server.settings.maxStrays {
		return endStrays
	}
	return ""
}

// wish passes on what the subscriber asks for in an authenticate message. When that cannot be granted, a filter that is
// in force stays; where there is none, nothing is sent until the subscriber mends its wishes. It never gets everything
// because of a mistake.
func (c *feedConn) wish(t *Transport, now time.Time) string {
	c.wishCredit = min(wishBurst, c.wishCredit+float64(now.Sub(c.wishAt))/float64(wishInterval)) - 1
	c.wishAt = now
	if c.wishCredit < 0 {
		return endImpatient
	}
	if _, ok := t.Param(paramClient); ok {
		c.answers = true
	}
	w, err := t.wishes()
	if err == nil {
		err = c.follower.Subscribe(w)
	}
	c.meter.wishes(err == nil)
	if err == nil {
		c.wishes = w
		c.answer(w, "accepted", "")
		return ""
	}
	c.server.endpoint.log.Info("wishes of a subscriber refused", "listener", c.peer.Listener, "remote", c.peer.Remote, "error", err)
	if len(c.wishes.XPath) == 0 {
		blocked := Wishes{XPath: []string{nothing}}
		if err := c.follower.Subscribe(blocked); err != nil {
			return endFeed
		}
		c.wishes = blocked
	}
	c.answer(c.wishes, fmt.Sprintf("refused: %v", err), "filter")
	return ""
}

// answer tells a subscriber that is known to understand it which wishes are in force now.
func (c *feedConn) answer(w Wishes, result, reason string) {
	if !c.answers {
		return
	}
	t := &Transport{Role: RoleAuthenticate, Origin: c.server.LocalIVORN, Response: c.server.LocalIVORN, Filters: w.XPath, Result: result}
	if !w.Since.IsZero() {
		t.Params = append(t.Params, Param{paramSince, w.Since.UTC().Format(time.RFC3339Nano)})
	}
	if w.Subscription != "" {
		t.Params = append(t.Params, Param{paramSubscription, w.Subscription})
	}
	if w.NoResume {
		t.Params = append(t.Params, Param{paramResume, "no"})
	}
	if reason != "" {
		t.Params = append(t.Params, Param{paramReason, reason})
	}
	c.send(t)
}
