package broker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tocsin/broker/filter"
	"tocsin/voevent"
)

// Policy says who may publish what.
type Policy interface {
	// MayPublish returns nil, or an error whose text tells the author why not
	// and whom to ask; the broker makes it an *Error of kind Forbidden.
	MayPublish(s Source, stream string, r voevent.Role) error
}

// Rules are a policy as an operator writes it: the first rule that fits
// decides, and where none fits, Default does. The zero value is the default
// policy.
type Rules struct {
	// Default is local, allow, or deny. Local, which an empty text also means,
	// allows sources on this machine (loopback, Unix sockets), those with an
	// identity, those whom a trusted listener let in, and upstream brokers.
	Default string `yaml:"default" json:"default,omitempty"`
	Rules   []Rule `yaml:"rules" json:"rules,omitempty"`
	// Contact is whom a refused author is told to ask, such as a mail address.
	Contact string `yaml:"contact" json:"contact,omitempty"`
	// TrustedListeners are names of listeners that only let in peers whom the
	// operator listed.
	TrustedListeners []string `yaml:"-" json:"-"`
}

// Rule fits when each of its lists is empty or has an entry that fits.
type Rule struct {
	// Action is allow or deny.
	Action string `yaml:"action" json:"action"`
	// Identities are names from certificates, or of members; `*` stands for any
	// run of characters. Only the empty text fits an anonymous source.
	Identities []string `yaml:"identities,omitempty" json:"identities,omitempty"`
	// Listeners are names of listeners or remote brokers; `*` stands for any run
	// of characters.
	Listeners []string `yaml:"listeners,omitempty" json:"listeners,omitempty"`
	// Networks are addresses or CIDR blocks of IPv4 or IPv6, or the word unix
	// for Unix sockets.
	Networks []string `yaml:"networks,omitempty" json:"networks,omitempty"`
	// Streams are patterns such as nasa.gsfc.gcn/*, as in filters.
	Streams []string `yaml:"streams,omitempty" json:"streams,omitempty"`
	// Roles are observation, prediction, utility, test.
	Roles []string `yaml:"roles,omitempty" json:"roles,omitempty"`
	// Upstream restricts the rule to upstream brokers (true) or to all others
	// (false).
	Upstream *bool `yaml:"upstream,omitempty" json:"upstream,omitempty"`
	// Reason is told to authors whom this rule denies.
	Reason string `yaml:"reason,omitempty" json:"reason,omitempty"`
}

// The words of Rule.Action and Rules.Default.
const (
	actionAllow  = "allow"
	actionDeny   = "deny"
	defaultLocal = "local"
)

// RuleError says what is wrong in Rules.
type RuleError struct {
	// Field is the place in the rules, such as rules[2].networks.
	Field string
	Text  string
}

func (e *RuleError) Error() string { return "broker: policy: " + e.Field + ": " + e.Text }

// Policy compiles the rules. The error is a *RuleError.
func (r Rules) Policy() (Policy, error) {
	p := &rulePolicy{standard: r.Default, contact: r.Contact, trusted: slices.Clone(r.TrustedListeners)}
	switch r.Default {
	case "":
		p.standard = defaultLocal
	case defaultLocal, actionAllow, actionDeny:
	default:
		return nil, &RuleError{"default", fmt.Sprintf("%q: want local, allow or deny", r.Default)}
	}
	for i, rule := range r.Rules {
		c, err := rule.compile()
		if err != nil {
			return nil, &RuleError{fmt.Sprintf("rules[%d].%s", i, err.Field), err.Text}
		}
		p.rules = append(p.rules, c)
	}
	return p, nil
}

// rulePolicy is compiled Rules. It never changes, so it needs no lock.
type rulePolicy struct {
	standard string
	rules    []compiledRule
	trusted  []string
	contact  string
}

type compiledRule struct {
	Rule
	networks []netip.Prefix
	unix     bool
	streams  *filter.Streams
}

func (r Rule) compile() (compiledRule, *RuleError) {
	c := compiledRule{Rule: r}
	if r.Action != actionAllow && r.Action != actionDeny {
		return c, &RuleError{"action", fmt.Sprintf("%q: want allow or deny", r.Action)}
	}
	for _, n := range r.Networks {
		if n == "unix" {
			c.unix = true
			continue
		}
		p, err := netip.ParsePrefix(n)
		if err != nil {
			a, err := netip.ParseAddr(n)
			if err != nil {
				return c, &RuleError{"networks", fmt.Sprintf("%q: want an address, a block such as 192.0.2.0/24, or unix", n)}
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		c.networks = append(c.networks, p.Masked())
	}
	for _, role := range r.Roles {
		if !voevent.Role(role).Known() {
			return c, &RuleError{"roles", fmt.Sprintf("%q: want observation, prediction, utility or test", role)}
		}
	}
	var err error
	if c.streams, err = filter.CompileStreams(r.Streams); err != nil {
		return c, &RuleError{"streams", filterText(err)}
	}
	return c, nil
}

func (c *compiledRule) fits(s Source, addr netip.Addr, stream string, r voevent.Role) bool {
	switch {
	case c.Upstream != nil && *c.Upstream != s.Upstream,
		!anyFits(c.Listeners, s.Listener),
		!anyFits(c.Identities, s.Identity),
		len(c.Roles) > 0 && !slices.Contains(c.Roles, string(r)),
		len(c.Streams) > 0 && !c.streams.Match(stream):
		return false
	case len(c.Networks) == 0:
		return true
	case !addr.IsValid():
		return c.unix && s.unix()
	}
	return slices.ContainsFunc(c.networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// anyFits is true without patterns. An empty text fits an empty pattern only.
func anyFits(patterns []string, text string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		return (p == "") == (text == "") && wildcard(p, text)
	})
}

// MayPublish implements Policy.
func (p *rulePolicy) MayPublish(s Source, stream string, r voevent.Role) error {
	addr := s.addr()
	for i := range p.rules {
		c := &p.rules[i]
		if !c.fits(s, addr, stream, r) {
			continue
		}
		if c.Action == actionAllow {
			return nil
		}
		if c.Reason != "" {
			return p.refusal(s, stream, c.Reason)
		}
		return p.refusal(s, stream, fmt.Sprintf("rule %d of its policy forbids it", i+1))
	}
	switch {
	case p.standard == actionAllow,
		p.standard == defaultLocal && (s.Upstream || s.Identity != "" || slices.Contains(p.trusted, s.Listener) || s.local(addr)):
		return nil
	}
	return p.refusal(s, stream, "no rule of its policy allows it")
}

func (p *rulePolicy) refusal(s Source, stream, why string) error {
	ask := "ask its operator for a rule"
	if p.contact != "" {
		ask = "ask " + p.contact
	}
	return fmt.Errorf("%s may not publish to the stream %s of this broker: %s; %s", s.who(), stream, why, ask)
}

// who names a source to itself.
func (s Source) who() string {
	switch {
	case s.Identity != "":
		return s.Identity
	case s.Remote != "":
		return "an author without a certificate at " + s.host()
	}
	return "an author without a certificate"
}

// addr is the remote address; invalid for a Unix socket.
func (s Source) addr() netip.Addr {
	if ap, err := netip.ParseAddrPort(s.Remote); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	if a, err := netip.ParseAddr(s.Remote); err == nil {
		return a.Unmap().WithZone("")
	}
	return netip.Addr{}
}

// host is the remote address without the port.
func (s Source) host() string {
	if a := s.addr(); a.IsValid() {
		return a.String()
	}
	return s.Remote
}

// local says whether a source is on this machine.
func (s Source) local(addr netip.Addr) bool {
	return addr.IsLoopback() || !addr.IsValid() && s.unix()
}

// unix says whether the address, which is none of IP, is that of a Unix socket:
// a path, an abstract name, or nothing.
func (s Source) unix() bool {
	return !s.Upstream && (s.Remote == "" || strings.ContainsRune("/@", rune(s.Remote[0])))
}

// wildcard matches a text against a pattern in which `*` stands for any run of
// characters.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && text == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}
