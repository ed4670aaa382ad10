package broker

import (
	"testing"

	"tocsin/voevent"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	local := Source{Listener: "authors", Remote: "127.0.0.1:9"}
	v6 := Source{Listener: "authors", Remote: "[::1]:9"}
	unix := Source{Listener: "authors+unix", Remote: "/run/tocsin.sock"}
	foreign := Source{Listener: "authors", Remote: "192.0.2.7:9"}
	foreign6 := Source{Listener: "authors", Remote: "[2001:db8::7]:9"}
	swift := Source{Listener: "tls", Remote: "198.51.100.1:9", Identity: "CN=swift,O=NASA"}
	upstream := Source{Listener: "gcn", Remote: "203.0.113.5:8099", Upstream: true}

	table := Rules{
		Contact: "ops@example.org",
		Rules: []Rule{
			{Action: "deny", Roles: []string{"test"}, Listeners: []string{"t*"}, Reason: "no tests by TLS"},
			{Action: "allow", Identities: []string{"CN=swift,*"}, Streams: []string{"nasa.gsfc.gcn/*"}},
			{Action: "deny", Streams: []string{"nasa.gsfc.gcn/**"}},
			{Action: "allow", Networks: []string{"192.0.2.0/24", "2001:db8::7"}, Streams: []string{"example.org/**"}},
			{Action: "allow", Networks: []string{"unix"}, Streams: []string{"unix.example/a"}},
			{Action: "deny", Identities: []string{""}, Streams: []string{"named.example/a"}},
			{Action: "allow", Upstream: new(true), Streams: []string{"up.example/a"}},
			{Action: "deny", Identities: []string{"*"}},
		},
	}
	denyAll := table
	denyAll.Default = "deny"
	tests := []struct {
		name   string
		rules  Rules
		source Source
		stream string
		role   voevent.Role
		says   string // empty: allowed
	}{
		{"default: loopback", Rules{}, local, "a/b", voevent.Observation, ""},
		{"default: loopback of IPv6", Rules{}, v6, "a/b", voevent.Observation, ""},
		{"default: mapped loopback", Rules{}, Source{Remote: "[::ffff:127.0.0.1]:9"}, "a/b", voevent.Observation, ""},
		{"default: Unix socket", Rules{}, unix, "a/b", voevent.Observation, ""},
		{"default: unnamed Unix socket", Rules{}, Source{}, "a/b", voevent.Observation, ""},
		{"default: upstream", Rules{}, upstream, "a/b", voevent.Observation, ""},
		{"default: elsewhere", Rules{}, foreign, "a/b", voevent.Observation, "an author without a certificate at 192.0.2.7 may not publish to the stream a/b"},
		{"default: what is no address", Rules{}, Source{Remote: "localhost:9"}, "a/b", voevent.Observation, "no rule"},
		{"default: a certificate", Rules{}, swift, "a/b", voevent.Observation, ""},
		{"default: let in by a list", Rules{TrustedListeners: []string{"authors"}}, foreign, "a/b", voevent.Observation, ""},
		{"default: let in by another list", Rules{TrustedListeners: []string{"others"}}, foreign, "a/b", voevent.Observation, "no rule"},
		{"allow all", Rules{Default: "allow"}, foreign, "a/b", voevent.Observation, ""},
		{"deny all", Rules{Default: "deny"}, local, "a/b", voevent.Observation, "ask its operator"},
		{"identity and stream", table, swift, "nasa.gsfc.gcn/SWIFT", voevent.Observation, ""},
		{"streams are compared without case", table, swift, "nasa.gsfc.GCN/swift", voevent.Observation, ""},
		{"identity and a deeper stream", table, swift, "nasa.gsfc.gcn/SWIFT/x", voevent.Observation, "rule 3"},
		{"identity and another stream", table, swift, "esa/x", voevent.Observation, "CN=swift,O=NASA may not publish to the stream esa/x"},
		{"only the empty pattern fits nobody", table, local, "named.example/a", voevent.Observation, "rule 6"},
		{"upstream only", denyAll, upstream, "up.example/a", voevent.Observation, ""},
		{"not upstream", denyAll, local, "up.example/a", voevent.Observation, "no rule"},
		{"an earlier rule decides", table, swift, "nasa.gsfc.gcn/SWIFT", voevent.Test, "no tests by TLS; ask ops@example.org"},
		{"no identity", table, local, "nasa.gsfc.gcn/SWIFT", voevent.Observation, "rule 3"},
		{"network", table, foreign, "example.org/x/y", voevent.Observation, ""},
		{"address of IPv6", table, foreign6, "example.org/x", voevent.Observation, ""},
		{"another network", table, swift, "example.org/x", voevent.Observation, "rule 8"},
		{"network and another stream", table, foreign, "a/b", voevent.Observation, "no rule"},
		{"local where nothing fits", table, local, "a/b", voevent.Observation, ""},
		{"deny where nothing fits", denyAll, local, "a/b", voevent.Observation, "no rule"},
		{"the word unix", denyAll, unix, "unix.example/a", voevent.Observation, ""},
		{"the word unix is no network", denyAll, local, "unix.example/a", voevent.Observation, "no rule"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.rules.Policy()
			if err != nil {
				t.Fatal(err)
			}
			err = p.MayPublish(tt.source, tt.stream, tt.role)
			switch {
			case (err == nil) != (tt.says == ""):
				t.Errorf("%v", err)
			case err != nil:
				contains(t, err.Error(), tt.says)
			}
		})
	}
}

func TestBadRulesAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	for says, r := range map[string]Rules{
		"default":           {Default: "perhaps"},
		`rules[0].action`:   {Rules: []Rule{{}}},
		"rules[1].networks": {Rules: []Rule{{Action: "allow"}, {Action: "allow", Networks: []string{"10.0.0.0/99"}}}},
		"rules[0].roles":    {Rules: []Rule{{Action: "deny", Roles: []string{"tset"}}}},
		"rules[0].streams":  {Rules: []Rule{{Action: "deny", Streams: []string{"a#b"}}}},
	} {
		if _, err := r.Policy(); err == nil {
			t.Errorf("%s: accepted", says)
		} else {
			contains(t, err.Error(), says)
		}
	}
}

func TestWildcard(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"a", "A", false},
		{"a", "ab", false},
		{"a*", "ab", true},
		{"*b", "ab", true},
		{"*b", "ba", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"**x", "x", true},
	} {
		if got := wildcard(tt.pattern, tt.text); got != tt.want {
			t.Errorf("wildcard(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
}
