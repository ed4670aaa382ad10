package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"tocsin/journal"
)

// readySubscription is the name under which readiness writes its mark.
const readySubscription = "tocsin:ready"

// readyFor is how long an answer about the journal is repeated before it is asked again: each question costs a sync.
const readyFor = time.Second

// readinessCheck finds out whether the journal takes writes by writing to it.
type readinessCheck struct {
	log journal.Log

	mu  sync.Mutex // held while asking, so that many askers cost one write
	at  time.Time
	err error
}

func (r *readinessCheck) writable(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && time.Since(r.at) < readyFor {
		return r.err
	}
	_, last := r.log.Bounds()
	err := r.log.Commit(ctx, []journal.Progress{{Subscription: readySubscription, Cursor: last}})
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("journal: the disk does not answer")
	}
	r.at, r.err = time.Now(), err
	return err
}

// isReady says why the broker cannot take notices now.
func (s *server) isReady(ctx context.Context) error {
	if s.stopping.Load() {
		return errors.New("the broker is ending")
	}
	return s.ready.writable(ctx)
}

// report tells everything that `tocsin status` shows.
func (s *server) report(ctx context.Context) report {
	out := report{
		Version: version(), PID: os.Getpid(), LocalIVORN: s.ivorn, Data: s.config.Data, Listeners: s.bound,
		Ready: "yes", Status: s.broker.Status(),
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.isReady(ctx); err != nil {
		out.Ready = err.Error()
	}
	out.Connections = s.connections()
	for _, u := range s.upstreams {
		out.Upstreams = append(out.Upstreams, u.Status()...)
	}
	return out
}

// connections reads from the metrics how many connections each VTP listener has.
func (s *server) connections() map[string]int {
	out := map[string]int{}
	families, err := s.registry.Gather()
	if err != nil {
		s.log.Warn("metrics not gathered", "error", err)
	}
	for _, f := range families {
		if f.GetName() != "tocsin_vtp_connections" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "listener" {
					out[l.GetValue()] = int(m.GetGauge().GetValue())
				}
			}
		}
	}
	return out
}
