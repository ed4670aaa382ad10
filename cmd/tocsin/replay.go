package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"tocsin/broker"
	"tocsin/broker/filter"
	"tocsin/journal"
	"tocsin/voevent"
	"tocsin/vtp"
)

type replayCmd struct {
	From  moment `help:"Notices received from then on: 2026-11-21T10:15:00Z, 2026-11-21, or how long ago: 90m, 2h, 3d." placeholder:"TIME"`
	To    moment `help:"Notices received before then." placeholder:"TIME"`
	After uint64 `help:"Notices after this number." placeholder:"N"`
	Count int    `help:"At most so many notices." placeholder:"N"`

	Raw     bool    `help:"Print the XML as the author sent it, one notice after the other." xor:"form"`
	Summary bool    `help:"Print one line for people per notice." xor:"form"`
	Target  string  `help:"Send the notices there instead of printing them: vtp://HOST:PORT." placeholder:"URI" xor:"form"`
	Rate    float64 `help:"With --target: at most so many notices a second." placeholder:"N"`

	filterFlags `embed:""`
	remoteFlags `embed:""`
}

// Help is shown by tocsin replay --help.
func (replayCmd) Help() string {
	return `Works while the broker runs and while it does not. By default each notice is one JSON line:
its number, time of arrival, source, IVORN, SHA-256, and under "raw" the XML exactly as it came,
so that the output can be sent again with tocsin send -.

Examples:
  tocsin replay --from 2h --summary
  tocsin replay --from 2026-11-01 --to 2026-11-08 > week.jsonl
  tocsin replay --stream 'nasa.gsfc.gcn/*' --target vtp://127.0.0.1:9098 --rate 5`
}

// replayLine is one line of the output, and of the admin socket's answer.
type replayLine struct {
	Seq       journal.Seq `json:"seq,omitempty"`
	Received  *time.Time  `json:"received,omitempty"`
	Source    string      `json:"source,omitempty"`
	IVORN     string      `json:"ivorn,omitempty"`
	SHA256    string      `json:"sha256,omitempty"`
	Flags     []string    `json:"flags,omitempty"`
	Raw       string      `json:"raw,omitempty"`        // the notice as it came, when it is UTF-8
	RawBase64 []byte      `json:"raw_base64,omitempty"` // and when it is not
	End       bool        `json:"end,omitempty"`
	Error     string      `json:"error,omitempty"`
}

func newReplayLine(r journal.Record) replayLine {
	received := r.Received.UTC()
	l := replayLine{Seq: r.Seq, Received: &received, Source: r.Source, IVORN: r.Name, SHA256: hex.EncodeToString(r.Key[:])}
	for _, f := range []struct {
		bit  uint32
		name string
	}{{broker.FlagInvalid, "invalid"}, {broker.FlagRelayed, "relayed"}, {journal.FlagSameName, "same-ivorn"}} {
		if r.Flags&f.bit != 0 {
			l.Flags = append(l.Flags, f.name)
		}
	}
	if utf8.Valid(r.Raw) {
		l.Raw = string(r.Raw)
	} else {
		l.RawBase64 = r.Raw
	}
	return l
}

func (l replayLine) bytes() []byte {
	if l.RawBase64 != nil {
		return l.RawBase64
	}
	return []byte(l.Raw)
}

// Run reads the journal and prints or sends what it holds.
func (c *replayCmd) Run(ctx context.Context, t *terminal) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	match, err := c.compile()
	if err != nil {
		return err
	}
	now := time.Now()
	p := part{from: c.From.before(now), to: c.To.before(now), after: journal.Seq(c.After)}
	if match.Everything() {
		p.limit = c.Count
	}
	out, finish, err := c.output(ctx, t)
	if err != nil {
		return err
	}
	given := 0
	err = c.read(ctx, p, func(l replayLine) error {
		if c.Count > 0 && given >= c.Count {
			return errEnough
		}
		e, ok := wanted(match, l.bytes())
		if !ok {
			return nil
		}
		given++
		return out(l, e)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return errors.Join(err, finish())
}

// errEnough ends a walk that has given as many notices as were asked for.
var errEnough = errors.New("enough")

func wanted(match *filter.Filter, raw []byte) (*voevent.Event, bool) {
	e, err := voevent.Parse(raw)
	if err != nil {
		return nil, match.Everything()
	}
	return e, match.Everything() || match.Match(e)
}

// read gets the lines from the running broker, or from the journal when none runs.
func (c *replayCmd) read(ctx context.Context, p part, fn func(replayLine) error) error {
	body, err := askAdmin(ctx, c.Data, "/replay", p.query())
	if err == nil {
		defer body.Close()
		return readLines(body, fn)
	}
	if !errors.Is(err, errNoServer) {
		return err
	}
	path := filepath.Join(c.Data, "journal.db")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no journal in %s: --data names the folder of a broker", c.Data)
	}
	log, err := journal.Open(path, journal.Options{})
	if err != nil {
		return err
	}
	err = readJournal(ctx, log, p, func(r journal.Record) error { return fn(newReplayLine(r)) })
	return errors.Join(err, log.Close())
}

func readLines(r io.Reader, fn func(replayLine) error) error {
	dec := json.NewDecoder(r)
	for {
		var l replayLine
		if err := dec.Decode(&l); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("the broker ended before the replay was complete")
		} else if err != nil {
			return err
		}
		if l.Error != "" {
			return errors.New(l.Error)
		}
		if l.End {
			return nil
		}
		if err := fn(l); err != nil {
			return err
		}
	}
}

// output gives the function that deals with a notice, and the one that ends the work.
func (c *replayCmd) output(ctx context.Context, t *terminal) (func(replayLine, *voevent.Event) error, func() error, error) {
	nothing := func() error { return nil }
	switch {
	case c.Target != "":
		return c.sender(ctx, t)
	case c.Raw:
		return func(l replayLine, _ *voevent.Event) error {
			raw := l.bytes()
			if !strings.HasSuffix(string(raw), "\n") {
				raw = append(raw, '\n')
			}
			_, err := t.stdout.Write(raw)
			return err
		}, nothing, nil
	case c.Summary:
		return func(l replayLine, e *voevent.Event) error {
			_, err := fmt.Fprintln(t.stdout, t.noticeLine(*l.Received, e))
			return err
		}, nothing, nil
	}
	enc := json.NewEncoder(t.stdout)
	enc.SetEscapeHTML(false)
	return func(l replayLine, _ *voevent.Event) error { return enc.Encode(l) }, nothing, nil
}

func (c *replayCmd) sender(ctx context.Context, t *terminal) (func(replayLine, *voevent.Event) error, func() error, error) {
	remote, err := c.remote(c.Target, kindAuthor)
	if err != nil {
		return nil, nil, err
	}
	author := &vtp.Author{Remote: remote}
	if err := author.Dial(ctx); err != nil {
		return nil, nil, advice(err, remote.Address)
	}
	pace := rate.NewLimiter(rate.Inf, 1)
	if c.Rate > 0 {
		pace.SetLimit(rate.Limit(c.Rate))
	}
	sent, refused := 0, 0
	bar := t.newProgress("sent", 0)
	send := func(l replayLine, _ *voevent.Event) error {
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		_, err := author.Send(ctx, l.bytes())
		refusal := new(vtp.RefusalError)
		switch {
		case errors.As(err, &refusal):
			refused++
			bar.clear()
			fmt.Fprintf(t.stderr, "%d %s: refused: %s\n", l.Seq, printable(l.IVORN, 200), printable(refusal.Text, 1000))
		case err != nil:
			return fmt.Errorf("notice %d: %w", l.Seq, err)
		}
		sent++
		bar.step()
		return nil
	}
	finish := func() error {
		bar.clear()
		fmt.Fprintf(t.stderr, "%d sent, %d of them refused\n", sent, refused)
		err := author.Close()
		if err == nil && refused > 0 {
			err = errFailed
		}
		return err
	}
	return send, finish, nil
}
