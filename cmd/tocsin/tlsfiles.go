package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// recheckAfter is how long a certificate is used before its files are looked at again.
const recheckAfter = time.Second

// certificate serves the TLS settings made of files, and makes them anew when the files have changed. When the new
// files do not work the old settings stay in use and the error is logged: a half-written certificate must not close a
// port.
type certificate struct {
	files TLS
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	config  *tls.Config
	stamp   string // sizes and times of the files that config was made of
	checked time.Time
}

// newCertificate reads the files for the first time.
func newCertificate(files TLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log, now: time.Now}
	stamp, err := c.look()
	if err != nil {
		return nil, err
	}
	if c.config, err = c.read(); err != nil {
		return nil, err
	}
	c.stamp, c.checked = stamp, c.now()
	return c, nil
}

// server gives the settings for a listener.
func (c *certificate) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.latest(), nil
		},
	}
}

func (c *certificate) latest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < recheckAfter {
		return c.config
	}
	c.checked = now
	stamp, err := c.look()
	if err == nil && stamp == c.stamp {
		return c.config
	}
	var config *tls.Config
	if err == nil {
		config, err = c.read()
	}
	if err != nil {
		c.log.Error("certificate not reloaded; the old one stays in use", "file", c.files.Cert, "error", err)
		return c.config
	}
	c.config, c.stamp = config, stamp
	c.log.Info("certificate reloaded", "file", c.files.Cert)
	return c.config
}

// look gives a text that changes when one of the files does.
func (c *certificate) look() (string, error) {
	var out strings.Builder
	for _, f := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if f == "" {
			continue
		}
		info, err := os.Stat(f)
		if err != nil {
			return "", fmt.Errorf("certificate: %w", err)
		}
		fmt.Fprintf(&out, "%d %d;", info.Size(), info.ModTime().UnixNano())
	}
	return out.String(), nil
}

func (c *certificate) read() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", c.files.Cert, err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if c.files.ClientCA != "" {
		if out.ClientCAs, err = readPool(c.files.ClientCA); err != nil {
			return nil, err
		}
		out.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return out, nil
}
