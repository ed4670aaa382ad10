package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/vtp"
)

// authority makes certificates for tests.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), next: 2}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes NAME.pem and NAME.key for a common name, good for 127.0.0.1 and for clients.
func (a *authority) issue(name, common string) *TLS {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: common}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	a.next++
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	kder, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", kder)
	return &TLS{Cert: a.path(name + ".pem"), Key: a.path(name + ".key")}
}

// broker starts a broker in this process and ends it with the test.
func testBroker(t *testing.T, change func(*Config)) *server {
	t.Helper()
	c := defaultConfig()
	c.Data = t.TempDir()
	c.Listeners = []Listener{{URI: "vtp-author://127.0.0.1:0"}, {URI: "vtp-feed://127.0.0.1:0"}}
	if change != nil {
		change(&c)
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan *server, 1), make(chan error, 1)
	go func() { done <- serveUntil(ctx, c, slog.New(slog.DiscardHandler), func(s *server) { up <- s }) }()
	select {
	case s := <-up:
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the broker's end: %v", err)
			}
		})
		return s
	case err := <-done:
		cancel()
		t.Fatal(err)
		return nil
	}
}

func (s *server) addressOf(t *testing.T, name string) string {
	t.Helper()
	for _, l := range s.bound {
		if l.Name == name {
			return l.Address
		}
	}
	t.Fatalf("no listener %q", name)
	return ""
}

// secureAuthor sends one notice over TLS.
func secureAuthor(t *testing.T, s *server, listener string, files *TLS) (vtp.Receipt, error) {
	t.Helper()
	conf, err := clientTLS(files)
	if err != nil {
		t.Fatal(err)
	}
	author := &vtp.Author{Remote: vtp.Remote{Address: s.addressOf(t, listener), TLS: conf}, AckTimeout: 20 * time.Second}
	defer author.Close()
	return author.Send(t.Context(), testNotice("ivo://example.org/tls", "", time.Now()))
}

func TestCertificatesAreIdentities(t *testing.T) {
	a := newAuthority(t)
	server := a.issue("server", "server")
	server.ClientCA = a.path("ca.pem")
	telescope, stranger := a.issue("telescope", "telescope-1"), a.issue("stranger", "stranger")
	telescope.ClientCA, stranger.ClientCA = a.path("ca.pem"), a.path("ca.pem")
	other := newAuthority(t)
	foreign := other.issue("foreign", "telescope-1")
	foreign.ClientCA = a.path("ca.pem")

	s := testBroker(t, func(c *Config) {
		c.Listeners = []Listener{{URI: "vtps-author://127.0.0.1:0", Name: "partners", TLS: server}}
		c.Policy = Policy{Default: "deny", Contact: "ops@example.org", Rules: []Rule{{Action: "allow", Identities: []string{"telescope-*"}, Streams: []string{"example.org/*"}}}}
	})
	if r, err := secureAuthor(t, s, "partners", telescope); err != nil || !strings.HasPrefix(r.IVORN, "ivo://example.org/tls#") {
		t.Errorf("the telescope's notice: %+v, %v", r, err)
	}
	_, err := secureAuthor(t, s, "partners", stranger)
	if err == nil || !strings.Contains(err.Error(), "unauthorized") || !strings.Contains(err.Error(), "ops@example.org") {
		t.Errorf("the stranger's notice: %v", err)
	}
	if _, err := secureAuthor(t, s, "partners", foreign); err == nil || strings.Contains(err.Error(), "unauthorized") {
		t.Errorf("a certificate of another authority must not get as far as the policy: %v", err)
	}
	if _, err := secureAuthor(t, s, "partners", &TLS{ClientCA: a.path("ca.pem")}); err == nil {
		t.Error("a client without a certificate was let in")
	}
}

func TestCertificateIsReloadedWhenItsFilesChange(t *testing.T) {
	a := newAuthority(t)
	files := a.issue("server", "first")
	var log bytes.Buffer
	c, err := newCertificate(*files, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c.now = func() time.Time { return now }
	common := func() string {
		t.Helper()
		leaf, err := x509.ParseCertificate(c.latest().Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.Subject.CommonName
	}
	touch := func(at time.Time) {
		t.Helper()
		for _, f := range []string{files.Cert, files.Key} {
			if err := os.Chtimes(f, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}

	a.issue("server", "second")
	touch(now.Add(time.Minute))
	if got := common(); got != "first" {
		t.Errorf("within a second the files are not looked at again, yet the certificate is %q", got)
	}
	now = now.Add(2 * recheckAfter)
	if got := common(); got != "second" {
		t.Errorf("after the change the certificate is %q", got)
	}

	if err := os.WriteFile(files.Cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * recheckAfter)
	if got := common(); got != "second" || !strings.Contains(log.String(), "the old one stays in use") {
		t.Errorf("with a broken file the certificate is %q, the log %q", got, log.String())
	}
	a.issue("server", "third")
	touch(now.Add(2 * time.Minute))
	now = now.Add(2 * recheckAfter)
	if got := common(); got != "third" {
		t.Errorf("when the file is whole again the certificate is %q", got)
	}
	if min := c.server().MinVersion; min < tls.VersionTLS12 {
		t.Errorf("TLS %x is offered", min)
	}
}
