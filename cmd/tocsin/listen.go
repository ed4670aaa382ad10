package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"tocsin/broker/filter"
	"tocsin/voevent"
	"tocsin/vtp"
)

type listenCmd struct {
	From []string `arg:"" optional:"" name:"broker" help:"Brokers: vtp://HOST:PORT, vtps://HOST:PORT or vtp+unix:///path. Default: the one on this machine."`

	Raw  bool `help:"Print the XML as the author sent it." xor:"form"`
	JSON bool `name:"json" help:"Print one JSON line per notice, with a summary." xor:"form"`

	filterFlags `embed:""`

	Since  moment `help:"First what came since then: 2026-11-21T10:15:00Z, 2026-11-21, or how long ago: 90m, 2h, 3d. A Tocsin broker answers; others ignore it." placeholder:"TIME"`
	Resume string `help:"Go on where a listener of this name ended: the broker keeps the place. A Tocsin broker answers." placeholder:"NAME"`
	Count  int    `help:"End after so many notices." placeholder:"N"`

	Exec        string        `help:"Run this program for each notice, with the XML on its standard input and TOCSIN_IVORN, TOCSIN_STREAM, TOCSIN_ROLE, TOCSIN_TIME, TOCSIN_RA, TOCSIN_DEC, TOCSIN_ERROR, TOCSIN_SHA256, TOCSIN_BROKER in its environment. No shell." placeholder:"PROGRAM"`
	ExecLimit   int           `help:"At most so many programs at once; further notices wait." default:"4" placeholder:"N"`
	ExecTimeout time.Duration `help:"A program is ended after so long." default:"60s" placeholder:"DURATION"`
	Save        string        `help:"Save each notice as a file in this folder, under a safe name." type:"path" placeholder:"DIR"`
	IVORN       string        `name:"ivorn" help:"Our own identifier, for brokers that want one." placeholder:"IVO"`
	Quiet       bool          `short:"q" help:"Print nothing per notice (with --save or --exec)."`
	Verbose     bool          `short:"v" help:"Tell about connections and programs on standard error."`

	remoteFlags `embed:""`
}

// Help is shown by tocsin listen --help.
func (listenCmd) Help() string {
	return `Prints one line per notice, reconnects for as long as it runs, and drops what it has seen already.
A notice is acknowledged when it has been printed, saved and handed to the program.

Examples:
  tocsin listen
  tocsin listen vtp://broker.example.org:8099 --role observation --cone 74.74,25.31,5
  tocsin listen --since 2h --save notices/ --exec ./point-telescope.sh
  tocsin listen --resume telescope-1 --filter '//Param[@name="Sun_Distance" and @value>60]'`
}

// Run receives until it is interrupted, or --count notices have come.
func (c *listenCmd) Run(ctx context.Context, t *terminal) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(t.stderr, &slog.HandlerOptions{Level: level}))
	match, err := c.compile()
	if err != nil {
		return err
	}
	if c.Count < 0 {
		return errors.New("--count must not be negative")
	}
	remotes, err := c.remotes()
	if err != nil {
		return err
	}
	h := &listening{cmd: c, t: t, match: match, log: log, names: map[string]string{}}
	for _, r := range remotes {
		h.names[r.Name] = r.Address
	}
	if c.Save != "" {
		if h.saver, err = newSaver(c.Save); err != nil {
			return err
		}
	}
	if c.Exec != "" {
		if h.executor, err = newExecutor(c.Exec, c.ExecLimit, c.ExecTimeout, log); err != nil {
			return err
		}
		defer h.executor.wait()
	}
	ctx, h.enough = context.WithCancel(ctx)
	defer h.enough()
	s := &vtp.Subscriber{
		Remotes: remotes, Ingester: vtp.Handle(h.handle), LocalIVORN: c.IVORN, Logger: log,
		Wishes: vtp.Wishes{XPath: c.Filter, Since: c.Since.before(time.Now()), Subscription: c.Resume},
	}
	if !c.Quiet && !c.Raw && !c.JSON {
		for _, r := range remotes {
			fmt.Fprintln(t.stderr, t.paint(dim, "listening to "+r.Address+"; Ctrl-C ends"))
		}
	}
	if err := s.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return h.failure()
}

func (c *listenCmd) remotes() ([]vtp.Remote, error) {
	from := c.From
	if len(from) == 0 {
		from = []string{""}
	}
	out := make([]vtp.Remote, 0, len(from))
	for _, f := range from {
		r, err := c.remote(f, kindFeed)
		if err != nil {
			return nil, err
		}
		r.Name = r.Address
		out = append(out, r)
	}
	return out, nil
}

// listening is the state of one listen command. Several brokers deliver at once; one notice is dealt with at a time.
type listening struct {
	cmd      *listenCmd
	t        *terminal
	match    *filter.Filter
	log      *slog.Logger
	saver    *saver
	executor *executor
	names    map[string]string
	enough   context.CancelFunc

	mu    sync.Mutex
	count int
	err   error // what ends the command with a failure: output, disk
}

func (h *listening) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// handle deals with one notice. An error leaves it unacknowledged and ends the command: the broker keeps it, and a
// listener that cannot write is of no use.
func (h *listening) handle(ctx context.Context, s vtp.Submission) (vtp.Receipt, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil || (h.cmd.Count > 0 && h.count >= h.cmd.Count) {
		return vtp.Receipt{}, errEnough
	}
	e, err := voevent.Parse(s.Raw)
	if err != nil {
		// A nak would make a Comet hang up, so it gets its ack, and the user is told.
		h.log.Warn("broker sent what is no notice", "broker", s.Peer.Remote, "error", printable(err.Error(), 500))
		ivorn := ""
		if pe := new(voevent.ParseError); errors.As(err, &pe) {
			ivorn = pe.IVORN
		}
		return vtp.Receipt{IVORN: ivorn}, nil
	}
	receipt := vtp.Receipt{IVORN: e.IVORN.String()}
	if !h.match.Everything() && !h.match.Match(e) {
		return receipt, nil
	}
	if err := h.use(ctx, e, s.Peer.Listener); err != nil {
		if ctx.Err() == nil {
			h.err = err
		}
		h.enough()
		return vtp.Receipt{}, err
	}
	h.count++
	if h.count == h.cmd.Count {
		h.enough()
	}
	return receipt, nil
}

// use saves, runs and prints, in this order: what is printed has been saved.
func (h *listening) use(ctx context.Context, e *voevent.Event, broker string) error {
	if h.saver != nil {
		path, err := h.saver.save(e.IVORN.String(), e.SHA256(), e.Raw(), ".xml")
		if err != nil {
			return err
		}
		h.log.Debug("saved", "file", path)
	}
	if h.executor != nil {
		if err := h.executor.start(ctx, e.Raw(), environment(e, broker)); err != nil {
			return err
		}
	}
	var err error
	switch {
	case h.cmd.Quiet:
	case h.cmd.Raw:
		raw := e.Raw()
		if len(raw) > 0 && raw[len(raw)-1] != '\n' {
			raw = append(slices.Clip(raw), '\n')
		}
		_, err = h.t.stdout.Write(raw)
	case h.cmd.JSON:
		var line []byte
		if line, err = voevent.ToJSON(e, voevent.JSONOptions{Summary: true}); err == nil {
			_, err = h.t.stdout.Write(append(line, '\n'))
		}
	default:
		_, err = fmt.Fprintln(h.t.stdout, h.t.noticeLine(time.Now(), e))
	}
	return err
}

// environment tells a program about the notice without its having to read XML. Values come from the network: they are
// cleaned of control characters, and a variable is absent when the notice does not say.
func environment(e *voevent.Event, broker string) []string {
	sum := e.SHA256()
	out := []string{
		"TOCSIN_IVORN=" + printable(e.IVORN.String(), 1000),
		"TOCSIN_STREAM=" + printable(e.Stream(), 1000),
		"TOCSIN_ROLE=" + printable(string(e.Role), 40),
		"TOCSIN_SHA256=" + hex.EncodeToString(sum[:]),
		"TOCSIN_BROKER=" + broker,
	}
	if at, ok := e.Time(); ok {
		out = append(out, "TOCSIN_TIME="+at.UTC().Format(time.RFC3339Nano))
	}
	if p, ok := e.Position(); ok {
		out = append(out, "TOCSIN_RA="+decimal(p.RADeg), "TOCSIN_DEC="+decimal(p.DecDeg))
		if p.HasError {
			out = append(out, "TOCSIN_ERROR="+decimal(p.ErrorDeg))
		}
	}
	return out
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
