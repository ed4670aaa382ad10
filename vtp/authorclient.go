package vtp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// An Author hands notices in to a broker. It opens its connection when it is first needed, keeps it, and opens it anew
// after a loss; a broker that closes after every receipt, as Comet does, is noticed and gets one connection per notice.
// Its methods may be used by several goroutines.
type Author struct {
	// Remote is the broker's author port; required.
	Remote Remote
	// Window is how many notices may be without a receipt; default 64.
	Window int
	// AckTimeout is how long the broker may take for a receipt; default 30 s.
	AckTimeout time.Duration

	once   sync.Once
	slots  chan struct{} // one for each notice without a receipt
	dialer chan struct{} // held while link is looked at or made
	link   *link         // guarded by dialer; nil before the first
	closed bool          // likewise

	mu      sync.Mutex
	single  bool               // the broker closes after each receipt
	links   map[*link]struct{} // those that are open
	reading sync.WaitGroup
}

// singleWithin is how soon after its first receipt a broker closes that does so each time.
const singleWithin = time.Second

// ErrAuthorClosed is what the methods of an Author return after Close.
var ErrAuthorClosed = errors.New("vtp: author closed")

// errKept goes with ErrRetry when a connection was lost that had been used before: the broker may have closed it while
// the notice was on its way, so that trying once more is worth it.
var errKept = fmt.Errorf("%w: a kept connection was closed", ErrRetry)

func (a *Author) init() {
	a.slots = make(chan struct{}, orDefault(a.Window, 64))
	a.dialer = make(chan struct{}, 1)
	a.links = map[*link]struct{}{}
}

// Dial opens the connection now, to find out early whether there is a broker. It is not necessary.
func (a *Author) Dial(ctx context.Context) error {
	a.once.Do(a.init)
	_, err := a.connect(ctx, false)
	return err
}

// Send hands one notice in and waits for its receipt. A nak is a *RefusalError and final. Errors that match ErrRetry mean
// that nobody can say whether the broker has the notice: it is right to send the same bytes again.
func (a *Author) Send(ctx context.Context, raw []byte) (Receipt, error) {
	for again := true; ; again = false {
		p, err := a.Start(ctx, raw)
		if err != nil {
			return Receipt{}, err
		}
		r, err := p.Wait(ctx)
		if again && errors.Is(err, errKept) {
			continue
		}
		return r, err
	}
}

// Start hands one notice in and leaves its receipt to be waited for, so that one goroutine can keep many in flight. It
// waits only while the window is full. The bytes of raw must not change before the receipt. The Pending also has a method Ready.
func (a *Author) Start(ctx context.Context, raw []byte) (Pending, error) {
	a.once.Do(a.init)
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t := &ticket{ivorn: ivornOf(raw), done: make(chan struct{}), slots: a.slots}
	l, err := a.connect(ctx, true)
	if err != nil {
		<-a.slots
		return nil, err
	}
	l.send(t, raw)
	return t, nil
}

// connect returns the connection, which it makes when there is none or a new one is needed for each notice; claim says
// that a notice will be sent on it.
func (a *Author) connect(ctx context.Context, claim bool) (*link, error) {
	select {
	case a.dialer <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-a.dialer }()
	if a.closed {
		return nil, ErrAuthorClosed
	}
	a.mu.Lock()
	single := a.single
	a.mu.Unlock()
	if a.link != nil && a.link.usable(claim) {
		return a.link, nil
	}
	conn, err := dial(ctx, a.Remote)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRetry, err)
	}
	l := &link{author: a, conn: conn, single: single, timeout: orDefault(a.AckTimeout, 30*time.Second), writing: make(chan struct{}, 1)}
	l.usable(claim)
	a.link = l
	a.mu.Lock()
	a.links[l] = struct{}{}
	a.mu.Unlock()
	a.reading.Add(1)
	go l.read()
	return l, nil
}

// Close closes the connection; notices without a receipt fail with ErrRetry.
func (a *Author) Close() error {
	a.once.Do(a.init)
	a.dialer <- struct{}{}
	a.closed = true
	<-a.dialer
	a.mu.Lock()
	links := slices.Collect(maps.Keys(a.links))
	a.mu.Unlock()
	for _, l := range links {
		l.lose(ErrAuthorClosed)
	}
	a.reading.Wait()
	return nil
}

// A link is one connection of an Author.
type link struct {
	author  *Author
	conn    net.Conn
	single  bool // for one notice only
	timeout time.Duration
	writing chan struct{} // held while writing, so that tickets are in the order of the writes

	mu      sync.Mutex // guards what follows
	waiting []*ticket
	used    int // notices it is meant for
	served  int // receipts got
	last    time.Time
	lost    error
}

// usable says whether another notice may go out on the link, and if so takes its place when claim is true.
func (l *link) usable(claim bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil || l.single && l.used > 0 {
		return false
	}
	if claim {
		l.used++
	}
	return true
}

// send writes a notice; what goes wrong is told by the ticket.
func (l *link) send(t *ticket, raw []byte) {
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	l.mu.Lock()
	if l.lost != nil {
		l.mu.Unlock()
		t.settle(Receipt{}, errKept)
		return
	}
	t.kept = l.served > 0
	l.waiting = append(l.waiting, t)
	if len(l.waiting) == 1 {
		_ = l.conn.SetReadDeadline(time.Now().Add(l.timeout))
	}
	l.mu.Unlock()
	buf, _ := largeBuffers.Get().(*[]byte)
	frame := AppendFrame((*buf)[:0], raw)
	err := l.conn.SetWriteDeadline(time.Now().Add(l.timeout))
	if err == nil {
		_, err = l.conn.Write(frame)
	}
	largeBuffers.Put(buf)
	if err != nil {
		// What was refused may still come with a reason: the reader finds it before the end.
		_ = l.conn.SetReadDeadline(time.Now().Add(min(l.timeout, lingerLimit)))
	}
}

// read takes receipts until the connection ends.
func (l *link) read() {
	defer l.author.reading.Done()
	in := bufio.NewReader(l.conn)
	for {
		raw, err := ReadFrame(in, 0)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no receipt within %v", l.timeout)
		}
		if err != nil {
			l.ended(err)
			return
		}
		t, err := parseTransport(raw)
		switch {
		case err != nil || t.Role == RoleAuthenticate:
		case t.Role == RoleAlive:
			l.writing <- struct{}{}
			_ = l.conn.SetWriteDeadline(time.Now().Add(l.timeout))
			_, _ = l.conn.Write(appendTransport(nil, &Transport{Role: RoleAlive, Origin: t.Origin}))
			<-l.writing
		default:
			l.receipt(&t)
		}
	}
}

// receipt settles the notice a receipt belongs to: the oldest of its name, else the oldest.
func (l *link) receipt(t *Transport) {
	l.mu.Lock()
	if len(l.waiting) == 0 {
		l.mu.Unlock()
		return
	}
	at := 0
	for i, w := range l.waiting {
		if w.ivorn != "" && w.ivorn == t.Origin {
			at = i
			break
		}
	}
	w := l.waiting[at]
	copy(l.waiting[at:], l.waiting[at+1:])
	l.waiting[len(l.waiting)-1] = nil
	l.waiting = l.waiting[:len(l.waiting)-1]
	l.served++
	l.last = time.Now()
	deadline := time.Time{}
	if len(l.waiting) > 0 {
		deadline = l.last.Add(l.timeout)
	}
	_ = l.conn.SetReadDeadline(deadline)
	l.mu.Unlock()
	if t.Role == RoleNak {
		e := &RefusalError{IVORN: t.Origin, Reason: t.Reason(), Text: t.Result}
		w.settle(Receipt{}, e)
	} else {
		w.settle(Receipt{IVORN: t.Origin, Result: t.Result}, nil)
	}
	if l.single {
		l.lose(io.EOF)
	}
}

// ended notes how the broker ended the connection.
func (l *link) ended(err error) {
	l.mu.Lock()
	if l.served == 1 && errors.Is(err, io.EOF) && time.Since(l.last) < singleWithin && l.lost == nil {
		l.author.mu.Lock()
		l.author.single = true
		l.author.mu.Unlock()
	}
	l.mu.Unlock()
	l.lose(err)
}

// lose closes the connection and tells those who wait.
func (l *link) lose(err error) {
	l.mu.Lock()
	if l.lost == nil {
		l.lost = err
	}
	waiting := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	_ = l.conn.Close()
	l.author.mu.Lock()
	delete(l.author.links, l)
	l.author.mu.Unlock()
	for _, t := range waiting {
		if t.kept && !errors.Is(err, ErrAuthorClosed) {
			t.settle(Receipt{}, fmt.Errorf("%w: %w", errKept, err))
		} else {
			t.settle(Receipt{}, fmt.Errorf("%w: the connection was lost before the receipt: %w", ErrRetry, err))
		}
	}
}

// A ticket is a notice handed in whose receipt is to come.
type ticket struct {
	ivorn   string
	kept    bool // sent on a connection that had served before
	done    chan struct{}
	slots   chan struct{}
	receipt Receipt
	err     error
}

func (t *ticket) settle(r Receipt, err error) {
	t.receipt, t.err = r, err
	close(t.done)
	<-t.slots
}

// Wait waits for the receipt.
func (t *ticket) Wait(ctx context.Context) (Receipt, error) {
	select {
	case <-t.done:
		return t.receipt, t.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

// Ready says whether the receipt is there.
func (t *ticket) Ready() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}
