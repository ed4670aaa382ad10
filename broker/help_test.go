package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/journal"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// All journals share their compressors, which are made when they are first
	// used: that must not happen within the bubble of one test.
	dir, err := os.MkdirTemp("", "tocsin-broker")
	if err != nil {
		panic(err)
	}
	log, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{NoSync: true})
	if err != nil {
		panic(err)
	}
	var back [1]journal.Record
	if _, err = log.Append(context.Background(), journal.Record{Name: "first", Raw: padded(0)}); err == nil {
		_, err = log.Read(context.Background(), 0, back[:])
	}
	if err != nil {
		panic(err)
	}
	log.Close()
	os.RemoveAll(dir)
	goleak.VerifyTestMain(m)
}

// raw gives a valid notice; equal arguments give equal bytes.
func raw(stream, local string, params ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.ivoa.net/xml/VOEvent/v2.0 http://www.ivoa.net/xml/VOEvent/VOEvent-v2.0.xsd"
  ivorn="ivo://%s#%s" role="observation" version="2.0">
  <Who><AuthorIVORN>ivo://example.org/author</AuthorIVORN><Date>2026-11-21T11:00:00</Date></Who>
  <What>
`, stream, local)
	for i, p := range params {
		fmt.Fprintf(&b, "    <Param name=\"p%d\" value=\"%s\"/>\n", i, p)
	}
	b.WriteString("    <Description>A notice for tests.</Description>\n  </What>\n</voe:VOEvent>\n")
	return b.Bytes()
}

const stream = "example.org/stream"

func nth(i int) []byte { return raw(stream, fmt.Sprintf("n%d", i)) }

// padded gives a notice of about 6.3 kB, the size of a Swift BAT notice.
func padded(i int) []byte {
	params := make([]string, 150)
	for j := range params {
		params[j] = fmt.Sprintf("value-%d", j)
	}
	return raw(stream, fmt.Sprintf("padded%d", i), params...)
}

var here = Source{Listener: "authors", Remote: "127.0.0.1:4711"}

func submission(b []byte) Submission { return Submission{Raw: b, Source: here} }

// house is a broker on a journal in a folder of the test.
type house struct {
	*Broker
	log  journal.Log
	path string
	stop func() // ends Run and waits for it; the journal stays open
}

func openLog(t testing.TB, path string) journal.Log {
	t.Helper()
	log, err := journal.Open(path, journal.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

func start(t testing.TB, c Config) *house {
	t.Helper()
	h := &house{log: c.Log}
	if c.Log == nil {
		h.path = filepath.Join(t.TempDir(), "journal.db")
		h.log = openLog(t, h.path)
		c.Log = h.log
	}
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	h.Broker = b
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Run(ctx); err != nil && !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	}()
	h.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(h.stop)
	return h
}

func (h *house) ingest(t testing.TB, raws ...[]byte) []journal.Seq {
	t.Helper()
	var seqs []journal.Seq
	var pendings []Pending
	for _, b := range raws {
		p, err := h.Submit(t.Context(), submission(b))
		if err != nil {
			t.Fatal(err)
		}
		pendings = append(pendings, p)
	}
	for _, p := range pendings {
		a, err := p.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, a.Seq)
	}
	return seqs
}

func some(from, n int) [][]byte {
	var all [][]byte
	for i := range n {
		all = append(all, nth(from+i))
	}
	return all
}

// reader is a sink that keeps what it gets, and acknowledges it when ack is set.
type reader struct {
	ack bool
	f   *Follower

	mu   sync.Mutex
	got  []Notice
	more chan struct{}
}

func newReader(ack bool) *reader { return &reader{ack: ack, more: make(chan struct{})} }

func (r *reader) Deliver(_ context.Context, batch []*Notice) error {
	r.mu.Lock()
	for _, n := range batch {
		r.got = append(r.got, *n)
	}
	close(r.more)
	r.more = make(chan struct{})
	f := r.f
	r.mu.Unlock()
	if r.ack {
		for _, n := range batch {
			f.Acked(n.Seq)
		}
	}
	return nil
}

// first waits until at least n notices came and gives all that did.
func (r *reader) first(t testing.TB, n int) []Notice {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		got, more := slices.Clip(r.got), r.more
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("only %d of %d notices came", len(got), n)
		}
	}
}

// following is a follower whose Run runs.
type following struct {
	*Follower
	*reader
	end func() error // ends Run and gives its error
}

// follow follows with a sink that keeps everything.
func (h *house) follow(t testing.TB, s Subscription, ack bool) *following {
	t.Helper()
	r := newReader(ack)
	f, err := h.Follow(t.Context(), s, r)
	if err != nil {
		t.Fatal(err)
	}
	r.f = f
	return &following{Follower: f, reader: r, end: run(t, f)}
}

// run runs a follower and gives what ends it.
func run(t testing.TB, f *Follower) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- f.Run(ctx) }()
	end := sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { end() })
	return end
}

// until waits for a condition that other goroutines bring about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func seqsOf(ns []Notice) []journal.Seq {
	var out []journal.Seq
	for _, n := range ns {
		out = append(out, n.Seq)
	}
	return out
}

// receiptsOf gives the receipts of one subscription, in order.
func (h *house) receiptsOf(t testing.TB, id string) []journal.Receipt {
	t.Helper()
	var out []journal.Receipt
	err := h.log.Receipts(context.Background(), 0, func(_ uint64, s string, r journal.Receipt) error {
		if s == id {
			out = append(out, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (h *house) cursorOf(t testing.TB, id string) journal.Seq {
	t.Helper()
	c, _, err := h.log.Cursor(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q does not say %q", text, p)
		}
	}
}
