package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"tocsin/voevent"
)

type convertCmd struct {
	Files []string `arg:"" optional:"" help:"Files, folders, or - for standard input; a file of JSON lines holds a notice a line."`

	To       string `required:"" enum:"json,xml" help:"json or xml." placeholder:"FORM"`
	Out      string `help:"Write a file per notice into this folder, under a safe name." type:"path" placeholder:"DIR"`
	Pretty   bool   `help:"JSON over several lines."`
	Summary  bool   `help:"Add the derived summary to the JSON."`
	Numbers  bool   `help:"Add the values of Params as numbers to the JSON, where they are numbers."`
	Original bool   `name:"keep-original" help:"Add the notice as it came to the JSON, so that the way back gives the same bytes."`
}

// Help is shown by tocsin convert --help.
func (convertCmd) Help() string {
	return `XML to JSON and back loses nothing but white space between elements, prefixes and comments; --keep-original
keeps even those. docs/VOEVENT-JSON.md describes the JSON form. The exit status is 1 when a notice could not be
converted.

Examples:
  tocsin convert --to json notice.xml
  tocsin convert --to json archive/ > archive.jsonl
  tocsin convert --to xml --out xml/ archive.jsonl`
}

// Run converts everything that was given.
func (c *convertCmd) Run(t *terminal) error {
	var s *saver
	if c.Out != "" {
		var err error
		if s, err = newSaver(c.Out); err != nil {
			return err
		}
	}
	bar := t.newProgress("converted", countInputs(c.Files))
	done, failed := 0, 0
	err := eachInput(t, c.Files, func(in input) error {
		bar.step()
		out, ivorn, err := c.convert(in)
		if err != nil {
			failed++
			bar.clear()
			fmt.Fprintf(t.stderr, "%s: %v\n", in.Name, err)
			return nil
		}
		done++
		if s != nil {
			_, err := s.save(ivorn, sha256.Sum256(in.Raw), append(out, '\n'), "."+c.To)
			return err
		}
		if c.To == "xml" && done > 1 {
			return errors.New("several XML documents in one stream would be no document: give --out DIR")
		}
		bar.clear()
		if len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(slices.Clip(out), '\n')
		}
		_, err = t.stdout.Write(out)
		return err
	})
	bar.clear()
	if done+failed > 1 && (s != nil || failed > 0) {
		fmt.Fprintf(t.stderr, "%d converted, %d failed\n", done, failed)
	}
	switch {
	case err != nil:
		return err
	case done+failed == 0:
		return errors.New("nothing to convert: no notice in what was given")
	case failed > 0:
		return errFailed
	}
	return nil
}

// convert gives the other form of one notice, and its IVORN.
func (c *convertCmd) convert(in input) ([]byte, string, error) {
	raw := in.Raw
	if in.JSON {
		xml, err := voevent.FromJSON(raw)
		if err != nil {
			return nil, "", err
		}
		raw = xml
	}
	e, err := voevent.Parse(raw)
	if err != nil {
		return nil, "", err
	}
	if c.To == "xml" {
		return raw, e.IVORN.String(), nil
	}
	o := voevent.JSONOptions{Summary: c.Summary, Numbers: c.Numbers, Raw: c.Original}
	if c.Pretty {
		o.Indent = "  "
	}
	out, err := voevent.ToJSON(e, o)
	return out, e.IVORN.String(), err
}
