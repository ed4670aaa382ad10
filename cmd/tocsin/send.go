package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"tocsin/voevent"
	"tocsin/vtp"
)

type sendCmd struct {
	Files []string `arg:"" optional:"" help:"Files, folders, or - for standard input. JSON forms of notices, also a line each, are sent as XML."`

	To     string        `help:"The broker: vtp://HOST:PORT, vtps://HOST:PORT or vtp+unix:///path. Default: the one on this machine." placeholder:"URI"`
	Rate   float64       `help:"At most so many notices a second." placeholder:"N"`
	Window int           `help:"At most so many notices without an answer." default:"64" placeholder:"N"`
	Wait   time.Duration `help:"How long to wait for one answer." default:"30s" placeholder:"DURATION"`
	Test   bool          `help:"Send a notice of role test, made now, instead of files."`
	Quiet  bool          `short:"q" help:"Print only what went wrong."`

	remoteFlags `embed:""`
}

// Help is shown by tocsin send --help.
func (sendCmd) Help() string {
	return `Every notice is sent as it stands, byte for byte, and counts as sent when the broker has it on disk.
The exit status is 1 when a notice was refused; the broker's reason is on standard error.

Examples:
  tocsin send notice.xml
  tocsin send --to vtp://broker.example.org:8098 --rate 10 archive/
  tocsin send --test
  tocsin replay --from 2h | tocsin send --to vtp://elsewhere:8098 -`
}

// sendTries is how often one notice is sent when the broker closes without an answer, which VTP 2.0 §3.2 defines as
// "try again".
const sendTries = 4

// Run sends everything and reports what was refused.
func (c *sendCmd) Run(ctx context.Context, t *terminal) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	remote, err := c.remote(c.To, kindAuthor)
	if err != nil {
		return err
	}
	author := &vtp.Author{Remote: remote, Window: c.Window, AckTimeout: c.Wait}
	if err := author.Dial(ctx); err != nil {
		return advice(err, remote.Address)
	}
	s := &sending{cmd: c, t: t, author: author, where: remote.Address, bar: t.newProgress("sent", countInputs(c.Files))}
	if c.Rate > 0 {
		s.pace = rate.NewLimiter(rate.Limit(c.Rate), 1)
	}
	err = s.all(ctx)
	if cerr := author.Close(); err == nil {
		err = cerr
	}
	return err
}

// sending is the state of one send command. Notices are started in order; their answers are printed in that order by a
// second goroutine.
type sending struct {
	cmd    *sendCmd
	t      *terminal
	author *vtp.Author
	where  string
	pace   *rate.Limiter
	bar    *progress // of the goroutine that takes the answers

	accepted, known, refused int
	lost                     atomic.Bool // the broker is gone: nothing more is sent
}

type flight struct {
	name    string
	raw     []byte
	pending vtp.Pending
	err     error // the start failed
}

func (s *sending) all(ctx context.Context) error {
	begin := time.Now()
	flights := make(chan flight, max(s.cmd.Window, 1))
	var answers sync.WaitGroup
	answers.Go(func() {
		for f := range flights {
			s.answer(ctx, f)
		}
	})
	start := func(in input) error {
		if s.lost.Load() {
			return errFailed
		}
		if in.JSON {
			xml, err := voevent.FromJSON(in.Raw)
			if err != nil {
				return fmt.Errorf("%s: %w", in.Name, err)
			}
			in.Raw = xml
		}
		if s.pace != nil {
			if err := s.pace.Wait(ctx); err != nil {
				return err
			}
		}
		f := flight{name: in.Name, raw: in.Raw}
		f.pending, f.err = s.author.Start(ctx, in.Raw)
		flights <- f
		return ctx.Err()
	}
	var err error
	if s.cmd.Test {
		err = start(input{Name: "test notice", Raw: testNotice(testStream(), "", time.Now())})
	} else {
		err = eachInput(s.t, s.cmd.Files, start)
	}
	close(flights)
	answers.Wait()
	s.bar.clear()
	total := s.accepted + s.known + s.refused
	if total > 1 && !s.cmd.Quiet {
		d := time.Since(begin)
		fmt.Fprintf(s.t.stderr, "%d sent in %s (%.0f/s): %d accepted, %d known already, %d refused\n",
			total, d.Round(time.Millisecond), float64(total)/d.Seconds(), s.accepted, s.known, s.refused)
	}
	switch {
	case err != nil:
		return err
	case s.refused > 0 || s.lost.Load():
		return errFailed
	case total == 0:
		return errors.New("nothing to send: no notice in what was given")
	}
	return nil
}

// answer waits for the answer to one notice, sending it again when there was none.
func (s *sending) answer(ctx context.Context, f flight) {
	receipt, err := settle(ctx, f)
	for try := 1; err != nil && errors.Is(err, vtp.ErrRetry) && try < sendTries && ctx.Err() == nil; try++ {
		select {
		case <-time.After(time.Duration(try*try) * 200 * time.Millisecond):
		case <-ctx.Done():
		}
		receipt, err = s.author.Send(ctx, f.raw)
	}
	s.bar.step()
	refusal := new(vtp.RefusalError)
	switch {
	case err == nil && receipt.Result != "":
		s.known++
		s.tell("%s %s (%s)\n", s.t.paint(green, "ok"), printable(receipt.IVORN, 200), printable(receipt.Result, 200))
	case err == nil:
		s.accepted++
		s.tell("%s %s\n", s.t.paint(green, "ok"), printable(receipt.IVORN, 200))
	case errors.As(err, &refusal):
		s.refused++
		s.bar.clear()
		reason := ""
		if refusal.Reason != "" {
			reason = " (" + printable(refusal.Reason, 40) + ")"
		}
		fmt.Fprintf(s.t.stderr, "%s: refused%s: %s\n", f.name, reason, printable(refusal.Text, 1000))
	default:
		first := !s.lost.Swap(true)
		s.bar.clear()
		if first {
			fmt.Fprintf(s.t.stderr, "%s: no answer from %s: %v\n", f.name, s.where, err)
		}
	}
}

func settle(ctx context.Context, f flight) (vtp.Receipt, error) {
	if f.err != nil {
		return vtp.Receipt{}, f.err
	}
	return f.pending.Wait(ctx)
}

func (s *sending) tell(format string, args ...any) {
	if !s.cmd.Quiet {
		s.bar.clear()
		fmt.Fprintf(s.t.stdout, format, args...)
	}
}

// testStream names the stream of test notices sent by hand from this machine.
func testStream() string {
	c := Config{}
	id, err := c.identifier()
	if err != nil {
		return "ivo://tocsin.invalid/tocsin"
	}
	return id
}
