package endtoend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every kind of bad input, each on a connection of its own, while a good author and a good subscriber go on: each bad
// peer gets the answer that the standard and VTP.md ask for, and the good ones lose nothing.
func TestBadInputIsAnsweredAndDisturbsNobody(t *testing.T) {
	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(config, []byte(`policy:
  default: allow
  rules:
    - {action: deny, streams: ["nasa.gsfc.gcn/*"]}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	b := start(t, t.TempDir(), "--config", config)
	good := collect(t, b.Feed, "")

	stop := make(chan struct{})
	var sent []string
	var wg sync.WaitGroup
	wg.Go(func() {
		p := connect(t, b.Author)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			n := notice("org.example/good", fmt.Sprint(i))
			if _, err := p.Write(frame(n)); err != nil {
				t.Errorf("the good author: %v", err)
				return
			}
			answer, err := p.receive()
			if err != nil || role(answer) != "ack" {
				t.Errorf("the good author got %v %s", err, answer)
				return
			}
			sent = append(sent, ivorn(n))
		}
	})

	body := func(s string) []byte {
		return []byte(strings.Replace(string(notice("org.example/bad", "1")), "</voe:VOEvent>", s+"</voe:VOEvent>", 1))
	}
	edit := func(old, new string) []byte {
		return []byte(strings.Replace(string(notice("org.example/bad", "2")), old, new, 1))
	}
	for _, c := range []struct {
		name   string
		bytes  []byte // the whole of what is written, frame and all
		reason string // of the nak; empty: the connection is closed without an answer
	}{
		{"not XML", frame([]byte("hello")), "not-well-formed"},
		{"empty frame", frame(nil), "not-well-formed"},
		{"binary", frame(make([]byte, 500)), "not-well-formed"},
		{"two documents", frame(append(notice("org.example/bad", "3"), notice("org.example/bad", "4")...)), "not-well-formed"},
		{"duplicate attribute", frame(edit(`role="test"`, `role="test" role="observation"`)), "not-well-formed"},
		{"undefined prefix", frame(body("<x:y/>")), "not-well-formed"},
		{"UTF-8 that is none", frame(body("<Description>caf\xe9</Description>")), "not-well-formed"},
		{"unknown encoding", frame(edit(`encoding="UTF-8"`, `encoding="EBCDIC-US"`)), "not-well-formed"},
		{"DOCTYPE", frame(edit("<voe:VOEvent", `<!DOCTYPE VOEvent SYSTEM "http://127.0.0.1:9/x.dtd"><voe:VOEvent`)), "doctype"},
		{"entities", frame(edit("<voe:VOEvent", `<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><voe:VOEvent`)), "doctype"},
		{"unknown role", frame(edit(`role="test"`, `role="observe"`)), "role"},
		{"no IVORN", frame(edit(`ivorn="ivo://org.example/bad#2"`, "")), "ivorn"},
		{"IVORN without local part", frame(edit("#2", "")), "ivorn"},
		{"unauthorised stream", frame(notice("nasa.gsfc.gcn/SWIFT", "1")), "unauthorized"},
		{"element the schema does not know", frame(body("<Extra/>")), "schema"},
		{"deep nesting", frame(body(strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000))), "oversize"},
		{"oversize", append(binary.BigEndian.AppendUint32(nil, 64<<20), notice("org.example/bad", "5")...), "oversize"},
		{"wrong byte order", append(binary.LittleEndian.AppendUint32(nil, 300), notice("org.example/bad", "6")...), "oversize"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := connect(t, b.Author)
			if _, err := p.Write(c.bytes); err != nil {
				t.Fatal(err)
			}
			answer, err := p.receive()
			if c.reason == "" {
				if !errors.Is(err, io.EOF) {
					t.Errorf("got %v %s", err, answer)
				}
				return
			}
			if err != nil {
				t.Fatalf("no nak: %v", err)
			}
			if role(answer) != "nak" || !strings.Contains(string(answer), `name="reason" value="`+c.reason+`"`) || result(answer) == "" {
				t.Errorf("the answer is no nak with reason %s and a text: %s", c.reason, answer)
			}
		})
	}

	t.Run("truncated", func(t *testing.T) {
		p := connect(t, b.Author)
		if _, err := p.Write(frame(notice("org.example/bad", "7"))[:100]); err != nil {
			t.Fatal(err)
		}
		_ = p.Close()
	})
	t.Run("never reads", func(t *testing.T) {
		p := connect(t, b.Feed) // left open and unread until the test ends
		_ = p
	})
	t.Run("one byte at a time", func(t *testing.T) {
		p := connect(t, b.Author)
		for _, c := range frame(notice("org.example/bad", "8"))[:20] {
			if _, err := p.Write([]byte{c}); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("XPath bomb", func(t *testing.T) {
		p := connect(t, b.Feed)
		p.send([]byte(authenticate(`<Param name="xpath-filter" value="//*[count(//*[count(//*[count(//*[count(//*)>9999])>9999])>9999])>9999]"/>`)))
	})
	t.Run("garbage on the subscribers' port", func(t *testing.T) {
		p := connect(t, b.Feed)
		for range 50 {
			if _, err := p.Write(frame([]byte("<rubbish"))); err != nil {
				return // it may be shown the door
			}
		}
	})

	// The good ones go on for a while beside those that are still there.
	<-time.After(500 * time.Millisecond)
	close(stop)
	wg.Wait()
	if len(sent) == 0 {
		t.Fatal("the good author sent nothing")
	}
	good.expect(t, sent...)
}

// A full disk: authors get a close, never an ack; what was acknowledged stays; the broker goes on when there is room.
func TestDiskFull(t *testing.T) {
	data := t.TempDir()
	b := start(t, data)
	submitOK(t, b.Author, notice("org.example/disk", "before"))
	if err := b.LimitFileBytes(64 << 10); err != nil {
		t.Skipf("no way to limit files here: %v", err)
	}
	acked := []string{"ivo://org.example/disk#before"}
	refusals := 0
	for i := 0; i < 2000 && refusals < 5; i++ {
		// Incompressible, so that the disk fills soon.
		n := notice("org.example/disk", fmt.Sprintf("%d-%s", i, noise(i)))
		switch answer, err := submit(t, b.Author, n); {
		case err == nil && role(answer) == "ack":
			acked = append(acked, ivorn(n))
		case err == nil:
			t.Fatalf("an author must never be told nak for a full disk: %s", answer)
		default:
			refusals++
		}
	}
	if refusals == 0 {
		t.Fatal("the disk never was full")
	}
	if err := b.LimitFileBytes(-1); err != nil {
		t.Fatal(err)
	}
	submitOK(t, b.Author, notice("org.example/disk", "after"))
	acked = append(acked, "ivo://org.example/disk#after")

	// Everything acknowledged is there, now and after a restart; nothing else came in between in another order.
	for restarted := range 2 {
		if restarted == 1 {
			if err := b.Kill(); err != nil {
				t.Fatal(err)
			}
			b = start(t, data)
		}
		c := collect(t, b.Feed, `<Param name="since" value="2020-01-01T00:00:00Z"/>`)
		want := acked
		for len(want) > 0 {
			select {
			case got := <-c.got:
				if got == want[0] {
					want = want[1:]
				}
			case <-time.After(wait):
				t.Fatalf("acknowledged but not delivered: %s (restarted: %d)", want[0], restarted)
			}
		}
		_ = c.p.Close()
		<-c.done
	}
}

// noise is text that does not compress, the same for the same seed.
func noise(seed int) string {
	x := uint64(seed)*0x9E3779B97F4A7C15 + 1
	var b strings.Builder
	for range 200 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%016x", x)
	}
	return b.String()
}

// kill -9 in the midst of acknowledged work: a subscriber whose subscription outlives its connection gets the rest.
func TestKillNineLosesNothing(t *testing.T) {
	data := t.TempDir()
	durable := `<Param name="subscription" value="night"/>`
	b := start(t, data)
	c := collect(t, b.Feed, durable)
	var sent []string
	send := func(n int) {
		for range n {
			m := notice("org.example/kill", fmt.Sprint(len(sent)))
			submitOK(t, b.Author, m)
			sent = append(sent, ivorn(m))
		}
	}
	send(20)
	c.expect(t, sent...)
	_ = c.p.Close()
	<-c.done
	send(20) // while the subscriber is away
	for range 3 {
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		b = start(t, data)
		send(5)
	}
	c = collect(t, b.Feed, durable)
	want := sent[20:]
	for len(want) > 0 {
		select {
		case got := <-c.got:
			switch {
			case got == want[0]:
				want = want[1:]
			case len(want) == len(sent[20:]): // repeats of what was not settled when the broker died may come first
			default:
				t.Fatalf("got %s, want %s", got, want[0])
			}
		case <-time.After(wait):
			t.Fatalf("never came: %s", want[0])
		}
	}
}
