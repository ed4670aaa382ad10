package vtp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	headerBytes          = 4
	defaultMaxFrameBytes = 1 << 20
	// As much as firstStep is allocated for a frame on the word of its header alone; beyond it the buffer grows only as
	// fast as bytes arrive, so a peer pays for our memory with its own traffic.
	firstStep = 64 << 10
	// A smallBuffer holds any notice seen in ten years of public traffic (at most 7,980 bytes) in one read.
	smallBuffer = 8 << 10
	// A largeBuffer serves connections that keep many notices in flight.
	largeBuffer = 64 << 10
)

// An OversizeError says that a frame announces more bytes than are taken.
type OversizeError struct {
	// Length is what the header says.
	Length uint32
	// Limit is what would be taken.
	Limit int
}

// Error names the length, the limit, and the commonest cause: a length in little-endian order.
func (e *OversizeError) Error() string {
	text := fmt.Sprintf("vtp: a frame of %d bytes exceeds the limit of %d", e.Length, e.Limit)
	if other := bits.ReverseBytes32(e.Length); other > 0 && int64(other) <= int64(e.Limit) {
		text += fmt.Sprintf("; read in the other byte order it would be %d: the length must be big-endian", other)
	}
	return text
}

// ErrTruncated says that a connection ended within a frame.
var ErrTruncated = errors.New("vtp: the connection ended within a frame")

// errSlowFrame says that a frame was begun and not finished in time.
var errSlowFrame = errors.New("vtp: a frame was not finished in time")

// errIdle says that no frame was begun in time.
var errIdle = errors.New("vtp: no frame was begun in time")

// AppendFrame appends the payload as a frame (VTP 2.0 §3.1: the length as 32 bits, most significant byte first, then
// the bytes).
func AppendFrame(dst, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload))) //nolint:gosec // no payload has 4 GiB
	return append(dst, payload...)
}

// ReadFrame reads one frame of at most limit bytes (0 means 1 MiB) and returns its payload. It reads no byte beyond the
// frame. At a clean end the error is io.EOF, within a frame ErrTruncated; one that is too long is an *OversizeError.
func ReadFrame(r io.Reader, limit int) ([]byte, error) {
	if limit <= 0 {
		limit = defaultMaxFrameBytes
	}
	var header [headerBytes]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrTruncated
		}
		return nil, err
	}
	n := binary.BigEndian.Uint32(header[:])
	if int64(n) > int64(limit) {
		return nil, &OversizeError{Length: n, Limit: limit}
	}
	return readRest(r, nil, int(n))
}

// readRest reads until payload has n bytes, growing it in steps.
func readRest(r io.Reader, payload []byte, n int) ([]byte, error) {
	if cap(payload) < n {
		grown := make([]byte, len(payload), min(n, max(firstStep, 2*len(payload))))
		copy(grown, payload)
		payload = grown
	}
	for len(payload) < n {
		if len(payload) == cap(payload) {
			grown := make([]byte, len(payload), min(n, 2*len(payload)))
			copy(grown, payload)
			payload = grown
		}
		m, err := r.Read(payload[len(payload):min(n, cap(payload))])
		payload = payload[:len(payload)+m]
		if err != nil && len(payload) < n {
			if errors.Is(err, io.EOF) {
				err = ErrTruncated
			}
			return payload, err
		}
	}
	return payload, nil
}

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallBuffer); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
)

// A frameReader reads the frames of one connection under its deadlines. A frame that is small enough costs one read.
type frameReader struct {
	conn   net.Conn
	pooled *[]byte // what buf came from; nil when buf is not from a pool
	pool   *sync.Pool
	buf    []byte
	from   int // buf[from:to] is read and not yet used
	to     int
	limit  int
	// idle is how long the first byte of the next frame may take, zero for ever; frame is how long the rest may take.
	idle, frame time.Duration
	meter       *meter
	stop        atomic.Int32 // stopNot, stopAfter or stopNow
	due         time.Time    // end of the frame being read, when armed
	// set says that a read deadline is in force; armed, that it is the one for the frame being read.
	set, armed bool
}

// How a frameReader is to stop.
const (
	stopNot   = iota
	stopAfter // the frame that has begun
	stopNow
)

// halt makes the reader stop; it may be called from any goroutine, and returns at once.
func (f *frameReader) halt(how int32) {
	for {
		was := f.stop.Load()
		if was >= how || f.stop.CompareAndSwap(was, how) {
			break
		}
	}
	_ = f.conn.SetReadDeadline(time.Unix(1, 0))
}

// start takes a small buffer from the pool.
func (f *frameReader) start() {
	f.pool = &smallBuffers
	f.pooled, _ = f.pool.Get().(*[]byte)
	f.buf = *f.pooled
}

// enlarge changes to a large buffer; what is read and not yet used moves along.
func (f *frameReader) enlarge() {
	if f.pool == &largeBuffers {
		return
	}
	pooled, _ := largeBuffers.Get().(*[]byte)
	f.to = copy(*pooled, f.buf[f.from:f.to])
	f.from = 0
	f.release()
	f.pool, f.pooled, f.buf = &largeBuffers, pooled, *pooled
}

// release gives the buffer back.
func (f *frameReader) release() {
	if f.pooled != nil {
		f.pool.Put(f.pooled)
	}
	f.pooled, f.buf = nil, nil
}

// buffered says that at least a part of another frame has arrived.
func (f *frameReader) buffered() bool { return f.to > f.from }

// next reads the next frame into memory of its own, which the caller owns.
func (f *frameReader) next() ([]byte, error) {
	n, err := f.header()
	if err != nil {
		return nil, err
	}
	have := f.buf[f.from:f.to]
	if len(have) >= n {
		f.from += n
		return append(make([]byte, 0, n), have[:n]...), nil
	}
	f.from, f.to = 0, 0
	payload := append(make([]byte, 0, min(n, max(firstStep, len(have)))), have...)
	return readRest(frameRest{f}, payload, n)
}

// view reads the next frame; the payload is good until the next call.
func (f *frameReader) view() ([]byte, error) {
	n, err := f.header()
	if err != nil {
		return nil, err
	}
	have := f.buf[f.from:f.to]
	if len(have) >= n {
		f.from += n
		return have[:n], nil
	}
	if n > len(f.buf) {
		f.from, f.to = 0, 0
		return readRest(frameRest{f}, append(make([]byte, 0, min(n, max(firstStep, len(have)))), have...), n)
	}
	if err := f.fill(n); err != nil {
		return nil, err
	}
	f.from += n
	return f.buf[f.from-n : f.from], nil
}

// header reads the length of the next frame and sets the deadline for its rest.
func (f *frameReader) header() (int, error) {
	f.armed = false
	if !f.buffered() {
		if err := f.begin(); err != nil {
			return 0, err
		}
	}
	if err := f.fill(headerBytes); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(f.buf[f.from:])
	if int64(n) > int64(f.limit) {
		return 0, &OversizeError{Length: n, Limit: f.limit}
	}
	f.from += headerBytes
	return int(n), nil
}

// begin waits for the first bytes of a frame.
func (f *frameReader) begin() error {
	f.from, f.to = 0, 0
	var deadline time.Time
	if f.idle > 0 {
		deadline = time.Now().Add(f.idle)
	}
	if f.idle > 0 || f.set {
		if err := f.conn.SetReadDeadline(deadline); err != nil {
			return err
		}
		f.set = f.idle > 0
	}
	// The order matters: halt says first what is wanted and then wakes the reader by a deadline in the past, which the lines
	// above may just have undone.
	if f.stop.Load() != stopNot {
		return errIdle
	}
	n, err := f.conn.Read(f.buf)
	f.count(n)
	f.to = n
	switch {
	case n > 0:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errIdle
	case err == nil:
		return io.ErrNoProgress
	default:
		return err
	}
}

// fill reads until n bytes are unused, n being at most the size of the buffer.
func (f *frameReader) fill(n int) error {
	if f.to-f.from >= n {
		return nil
	}
	if len(f.buf)-f.from < n {
		f.to = copy(f.buf, f.buf[f.from:f.to])
		f.from = 0
	}
	for f.to-f.from < n {
		m, err := frameRest{f}.Read(f.buf[f.to:])
		f.to += m
		if err != nil && f.to-f.from < n {
			if errors.Is(err, io.EOF) {
				err = ErrTruncated
			}
			return err
		}
	}
	return nil
}

func (f *frameReader) count(n int) {
	if n > 0 {
		f.meter.read(n)
	}
}

// frameRest reads what belongs to a frame that has begun, under the deadline for the whole frame.
type frameRest struct{ f *frameReader }

// Read is that of the connection, with the deadline set before the first read of each frame.
func (r frameRest) Read(p []byte) (int, error) {
	f := r.f
	if !f.armed {
		f.due = time.Now().Add(f.frame)
		if err := f.conn.SetReadDeadline(f.due); err != nil {
			return 0, err
		}
		f.set, f.armed = true, true
	}
	if f.stop.Load() == stopNow {
		return 0, errIdle
	}
	n, err := f.conn.Read(p)
	f.count(n)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		if f.stop.Load() == stopAfter && time.Now().Before(f.due) {
			return 0, f.conn.SetReadDeadline(f.due)
		}
		err = errSlowFrame
	}
	return n, err
}
