package endtoend

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/internal/program"
)

// A pygcn is a subscriber that cannot name a subscription: it passes over the greeting, answers iamalives, and
// acknowledges notices for as long as it is told to.
type pygcn struct {
	p    *peer
	got  chan string
	done chan struct{}
}

func newPygcn(t *testing.T, port int, acks bool) *pygcn {
	t.Helper()
	c := &pygcn{p: connect(t, port), got: make(chan string, 1<<10), done: make(chan struct{})}
	if greeting, err := c.p.receive(); err != nil || role(greeting) != "authenticate" {
		t.Fatalf("a subscriber is greeted with %q, %v", greeting, err)
	}
	go func() {
		defer close(c.done)
		for {
			payload, err := c.p.receive()
			if err != nil {
				return
			}
			var answer []byte
			switch {
			case isNotice(payload):
				if acks {
					answer = ack(payload)
				}
			case role(payload) == "iamalive":
				answer = []byte(strings.Replace(authenticate(""), "authenticate", "iamalive", 1))
			}
			if answer != nil {
				if _, err := c.p.Write(frame(answer)); err != nil {
					return
				}
			}
			if isNotice(payload) {
				c.got <- ivorn(payload)
			}
		}
	}()
	return c
}

func (c *pygcn) expect(t *testing.T, want ...string) {
	t.Helper()
	(&collector{got: c.got}).expect(t, want...)
}

// hangUp ends the connection and waits until the broker keeps the place of so many subscribers.
func (c *pygcn) hangUp(t *testing.T, b *program.Broker, waiting float64) {
	t.Helper()
	_ = c.p.Close()
	<-c.done
	awaitMetric(t, b, `tocsin_subscriptions{state="waiting"}`, waiting)
}

// metric reads one value from the broker's metrics.
func metric(t *testing.T, b *program.Broker, name string) float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", b.HTTP), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func awaitMetric(t *testing.T, b *program.Broker, name string, want float64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	for {
		v := metric(t, b, name)
		if v == want {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s is %v, not %v", name, v, want)
		}
	}
}

// A subscriber that cannot name a subscription loses nothing when its line breaks or the broker is killed.
func TestAnUnnamedSubscriberMissesNothing(t *testing.T) {
	const stream = "org.example/resume"
	name := func(local string) string { return "ivo://" + stream + "#" + local }
	data := t.TempDir()
	b := start(t, data)
	c := newPygcn(t, b.Feed, true)
	submitOK(t, b.Author, notice(stream, "1"))
	c.expect(t, name("1"))

	// The line breaks.
	c.hangUp(t, b, 1)
	submitOK(t, b.Author, notice(stream, "2"))
	submitOK(t, b.Author, notice(stream, "3"))
	c = newPygcn(t, b.Feed, true)
	submitOK(t, b.Author, notice(stream, "4"))
	c.expect(t, name("2"), name("3"), name("4"))

	// The broker is killed while the subscriber is away.
	c.hangUp(t, b, 1)
	submitOK(t, b.Author, notice(stream, "5"))
	awaitMetric(t, b, "tocsin_receipts_unsaved", 0) // else the kill may forget acknowledgements, and repeat
	_ = b.Kill()
	b = start(t, data)
	c = newPygcn(t, b.Feed, false)
	c.expect(t, name("5"))

	// And while it has something that it has not acknowledged.
	submitOK(t, b.Author, notice(stream, "6"))
	c.expect(t, name("6"))
	_ = b.Kill()
	<-c.done
	b = start(t, data)
	c = newPygcn(t, b.Feed, true)
	submitOK(t, b.Author, notice(stream, "7"))
	c.expect(t, name("5"), name("6"), name("7"))
	if n := metric(t, b, "tocsin_redeliveries_total"); n != 2 {
		t.Errorf("%v repeats are counted, not 2", n)
	}

	// An orderly end makes no difference.
	c.hangUp(t, b, 1)
	submitOK(t, b.Author, notice(stream, "8"))
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	b = start(t, data)
	newPygcn(t, b.Feed, true).expect(t, name("8"))
}

func TestResumeIsPerListenerAndFirstComeFirstServed(t *testing.T) {
	const stream = "org.example/resume"
	name := func(local string) string { return "ivo://" + stream + "#" + local }
	b := start(t, t.TempDir(), "--listen", "vtp-feed://127.0.0.1:0?name=live&resume_s=0")
	first, second, live := newPygcn(t, b.Feed, true), newPygcn(t, b.Feed, true), newPygcn(t, b.Port("live"), true)
	submitOK(t, b.Author, notice(stream, "1"))
	for _, c := range []*pygcn{first, second, live} {
		c.expect(t, name("1"))
	}
	_ = live.p.Close()
	_ = second.p.Close()
	first.hangUp(t, b, 1)
	awaitMetric(t, b, `tocsin_subscriptions{state="following"}`, 0)
	submitOK(t, b.Author, notice(stream, "2"))
	first, second, live = newPygcn(t, b.Feed, true), newPygcn(t, b.Feed, true), newPygcn(t, b.Port("live"), true)
	submitOK(t, b.Author, notice(stream, "3"))
	first.expect(t, name("2"), name("3"))
	second.expect(t, name("3"))
	live.expect(t, name("3"))
}
