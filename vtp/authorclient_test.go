package vtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

func TestAuthorKeepsManyInFlight(t *testing.T) {
	var q quiet
	d := newDesk()
	addr := serve(t, newAuthorServer(d, &q))
	a := &Author{Remote: Remote{Address: addr.String()}, Window: 16}
	defer a.Close()
	if err := a.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	const n = 1000
	pending := make([]Pending, 0, n)
	for i := range n {
		p, err := a.Start(t.Context(), notice(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	for i, p := range pending {
		if r, err := p.Wait(t.Context()); err != nil || r.IVORN != nameOf(fmt.Sprint(i)) {
			t.Fatalf("%d: %v %v", i, r, err)
		}
	}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			local := fmt.Sprint("by many ", i)
			if r, err := a.Send(t.Context(), notice(local)); err != nil || r.IVORN != nameOf(local) {
				t.Errorf("%v %v", r, err)
			}
		})
	}
	wg.Wait()
	if len(d.from) != n+50 || d.from[0].Remote != d.from[n+49].Remote {
		t.Error("there was more than one connection")
	}
}

func TestAuthorTellsRefusalFromTrouble(t *testing.T) {
	var q quiet
	addr := serve(t, newAuthorServer(newDesk(), &q))
	a := &Author{Remote: Remote{Address: addr.String()}}
	defer a.Close()
	_, err := a.Send(t.Context(), notice("REFUSE"))
	var refusal *RefusalError
	if !errors.As(err, &refusal) || refusal.Reason != "schema" || refusal.IVORN != nameOf("REFUSE") || errors.Is(err, ErrRetry) {
		t.Errorf("%#v", err)
	}
	if _, err = a.Send(t.Context(), notice("BUSY")); !errors.Is(err, ErrRetry) || errors.As(err, &refusal) {
		t.Errorf("%v", err)
	}
	if r, err := a.Send(t.Context(), notice("1")); err != nil || r.IVORN != nameOf("1") {
		t.Errorf("after that: %v %v", r, err)
	}
	big := append(notice("big"), bytes.Repeat([]byte(" "), 3<<20)...)
	if _, err = a.Send(t.Context(), big); !errors.As(err, &refusal) || refusal.Reason != "oversize" || refusal.IVORN != nameOf("big") {
		t.Errorf("%v", err)
	}
	a.Close()
	if _, err = a.Send(t.Context(), notice("1")); !errors.Is(err, ErrAuthorClosed) {
		t.Errorf("after Close: %v", err)
	}
	nobody := &Author{Remote: Remote{Network: "unix", Address: socketPath(t)}}
	defer nobody.Close()
	if _, err = nobody.Send(t.Context(), notice("1")); !errors.Is(err, ErrRetry) {
		t.Errorf("%v", err)
	}
}

// Comet takes one notice per connection and closes it after the ack.
func TestAuthorGetsAlongWithComet(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	var wg sync.WaitGroup
	var mu sync.Mutex
	conns := 0
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				mu.Lock()
				conns++
				mu.Unlock()
				raw, err := ReadFrame(conn, 0)
				if err != nil {
					return
				}
				conn.Write(appendTransport(nil, &Transport{Role: RoleAck, Origin: ivornOf(raw)}))
				linger(conn)
			})
		}
	})
	a := &Author{Remote: Remote{Address: l.Addr().String()}}
	for i := range 200 {
		if r, err := a.Send(t.Context(), notice(fmt.Sprint(i))); err != nil || r.IVORN != nameOf(fmt.Sprint(i)) {
			t.Fatalf("%d: %v %v", i, r, err)
		}
	}
	var many sync.WaitGroup
	for i := range 100 {
		many.Go(func() {
			if _, err := a.Send(t.Context(), notice(fmt.Sprint("x", i))); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	many.Wait()
	a.Close()
	l.Close()
	wg.Wait()
	if conns < 300 {
		t.Errorf("%d connections", conns)
	}
}

func TestAuthorWaitsNoLongerThanItsTimeout(t *testing.T) {
	var q quiet
	d := newDesk()
	addr := serve(t, newAuthorServer(d, &q))
	a := &Author{Remote: Remote{Address: addr.String()}, AckTimeout: 50 * time.Millisecond}
	defer a.Close()
	if _, err := a.Send(t.Context(), notice("HOLD")); !errors.Is(err, ErrRetry) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	slow := &Author{Remote: Remote{Address: addr.String()}}
	if _, err := slow.Send(ctx, notice("HOLD")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	p, err := slow.Start(t.Context(), notice("HOLD"))
	if err != nil {
		t.Fatal(err)
	}
	slow.Close()
	if _, err := p.Wait(t.Context()); !errors.Is(err, ErrRetry) {
		t.Errorf("after Close: %v", err)
	}
	for range 3 {
		d.release <- struct{}{}
	}
}

// fuzzedServer throws bytes at a server in one of its states, and then looks whether another connection still works.
func FuzzAuthorServer(f *testing.F) {
	ok, alive := AppendFrame(nil, notice("1")), appendTransport(nil, &Transport{Role: RoleAlive, Origin: "x"})
	for state := range uint8(4) {
		f.Add(state, []byte{})
		f.Add(state, ok)
		f.Add(state, ok[:len(ok)-3])
		f.Add(state, append(append([]byte{}, ok...), alive...))
		f.Add(state, append([]byte{0xff, 0xff, 0, 0}, ok...))
		f.Add(state, bytes.Repeat([]byte{0}, 64))
		f.Add(state, AppendFrame(nil, notice("REFUSE")))
		f.Add(state, AppendFrame(nil, notice("BUSY")))
	}
	var q quiet
	s := &AuthorServer{Ingester: newDesk(), LocalIVORN: brokerName, Logger: q.logger(), MaxFrameBytes: 4096, FrameTimeout: time.Second}
	addr := serve(f, s)
	f.Fuzz(func(t *testing.T, state uint8, in []byte) {
		if bytes.Contains(in, []byte("PANIC")) || bytes.Contains(in, []byte("HOLD")) {
			t.Skip()
		}
		w := dialWire(t, addr)
		switch state % 4 {
		case 1: // after an ack
			w.send(notice("1"))
			w.expectAck("1")
		case 2: // with receipts in a goroutine of their own
			w.send(notice("1"), notice("2"), notice("3"))
		case 3: // within a frame
			w.bytes(ok[:30])
		}
		w.conn.SetDeadline(time.Now().Add(patience))
		w.conn.Write(in)
		if half, ok := w.conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		// Whatever comes back is frames that can be read.
		for {
			raw, err := ReadFrame(w.conn, 0)
			if err != nil {
				if !errors.Is(err, io.EOF) && !isReset(err) {
					t.Fatalf("the answer ends with %v", err)
				}
				break
			}
			if _, err := ParseTransport(raw); err != nil {
				t.Fatalf("%v: %q", err, raw)
			}
		}
		other := dialWire(t, addr)
		other.send(notice("other"))
		other.expectAck("other")
		if bytes.Contains([]byte(q.String()), []byte("panic")) {
			t.Fatal(q.String())
		}
	})
}

func isReset(err error) bool { return endOf(err) == endPeer }

// FuzzFeedServer does the same to the port of the subscribers.
func FuzzFeedServer(f *testing.F) {
	for state := range uint8(3) {
		f.Add(state, []byte{})
		f.Add(state, AppendFrame(nil, notice("1")))
		for _, m := range messages {
			f.Add(state, AppendFrame(nil, []byte(m.xml)))
		}
		f.Add(state, []byte{0, 0, 0, 0, 0xff})
	}
	var q quiet
	st := newStage()
	s := &FeedServer{Feed: st, LocalIVORN: brokerName, Logger: q.logger(), FrameTimeout: time.Second}
	addr := serve(f, s)
	f.Fuzz(func(t *testing.T, state uint8, in []byte) {
		w := dialWire(t, addr)
		a := got(t, st.followers, "follower")
		switch state % 3 {
		case 1: // with notices on their way
			a.batches <- notices(1, "a", "iamalive", "a")
		case 2: // with wishes
			w.transport(Transport{Role: RoleAuthenticate, Filters: []string{"//a"}, Params: []Param{{"client", "x"}}})
		}
		w.conn.SetDeadline(time.Now().Add(patience))
		w.conn.Write(in)
		w.conn.(interface{ CloseWrite() error }).CloseWrite()
		got(t, a.ended, "end of the follower")
		if n := len(a.acked) + len(a.refused); n > 3 {
			t.Fatalf("%d receipts", n)
		}
		if bytes.Contains([]byte(q.String()), []byte("panic")) {
			t.Fatal(q.String())
		}
	})
}
