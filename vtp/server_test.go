package vtp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAcceptingGoesOnWhenFilesRunOut(t *testing.T) {
	var q quiet
	s := newAuthorServer(newDesk(), &q)
	l := &errListener{Listener: listen(t, "tcp", "127.0.0.1:0"), errs: []error{
		&net.OpError{Op: "accept", Err: syscall.EMFILE}, &net.OpError{Op: "accept", Err: syscall.ECONNABORTED},
	}}
	w := dialWire(t, serveOn(t, s, l))
	w.send(notice("1"))
	w.expectAck("1")
	if !strings.Contains(q.String(), "too many open files") {
		t.Error("nothing in the log")
	}
}

func TestServeReturnsWhenTheListenerFails(t *testing.T) {
	var q quiet
	s := newAuthorServer(newDesk(), &q)
	broken := errors.New("broken")
	if err := s.Serve(&errListener{Listener: listen(t, "tcp", "127.0.0.1:0"), errs: []error{broken}}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	s.Close()
}

// An authority vouches for certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	c := a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate; the first one signs itself.
func (a *authority) issue(t testing.TB, c *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) server(t testing.TB) *tls.Config {
	c := a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	return &tls.Config{Certificates: []tls.Certificate{c}, ClientCAs: a.pool, ClientAuth: tls.VerifyClientCertIfGiven}
}

func (a *authority) client(t testing.TB, name, uri string) *tls.Config {
	c := &tls.Config{RootCAs: a.pool}
	if name != "" {
		template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if uri != "" {
			u, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			template.URIs = []*url.URL{u}
		}
		c.Certificates = []tls.Certificate{a.issue(t, template)}
	}
	return c
}

func TestCertificatesGiveIdentity(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	for name, c := range map[string]struct {
		client *tls.Config
		want   string
	}{
		"none":        {a.client(t, "", ""), ""},
		"common name": {a.client(t, "wettzell", ""), "wettzell"},
		"URI":         {a.client(t, "wettzell", "ivo://wettzell.de/tocsin"), "ivo://wettzell.de/tocsin"},
	} {
		t.Run(name, func(t *testing.T) {
			var q quiet
			d := newDesk()
			s := newAuthorServer(d, &q)
			addr := serveOn(t, s, tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), a.server(t)))
			author := &Author{Remote: Remote{Address: addr.String(), TLS: c.client}}
			defer author.Close()
			for _, n := range []string{"1", "2", "REFUSE"} {
				r, err := author.Send(t.Context(), notice(n))
				if n == "REFUSE" != (err != nil) || err == nil && r.IVORN != nameOf(n) {
					t.Errorf("%s: %v, %v", n, r, err)
				}
			}
			if got := d.from[0].Identity; got != c.want {
				t.Errorf("identity %q", got)
			}
		})
	}
	var q quiet
	d := newDesk()
	addr := serveOn(t, newAuthorServer(d, &q), tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), a.server(t)))
	foreign := stranger.client(t, "mallory", "")
	foreign.RootCAs = a.pool
	author := &Author{Remote: Remote{Address: addr.String(), TLS: foreign}}
	defer author.Close()
	if _, err := author.Send(t.Context(), notice("1")); !errors.Is(err, ErrRetry) || d.count() != 0 {
		t.Errorf("a certificate of a strange authority: %v", err)
	}
	plain := dialWire(t, addr)
	plain.send(notice("1"))
	plain.conn.SetReadDeadline(time.Now().Add(patience))
	for err := error(nil); err == nil; {
		_, err = plain.conn.Read(make([]byte, 100)) // An alert of TLS, then the end.
	}
	if d.count() != 0 {
		t.Error("a notice was taken without TLS")
	}
}
