package vtp

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

var _ Sink = (*feedConn)(nil)

// copyBelow is the size up to which frames are copied together and written as one piece; above it the kernel gathers them.
const copyBelow = 16 << 10

// Deliver writes the notices as frames. Each is on its way from before the write, for its receipt may come first.
func (c *feedConn) Deliver(ctx context.Context, batch []Notice) error {
	for len(batch) > 0 {
		n, bytes := 0, 0
		for n < len(batch) && n < batchNotices && (n == 0 || bytes < batchBytes) {
			bytes += headerBytes + len(batch[n].Raw)
			n++
		}
		select {
		case c.token <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := c.depart(batch[:n])
		if err == nil {
			err = c.write(batch[:n], bytes)
		}
		c.release()
		if err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// depart notes the notices as being on their way.
func (c *feedConn) depart(batch []Notice) error {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errEnded
	}
	c.lastWrite = now
	for _, n := range batch {
		c.flight.add(n, now)
	}
	return nil
}

// write writes the notices in one piece; the caller holds the token.
func (c *feedConn) write(batch []Notice, bytes int) error {
	err := c.conn.SetWriteDeadline(time.Now().Add(c.server.settings.write))
	switch _, gathers := c.conn.(*net.TCPConn); {
	case err != nil:
	case gathers && bytes > copyBelow:
		err = c.writeVector(batch)
	default:
		err = c.writeCopy(batch)
	}
	if err != nil {
		return c.writeFailed(err)
	}
	c.meter.wrote(bytes, len(batch))
	return nil
}

// writeVector leaves the gathering to the kernel.
func (c *feedConn) writeVector(batch []Notice) error {
	vec, heads := c.base[:0], c.heads[:0]
	if cap(heads) < len(batch)*headerBytes {
		heads = make([]byte, 0, len(batch)*headerBytes) // It must not move below, vec points into it.
	}
	for _, n := range batch {
		heads = binary.BigEndian.AppendUint32(heads, uint32(len(n.Raw))) //nolint:gosec // bounded by the limit of a frame
		vec = append(vec, heads[len(heads)-headerBytes:], n.Raw)
	}
	c.base, c.vec, c.heads = vec, vec, heads
	_, err := c.vec.WriteTo(c.conn)
	clear(c.base) // The notices are not ours to keep.
	return err
}

// writeCopy gathers in a buffer: cheaper for little, and the only way to one piece over TLS.
func (c *feedConn) writeCopy(batch []Notice) error {
	buf, _ := largeBuffers.Get().(*[]byte)
	defer largeBuffers.Put(buf)
	out := (*buf)[:0]
	for _, n := range batch {
		if len(out) > 0 && len(out)+headerBytes+len(n.Raw) > cap(out) {
			if _, err := c.conn.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		if headerBytes+len(n.Raw) > cap(out) {
			// Longer than the buffer: the header goes ahead.
			out = binary.BigEndian.AppendUint32(out, uint32(len(n.Raw))) //nolint:gosec // as above
			if _, err := c.conn.Write(out); err != nil {
				return err
			}
			out = out[:0]
			if _, err := c.conn.Write(n.Raw); err != nil {
				return err
			}
			continue
		}
		out = AppendFrame(out, n.Raw)
	}
	if len(out) == 0 {
		return nil
	}
	_, err := c.conn.Write(out)
	return err
}

// writeFailed ends the connection after a failed write: part of a frame may be out.
func (c *feedConn) writeFailed(err error) error {
	c.end(endWrite)
	return fmt.Errorf("vtp: write to %s: %w", c.peer.Remote, err)
}

// send writes a message of ours between two notices: at once, or when the write under way has ended. It does not wait.
func (c *feedConn) send(t *Transport) {
	frame := appendTransport(nil, t)
	c.mu.Lock()
	full := len(c.control) >= maxControl
	if !full {
		c.control = append(c.control, frame)
	}
	c.mu.Unlock()
	if full {
		c.end(endWrite) // It asks faster than it reads.
		return
	}
	select {
	case c.token <- struct{}{}:
		c.release()
	default:
		// Whoever holds the token looks at control after it gives it back.
	}
}

// release gives the token back, after writing what has gathered meanwhile.
func (c *feedConn) release() {
	for {
		c.mu.Lock()
		frames := c.control
		c.control = nil
		if len(frames) > 0 {
			c.lastWrite = time.Now()
		}
		c.mu.Unlock()
		if len(frames) > 0 {
			c.writeControl(frames)
		}
		<-c.token
		c.mu.Lock()
		more := len(c.control) > 0
		c.mu.Unlock()
		if !more {
			return
		}
		select {
		case c.token <- struct{}{}:
		default:
			return
		}
	}
}

func (c *feedConn) writeControl(frames [][]byte) {
	var out []byte
	for _, f := range frames {
		out = append(out, f...)
	}
	err := c.conn.SetWriteDeadline(time.Now().Add(c.server.settings.write))
	if err == nil {
		_, err = c.conn.Write(out)
	}
	if err != nil {
		_ = c.writeFailed(err)
		return
	}
	c.meter.wrote(len(out), 0)
}
