package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tocsin/journal"
)

type serveCmd struct {
	Config      string   `help:"Configuration file (YAML). --print-config shows all of it." type:"existingfile" placeholder:"FILE"`
	Data        string   `help:"Data folder. Default: ./data, or what the configuration says." type:"path" placeholder:"DIR"`
	Listen      []string `help:"Listen there instead of where the configuration says: vtp-author://HOST:PORT, vtp-feed://HOST:PORT, http://HOST:PORT, with options such as ?mode=relay; repeatable." placeholder:"URI" sep:"none"`
	Upstream    []string `help:"Subscribe to this broker too: vtp://HOST:PORT; repeatable." placeholder:"URI" sep:"none"`
	LogLevel    string   `help:"debug, info, warn or error." placeholder:"LEVEL"`
	PrintConfig bool     `help:"Print the configuration in use, with a comment on every field, and end."`
}

// Help is shown by tocsin serve --help.
func (serveCmd) Help() string {
	return `Without options the broker listens on this machine only: authors on 8098, subscribers on 8099, HTTP on 8080
(/metrics, /healthz, /readyz), and keeps its journal in ./data. An address beyond this machine needs TLS, or says that
it has none: vtp-feed+insecure://0.0.0.0:8099.

Ctrl-C ends it in order; a second Ctrl-C ends it at once. Nothing acknowledged is lost either way.

Examples:
  tocsin serve
  tocsin serve --print-config > tocsin.yaml
  tocsin serve --config tocsin.yaml
  tocsin serve --data /srv/tocsin --listen vtp-author://127.0.0.1:8098 \
    --listen 'vtp-feed+insecure://0.0.0.0:8099?allow=192.0.2.0/24,2001:db8::/32'`
}

func (c *serveCmd) configuration() (Config, error) {
	conf := defaultConfig()
	if c.Config != "" {
		var err error
		if conf, err = readConfig(c.Config); err != nil {
			return conf, err
		}
	}
	if c.Data != "" {
		conf.Data = c.Data
	}
	if c.LogLevel != "" {
		conf.Log.Level = c.LogLevel
	}
	if len(c.Listen) > 0 {
		conf.Listeners = nil
	}
	for _, l := range c.Listen {
		conf.Listeners = append(conf.Listeners, Listener{URI: l})
	}
	for _, u := range c.Upstream {
		conf.Upstreams = append(conf.Upstreams, Upstream{URI: u})
	}
	return conf, conf.check()
}

// Run serves until a signal comes.
func (c *serveCmd) Run(ctx context.Context, t *terminal) error {
	conf, err := c.configuration()
	if err != nil {
		return err
	}
	if c.PrintConfig {
		return printConfig(t.stdout, conf)
	}
	log, err := newLogger(conf.Log, t.stderr)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	return serveUntil(ctx, conf, log, func(s *server) { banner(t, s) })
}

// serveUntil runs a broker until ctx ends or a part of it fails. It calls up when everything listens.
func serveUntil(ctx context.Context, conf Config, log *slog.Logger, up func(*server)) error {
	s, err := startServer(ctx, conf, log)
	if err != nil {
		return err
	}
	up(s)
	select {
	case <-ctx.Done():
		log.Info("ending: finishing what is in flight; a second signal ends at once")
	case <-s.gone:
		log.Error("ending: a part of the broker failed")
	}
	return s.stop(context.WithoutCancel(ctx))
}

func newLogger(l Log, w io.Writer) (*slog.Logger, error) {
	level, err := l.level()
	if err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}

// banner tells a person at the terminal where everything listens and what to do next.
func banner(t *terminal, s *server) {
	fmt.Fprintf(t.stdout, "\n%s %s is running.\n\n", t.paint(bold, "Tocsin"), version())
	what := map[string]string{"vtp-author": "authors send notices to", "vtp-feed": "subscribers connect to", "http": "health and metrics"}
	for _, kind := range []string{"vtp-author", "vtp-feed", "http"} {
		for _, l := range s.bound {
			if l.Kind == kind {
				fmt.Fprintf(t.stdout, "  %-26s %s\n", what[kind], t.paint(cyan, l.URI))
			}
		}
	}
	for _, u := range s.config.Upstreams {
		fmt.Fprintf(t.stdout, "  %-26s %s\n", "subscribed to", t.paint(cyan, u.URI))
	}
	abs, err := filepath.Abs(s.config.Data)
	if err != nil {
		abs = s.config.Data
	}
	st := s.journal.Stats()
	fmt.Fprintf(t.stdout, "  %-26s %s (%s notices)\n", "data", abs, count(uint64(st.Records)))
	self := os.Args[0]
	if !strings.Contains(self, "/") {
		self = "tocsin"
	}
	data := ""
	if wd, err := os.Getwd(); err != nil || abs != filepath.Join(wd, "data") {
		data = " --data " + abs
	}
	fmt.Fprintf(t.stdout, "\nIn a second terminal:  %s\nIn a third:            %s\nCtrl-C ends it.\n\n",
		t.paint(bold, self+" listen"+data), t.paint(bold, self+" send"+data+" FILE...   (or --test)"))
}

// policy gives what the journal keeps; no limit on the age is a negative one for the broker.
func (j Journal) policy() journal.TrimPolicy {
	p := journal.TrimPolicy{MaxAge: time.Duration(j.MaxAgeDays * float64(24*time.Hour)), MaxBytes: j.MaxBytes}
	if p.MaxAge == 0 {
		p.MaxAge = -1
	}
	return p
}

// journalAdvice adds to an error of opening the journal what the operator can do.
func journalAdvice(err error, data string) error {
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("another broker runs on %s: end it, or give this one a folder of its own with --data (%w)", data, err)
	}
	return err
}
