package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/voevent"
)

// maxResume bounds resume_s to a month: a subscriber that stays away longer should name its subscription.
const maxResume = 31 * 86400

// endpoint is a listener ready to be opened.
type endpoint struct {
	Listener
	address
	allow []netip.Prefix
}

// relay says whether invalid notices are accepted with a flag.
func (e endpoint) relay() bool { return e.Mode == "relay" }

// resume is how long the place of a subscriber is kept that named no subscription.
func (e endpoint) resume() time.Duration {
	if e.Resume == nil {
		return defaultResume
	}
	return seconds(*e.Resume)
}

// remote is an upstream ready to be connected to.
type remote struct {
	Upstream
	network, host string
	secure        bool
}

// check finds what is wrong with the configuration: a *ConfigError that names the field.
func (c *Config) check() error {
	if _, err := c.endpoints(); err != nil {
		return err
	}
	if _, err := c.remotes(); err != nil {
		return err
	}
	if _, err := newPolicy(c.Policy, nil); err != nil {
		return err
	}
	if _, err := c.identifier(); err != nil {
		return err
	}
	if c.Data == "" {
		return &ConfigError{Field: "data", Text: "must name a folder"}
	}
	if _, err := c.Log.level(); err != nil {
		return err
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		return &ConfigError{Field: "log.format", Text: fmt.Sprintf("%q: want text or json", c.Log.Format)}
	}
	for _, n := range []struct {
		field       string
		n, min, max int64
	}{
		{"limits.notice_bytes", int64(c.Limits.NoticeBytes), 1 << 10, 16 << 20},
		{"limits.depth", int64(c.Limits.Depth), 8, 1 << 10},
		{"limits.nodes", int64(c.Limits.Nodes), 100, 10_000_000},
		{"limits.window", int64(c.Limits.Window), 1, 1 << 16},
		{"limits.cache_bytes", c.Limits.CacheBytes, 1 << 20, 1 << 40},
		{"limits.receipt_interval_ms", int64(c.Limits.ReceiptMillis), 1, 10_000},
		{"limits.rate_burst", int64(c.Limits.RateBurst), 0, 1 << 30},
		{"limits.durable_subscriptions", int64(c.Limits.Durable), 1, 1 << 20},
		{"journal.max_bytes", c.Journal.MaxBytes, 0, 1 << 50},
		{"test_interval_s", int64(c.TestInterval), 0, 1 << 31},
		{"shutdown_timeout_s", int64(c.ShutdownTimeout), 1, 3600},
	} {
		if n.n < n.min || n.n > n.max {
			return &ConfigError{Field: n.field, Text: fmt.Sprintf("%d: want %d to %d", n.n, n.min, n.max)}
		}
	}
	if r := c.Limits.RatePerSecond; !(r >= 0 && r <= 1e9) {
		return &ConfigError{Field: "limits.rate_per_second", Text: fmt.Sprintf("%v: want 0 (no limit) or more", r)}
	}
	if a := c.Journal.MaxAgeDays; !(a >= 0 && a <= 36525) {
		return &ConfigError{Field: "journal.max_age_days", Text: fmt.Sprintf("%v: want 0 (no limit) to 36525", a)}
	}
	return nil
}

// endpoints takes the listeners apart, with their options and names.
func (c *Config) endpoints() ([]endpoint, error) {
	var out []endpoint
	names := map[string]bool{}
	for i, l := range c.Listeners {
		field := func(f string) string { return "listeners[" + strconv.Itoa(i) + "]." + f }
		a, err := parseListen(l.URI)
		if err != nil {
			return nil, &ConfigError{Field: field("uri"), Text: err.Error()}
		}
		if l, err = withQuery(l, a.query); err != nil {
			return nil, &ConfigError{Field: field("uri"), Text: err.Error()}
		}
		e := endpoint{Listener: l, address: a}
		if e.Name == "" {
			e.Name = string(a.kind)
			for n := 2; names[e.Name]; n++ {
				e.Name = string(a.kind) + strconv.Itoa(n)
			}
		}
		if names[e.Name] {
			return nil, &ConfigError{Field: field("name"), Text: fmt.Sprintf("%q names two listeners", e.Name)}
		}
		names[e.Name] = true
		if e.allow, err = parseNetworks(l.Allow); err != nil {
			return nil, &ConfigError{Field: field("allow"), Text: err.Error()}
		}
		if bad, text := e.misplaced(); bad != "" {
			return nil, &ConfigError{Field: field(bad), Text: text}
		}
		out = append(out, e)
	}
	return out, nil
}

// misplaced finds an option that makes no sense for this kind of listener, and values out of range.
func (e endpoint) misplaced() (field, text string) {
	switch {
	case !slices.Contains([]string{"", "submit", "relay"}, e.Mode):
		return "mode", fmt.Sprintf("%q: want submit or relay", e.Mode)
	case e.Mode != "" && e.kind != kindAuthor:
		return "mode", "only author listeners have one"
	case e.Authenticate != nil && e.kind != kindFeed:
		return "authenticate", "only feed listeners have it"
	case e.KeepAlive != 0 && e.kind != kindFeed:
		return "keepalive_s", "only feed listeners have it"
	case e.AckTimeout != 0 && e.kind != kindFeed:
		return "ack_timeout_s", "only feed listeners have it"
	case e.Resume != nil && e.kind != kindFeed:
		return "resume_s", "only feed listeners have it"
	case e.Resume != nil && (*e.Resume < 0 || *e.Resume > maxResume):
		return "resume_s", fmt.Sprintf("%d: want 0 (every connection begins live) to %d", *e.Resume, maxResume)
	case e.tls && (e.TLS == nil || e.TLS.Cert == "" || e.TLS.Key == ""):
		return "tls", "a TLS listener needs cert_file and key_file"
	case !e.tls && e.TLS != nil:
		return "tls", "given for a listener without TLS: its URI begins with " + tlsScheme(e.kind) + ":// when it has it"
	}
	for _, n := range []struct {
		field string
		n     int
	}{
		{"max_frame_bytes", e.MaxFrameBytes},
		{"first_frame_timeout_s", e.FirstFrameTimeout},
		{"frame_timeout_s", e.FrameTimeout},
		{"idle_timeout_s", e.IdleTimeout},
		{"max_connections", e.MaxConns},
		{"max_pending", e.MaxPending},
		{"max_connections_per_address", e.MaxConnsPerHost},
		{"keepalive_s", e.KeepAlive},
		{"ack_timeout_s", e.AckTimeout},
	} {
		if n.n < 0 {
			return n.field, strconv.Itoa(n.n) + " is negative"
		}
		if n.n > 1<<30 {
			return n.field, strconv.Itoa(n.n) + " is too large"
		}
	}
	return "", ""
}

// remotes takes the upstreams apart.
func (c *Config) remotes() ([]remote, error) {
	var out []remote
	names := map[string]bool{}
	for i, u := range c.Upstreams {
		field := func(f string) string { return "upstreams[" + strconv.Itoa(i) + "]." + f }
		r := remote{Upstream: u}
		var err error
		if r.network, r.host, r.secure, err = parseRemote(u.URI, "8099"); err != nil {
			return nil, &ConfigError{Field: field("uri"), Text: err.Error()}
		}
		if r.Name == "" {
			r.Name = r.host
		}
		if names[r.Name] {
			return nil, &ConfigError{Field: field("name"), Text: fmt.Sprintf("%q names two upstreams", r.Name)}
		}
		names[r.Name] = true
		if u.Since < 0 {
			return nil, &ConfigError{Field: field("since_s"), Text: "is negative"}
		}
		if u.TLS != nil && !r.secure {
			return nil, &ConfigError{Field: field("tls"), Text: "given for a remote without TLS: its URI begins with vtps:// when it has it"}
		}
		if t := u.TLS; t != nil && (t.Cert == "") != (t.Key == "") {
			return nil, &ConfigError{Field: field("tls"), Text: "cert_file and key_file belong together"}
		}
		out = append(out, r)
	}
	return out, nil
}

var notInAuthority = regexp.MustCompile(`[^a-z0-9.\-]+`)

// identifier gives the broker's own IVOA identifier.
func (c *Config) identifier() (string, error) {
	if c.LocalIVORN == "" {
		host, err := os.Hostname()
		if err != nil {
			host = ""
		}
		host = strings.Trim(notInAuthority.ReplaceAllString(strings.ToLower(host), "-"), ".-")
		if len(host) < 3 { // VOEVENT: an authority has at least three characters.
			host = strings.Trim("tocsin-"+host, "-")
		}
		return "ivo://" + host + "/tocsin", nil
	}
	id, err := voevent.ParseIVORN(c.LocalIVORN)
	if err != nil {
		return "", &ConfigError{Field: "local_ivorn", Text: fmt.Sprintf("%q is no IVOA identifier: %v", c.LocalIVORN, err)}
	}
	if id.Local() != "" {
		return "", &ConfigError{Field: "local_ivorn", Text: fmt.Sprintf("%q: leave out what follows # or ?: it names a stream, not a notice", c.LocalIVORN)}
	}
	return c.LocalIVORN, nil
}

func (l Log) level() (slog.Level, error) {
	var v slog.Level
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
		return 0, &ConfigError{Field: "log.level", Text: fmt.Sprintf("%q: want debug, info, warn or error", l.Level)}
	}
	if err := v.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, &ConfigError{Field: "log.level", Text: err.Error()}
	}
	return v, nil
}
