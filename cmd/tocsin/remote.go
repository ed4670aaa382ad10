package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"tocsin/vtp"
)

// remoteFlags say how a client command reaches a broker over TLS.
type remoteFlags struct {
	Data string `help:"Data folder of a broker on this machine, to find its ports." default:"data" type:"path" placeholder:"DIR"`
	CA   string `name:"ca" help:"PEM file with the authorities that vouch for a vtps:// broker, instead of the system's." type:"existingfile" placeholder:"FILE"`
	Cert string `help:"PEM file with the client certificate for a vtps:// broker." type:"existingfile" placeholder:"FILE" and:"clientcert"`
	Key  string `help:"PEM file with its private key." type:"existingfile" placeholder:"FILE" and:"clientcert"`
}

// remote gives the broker's place for vtp's clients.
func (f remoteFlags) remote(given string, kind listenKind) (vtp.Remote, error) {
	network, host, secure, err := remoteFor(given, f.Data, kind)
	if err != nil {
		return vtp.Remote{}, err
	}
	r := vtp.Remote{Network: network, Address: host}
	if secure {
		r.TLS, err = clientTLS(&TLS{Cert: f.Cert, Key: f.Key, ClientCA: f.CA})
	} else if f.CA != "" || f.Cert != "" {
		err = errors.New("--ca, --cert and --key need a broker given as vtps://HOST:PORT")
	}
	return r, err
}

// clientTLS makes the TLS settings of a client; nil means the system's authorities and no certificate.
func clientTLS(t *TLS) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return c, nil
	}
	if t.ClientCA != "" {
		pool, err := readPool(t.ClientCA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = pool
	}
	if t.Cert != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", t.Cert, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

func readPool(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: no certificate in PEM form", file)
	}
	return pool, nil
}

// advice adds to a failed connection what the user can do.
func advice(err error, where string) error {
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no broker answers at %s; start one with: tocsin serve (%w)", where, syscall.ECONNREFUSED)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("no broker answers at %s: there is no such socket", where)
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%s cannot be reached: %w", where, op.Err)
	}
	return err
}
