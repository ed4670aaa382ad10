package broker

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/journal"
	"tocsin/voevent"
)

// Config is what a Broker is built from. Only Log is required.
type Config struct {
	// Log is the journal. The broker sets its Observe function; its owner
	// closes it after Run has returned.
	Log journal.Log
	// Policy says who may publish what. Nil lets any author publish whose
	// connection comes from this machine, and every upstream broker.
	Policy Policy
	// RefuseSameIVORN refuses a notice whose IVORN another kept notice has with
	// other bytes; otherwise it is accepted and flagged.
	RefuseSameIVORN bool
	// Rate limits the submissions of one source; no limit when zero.
	Rate RateLimit
	// Limits bound a submitted notice; the defaults of voevent when zero.
	Limits voevent.Limits
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
	// MaxDurable bounds the durable subscriptions, 10,000 when zero.
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
	c Config
}

// New builds a broker on c.Log. Nothing is delivered and no receipt is written
// until Run is called.
func New(c Config) (*Broker, error) {
	panic("broker: New is being written")
}

// Run wakes followers, writes receipts and trims the journal until ctx ends.
// Then it ends the followers that still run (ErrStopped), gives them 2 s to
// return, and writes the last receipts. It returns nil when all were written.
// It may be called once.
func (b *Broker) Run(ctx context.Context) error {
	panic("broker: Run is being written")
}
