package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tocsin/voevent"
)

type validateCmd struct {
	Files    []string `arg:"" optional:"" help:"Files, folders, or - for standard input. JSON forms of notices are checked as the XML they stand for."`
	JSON     bool     `name:"json" help:"Print one JSON line per notice."`
	Warnings bool     `help:"Show warnings too." default:"true" negatable:""`
	Strict   bool     `help:"Count warnings as errors."`
	Quiet    bool     `short:"q" help:"Print only what is wrong, and nothing about valid notices."`
}

// Help is shown by tocsin validate --help.
func (validateCmd) Help() string {
	return `Says what is wrong with a notice, where (line:column) and why; tocsin explain CODE tells more about a finding.
The exit status is 1 when a notice is invalid.

Examples:
  tocsin validate notice.xml
  tocsin validate --json archive/ | jq 'select(.valid | not)'`
}

// verdict is one line of --json.
type verdict struct {
	File     string            `json:"file"`
	IVORN    string            `json:"ivorn,omitempty"`
	Version  string            `json:"version,omitempty"`
	Valid    bool              `json:"valid"`
	Findings []voevent.Finding `json:"findings"`
}

// Run checks everything that was given.
func (c *validateCmd) Run(t *terminal) error {
	bar := t.newProgress("checked", countInputs(c.Files))
	valid, invalid := 0, 0
	err := eachInput(t, c.Files, func(in input) error {
		v := check(in)
		if c.Strict && len(v.Findings) > 0 {
			v.Valid = false
		}
		if v.Valid {
			valid++
		} else {
			invalid++
		}
		bar.step()
		if c.JSON {
			bar.clear()
			enc := json.NewEncoder(t.stdout)
			enc.SetEscapeHTML(false)
			return enc.Encode(v)
		}
		return c.print(t, bar, v)
	})
	bar.clear()
	if !c.JSON && !c.Quiet && valid+invalid > 1 {
		fmt.Fprintf(t.stderr, "%d notices: %d valid, %d invalid\n", valid+invalid, valid, invalid)
	}
	switch {
	case err != nil:
		return err
	case valid+invalid == 0:
		return errors.New("nothing to check: no notice in what was given")
	case invalid > 0:
		return errFailed
	}
	return nil
}

func (c *validateCmd) print(t *terminal, bar *progress, v verdict) error {
	var b strings.Builder
	more := "" // the code to read about first: that of an error, if there is one
	for _, f := range v.Findings {
		if f.Severity != voevent.Error && !c.Warnings {
			continue
		}
		if more == "" || f.Severity == voevent.Error && v.severity(more) != voevent.Error {
			more = f.Code
		}
		b.WriteString(v.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
		}
		word := t.paint(yellow, string(f.Severity))
		if f.Severity == voevent.Error {
			word = t.paint(red, string(f.Severity))
		}
		fmt.Fprintf(&b, ": %s: %s %s\n", word, printable(f.Message, 1000), t.paint(dim, "["+f.Code+"]"))
		if f.Path != "" {
			fmt.Fprintf(&b, "    at %s\n", printable(f.Path, 300))
		}
	}
	if v.Valid && !c.Quiet {
		version := v.Version
		if version == "" {
			version = "of unknown version"
		}
		fmt.Fprintf(&b, "%s: %s VOEvent %s\n", v.File, t.paint(green, "valid"), printable(version, 20))
	}
	if more != "" && !c.Quiet {
		fmt.Fprintf(&b, "    %s\n", t.paint(dim, "more: tocsin explain "+more))
	}
	if b.Len() == 0 {
		return nil
	}
	bar.clear()
	_, err := t.stdout.Write([]byte(b.String()))
	return err
}

// severity of the findings with that code.
func (v verdict) severity(code string) voevent.Severity {
	i := slices.IndexFunc(v.Findings, func(f voevent.Finding) bool { return f.Code == code })
	return v.Findings[i].Severity
}

// check gives the verdict on one notice. What cannot be read as a notice has one finding that says so.
func check(in input) verdict {
	v := verdict{File: in.Name, Findings: []voevent.Finding{}}
	raw := in.Raw
	if in.JSON {
		xml, err := voevent.FromJSON(raw)
		if err != nil {
			je := new(voevent.JSONError)
			f := voevent.Finding{Code: "json", Severity: voevent.Error, Message: err.Error(), Link: "/findings/json"}
			if errors.As(err, &je) {
				f.Message, f.Path = je.Text, je.Pointer
			}
			v.Findings = append(v.Findings, f)
			return v
		}
		raw = xml
	}
	e, err := voevent.Parse(raw)
	if err != nil {
		f := voevent.Finding{Code: voevent.CodeNotWellFormed, Severity: voevent.Error, Message: err.Error()}
		if pe := new(voevent.ParseError); errors.As(err, &pe) {
			v.IVORN = pe.IVORN
			f.Code, f.Message, f.Line, f.Column = pe.Code, pe.Text, pe.Line, pe.Column
			f.Link = "/findings/" + pe.Code
		}
		v.Findings = append(v.Findings, f)
		return v
	}
	v.IVORN, v.Version = e.IVORN.String(), e.Version
	if fs := voevent.Validate(e); len(fs) > 0 {
		v.Findings = fs
	}
	v.Valid = voevent.Valid(v.Findings)
	return v
}

type explainCmd struct {
	Code string `arg:"" optional:"" help:"A finding's code, such as the word in brackets that validate prints. Without one: list them."`
}

// Run prints a page.
func (c *explainCmd) Run(t *terminal) error {
	if c.Code == "" {
		for _, code := range findingCodes() {
			page, _ := findingPage(code)
			fmt.Fprintf(t.stdout, "%-24s %s\n", code, pageTitle(page))
		}
		return nil
	}
	page, ok := findingPage(c.Code)
	if !ok {
		return fmt.Errorf("there is no finding %q; tocsin explain lists them", c.Code)
	}
	_, err := fmt.Fprintln(t.stdout, t.readable(strings.TrimSpace(page)))
	return err
}

// readable takes the marks of Markdown out of a page: headings and **strong** words become bold where there are colours.
func (t *terminal) readable(page string) string {
	page = strongWords.ReplaceAllStringFunc(page, func(s string) string { return t.paint(bold, strings.Trim(s, "*")) })
	return headings.ReplaceAllStringFunc(page, func(s string) string { return t.paint(bold, strings.TrimLeft(s, "# ")) })
}

var (
	strongWords = regexp.MustCompile(`\*\*[^*]+\*\*`)
	headings    = regexp.MustCompile(`(?m)^#+ .*$`)
)

// pageTitle is the first heading of a page.
func pageTitle(page string) string {
	for line := range strings.Lines(page) {
		if title := strings.TrimSpace(strings.TrimLeft(line, "#")); title != "" {
			return title
		}
	}
	return ""
}
