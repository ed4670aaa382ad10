package main

import (
	"context"
	"errors"
	"log/slog"

	"tocsin/broker"
	"tocsin/vtp"
)

// ingester plugs the broker into vtp's author side.
type ingester struct {
	broker *broker.Broker
	relay  bool // flag invalid notices instead of refusing them
	// upstream marks notices from a remote broker that this one called. Such a peer gets an ack for everything that was
	// dealt with, also what is not taken: a nak would make a Comet hang up.
	upstream bool
	log      *slog.Logger
}

// Submit hands the notice to the broker.
func (i ingester) Submit(ctx context.Context, s vtp.Submission) (vtp.Pending, error) {
	p, err := i.broker.Submit(ctx, broker.Submission{
		Raw:    s.Raw,
		Source: broker.Source{Listener: s.Peer.Listener, Remote: s.Peer.Remote, Identity: s.Peer.Identity, Upstream: i.upstream},
		Relay:  i.relay,
	})
	if err != nil {
		r, err := i.outcome(broker.Accepted{}, err)
		if err != nil {
			return nil, err
		}
		return settledReceipt(r), nil
	}
	return pending{i, p}, nil
}

type pending struct {
	i ingester
	p broker.Pending
}

// Wait returns when the notice is on stable storage.
func (p pending) Wait(ctx context.Context) (vtp.Receipt, error) {
	return p.i.outcome(p.p.Wait(ctx))
}

// Ready lets receipts that became durable together leave in one write.
func (p pending) Ready() bool { return p.p.Ready() }

type settledReceipt vtp.Receipt

// Wait returns what is known already.
func (s settledReceipt) Wait(context.Context) (vtp.Receipt, error) { return vtp.Receipt(s), nil }

// Ready is true.
func (settledReceipt) Ready() bool { return true }

// outcome puts the broker's answer into VTP's words: accepted and known already are acks, permanent refusals are naks,
// and whatever may pass is an error, after which vtp closes the connection without an answer (VTP 2.0 §3.2: try
// again).
func (i ingester) outcome(a broker.Accepted, err error) (vtp.Receipt, error) {
	if err == nil {
		return vtp.Receipt{IVORN: a.IVORN}, nil
	}
	be := new(broker.Error)
	if !errors.As(err, &be) {
		return vtp.Receipt{}, err
	}
	switch be.Kind {
	case broker.Duplicate:
		ivorn := a.IVORN
		if ivorn == "" {
			ivorn = be.IVORN
		}
		return vtp.Receipt{IVORN: ivorn, Result: "already accepted"}, nil
	case broker.Invalid, broker.Forbidden:
		if i.upstream {
			i.log.Warn("notice of an upstream not taken", "ivorn", be.IVORN, "reason", be.Reason, "text", be.Text)
			return vtp.Receipt{IVORN: be.IVORN}, nil
		}
		return vtp.Receipt{}, &vtp.RefusalError{IVORN: be.IVORN, Reason: be.Reason, Text: be.Text}
	}
	return vtp.Receipt{}, err
}
