package main

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"

	"tocsin/broker"
	"tocsin/voevent"
)

// newPolicy compiles the rules of the configuration. The trusted listeners are those that admit only peers whom the
// operator listed.
func newPolicy(p Policy, trusted []string) (broker.Policy, error) {
	rules := broker.Rules{Default: p.Default, Contact: p.Contact, TrustedListeners: trusted}
	for i, r := range p.Rules {
		// The broker masks what stands beyond a network's length; in a file it is more likely a slip.
		networks := slices.DeleteFunc(slices.Clone(r.Networks), func(n string) bool { return n == "unix" })
		if _, err := parseNetworks(networks); err != nil {
			return nil, &ConfigError{Field: "policy.rules[" + strconv.Itoa(i) + "].networks", Text: err.Error()}
		}
		rules.Rules = append(rules.Rules, broker.Rule{
			Action: r.Action, Identities: r.Identities, Listeners: r.Listeners, Networks: r.Networks,
			Streams: r.Streams, Roles: r.Roles, Upstream: r.Upstream, Reason: r.Reason,
		})
	}
	out, err := rules.Policy()
	if re := new(broker.RuleError); errors.As(err, &re) {
		return nil, &ConfigError{Field: "policy." + re.Field, Text: re.Text}
	}
	return ownNotices{out}, err
}

// ownListener is the source of the notices that the broker itself authors.
const ownListener = "tocsin"

// ownNotices lets the broker publish what it authors itself, whatever the rules say to others. A peer has an address.
type ownNotices struct{ broker.Policy }

// MayPublish asks the rules about everybody else.
func (o ownNotices) MayPublish(s broker.Source, stream string, r voevent.Role) error {
	if s == (broker.Source{Listener: ownListener, Upstream: true}) {
		return nil
	}
	return o.Policy.MayPublish(s, stream, r)
}

// remoteIP gives the address of a peer; none for Unix sockets.
func remoteIP(remote string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
