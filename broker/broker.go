package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/broker/filter"
	"tocsin/journal"
	"tocsin/voevent"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Broker is built from. Only Log is required.
type Config struct {
	// Log is the journal. The broker sets its Observe function; its owner
	// closes it after Run has returned.
	Log journal.Log
	// Policy says who may publish what; that of the zero Rules when nil.
	Policy Policy
	// RefuseSameIVORN refuses a notice whose IVORN another kept notice has with
	// other bytes; otherwise it is accepted and flagged.
	RefuseSameIVORN bool
	// Rate limits the submissions of one source; no limit when zero.
	Rate RateLimit
	// Limits bound a submitted notice; the defaults of voevent when zero.
	Limits voevent.Limits
	// FilterLimits bound the filters of subscriptions; the defaults of filter
	// when zero.
	FilterLimits filter.Limits
	// Window is how many deliveries of one subscription may wait for their
	// acknowledgements, WindowBytes how many bytes; 256 and 4 MiB when zero.
	Window      int
	WindowBytes int64
	// CacheBytes bounds the memory for the newest notices, from which followers
	// that are up to date are served; 64 MiB when zero. A quarter as much on
	// top is used for blocks read back from the journal.
	CacheBytes int64
	// ReceiptInterval is how long receipts are gathered before they are written
	// in one transaction; 50 ms when zero.
	ReceiptInterval time.Duration
	// Trim says what the journal keeps, by default 30 days and no limit on the
	// bytes; a negative MaxAge keeps notices for ever. TrimInterval is how often
	// it is looked after, 10 minutes when zero.
	Trim         journal.TrimPolicy
	TrimInterval time.Duration
	// MaxDurable bounds the durable subscriptions that have names, and as many
	// automatic ones; 10,000 when zero.
	MaxDurable int
	// Registerer takes the metrics; none are registered when nil.
	Registerer prometheus.Registerer
	// Logger gets what nobody else is told; nothing is logged when nil.
	Logger *slog.Logger
	// Now gives the time, time.Now when nil.
	Now func() time.Time
}

// Broker takes notices in and gives them to subscriptions. All methods may be
// called by many goroutines at once.
type Broker struct {
	c        Config
	policy   Policy
	throttle *throttle
	names    names
	log      *slog.Logger
	m        *metrics
	ring     *ring
	blocks   *blocks
	writer   writer
	filters  atomic.Int32  // followers that have one
	fresh    chan struct{} // the ring has got more than its followers were told
	started  time.Time
	refusals refusalRing

	mu        sync.Mutex
	followers map[*Follower]struct{}
	durables  map[string]*queue
	running   bool
	stopped   bool
}

func (c *Config) setDefaults() {
	if c.Window <= 0 {
		c.Window = 256
	}
	if c.WindowBytes <= 0 {
		c.WindowBytes = 4 << 20
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = 64 << 20
	}
	if c.ReceiptInterval <= 0 {
		c.ReceiptInterval = 50 * time.Millisecond
	}
	switch {
	case c.Trim.MaxAge == 0:
		c.Trim.MaxAge = 30 * 24 * time.Hour
	case c.Trim.MaxAge < 0:
		c.Trim.MaxAge = 0
	}
	if c.TrimInterval <= 0 {
		c.TrimInterval = 10 * time.Minute
	}
	if c.MaxDurable <= 0 {
		c.MaxDurable = 10000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// New builds a broker on c.Log. Nothing is delivered and no receipt is written
// until Run is called. It fails when the journal cannot be read, or a metric is
// registered already.
func New(c Config) (*Broker, error) {
	if c.Log == nil {
		return nil, errors.New("broker: Config.Log is missing")
	}
	c.setDefaults()
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("broker: registering the metrics: %w", err)
	}
	b := &Broker{
		c: c, policy: c.Policy, throttle: newThrottle(c.Rate), log: c.Logger, m: m,
		fresh: make(chan struct{}, 1), started: c.Now(),
		followers: make(map[*Follower]struct{}), durables: make(map[string]*queue),
		writer: writer{
			log: c.Log, interval: c.ReceiptInterval, logger: c.Logger, m: m,
			signal: make(chan struct{}, 1), many: make(chan struct{}, 1),
		},
	}
	b.blocks = newBlocks(c.Log, c.CacheBytes/4, &b.filters)
	if b.policy == nil {
		b.policy = &rulePolicy{standard: defaultLocal}
	}
	ctx := context.Background() // what is read here is bounded, and nothing works without it
	if err := b.preload(ctx); err != nil {
		return nil, err
	}
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	c.Log.Observe(b.committed)
	if c.Registerer != nil {
		if err := c.Registerer.Register(collector{b}); err != nil {
			return nil, fmt.Errorf("broker: registering the metrics: %w", err)
		}
	}
	return b, nil
}

func (b *Broker) now() time.Time { return b.c.Now() }

// preload fills the ring with the newest notices that do not make a whole block,
// so that what followers read from the journal are whole blocks.
func (b *Broker) preload(ctx context.Context) error {
	_, last := b.c.Log.Bounds()
	after := last / blockSize * blockSize
	b.ring = newRing(b.c.CacheBytes, after)
	for {
		var dst [blockSize]journal.Record
		n, err := b.c.Log.Read(ctx, after, dst[:])
		if err != nil {
			return fmt.Errorf("broker: reading the newest notices: %w", err)
		}
		if n == 0 {
			return nil
		}
		for i := range n {
			b.ring.push([]*Notice{newNotice(dst[i], false)})
		}
		after = dst[n-1].Seq
	}
}

// committed takes what the journal has just made durable. The journal's owner
// calls it: it must be quick.
func (b *Broker) committed(records []journal.Record) {
	now := b.now()
	filtered := b.filters.Load() > 0
	notices := make([]*Notice, 0, len(records))
	for i := range records {
		r := &records[i]
		p, ok := r.Attach.(*pending)
		if !ok { // appended past the broker
			notices = append(notices, newNotice(*r, filtered))
			continue
		}
		n := p.notice
		n.Seq, n.Flags = r.Seq, r.Flags // all else is as it was handed over
		if !filtered {
			n.parsed = &parsed{} // nobody needs the tree, which is far larger than the text
		}
		n.weigh(filtered)
		notices = append(notices, n)
		b.m.appendTime.Observe(now.Sub(p.enqueued).Seconds())
		if n.Invalid() {
			b.m.invalidRelayed.Inc()
		}
		if n.SameIVORN() {
			b.m.sameIVORN.Inc()
		}
		if b.c.RefuseSameIVORN {
			b.names.done(n.Name)
		}
	}
	b.m.accepted.Add(float64(len(notices)))
	b.ring.push(notices)
	poke(b.fresh)
}

// stopWait is how long Run waits for followers that were told to end.
const stopWait = 2 * time.Second

// finishWait is how long Run tries to write the last receipts.
const finishWait = 10 * time.Second

// Run wakes followers, writes receipts, trims the journal and removes automatic
// subscriptions whose time is over, until ctx ends.
// Then it ends the followers that still run (ErrStopped), gives them 2 s to
// return, and writes the last receipts, for which it takes 10 s at most. It
// returns nil when all were written. It may be called once.
func (b *Broker) Run(ctx context.Context) error {
	b.mu.Lock()
	twice := b.running
	b.running = true
	b.mu.Unlock()
	if twice {
		return errors.New("broker: Run was called twice")
	}
	var g sync.WaitGroup
	g.Go(func() { b.wake(ctx) })
	g.Go(func() { b.writer.run(ctx) })
	g.Go(func() { b.trim(ctx) })
	g.Go(func() { b.sweep(ctx) })
	g.Wait()
	b.stopFollowers()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWait)
	defer cancel()
	return b.writer.finish(last)
}

func (b *Broker) wake(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.fresh:
			b.ring.wake()
		}
	}
}

func (b *Broker) stopFollowers() {
	b.mu.Lock()
	b.stopped = true
	all := slices.Collect(maps.Keys(b.followers))
	b.mu.Unlock()
	for _, f := range all {
		f.stop(ErrStopped)
	}
	late := time.NewTimer(stopWait)
	defer late.Stop()
	for i, f := range all {
		select {
		case <-f.done:
		case <-late.C:
			b.log.Warn("followers did not end in time; what they delivered last will be repeated", "followers", len(all)-i)
			return
		}
	}
}

// trim removes from the journal what is older than the policy wants.
func (b *Broker) trim(ctx context.Context) {
	p := b.c.Trim
	if p.MaxAge <= 0 && p.MaxBytes <= 0 {
		return
	}
	tick := time.NewTicker(b.c.TrimInterval)
	defer tick.Stop()
	for {
		p.Now = b.now()
		t, err := b.c.Log.Trim(ctx, p)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			b.log.Error("the journal was not trimmed", "error", err)
		case t.Records > 0:
			b.log.Info("trimmed the journal", "notices", t.Records, "receipts", t.Receipts, "bytes", t.Bytes)
		}
		b.m.trimmedNotices.Add(float64(t.Records))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
