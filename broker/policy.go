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
// decides. Where none fits, Otherwise does. The zero value is the default
// policy.
type Rules struct {
	Rules []Rule `yaml:"rules" json:"rules,omitempty"`
	// Otherwise is local (the default: allow who connects from this machine and
	// the remote brokers that are configured), allow, or deny.
	Otherwise string `yaml:"otherwise" json:"otherwise,omitempty"`
	// Contact is whom a refused author is told to ask, such as a mail address.
	Contact string `yaml:"contact" json:"contact,omitempty"`
}

// Rule fits when each of its lists is empty or has an entry that fits.
type Rule struct {
	// Action is allow or deny.
	Action string `yaml:"action" json:"action"`
	// Listeners are names of listeners or remote brokers; `*` stands for any run
	// of characters.
	Listeners []string `yaml:"listeners" json:"listeners,omitempty"`
	// Networks are addresses or CIDR blocks of IPv4 or IPv6, or the word unix
	// for Unix sockets.
	Networks []string `yaml:"networks" json:"networks,omitempty"`
	// Identities are subjects of certificates or names of members; `*` stands
	// for any run of characters. An anonymous source fits none.
	Identities []string `yaml:"identities" json:"identities,omitempty"`
	// Streams are patterns such as nasa.gsfc.gcn/*, as in filters.
	Streams []string `yaml:"streams" json:"streams,omitempty"`
	// Roles are observation, prediction, utility, test.
	Roles []string `yaml:"roles" json:"roles,omitempty"`
	// Reason is told to authors whom this rule denies.
	Reason string `yaml:"reason" json:"reason,omitempty"`
}

// The words of Rule.Action and Rules.Otherwise.
const (
	actionAllow    = "allow"
	actionDeny     = "deny"
	otherwiseLocal = "local"
)

// Policy compiles the rules. The error names the rule and what is wrong in it.
func (r Rules) Policy() (Policy, error) {
	p := &rulePolicy{otherwise: r.Otherwise, contact: r.Contact}
	switch r.Otherwise {
	case "":
		p.otherwise = otherwiseLocal
	case otherwiseLocal, actionAllow, actionDeny:
	default:
		return nil, fmt.Errorf("broker: policy: otherwise is %q; it can be local, allow or deny", r.Otherwise)
	}
	for i, rule := range r.Rules {
		c, err := rule.compile()
		if err != nil {
			return nil, fmt.Errorf("broker: policy: rule %d: %w", i+1, err)
		}
		p.rules = append(p.rules, c)
	}
	return p, nil
}

// rulePolicy is compiled Rules.
type rulePolicy struct {
	rules     []compiledRule
	otherwise string
	contact   string
}

type compiledRule struct {
	Rule
	networks []netip.Prefix
	unix     bool
	streams  *filter.Streams
}

func (r Rule) compile() (compiledRule, error) {
	c := compiledRule{Rule: r}
	if r.Action != actionAllow && r.Action != actionDeny {
		return c, fmt.Errorf("action is %q; it can be allow or deny", r.Action)
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
				return c, fmt.Errorf("networks: %q is neither an address, a CIDR block such as 192.0.2.0/24, nor unix", n)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		c.networks = append(c.networks, p.Masked())
	}
	for _, role := range r.Roles {
		if !voevent.Role(role).Known() {
			return c, fmt.Errorf("roles: %q is none of observation, prediction, utility, test", role)
		}
	}
	var err error
	if c.streams, err = filter.CompileStreams(r.Streams); err != nil {
		return c, err
	}
	return c, nil
}

func (c *compiledRule) fits(s Source, addr netip.Addr, stream string, r voevent.Role) bool {
	anyOf := func(patterns []string, text string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return wildcard(p, text) })
	}
	switch {
	case !anyOf(c.Listeners, s.Listener),
		len(c.Identities) > 0 && (s.Identity == "" || !anyOf(c.Identities, s.Identity)),
		len(c.Roles) > 0 && !slices.Contains(c.Roles, string(r)),
		len(c.Streams) > 0 && !c.streams.Match(stream):
		return false
	case len(c.Networks) == 0:
		return true
	case !addr.IsValid():
		return c.unix && !s.Upstream && s.unix()
	}
	return slices.ContainsFunc(c.networks, func(p netip.Prefix) bool { return p.Contains(addr) })
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
		return p.refusal(s, stream, fmt.Sprintf("rule %d of the policy forbids it", i+1))
	}
	switch {
	case p.otherwise == actionAllow, p.otherwise == otherwiseLocal && s.local(addr):
		return nil
	}
	return p.refusal(s, stream, "no rule of the policy allows it")
}

func (p *rulePolicy) refusal(s Source, stream, why string) error {
	ask := "ask its operator to allow it"
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
		return "an anonymous author at " + s.host()
	}
	return "an anonymous author"
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

// local says whether a source is on this machine, or was called by the broker
// itself. What has neither address nor port is a Unix socket.
func (s Source) local(addr netip.Addr) bool {
	if addr.IsValid() {
		return s.Upstream || addr.IsLoopback()
	}
	return s.Upstream || s.unix()
}

func (s Source) unix() bool {
	return !s.addr().IsValid() && (!strings.Contains(s.Remote, ":") || strings.HasPrefix(s.Remote, "unix:"))
}

// wildcard matches a text against a pattern in which `*` stands for any run of
// characters, without regard to case.
func wildcard(pattern, text string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	text = strings.ToLower(text)
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
