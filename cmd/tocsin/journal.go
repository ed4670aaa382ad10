package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"tocsin/journal"
)

type journalCmd struct {
	Check   journalCheckCmd   `cmd:"" help:"Read a whole journal file and say whether all of it is sound."`
	Salvage journalSalvageCmd `cmd:"" help:"Copy whatever is sound out of a damaged journal file into a new one."`
}

type journalCheckCmd struct {
	File string `arg:"" optional:"" help:"The journal file. Default: journal.db in the data folder." type:"path"`
	Data string `help:"Data folder." default:"data" type:"path" placeholder:"DIR"`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

// Help is shown by tocsin journal check --help.
func (journalCheckCmd) Help() string {
	return `Changes nothing. The broker must not be running on the file. The exit status is 1 when something is wrong.`
}

// Run checks.
func (c *journalCheckCmd) Run(ctx context.Context, t *terminal) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	file := c.File
	if file == "" {
		file = filepath.Join(c.Data, "journal.db")
	}
	r, err := journal.Check(ctx, file)
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("a broker runs on %s: stop it first, or check a copy (%w)", file, err)
	}
	if err != nil {
		return err
	}
	if err := printReport(t, r, c.JSON); err != nil {
		return err
	}
	if !r.OK() {
		if !c.JSON {
			fmt.Fprintf(t.stderr, "The file is damaged. What is sound can be saved: tocsin journal salvage %s NEW.db\n", file)
		}
		return errFailed
	}
	return nil
}

type journalSalvageCmd struct {
	From string `arg:"" help:"The damaged journal file; it is only read." type:"existingfile"`
	To   string `arg:"" help:"The new journal file; it must not exist." type:"path"`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

// Help is shown by tocsin journal salvage --help.
func (journalSalvageCmd) Help() string {
	return `Example:
  tocsin journal salvage data/journal.db saved.db
  mv data/journal.db damaged.db && mv saved.db data/journal.db`
}

// Run salvages.
func (c *journalSalvageCmd) Run(ctx context.Context, t *terminal) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	r, err := journal.Salvage(ctx, c.From, c.To)
	if err != nil {
		return err
	}
	return printReport(t, r, c.JSON)
}

func printReport(t *terminal, r journal.Report, asJSON bool) error {
	if asJSON {
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.stdout, "%s\n", b)
		return err
	}
	word := t.paint(green, "sound")
	if !r.OK() {
		word = t.paint(red, "damaged")
	}
	fmt.Fprintf(t.stdout, "%s: %s, %s\n", r.Path, word, size(r.Bytes))
	fmt.Fprintf(t.stdout, "  notices        %s sound (%d to %d), %s damaged, %s missing\n",
		count(uint64(r.Records)), r.First, r.Last, count(uint64(r.Damaged)), count(uint64(r.Missing)))
	fmt.Fprintf(t.stdout, "  receipts       %s\n", count(uint64(r.Receipts)))
	fmt.Fprintf(t.stdout, "  subscriptions  %s\n", count(uint64(r.Subscriptions)))
	for _, p := range r.Problems {
		fmt.Fprintf(t.stdout, "  problem: %s\n", printable(p, 500))
	}
	return nil
}
