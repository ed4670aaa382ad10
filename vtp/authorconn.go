package vtp

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
)

const (
	// An author may send maxStraysOfAuthor Transport messages other than keep-alives on one connection.
	maxStraysOfAuthor = 16
	// The limits peekBytes and peekTime bound the search for the identifier of a notice that is too long to be read.
	peekBytes = 4 << 10
	peekTime  = time.Second
)

// authorConn is the connection of one author.
type authorConn struct {
	server *AuthorServer
	conn   net.Conn
	in     frameReader
	out    receiver
	strays int
}

func (s *AuthorServer) newConn(conn net.Conn, p Peer, m *meter) session {
	c := &authorConn{server: s, conn: conn}
	c.in.conn, c.in.meter = conn, m
	c.in.limit, c.in.idle, c.in.frame = s.settings.maxFrameBytes, s.settings.firstFrame, s.settings.frame
	c.out = receiver{
		conn: conn, peer: p, ingester: s.Ingester, local: s.LocalIVORN, origin: func() string { return s.LocalIVORN },
		timeout: s.settings.write, pending: s.settings.maxPending, log: s.endpoint.log, meter: m, halt: c.in.halt,
	}
	return c
}

// finish lets the frame being read and those before it have their receipts.
func (c *authorConn) finish() {
	c.in.halt(stopAfter)
}

// serve takes frames until the author has no more.
func (c *authorConn) serve(ctx context.Context) string {
	c.in.start()
	defer c.in.release()
	reason := c.receive(ctx)
	if fail := c.out.finish(); fail != "" {
		reason = fail
	}
	if reason == endIdle && c.in.stop.Load() == stopAfter {
		reason = endShutdown
	}
	if reason != endPeer && reason != endWrite {
		linger(c.conn)
	}
	return reason
}

func (c *authorConn) receive(ctx context.Context) string {
	for {
		raw, err := c.in.next()
		if err != nil {
			if over, ok := errors.AsType[*OversizeError](err); ok {
				c.tooLong(ctx, over)
			}
			return endOf(err)
		}
		c.in.idle = c.server.settings.idle
		c.in.meter.frameIn()
		more := c.in.buffered()
		if KindOf(raw) == KindTransport && !strangeNotice(raw) {
			if reason := c.transport(ctx, raw, more); reason != "" {
				return reason
			}
			continue
		}
		if !c.out.submit(ctx, raw, more) {
			return endRetry
		}
		if more {
			c.in.enlarge()
		}
	}
}

// strangeNotice says whether what calls itself a Transport message by its role is a VOEvent all the same, and no eSTAR
// keep-alive: an author that waits for a receipt gets one, if only the news that ack is no role of a notice.
func strangeNotice(raw []byte) bool {
	tag, ok := rootTag(raw)
	return ok && tag.local == "VOEvent" && tag.attr("role") != RoleAlive
}

// transport deals with a message that has no business on an author port. An iamalive is answered, since some clients
// probe a connection that way; whatever else there is, authenticate above all, is passed over.
func (c *authorConn) transport(ctx context.Context, raw []byte, more bool) string {
	t, err := parseTransport(raw)
	if err == nil && t.Role == RoleAlive {
		c.in.meter.aliveIn()
		reply := &Transport{Role: RoleAlive, Origin: t.Origin, Response: c.server.LocalIVORN}
		if !c.out.owe(ctx, answer{frame: appendTransport(nil, reply)}, more) {
			return endWrite
		}
		return ""
	}
	c.strays++
	c.in.meter.stray()
	if c.strays > maxStraysOfAuthor {
		return endStrays
	}
	return ""
}

// tooLong answers a frame that exceeds the limit. The name of the notice is in its first tag, if that has come.
func (c *authorConn) tooLong(ctx context.Context, over *OversizeError) {
	refusal := &RefusalError{Reason: "oversize", Text: strings.TrimPrefix(over.Error(), "vtp: ")}
	refusal.IVORN = ivornOf(c.in.peek())
	c.out.owe(ctx, answer{err: refusal, came: time.Now()}, false)
}

// peek returns the first bytes of a frame that is too long, without its header: at least its first tag, if that comes
// within a second.
func (f *frameReader) peek() []byte {
	f.from += headerBytes
	f.armed = true
	if f.conn.SetReadDeadline(time.Now().Add(peekTime)) != nil {
		return nil
	}
	for {
		have := f.buf[f.from:f.to]
		if tag, ok := rootTag(have); ok && tag.attr("ivorn") != "" {
			return have
		}
		if len(have) >= peekBytes {
			return have
		}
		if f.to == len(f.buf) {
			f.to = copy(f.buf, have)
			f.from = 0
		}
		n, err := f.conn.Read(f.buf[f.to:])
		f.count(n)
		f.to += n
		if n == 0 && err != nil {
			return f.buf[f.from:f.to]
		}
	}
}

// ivornOf reads the identifier of a notice from its first tag; empty when it is not plainly there.
func ivornOf(raw []byte) string {
	tag, ok := rootTag(raw)
	if !ok {
		return ""
	}
	s := tag.attr("ivorn")
	if strings.ContainsAny(s, "&<") || len(s) > 1024 {
		return ""
	}
	return strings.Clone(s)
}
