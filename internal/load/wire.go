package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// The load client has its own few lines of framing, so that what it measures and checks does not rest on the code under test.

func appendFrame(dst, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(dst, payload...)
}

const ackHead = `<?xml version="1.0" encoding="UTF-8"?><trn:Transport role="ack" version="1.0" xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1"><Origin>`

const ackTail = `</Origin><Response>ivo://tocsin.load/client</Response><TimeStamp>2026-04-06T12:00:00Z</TimeStamp></trn:Transport>`

// appendAck appends an acknowledgement frame for the IVORN.
func appendAck(dst, ivorn []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(ackHead)+len(ivorn)+len(ackTail)))
	dst = append(dst, ackHead...)
	dst = append(dst, ivorn...)
	return append(dst, ackTail...)
}

// A socket is a blocking loopback connection without the runtime's poller: on two cores shared with the broker the
// client's own work has to be small.
type socket int

func dial(port int) (socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	tv := unix.NsecToTimeval(int64(answerTimeout))
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
	for {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil && !errors.Is(err, unix.EISCONN) {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("connect: %w", err)
	}
	return socket(fd), nil
}

func (s socket) Close() error { return unix.Close(int(s)) }

func (s socket) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.Write(int(s), b[done:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

func (s socket) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(s), b)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// A frameReader cuts a byte stream into frames.
type frameReader struct {
	buf        []byte
	start, end int
}

func newFrameReader(size int) *frameReader { return &frameReader{buf: make([]byte, size)} }

// fill reads once from the source; the room grows when one frame is larger than the buffer.
func (r *frameReader) fill(src io.Reader) error {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.end -= r.start
		r.start = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := src.Read(r.buf[r.end:])
	r.end += n
	return err
}

// next returns the next whole frame with its prefix, or nil; it is valid until the next fill.
func (r *frameReader) next() []byte {
	if r.end-r.start < 4 {
		return nil
	}
	n := int(binary.BigEndian.Uint32(r.buf[r.start:])) + 4
	if r.end-r.start < n {
		return nil
	}
	frame := r.buf[r.start : r.start+n]
	r.start += n
	return frame
}

// frame reads until one whole frame is there.
func (r *frameReader) frame(src io.Reader) ([]byte, error) {
	for {
		if f := r.next(); f != nil {
			return f, nil
		}
		if err := r.fill(src); err != nil {
			return nil, err
		}
	}
}
