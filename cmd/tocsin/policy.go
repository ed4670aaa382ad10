package main

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tocsin/broker"
	"tocsin/broker/filter"
	"tocsin/voevent"
)

// policy decides who may publish to which stream. It never changes, so it needs no lock.
type policy struct {
	standard string // local, allow or deny
	rules    []rule
	trusted  map[string]bool // listeners whose allow-list admitted the peer already
}

type rule struct {
	number           int // counted from 1
	allow            bool
	identities       []*regexp.Regexp
	streams          *filter.Streams // nil: any
	listeners, roles []string
	upstream         *bool
	networks         []netip.Prefix
}

// newPolicy compiles the rules. trusted names the listeners that admit only peers whom the operator listed.
func newPolicy(p Policy, trusted []string) (*policy, error) {
	if !slices.Contains([]string{"local", "allow", "deny"}, p.Default) {
		return nil, &ConfigError{Field: "policy.default", Text: fmt.Sprintf("%q: want local, allow or deny", p.Default)}
	}
	out := &policy{standard: p.Default, trusted: map[string]bool{}}
	for _, t := range trusted {
		out.trusted[t] = true
	}
	for i, r := range p.Rules {
		field := func(f string) string { return "policy.rules[" + strconv.Itoa(i) + "]." + f }
		if !slices.Contains([]string{"allow", "deny"}, r.Action) {
			return nil, &ConfigError{Field: field("action"), Text: fmt.Sprintf("%q: want allow or deny", r.Action)}
		}
		networks, err := parseNetworks(r.Networks)
		if err != nil {
			return nil, &ConfigError{Field: field("networks"), Text: err.Error()}
		}
		for _, role := range r.Roles {
			if !voevent.Role(role).Known() {
				return nil, &ConfigError{Field: field("roles"), Text: fmt.Sprintf("%q: want observation, prediction, utility or test", role)}
			}
		}
		c := rule{
			number: i + 1, allow: r.Action == "allow", listeners: r.Listeners, roles: r.Roles, networks: networks, upstream: r.Upstream,
		}
		if len(r.Streams) > 0 {
			if c.streams, err = filter.CompileStreams(r.Streams); err != nil {
				return nil, &ConfigError{Field: field("streams"), Text: err.Error()}
			}
		}
		for _, s := range r.Identities {
			c.identities = append(c.identities, namePattern(s))
		}
		out.rules = append(out.rules, c)
	}
	return out, nil
}

// MayPublish says nil when the source may publish, and otherwise why not, in words for the author.
func (p *policy) MayPublish(s broker.Source, stream string, role voevent.Role) error {
	for _, r := range p.rules {
		if !r.fits(s, stream, role) {
			continue
		}
		if r.allow {
			return nil
		}
		return fmt.Errorf("rule %d of this broker's policy does not let you publish to %s", r.number, stream)
	}
	switch p.standard {
	case "allow":
		return nil
	case "local":
		if s.Upstream || s.Identity != "" || p.trusted[s.Listener] || isLocal(s.Remote) {
			return nil
		}
		return fmt.Errorf("no rule of this broker lets %s publish to %s: ask its operator for one, or use a client certificate", hostOf(s.Remote), stream)
	}
	return fmt.Errorf("no rule of this broker lets you publish to %s", stream)
}

func (r rule) fits(s broker.Source, stream string, role voevent.Role) bool {
	if r.upstream != nil && *r.upstream != s.Upstream {
		return false
	}
	if len(r.identities) > 0 && !slices.ContainsFunc(r.identities, func(p *regexp.Regexp) bool { return p.MatchString(s.Identity) }) {
		return false
	}
	if len(r.listeners) > 0 && !slices.Contains(r.listeners, s.Listener) {
		return false
	}
	if r.streams != nil && !r.streams.Match(stream) {
		return false
	}
	if len(r.roles) > 0 && !slices.Contains(r.roles, string(role)) {
		return false
	}
	if len(r.networks) > 0 {
		ip, ok := remoteIP(s.Remote)
		if !ok || !slices.ContainsFunc(r.networks, func(n netip.Prefix) bool { return n.Contains(ip) }) {
			return false
		}
	}
	return true
}

// namePattern compiles a pattern for identities: * stands for any characters.
func namePattern(s string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(s), `\*`, `.*`) + "$")
}

// remoteIP gives the address of a peer; none for Unix sockets.
func remoteIP(remote string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if ip, err := netip.ParseAddr(remote); err == nil {
		return ip.Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// isLocal says whether the peer is on this machine: loopback, or a Unix socket.
func isLocal(remote string) bool {
	if ip, ok := remoteIP(remote); ok {
		return ip.IsLoopback()
	}
	// The peer's end of a Unix socket has no name, or a path.
	return remote == "" || remote[0] == '/' || remote[0] == '@'
}

func hostOf(remote string) string {
	if ip, ok := remoteIP(remote); ok {
		return ip.String()
	}
	return "this peer"
}
