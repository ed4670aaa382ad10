package vtp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// A broker has greetingTime to greet with an authenticate before it gets our wishes unasked.
	greetingTime = 2 * time.Second
	// Receipts of what has arrived may take finishTime at the end.
	finishTime = 5 * time.Second
	// By resumeOverlap more than the time of absence is asked for, since the two clocks may differ.
	resumeOverlap = time.Minute
	// A session without a notice must have lasted goodSession to count as a success.
	goodSession = time.Minute
	// A broker that closes within nakGrudge of a nak does so because of it.
	nakGrudge = 2 * time.Second
)

// States of a remote.
const (
	stateConnecting = "connecting"
	stateConnected  = "connected"
	stateWaiting    = "waiting"
	stateStopped    = "stopped"
)

// A follow is the work for one remote.
type follow struct {
	sub      *Subscriber
	remote   Remote
	ingester Ingester
	log      *slog.Logger
	meter    *meter
	pause    time.Duration
	contact  time.Time // when the remote last sent something; owned by run
	sessions int       // made so far; owned by run
	lenient  bool      // the remote disconnects when it gets a nak, so it gets acks; owned by run

	mu     sync.Mutex // guards status
	status RemoteStatus
}

// change updates the status.
func (f *follow) change(fn func(s *RemoteStatus)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(&f.status)
}

func (f *follow) state(state string) {
	f.change(func(s *RemoteStatus) { s.State, s.Since = state, time.Now().UTC() })
}

// run makes one session after the other until ctx ends.
func (f *follow) run(ctx context.Context) {
	lowest, highest := orDefault(f.sub.MinBackoff, time.Second), orDefault(f.sub.MaxBackoff, time.Minute)
	f.pause = lowest
	for ctx.Err() == nil {
		f.state(stateConnecting)
		good, err := f.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if good {
			f.pause = lowest
		}
		wait := f.pause + rand.N(f.pause/4+1)
		f.pause = min(f.pause+f.pause/2, highest)
		f.log.Warn("broker lost", "remote", f.remote.String(), "error", err, "retry_in", wait)
		f.change(func(s *RemoteStatus) { s.LastError = err.Error() })
		f.state(stateWaiting)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
	f.state(stateStopped)
}

// A session is one connection to a remote.
type remoteSession struct {
	*follow
	conn    net.Conn
	in      frameReader
	out     receiver
	broker  string // identifier the broker gave itself
	wishes  Wishes // to be asked for in this session
	greeted bool   // they are out
	acked   bool
	naked   time.Time // when the last nak went out; guarded by mu
	since   time.Time
}

// session makes a connection and serves it to its end, which has a reason always.
func (f *follow) session(ctx context.Context) (good bool, err error) {
	conn, err := dial(ctx, f.remote)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	c := &remoteSession{follow: f, conn: conn, since: time.Now(), wishes: f.wanted()}
	c.in.conn, c.in.meter = conn, f.meter
	c.in.limit, c.in.frame = orDefault(f.sub.MaxFrameBytes, defaultMaxFrameBytes), f.silence()
	peer := Peer{Listener: f.remote.String(), Remote: conn.RemoteAddr().String(), Identity: identityOfServer(conn)}
	c.out = receiver{
		conn: conn, peer: peer, ingester: f.ingester, local: f.sub.LocalIVORN, origin: c.unnamed, timeout: 20 * time.Second,
		pending: orDefault(f.sub.MaxPending, 256), log: f.log, meter: f.meter, halt: c.in.halt, answered: c.answered,
		lenient: f.lenient,
	}
	f.meter.opened()
	f.sessions++ // After wanted, which looks at earlier ones.
	f.change(func(s *RemoteStatus) { s.Sessions++ })
	f.state(stateConnected)
	f.log.Info("broker connected", "remote", f.remote.String())
	reason, err := c.serve(ctx)
	f.meter.ended(reason)
	if reason == endPeer && !c.naked.IsZero() && time.Since(c.naked) < nakGrudge && !f.lenient {
		// Comet does that (it is against VTP 2.0 §3.2), and to be thrown out for each bad notice would cost us good ones.
		f.lenient = true
		f.log.Warn("broker disconnects when a notice is refused, so it gets an ack from now on", "remote", f.remote.String())
	}
	return c.acked && reason != endRetry || time.Since(c.since) >= goodSession, err
}

func (f *follow) silence() time.Duration { return orDefault(f.sub.SilenceTimeout, 150*time.Second) }

// unnamed is the Origin of a nak for a notice without a readable name: the standard wants a URI.
func (c *remoteSession) unnamed() string {
	if c.broker != "" {
		return c.broker
	}
	return c.sub.LocalIVORN
}

// answered counts receipts; it is called by whoever answers.
func (c *remoteSession) answered(kind receiptKind) {
	c.change(func(s *RemoteStatus) {
		switch kind {
		case receiptAck:
			c.acked = true
		case receiptNak:
			s.Refused++
			c.naked = time.Now()
		case receiptNone:
		}
	})
}

// serve reads until the connection ends. When ctx ends, what has arrived still gets its receipt.
func (c *remoteSession) serve(ctx context.Context) (reason string, err error) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		c.in.halt(stopAfter)
		t := time.AfterFunc(finishTime, func() {
			cancel()
			_ = c.conn.Close()
		})
		context.AfterFunc(work, func() { t.Stop() })
	})
	defer stop()
	// A panic of an Ingester must not end the program.
	defer func() {
		if r := recover(); r != nil {
			reportPanic(c.log, c.meter, c.out.peer, r)
			reason, err = endPanic, fmt.Errorf("vtp: panic: %v", r)
		}
	}()
	c.in.start()
	defer c.in.release()
	err = c.receive(work)
	reason = endOf(err)
	if fail := c.out.finish(); fail != "" {
		reason, err = fail, fmt.Errorf("vtp: session ended: %s", fail)
	}
	linger(c.conn)
	return reason, err
}

// receive takes frames until there are no more.
func (c *remoteSession) receive(ctx context.Context) error {
	c.in.idle = min(greetingTime, c.silence())
	for {
		raw, err := c.in.next()
		if errors.Is(err, errIdle) && !c.greeted && c.in.stop.Load() == stopNot {
			c.greet(ctx, false)
			continue
		}
		if err != nil {
			return err
		}
		c.contact = time.Now()
		c.meter.frameIn()
		more := c.in.buffered()
		if KindOf(raw) == KindTransport {
			c.transport(ctx, raw, more)
		} else {
			c.change(func(s *RemoteStatus) {
				s.Notices++
				s.LastNotice = c.contact.UTC()
			})
			if !c.out.submit(ctx, raw, more) {
				return errEnded
			}
			if more {
				c.in.enlarge()
			}
		}
		if !c.greeted {
			c.greet(ctx, more)
		}
	}
}

// transport deals with a message about the transport.
func (c *remoteSession) transport(ctx context.Context, raw []byte, more bool) {
	t, err := parseTransport(raw)
	if err != nil {
		c.meter.stray()
		return
	}
	switch t.Role {
	case RoleAlive:
		c.name(t.Origin)
		c.meter.aliveIn()
		c.out.owe(ctx, answer{frame: appendTransport(nil, &Transport{Role: RoleAlive, Origin: t.Origin, Response: c.sub.LocalIVORN})}, more)
	case RoleAuthenticate:
		c.name(t.Origin)
		if t.Result != "" || t.Response != "" {
			// An answer to our wishes, not a question.
			c.change(func(s *RemoteStatus) { s.FilterReply = strings.Clone(t.Result) })
			c.log.Info("broker answered our wishes", "remote", c.remote.String(), "result", t.Result, "filters", t.Filters)
			return
		}
		c.wish(ctx, more)
	default:
		c.meter.stray()
	}
}

func (c *remoteSession) name(origin string) {
	if origin == "" || origin == c.broker {
		return
	}
	c.broker = strings.Clone(origin)
	c.change(func(s *RemoteStatus) { s.Broker = c.broker })
}

// greet sends our wishes unasked, if there are any: a broker may take them without having asked.
func (c *remoteSession) greet(ctx context.Context, more bool) {
	w := c.wishes
	if len(w.XPath) > 0 || !w.Since.IsZero() || w.Subscription != "" {
		c.wish(ctx, more)
	}
	c.greeted = true
	c.in.idle = c.silence()
}

// wish sends our wishes. What lies in the past is asked for once per session.
func (c *remoteSession) wish(ctx context.Context, more bool) {
	w := c.wishes
	if c.greeted {
		w.Since = time.Time{}
	}
	c.greeted = true
	c.in.idle = c.silence()
	t := &Transport{Role: RoleAuthenticate, Origin: c.broker, Response: c.sub.LocalIVORN, Filters: w.XPath}
	t.Params = append(t.Params, Param{paramClient, "tocsin"})
	if !w.Since.IsZero() {
		t.Params = append(t.Params, Param{paramSince, w.Since.UTC().Format(time.RFC3339Nano)})
	}
	if w.Subscription != "" {
		t.Params = append(t.Params, Param{paramSubscription, w.Subscription})
	} else {
		// What is missed is asked for by its time, or not wanted: the broker need not keep a place for this address.
		t.Params = append(t.Params, Param{paramResume, "no"})
	}
	c.out.owe(ctx, answer{frame: appendTransport(nil, t)}, more)
}

// wanted is what to ask for in the next session: after a loss, what was missed as well, unless the broker remembers that
// itself.
func (f *follow) wanted() Wishes {
	w := f.sub.Wishes
	if f.sessions > 0 && !f.sub.NoResume && w.Subscription == "" && !f.contact.IsZero() {
		if since := f.contact.Add(-resumeOverlap); since.After(w.Since) {
			w.Since = since
		}
	}
	return w
}
