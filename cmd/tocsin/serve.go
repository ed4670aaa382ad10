package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"tocsin/broker"
	"tocsin/journal"
	"tocsin/rest"
	"tocsin/voevent"
	"tocsin/vtp"
)

// server is a running broker with everything around it.
type server struct {
	config   Config
	ivorn    string
	log      *slog.Logger
	registry *prometheus.Registry
	started  time.Time

	journal   *journal.Bolt
	broker    *broker.Broker
	upstreams []*vtp.Subscriber
	bound     []listenAddress
	ready     readinessCheck
	stopping  atomic.Bool

	// tasks run until the server ends; phases stop them in order. The first task that fails closes gone, and with that
	// ends the server.
	tasks  errgroup.Group
	phases []phase
	gone   chan struct{}
	fail   func() // closes gone, once
}

// phase is one step of the shutdown. Its context ends when the time for an orderly end is over.
type phase struct {
	name string
	stop func(context.Context) error
}

// later adds a step to the shutdown. Steps are taken in the reverse order of their adding: what was opened last is
// closed first.
func (s *server) later(name string, stop func(context.Context) error) {
	s.phases = append(s.phases, phase{name, stop})
}

// startServer opens everything, in the order in which notices flow backwards: what a part needs exists before it.
// When it fails it closes what it had opened.
func startServer(ctx context.Context, c Config, log *slog.Logger) (s *server, err error) {
	s = &server{config: c, log: log, registry: prometheus.NewRegistry(), started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop(context.WithoutCancel(ctx)))
		}
	}()
	endpoints, err := c.endpoints()
	if err != nil {
		return s, err
	}
	remotes, err := c.remotes()
	if err != nil {
		return s, err
	}
	if s.ivorn, err = c.identifier(); err != nil {
		return s, err
	}
	var trusted []string
	for _, e := range endpoints {
		if len(e.allow) > 0 {
			trusted = append(trusted, e.Name)
		}
	}
	rules, err := newPolicy(c.Policy, trusted)
	if err != nil {
		return s, err
	}
	// Tasks end by their step of the shutdown, not by a signal: the order matters.
	run := context.WithoutCancel(ctx)
	s.gone = make(chan struct{})
	s.fail = sync.OnceFunc(func() { close(s.gone) })
	s.later("tasks", func(context.Context) error { return s.tasks.Wait() })

	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return s, fmt.Errorf("data folder: %w", err)
	}
	if s.journal, err = journal.Open(c.journalPath(), journal.Options{Logger: log}); err != nil {
		return s, journalAdvice(err, c.Data)
	}
	s.later("journal", func(context.Context) error { return s.journal.Close() })
	s.ready.log = s.journal

	limits := c.Limits
	s.broker, err = broker.New(broker.Config{
		Log: s.journal, Policy: rules, RefuseSameIVORN: c.Policy.RefuseSameIVORN,
		Rate:   broker.RateLimit{PerSecond: limits.RatePerSecond, Burst: limits.RateBurst},
		Limits: voevent.Limits{Bytes: limits.NoticeBytes, Depth: limits.Depth, Nodes: limits.Nodes},
		Window: limits.Window, CacheBytes: limits.CacheBytes, MaxDurable: limits.Durable,
		ReceiptInterval: time.Duration(limits.ReceiptMillis) * time.Millisecond,
		Trim:            c.Journal.policy(), Registerer: s.registry, Logger: log,
	})
	if err != nil {
		return s, err
	}
	s.background(run, "broker", s.broker.Run)

	metrics := vtp.NewMetrics(s.registry)
	if err := s.openAdmin(run); err != nil {
		return s, err
	}
	for _, kind := range []listenKind{kindHTTP, kindFeed, kindAuthor} {
		for _, e := range endpoints {
			if e.kind != kind {
				continue
			}
			if err := s.openEndpoint(run, e, metrics); err != nil {
				return s, err
			}
		}
	}
	for _, r := range remotes {
		if err := s.openUpstream(run, r, metrics); err != nil {
			return s, err
		}
	}
	if c.TestInterval > 0 {
		every := time.Duration(c.TestInterval) * time.Second
		s.background(run, "test notices", func(ctx context.Context) error {
			return testAuthor(ctx, s.ivorn, every, s.publish, log)
		})
	}
	s.later("addresses", func(context.Context) error { return os.Remove(c.addressesPath()) })
	return s, s.writeAddresses()
}

// background runs a task until its step of the shutdown. A task that ends before then with an error ends the server.
func (s *server) background(ctx context.Context, name string, task func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	s.tasks.Go(func() error {
		defer close(done)
		if err := task(ctx); err != nil && ctx.Err() == nil {
			s.fail()
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	s.later(name, func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// service is what vtp's and net/http's servers have in common.
type service interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// serve runs a service on a listener until its step of the shutdown: what is in flight finishes, or is cut off when the
// time is over.
func (s *server) serve(name string, l net.Listener, v service) {
	s.tasks.Go(func() error {
		err := v.Serve(l)
		if errors.Is(err, http.ErrServerClosed) || errors.Is(err, vtp.ErrServerClosed) {
			return nil
		}
		s.fail()
		return fmt.Errorf("listener %s: %w", name, err)
	})
	s.later(name, func(ctx context.Context) error {
		err := v.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			s.log.Warn("listener closed with work in flight", "listener", name)
			err = v.Close()
		}
		if errors.Is(err, net.ErrClosed) {
			err = nil
		}
		return err
	})
}

func (s *server) openEndpoint(ctx context.Context, e endpoint, m *vtp.Metrics) error {
	l, err := listen(ctx, e, s.log)
	if err != nil {
		return err
	}
	switch e.kind {
	case kindAuthor:
		s.serve(e.Name, l, s.authorServer(e, m))
	case kindFeed:
		s.serve(e.Name, l, s.feedServer(e, m))
	case kindHTTP:
		s.serve(e.Name, guard(l, e.allow, or(e.MaxConns, 256)), rest.NewServer(s.handler(), s.log))
	}
	at := l.Addr().String()
	s.bound = append(s.bound, listenAddress{Name: e.Name, Kind: e.wireKind(), URI: e.uri(at), Address: at, TLS: e.tls})
	s.log.Info("listening", "listener", e.Name, "uri", e.uri(at))
	return nil
}

func (s *server) authorServer(e endpoint, m *vtp.Metrics) *vtp.AuthorServer {
	return &vtp.AuthorServer{
		Ingester:   ingester{broker: s.broker, relay: e.relay(), log: s.log},
		LocalIVORN: s.ivorn, Name: e.Name, Allow: e.allow, Logger: s.log, Metrics: m,
		MaxFrameBytes:     or(e.MaxFrameBytes, s.config.Limits.NoticeBytes),
		FirstFrameTimeout: seconds(e.FirstFrameTimeout), FrameTimeout: seconds(e.FrameTimeout), IdleTimeout: seconds(e.IdleTimeout),
		MaxConns: e.MaxConns, MaxConnsPerAddress: e.MaxConnsPerHost, MaxPending: e.MaxPending,
	}
}

func (s *server) feedServer(e endpoint, m *vtp.Metrics) *vtp.FeedServer {
	return &vtp.FeedServer{
		Feed: feed{broker: s.broker, resume: &resuming{keep: e.resume(), log: s.log}}, LocalIVORN: s.ivorn, Name: e.Name, Allow: e.allow, Logger: s.log, Metrics: m,
		SendAuthenticate: e.Authenticate == nil || *e.Authenticate,
		KeepAlive:        seconds(e.KeepAlive), AckTimeout: seconds(e.AckTimeout), FrameTimeout: seconds(e.FrameTimeout),
		MaxFrameBytes: e.MaxFrameBytes, MaxConns: e.MaxConns, MaxConnsPerAddress: e.MaxConnsPerHost,
	}
}

func (s *server) openUpstream(ctx context.Context, r remote, m *vtp.Metrics) error {
	to := vtp.Remote{Network: r.network, Address: r.host, Name: r.Name}
	if r.secure {
		var err error
		if to.TLS, err = clientTLS(r.TLS); err != nil {
			return fmt.Errorf("upstream %s: %w", r.Name, err)
		}
	}
	sub := &vtp.Subscriber{
		Remotes:  []vtp.Remote{to},
		Ingester: ingester{broker: s.broker, relay: true, upstream: true, log: s.log}, LocalIVORN: s.ivorn,
		Wishes: vtp.Wishes{XPath: r.Filters}, MaxFrameBytes: s.config.Limits.NoticeBytes, Logger: s.log, Metrics: m,
	}
	if r.Since > 0 {
		sub.Wishes.Since = time.Now().Add(-seconds(r.Since))
	}
	s.upstreams = append(s.upstreams, sub)
	s.background(ctx, "upstream "+r.Name, sub.Run)
	return nil
}

// openAdmin opens the socket on which other tocsin commands ask this one. The folder is its owner's only; the mode of
// the socket says the same once more.
func (s *server) openAdmin(ctx context.Context) error {
	l, err := listenUnix(ctx, s.config.socketPath(), 0o600)
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	h := &http.Server{Handler: admin{log: s.journal, report: s.report}.handler(), ReadHeaderTimeout: 10 * time.Second}
	s.serve("admin", l, h)
	return nil
}

func (s *server) handler() http.Handler {
	return rest.NewHandler(rest.Options{
		Metrics: promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry, MaxRequestsInFlight: 8, Timeout: 20 * time.Second}),
		Ready:   s.isReady, Page: findingPage, Codes: findingCodes(), Version: version(), Logger: s.log,
	})
}

// publish takes in a notice that this program authored.
func (s *server) publish(ctx context.Context, raw []byte) error {
	_, err := s.broker.Ingest(ctx, broker.Submission{Raw: raw, Source: broker.Source{Listener: ownListener, Upstream: true}})
	return err
}

func (s *server) writeAddresses() error {
	abs, err := filepath.Abs(s.config.socketPath())
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	return addresses{PID: os.Getpid(), Started: s.started.UTC(), Listeners: s.bound, Admin: abs}.write(s.config.addressesPath())
}

// stop ends the server in order: authors first, then upstreams and test notices, subscribers with what is in flight,
// HTTP, the broker with its last receipts, the journal.
func (s *server) stop(ctx context.Context) error {
	s.stopping.Store(true)
	ctx, cancel := context.WithTimeout(ctx, seconds(s.config.ShutdownTimeout))
	defer cancel()
	var errs []error
	for _, p := range slices.Backward(s.phases) {
		if err := p.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("end of %s: %w", p.name, err))
		}
	}
	s.phases = nil
	return errors.Join(errs...)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
