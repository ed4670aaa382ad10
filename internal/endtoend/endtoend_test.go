// Package endtoend tries the program as its users do: as a process, over its sockets, with peers that behave badly.
package endtoend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/program"
	"tocsin/internal/testbed"
)

// binary is the program under test, built once.
var binaryPath string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tocsin-endtoend-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaryPath = filepath.Join(dir, "tocsin")
	cmd := exec.Command("go", "build", "-o", binaryPath, "tocsin/cmd/tocsin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	code := 1
	if err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// wait is how long a test waits for anything before it fails; it says nothing about speed.
const wait = 20 * time.Second

// start starts a broker that ends with the test.
func start(t *testing.T, data string, args ...string) *program.Broker {
	t.Helper()
	b, err := program.Start(program.Options{Path: binaryPath, Data: data, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.Kill()
		if t.Failed() {
			t.Logf("the broker's log:\n%s", b.Log())
		}
	})
	return b
}

// A peer is one connection to the broker.
type peer struct {
	t *testing.T
	net.Conn
}

func connect(t *testing.T, port int) *peer {
	t.Helper()
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), wait)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, Conn: c}
}

func (p *peer) send(payload []byte) {
	p.t.Helper()
	if _, err := p.Write(frame(payload)); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// receive returns the next frame's payload, or io.EOF when the broker closed the connection.
func (p *peer) receive() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return nil, closed(err)
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(p, payload)
	return payload, closed(err)
}

// closed makes every way in which a peer closes a connection io.EOF; a time-out stays what it is.
func closed(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return io.EOF
}

// notice is a valid notice of ours.
func notice(stream, local string) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://%s#%s" role="test" version="2.0">
  <Who><AuthorIVORN>ivo://org.example/author</AuthorIVORN><Date>2026-04-06T12:00:00</Date></Who>
  <What><Param name="Packet_Type" value="61"/></What>
</voe:VOEvent>
`, stream, local)
}

// ack is what a subscriber answers to a notice.
func ack(payload []byte) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><trn:Transport role="ack" version="1.0" `+
		`xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1"><Origin>%s</Origin><Response>ivo://org.example/subscriber</Response>`+
		`<TimeStamp>2026-04-06T12:00:00Z</TimeStamp></trn:Transport>`, ivorn(payload))
}

func ivorn(payload []byte) string {
	_, rest, _ := bytes.Cut(payload, []byte(`ivorn="`))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(name)
}

// isNotice tells notices from the transport messages between them.
func isNotice(payload []byte) bool { return bytes.Contains(payload, []byte("VOEvent")) }

// role is the role of a transport message.
func role(payload []byte) string {
	for _, r := range []string{"ack", "nak", "iamalive", "authenticate"} {
		if bytes.Contains(payload, []byte(`role="`+r+`"`)) {
			return r
		}
	}
	return ""
}

// A collector is a well-behaved subscriber that keeps what it gets.
type collector struct {
	p    *peer
	got  chan string
	done chan struct{}
}

// collect subscribes; meta is what stands inside Meta of its authenticate answer, if anything.
func collect(t *testing.T, port int, meta string) *collector {
	t.Helper()
	c := &collector{p: connect(t, port), got: make(chan string, 1<<16), done: make(chan struct{})}
	greeting, err := c.p.receive()
	if err != nil || role(greeting) != "authenticate" {
		t.Fatalf("a subscriber is greeted with %q, %v", greeting, err)
	}
	if meta != "" {
		// A subscriber that names its client is told what was made of its wishes. What waited for it may come before that.
		c.p.send([]byte(authenticate(`<Param name="client" value="a test"/>` + meta)))
		for {
			answer, err := c.p.receive()
			if err == nil && isNotice(answer) {
				c.got <- ivorn(answer)
				c.p.send(ack(answer))
				continue
			}
			if err == nil && role(answer) == "iamalive" { // asked of those for whom something waits
				continue
			}
			if err != nil || role(answer) != "authenticate" {
				t.Fatalf("the wishes were answered with %q, %v", answer, err)
			}
			break
		}
	}
	go func() {
		defer close(c.done)
		for {
			payload, err := c.p.receive()
			if err != nil {
				return
			}
			if !isNotice(payload) {
				continue
			}
			c.got <- ivorn(payload)
			if _, err := c.p.Write(frame(ack(payload))); err != nil {
				return
			}
		}
	}()
	return c
}

func authenticate(meta string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><trn:Transport role="authenticate" version="1.0" ` +
		`xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1"><Origin>ivo://org.example/broker</Origin>` +
		`<Response>ivo://org.example/subscriber</Response><TimeStamp>2026-04-06T12:00:00Z</TimeStamp><Meta>` + meta + `</Meta></trn:Transport>`
}

// expect waits for these notices, in this order and with nothing between.
func (c *collector) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-c.got:
			if got != w {
				t.Fatalf("the subscriber got %s, not %s", got, w)
			}
		case <-time.After(wait):
			t.Fatalf("the subscriber did not get %s", w)
		}
	}
}

// submit sends one notice on a connection of its own and returns the answer.
func submit(t *testing.T, port int, payload []byte) ([]byte, error) {
	t.Helper()
	p := connect(t, port)
	defer p.Close()
	p.send(payload)
	return p.receive()
}

// submitOK sends a notice that must be acknowledged.
func submitOK(t *testing.T, port int, payload []byte) {
	t.Helper()
	answer, err := submit(t, port, payload)
	if err != nil || role(answer) != "ack" {
		t.Fatalf("%s: %v %s", ivorn(payload), err, answer)
	}
}

func TestANoticeReachesEverySubscriberBitForBit(t *testing.T) {
	b := start(t, t.TempDir())
	subscriber := connect(t, b.Feed)
	if greeting, err := subscriber.receive(); err != nil || role(greeting) != "authenticate" {
		t.Fatalf("greeting %q, %v", greeting, err)
	}
	// Odd but legal: single quotes, a comment behind the root, CRLF and a character reference.
	sent := []byte("<?xml version='1.0' encoding='UTF-8'?>\r\n<voe:VOEvent xmlns:voe=\"http://www.ivoa.net/xml/VOEvent/v2.0\"\r\n" +
		" role='test' version=\"2.0\" ivorn=\"ivo://org.example/odd#1\"><Description>caf&#233; <![CDATA[<b>]]></Description></voe:VOEvent><!-- kept -->\r\n")
	submitOK(t, b.Author, sent)
	got, err := subscriber.receive()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("the subscriber got other bytes than the author sent:\n%q\n%q", got, sent)
	}
}

func TestRealNoticesReachSubscribersBitForBit(t *testing.T) {
	corpus := testbed.Corpus(t, "voevent")
	files, err := filepath.Glob(filepath.Join(corpus, "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no notices in the corpus: %v", err)
	}
	// A relaying listener, because the corpus holds notices that break the standard and were sent all the same.
	b := start(t, t.TempDir(), "--listen", "vtp-author://127.0.0.1:0?mode=relay&name=relay")
	subscriber := connect(t, b.Feed)
	if _, err := subscriber.receive(); err != nil {
		t.Fatal(err)
	}
	relay := b.Port("relay")
	acked, refused := 0, 0
	seen := make(map[string]bool)
	for _, f := range files {
		sent, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := submit(t, relay, sent)
		if err != nil {
			t.Fatalf("%s: no answer: %v", filepath.Base(f), err)
		}
		if role(answer) != "ack" {
			refused++
			t.Logf("%s: %s", filepath.Base(f), result(answer))
			continue
		}
		acked++
		if seen[string(sent)] || strings.Contains(result(answer), "already") {
			continue
		}
		seen[string(sent)] = true
		got, err := subscriber.receive()
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(f), err)
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%s: the subscriber got other bytes", filepath.Base(f))
		}
		subscriber.send(ack(got))
	}
	t.Logf("%d acknowledged, %d refused", acked, refused)
	if refused > 8 { // the files that are no XML, and one that is no VOEvent
		t.Errorf("%d of %d real notices were refused", refused, len(files))
	}
}

// result is the text of a Transport message's Result.
func result(payload []byte) string {
	_, rest, _ := bytes.Cut(payload, []byte("<Result>"))
	text, _, _ := bytes.Cut(rest, []byte("</Result>"))
	return string(text)
}
