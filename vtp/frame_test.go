package vtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// bytesConn is a connection that gives bytes, some at a time, and has no clock.
type bytesConn struct {
	io.Reader
	net.Conn
}

func (c bytesConn) Read(p []byte) (int, error)    { return c.Reader.Read(p) }
func (bytesConn) SetReadDeadline(time.Time) error { return nil }

func TestFramesComeBackWholeHoweverTheyArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payloads := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 8).Draw(t, "payloads")
		if rapid.Bool().Draw(t, "long") {
			payloads = append(payloads, bytes.Repeat([]byte("x"), rapid.IntRange(0, 200_000).Draw(t, "length")))
		}
		var b []byte
		for _, p := range payloads {
			b = AppendFrame(b, p)
		}
		wrap := rapid.SampledFrom([]func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
		}).Draw(t, "arrival")
		plain := wrap(bytes.NewReader(b))
		owned := frameReader{conn: bytesConn{Reader: wrap(bytes.NewReader(b))}, limit: 1 << 20, frame: time.Hour}
		owned.start()
		defer owned.release()
		viewed := frameReader{conn: bytesConn{Reader: wrap(bytes.NewReader(b))}, limit: 1 << 20, frame: time.Hour, buf: make([]byte, 128)}
		for i, want := range payloads {
			if rapid.Bool().Draw(t, "enlarge") {
				owned.enlarge()
			}
			for how, read := range map[string]func() ([]byte, error){
				"ReadFrame": func() ([]byte, error) { return ReadFrame(plain, 0) }, "next": owned.next, "view": viewed.view,
			} {
				if got, err := read(); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s, frame %d: %d bytes, %v; want %d bytes", how, i, len(got), err, len(want))
				}
			}
		}
		for how, read := range map[string]func() ([]byte, error){
			"ReadFrame": func() ([]byte, error) { return ReadFrame(plain, 0) }, "next": owned.next, "view": viewed.view,
		} {
			if _, err := read(); !errors.Is(err, io.EOF) {
				t.Fatalf("%s at the end: %v", how, err)
			}
		}
	})
}

func TestAFrameThatEndsEarlyIsTruncated(t *testing.T) {
	whole := AppendFrame(nil, []byte("payload"))
	for n := 1; n < len(whole); n++ {
		if _, err := ReadFrame(bytes.NewReader(whole[:n]), 0); !errors.Is(err, ErrTruncated) {
			t.Errorf("ReadFrame of %d bytes: %v", n, err)
		}
		f := frameReader{conn: bytesConn{Reader: bytes.NewReader(whole[:n])}, limit: 100, frame: time.Hour}
		f.start()
		if _, err := f.next(); !errors.Is(err, ErrTruncated) {
			t.Errorf("next of %d bytes: %v", n, err)
		}
		f.release()
	}
}

func TestALengthInTheWrongByteOrderIsNamed(t *testing.T) {
	for header, want := range map[string]string{
		"\x00\x00\x00\x65": "a frame of 101 bytes exceeds the limit of 100",
		"\x64\x00\x00\x00": "a frame of 1677721600 bytes exceeds the limit of 100; read in the other byte order it would be 100: the length must be big-endian",
		"\xff\xff\xff\xff": "a frame of 4294967295 bytes exceeds the limit of 100",
	} {
		_, err := ReadFrame(strings.NewReader(header), 100)
		var over *OversizeError
		if !errors.As(err, &over) || over.Limit != 100 || over.Error() != "vtp: "+want {
			t.Errorf("%x: %v", header, err)
		}
	}
	if _, err := ReadFrame(strings.NewReader("\x00\x00\x00\x64"+strings.Repeat("x", 100)), 100); err != nil {
		t.Errorf("a frame of exactly the limit: %v", err)
	}
}

// A header alone must not cost memory: here 1 GiB is promised and 100 bytes come.
func TestMemoryFollowsTheBytesThatCameNotTheLength(t *testing.T) {
	in := append(binary.BigEndian.AppendUint32(nil, 1<<30), make([]byte, 100)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadFrame(bytes.NewReader(in), 1<<30)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 2, 'a', 'b', 0, 0, 0, 1, 'c'})
	f.Add([]byte{0xff, 0, 0, 0})
	f.Add([]byte{0, 0, 1, 0, 'x'})
	f.Fuzz(func(t *testing.T, in []byte) {
		plain := bytes.NewReader(in)
		owned := frameReader{conn: bytesConn{Reader: iotest.HalfReader(bytes.NewReader(in))}, limit: 4096, frame: time.Hour}
		owned.start()
		defer owned.release()
		viewed := frameReader{conn: bytesConn{Reader: iotest.OneByteReader(bytes.NewReader(in))}, limit: 4096, frame: time.Hour, buf: make([]byte, 16)}
		used := 0
		for {
			a, errA := ReadFrame(plain, 4096)
			b, errB := owned.next()
			c, errC := viewed.view()
			if (errA == nil) != (errB == nil) || (errA == nil) != (errC == nil) || !bytes.Equal(a, b) && errA == nil || !bytes.Equal(a, c) && errA == nil {
				t.Fatalf("three readers differ: %q %v, %q %v, %q %v", a, errA, b, errB, c, errC)
			}
			if errA != nil {
				if endOf(errA) != endOf(errB) || endOf(errA) != endOf(errC) {
					t.Fatalf("three readers end differently: %v, %v, %v", errA, errB, errC)
				}
				return
			}
			if used += headerBytes + len(a); used > len(in) {
				t.Fatal("more came out than went in")
			}
		}
	})
}
