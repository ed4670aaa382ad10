package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tocsin/broker"
)

type statusCmd struct {
	Data string `help:"Data folder of the broker." default:"data" type:"path" placeholder:"DIR"`
	JSON bool   `name:"json" help:"Print everything as JSON."`
	All  bool   `help:"Show all subscribers and refusals, not only the first ones."`
}

// Help is shown by tocsin status --help.
func (statusCmd) Help() string {
	return `Asks the broker that runs on the data folder. "behind" is how many notices a subscriber has still to
acknowledge, and how old the oldest of them is. An "automatic" subscription keeps the place of a subscriber that
cannot name one, for resume_s after its connection has ended.

Examples:
  tocsin status
  tocsin status --json | jq .followers`
}

// Run asks and prints.
func (c *statusCmd) Run(ctx context.Context, t *terminal) error {
	body, err := askAdmin(ctx, c.Data, "/status", nil)
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("no broker runs on %s: start one with tocsin serve, or name its folder with --data", c.Data)
	}
	if err != nil {
		return err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, 64<<20))
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("the broker's answer cannot be read: %w", err)
	}
	if c.JSON {
		out, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.stdout, "%s\n", out)
		return err
	}
	return c.print(t, r)
}

const (
	statusFollowers = 20
	statusRefusals  = 5
)

func (c *statusCmd) print(t *terminal, r report) error {
	var b strings.Builder
	ready := t.paint(green, "ready")
	if r.Ready != "yes" {
		ready = t.paint(red, "not ready: "+printable(r.Ready, 300))
	}
	fmt.Fprintf(&b, "%s  %s, up %s, process %d, version %s\n", printable(r.LocalIVORN, 200), ready, span(r.Time.Sub(r.Started)), r.PID, r.Version)
	fmt.Fprintf(&b, "journal   %s notices (%d to %d), %s in a file of %s\n", count(uint64(max(r.Journal.Records, 0))),
		r.Journal.First, r.Journal.Last, size(r.Journal.LiveBytes), size(r.Journal.FileBytes))
	fmt.Fprintf(&b, "notices   %s received, %s accepted, %s known already, %s refused\n", count(r.Received), count(r.Accepted), count(r.Duplicates), count(total(r.Refused)))
	fmt.Fprintf(&b, "delivered %s, %s acknowledged\n", count(r.Deliveries), count(r.Acks))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nlisteners\n")
	for _, l := range r.Listeners {
		open := ""
		if n, ok := r.Connections[l.Name]; ok {
			open = count(uint64(n)) + " connected"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", l.Name, l.URI, open)
	}
	if len(r.Upstreams) > 0 {
		fmt.Fprintf(w, "\nupstreams\tstate\tnotices\tlast error\n")
		for _, u := range r.Upstreams {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", u.Remote, u.State, count(u.Notices), printable(u.LastError, 120))
		}
	}
	fmt.Fprintf(w, "\nsubscribers: %d connected\n", r.FollowerCount)
	c.followers(w, r.Followers)
	if len(r.Disconnected) > 0 {
		fmt.Fprintf(w, "\nwaiting for their subscribers: %d\n", len(r.Disconnected))
		c.followers(w, r.Disconnected)
	}
	c.refusals(w, r)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(t.stdout, b.String())
	return err
}

func (c *statusCmd) followers(w io.Writer, fs []broker.FollowerStatus) {
	if len(fs) == 0 {
		return
	}
	fmt.Fprintf(w, "  remote\tsubscription\tsince\tbehind\tdelivered\tacknowledged\trefused\tfilter\n")
	for i, f := range fs {
		if i == statusFollowers && !c.All {
			fmt.Fprintf(w, "  ... and %d more (--all)\n", len(fs)-i)
			break
		}
		name := "-"
		switch {
		case f.Automatic && f.KeptUntil.IsZero():
			name = "automatic"
		case f.Automatic:
			name = f.ID + ", until " + f.KeptUntil.UTC().Format("15:04:05")
		case f.Durable:
			name = f.ID
		}
		behind := count(f.Lag)
		if f.Lag > 0 {
			behind += " (" + span(time.Duration(f.LagS*float64(time.Second))) + ")"
		}
		wants := "-"
		if !f.Filter.IsZero() {
			if j, err := json.Marshal(f.Filter); err == nil {
				wants = string(j)
			}
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(f.Remote, 60), printable(name, 80), f.Since.UTC().Format("01-02 15:04:05"),
			behind, count(f.Delivered), count(f.Acked), count(f.Refused), printable(wants, 100))
	}
}

func (c *statusCmd) refusals(w io.Writer, r report) {
	if total(r.Refused) == 0 {
		return
	}
	fmt.Fprintf(w, "\nrefused\n")
	for _, reason := range slices.Sorted(maps.Keys(r.Refused)) {
		if n := r.Refused[reason]; n > 0 {
			fmt.Fprintf(w, "  %s\t%s\n", reason, count(n))
		}
	}
	fmt.Fprintf(w, "\nlast refusals\n")
	for i, f := range r.LastRefusals {
		if i == statusRefusals && !c.All {
			break
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", f.Time.UTC().Format("01-02 15:04:05"), printable(f.Source, 60), f.Reason,
			printable(f.IVORN, 80), printable(f.Text, 160))
	}
}
