package main

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestListenURIs(t *testing.T) {
	for _, c := range []struct {
		uri  string
		want address
		err  string // part of the error
	}{
		{uri: "vtp-author://127.0.0.1:8098", want: address{kind: kindAuthor, network: "tcp", host: "127.0.0.1:8098"}},
		{uri: "vtp-feed://localhost:0", want: address{kind: kindFeed, network: "tcp", host: "localhost:0"}},
		{uri: "vtp-feed://[::1]:8099", want: address{kind: kindFeed, network: "tcp", host: "[::1]:8099"}},
		{uri: "vtp-feed://[::ffff:127.0.0.1]:8099", want: address{kind: kindFeed, network: "tcp", host: "[::ffff:127.0.0.1]:8099"}},
		{uri: "http://127.8.9.10:8080/", want: address{kind: kindHTTP, network: "tcp", host: "127.8.9.10:8080"}},
		{uri: "vtps-author://0.0.0.0:8498", want: address{kind: kindAuthor, network: "tcp", host: "0.0.0.0:8498", tls: true}},
		{uri: "https://[::]:443", want: address{kind: kindHTTP, network: "tcp", host: "[::]:443", tls: true}},
		{uri: "vtp-feed+insecure://:8099", want: address{kind: kindFeed, network: "tcp", host: ":8099", insecure: true}},
		{uri: "vtp-author+unix:///run/tocsin/author.sock", want: address{kind: kindAuthor, network: "unix", host: "/run/tocsin/author.sock"}},
		{uri: "vtp-author://0.0.0.0:8098", err: "without TLS. Use vtps-author:// with a certificate, or say that you mean it: vtp-author+insecure://0.0.0.0:8098"},
		{uri: "vtp-feed://:8099", err: "without TLS"},
		{uri: "http://192.0.2.1:80", err: "without TLS. Use https://"},
		{uri: "vtp-feed://my-observatory.example:8099", err: "without TLS"},
		{uri: "vtp-feed://127.0.0.1.example.org:8099", err: "without TLS"},
		{uri: "vtps-feed+insecure://127.0.0.1:1", err: "exclude each other"},
		{uri: "vtp-feed+magic://127.0.0.1:1", err: "+magic"},
		{uri: "vtp://127.0.0.1:1", err: "say which side"},
		{uri: "tcp://127.0.0.1:1", err: "unknown scheme"},
		{uri: "127.0.0.1:8098", err: "127.0.0.1:8098"},
		{uri: "vtp-author://127.0.0.1", err: "needs HOST:PORT, such as 127.0.0.1:8098"},
		{uri: "vtp-author://127.0.0.1:99999", err: "not a port"},
		{uri: "vtp-author://127.0.0.1:smtp", err: ""},
		{uri: "vtp-author://127.0.0.1:1/path", err: "a path has no meaning"},
		{uri: "vtp-author+unix://run/x.sock", err: "three slashes"},
		{uri: "vtp-author+unix:", err: "needs the path"},
	} {
		t.Run(c.uri, func(t *testing.T) {
			got, err := parseListen(c.uri)
			if !reflect.DeepEqual(c.want, address{}) {
				if err != nil {
					t.Fatal(err)
				}
				got.query = nil
				if !reflect.DeepEqual(got, c.want) {
					t.Fatalf("got %+v, want %+v", got, c.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("got %+v, %v; want an error with %q", got, err, c.err)
			}
		})
	}
}

func TestRemoteURIs(t *testing.T) {
	for _, c := range []struct {
		in, network, host string
		secure            bool
		err               string
	}{
		{in: "vtp://broker.example.org", network: "tcp", host: "broker.example.org:8099"},
		{in: "broker.example.org:99", network: "tcp", host: "broker.example.org:99"},
		{in: "vtps://[2001:db8::1]:1234", network: "tcp", host: "[2001:db8::1]:1234", secure: true},
		{in: "vtps://[2001:db8::1]", network: "tcp", host: "[2001:db8::1]:8099", secure: true},
		{in: "vtp+unix:///run/x.sock", network: "unix", host: "/run/x.sock"},
		{in: "vtp+unix://run/x.sock", err: "needs the path"},
		{in: "http://x", err: "unknown scheme"},
		{in: "vtp://x/y", err: "want vtp://HOST:PORT"},
		{in: "vtp://", err: "want vtp://HOST:PORT"},
	} {
		network, host, secure, err := parseRemote(c.in, "8099")
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want an error with %q", c.in, err, c.err)
			}
			continue
		}
		if err != nil || network != c.network || host != c.host || secure != c.secure {
			t.Errorf("%s: %s %s %t %v", c.in, network, host, secure, err)
		}
	}
}

func TestNetworks(t *testing.T) {
	got, err := parseNetworks([]string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::ffff:192.0.2.8"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "192.0.2.8/32"}
	for i, p := range got {
		if p != netip.MustParsePrefix(want[i]) {
			t.Errorf("%d: %s, want %s", i, p, want[i])
		}
	}
	for _, bad := range []string{"10.1.0.0/8", "10.0.0.0/33", "localhost", ""} {
		if _, err := parseNetworks([]string{bad}); err == nil {
			t.Errorf("%q was taken for a network", bad)
		}
	}
}

// Options in a listener's query mean what they mean in a file.
func TestListenerOptionsInTheQuery(t *testing.T) {
	c := defaultConfig()
	c.Listeners = []Listener{{URI: "vtp-feed://127.0.0.1:0?name=telescopes&allow=10.0.0.0/8,192.0.2.1&allow=2001:db8::/32&authenticate=false&max_connections=12"}}
	es, err := c.endpoints()
	if err != nil {
		t.Fatal(err)
	}
	e := es[0]
	if e.Name != "telescopes" || e.Authenticate == nil || *e.Authenticate || e.MaxConns != 12 || len(e.allow) != 3 {
		t.Fatalf("%+v", e.Listener)
	}
	for query, want := range map[string]string{
		"max_connections=many": "stands where a whole number is wanted",
		"max_connections=-1":   "negative",
		"nonsense=1":           "unknown field",
		"uri=x":                "cannot be given in the query",
		"mode=relay":           "only author listeners have one",
		"cert_file=x":          "without TLS",
	} {
		c.Listeners = []Listener{{URI: "vtp-feed://127.0.0.1:0?" + query}}
		if _, err := c.endpoints(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("?%s: %v, want an error with %q", query, err, want)
		}
	}
}

func TestListenerNamesAreDistinct(t *testing.T) {
	c := Config{Listeners: []Listener{
		{URI: "vtp-author://127.0.0.1:0"}, {URI: "vtp-author://127.0.0.1:0"}, {URI: "vtp-feed://127.0.0.1:0"}, {URI: "vtp-author://127.0.0.1:0"},
	}}
	es, err := c.endpoints()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name)
	}
	if d := cmp.Diff([]string{"author", "author2", "feed", "author3"}, names); d != "" {
		t.Error(d)
	}
	c.Listeners[2].Name = "author2"
	if _, err := c.endpoints(); err == nil {
		t.Error("two listeners of one name were taken")
	}
}

func TestLocalIVORN(t *testing.T) {
	c := defaultConfig()
	id, err := c.identifier()
	if err != nil || !strings.HasPrefix(id, "ivo://") {
		t.Errorf("made from the host's name: %q, %v", id, err)
	}
	c.LocalIVORN = id
	if _, err := c.identifier(); err != nil {
		t.Errorf("what is made from the host's name is not accepted: %v", err)
	}
	for _, bad := range []string{"observatory", "ivo://example.org/x#local", "http://example.org/x"} {
		c.LocalIVORN = bad
		if _, err := c.identifier(); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// Whatever a configuration says, printing it and reading that back says the same.
func TestPrintedConfigurationReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := defaultConfig()
		text := rapid.StringMatching(`[a-z:#'" {}\[\],&*!|>%@-]{0,12}`)
		c.Data = "d" + text.Draw(t, "data")
		c.Log.Format = rapid.SampledFrom([]string{"text", "json"}).Draw(t, "format")
		c.TestInterval = rapid.IntRange(0, 9999).Draw(t, "interval")
		c.Limits.RatePerSecond = rapid.Float64Range(0, 1e6).Draw(t, "rate")
		c.Journal.MaxAgeDays = rapid.Float64Range(0, 365).Draw(t, "age")
		c.Policy.Contact = text.Draw(t, "contact")
		yes := rapid.Bool().Draw(t, "authenticate")
		c.Listeners = append(c.Listeners, Listener{URI: "vtp-feed://127.0.0.1:1", Name: "n" + text.Draw(t, "name"), Authenticate: &yes, Allow: []string{"::1"}})
		for range rapid.IntRange(0, 3).Draw(t, "rules") {
			c.Policy.Rules = append(c.Policy.Rules, Rule{Action: "allow", Identities: []string{text.Draw(t, "identity")}, Reason: text.Draw(t, "reason"), Upstream: &yes})
		}
		var b bytes.Buffer
		if err := printConfig(&b, c); err != nil {
			t.Fatal(err)
		}
		got, err := parseConfig("printed", b.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		// An empty list prints as one, and reads back as one that is not nil.
		if d := cmp.Diff(c, got, cmp.Transformer("empty", func(s []Rule) []Rule { return append([]Rule{}, s...) }),
			cmp.Transformer("none", func(s []Upstream) []Upstream { return append([]Upstream{}, s...) })); d != "" {
			t.Fatal(d)
		}
	})
}

// Every field has a doc, and one sentence at least.
func TestEveryFieldIsDocumented(t *testing.T) {
	for name, typ := range configTypes {
		for f := range typ.Fields() {
			doc := f.Tag.Get("doc")
			if !strings.HasSuffix(doc, ".") || yamlKey(f) == "" {
				t.Errorf("%s.%s: doc %q, key %q", name, f.Name, doc, yamlKey(f))
			}
		}
	}
}

func FuzzConfig(f *testing.F) {
	var b bytes.Buffer
	if err := printConfig(&b, defaultConfig()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("listeners: [{uri: 'vtp-author://127.0.0.1:0?allow=::1&mode=relay'}]"))
	f.Add([]byte("policy: {rules: [{action: deny, streams: ['**'], networks: [10.0.0.0/8]}]}"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig("f", b)
		if err != nil {
			if ce := new(ConfigError); !errors.As(err, &ce) {
				t.Fatalf("an error that does not say where: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := printConfig(&out, c); err != nil {
			t.Fatal(err)
		}
		if _, err := parseConfig("printed", out.Bytes()); err != nil {
			t.Fatalf("what was accepted does not print as something acceptable: %v\n%s", err, out.String())
		}
	})
}
