package vtp

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Subscriber gets notices from one or more brokers, reconnecting for as long as it runs.
type Subscriber struct {
	// Remotes are the subscriber ports of the brokers; at least one.
	Remotes []Remote
	// Ingester gets the notices; required. The remote gets an ack when it has the notice, a nak for a *RefusalError; any
	// other error ends the session without a receipt, to be begun again after a pause. A remote that disconnects on a nak,
	// as Comet does, gets acks with the reason as text from then on.
	Ingester Ingester
	// LocalIVORN is our identifier, optional (VTP 2.0 §3.3).
	LocalIVORN string
	// Wishes are asked of every remote. Remotes that are not Tocsin understand at most XPath, and say nothing if they don't.
	Wishes Wishes
	// NoResume stops a reconnected session from asking for what it missed (the Param since). Unless Wishes name a
	// subscription the remote is told that it need not keep anything for us (the Param resume), be it set or not.
	NoResume bool
	// KeepRepeats hands a notice to the Ingester each time it comes. Otherwise those that came lately, from whichever
	// remote, are acknowledged and dropped.
	KeepRepeats bool

	// SilenceTimeout is how long a remote may send nothing; default 150 s.
	SilenceTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pause before a new attempt, which grows by half each time; default 1 s and 60 s.
	MinBackoff, MaxBackoff time.Duration
	// MaxFrameBytes is the greatest payload taken; default 1 MiB.
	MaxFrameBytes int
	// MaxPending is how many notices of one remote may wait for the Ingester; default 256.
	MaxPending int

	// Logger defaults to slog.Default.
	Logger *slog.Logger
	// Metrics may be nil.
	Metrics *Metrics

	once    sync.Once
	follows []*follow
}

func (s *Subscriber) init() {
	log := s.Logger
	if log == nil {
		log = slog.Default()
	}
	byName := make(map[string]*follow, len(s.Remotes))
	ingester := s.Ingester
	if !s.KeepRepeats {
		ingester = newSeen(s.Ingester, func(p Peer) {
			if f := byName[p.Listener]; f != nil {
				f.change(func(st *RemoteStatus) { st.Repeats++ })
			}
		})
	}
	for _, r := range s.Remotes {
		f := &follow{
			sub: s, remote: r, ingester: ingester, log: log, meter: s.Metrics.meter(r.String()),
			status: RemoteStatus{Remote: r.String(), State: stateStopped},
		}
		byName[r.String()] = f
		s.follows = append(s.follows, f)
	}
}

// Run serves all remotes until ctx ends, and returns ctx's error. It is called once. Remotes are served at the same time,
// so the Ingester must bear concurrent calls when there are several.
func (s *Subscriber) Run(ctx context.Context) error {
	s.once.Do(s.init)
	var wg sync.WaitGroup
	for _, f := range s.follows {
		wg.Go(func() { f.run(ctx) })
	}
	wg.Wait()
	<-ctx.Done()
	return ctx.Err()
}

// Status says how it stands with each remote, in the order of Remotes.
func (s *Subscriber) Status() []RemoteStatus {
	s.once.Do(s.init)
	list := make([]RemoteStatus, 0, len(s.follows))
	for _, f := range s.follows {
		f.mu.Lock()
		list = append(list, f.status)
		f.mu.Unlock()
	}
	return list
}

// A RemoteStatus says how it stands with one remote.
type RemoteStatus struct {
	Remote      string    `json:"remote"`
	State       string    `json:"state"`        // connecting, connected, waiting or stopped.
	Since       time.Time `json:"since"`        // When the state began.
	Broker      string    `json:"broker"`       // Identifier the broker gave itself.
	Notices     uint64    `json:"notices"`      // Received since the start, repeats included.
	Repeats     uint64    `json:"repeats"`      // Of these, dropped because they had come before.
	Refused     uint64    `json:"refused"`      // Of these, answered by a nak.
	Sessions    uint64    `json:"sessions"`     // Connections made since the start.
	LastNotice  time.Time `json:"last_notice"`  // When the last notice came.
	LastError   string    `json:"last_error"`   // Why the last session or attempt ended.
	FilterReply string    `json:"filter_reply"` // What the broker said about our wishes, when it said something.
}
