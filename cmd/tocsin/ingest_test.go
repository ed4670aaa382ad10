package main

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"tocsin/broker"
	"tocsin/vtp"
)

// A nak is permanent, so only what will be refused again may become one.
func TestBrokersAnswersInVTPsWords(t *testing.T) {
	disk := errors.New("disk full")
	for _, c := range []struct {
		name     string
		accepted broker.Accepted
		err      error
		upstream bool
		receipt  vtp.Receipt
		nak      string // the reason of a nak
		retry    bool   // neither ack nor nak
	}{
		{name: "accepted", accepted: broker.Accepted{IVORN: "ivo://a.b/c#1"}, receipt: vtp.Receipt{IVORN: "ivo://a.b/c#1"}},
		{
			name: "known already", accepted: broker.Accepted{IVORN: "ivo://a.b/c#1", Duplicate: true},
			err:     &broker.Error{Kind: broker.Duplicate, Reason: broker.ReasonDuplicate},
			receipt: vtp.Receipt{IVORN: "ivo://a.b/c#1", Result: "already accepted"},
		},
		{
			name: "known already, before the journal", err: &broker.Error{Kind: broker.Duplicate, IVORN: "ivo://a.b/c#2"},
			receipt: vtp.Receipt{IVORN: "ivo://a.b/c#2", Result: "already accepted"},
		},
		{name: "invalid", err: &broker.Error{Kind: broker.Invalid, Reason: "schema", IVORN: "ivo://a.b/c#3"}, nak: "schema"},
		{name: "forbidden", err: &broker.Error{Kind: broker.Forbidden, Reason: "unauthorized"}, nak: "unauthorized"},
		{name: "invalid, wrapped", err: fmt.Errorf("x: %w", &broker.Error{Kind: broker.Invalid, Reason: "role"}), nak: "role"},
		{name: "busy", err: &broker.Error{Kind: broker.Busy, Reason: "internal", Err: disk}, retry: true},
		{name: "too fast", err: &broker.Error{Kind: broker.Busy, Reason: "rate"}, retry: true},
		{name: "unknown", err: disk, retry: true},
		{
			name: "invalid from an upstream is acknowledged", upstream: true,
			err: &broker.Error{Kind: broker.Invalid, Reason: "doctype", IVORN: "ivo://a.b/c#4"}, receipt: vtp.Receipt{IVORN: "ivo://a.b/c#4"},
		},
		{name: "busy towards an upstream", upstream: true, err: &broker.Error{Kind: broker.Busy}, retry: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := ingester{upstream: c.upstream, log: slog.New(slog.DiscardHandler)}
			r, err := i.outcome(c.accepted, c.err)
			refusal := new(vtp.RefusalError)
			switch {
			case c.retry:
				if err == nil || errors.As(err, &refusal) {
					t.Fatalf("got %+v, %v; want an error that is no refusal", r, err)
				}
			case c.nak != "":
				if !errors.As(err, &refusal) || refusal.Reason != c.nak {
					t.Fatalf("got %+v, %v; want a nak with reason %s", r, err, c.nak)
				}
			case err != nil || r != c.receipt:
				t.Fatalf("got %+v, %v; want %+v", r, err, c.receipt)
			}
		})
	}
}
