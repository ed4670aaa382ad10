package voevent

import (
	"fmt"
	"slices"

	"tocsin/voevent/xmltree"
)

// maxFindings is how many findings Validate returns of one notice, before a last one that says there are more.
const maxFindings = 100

// Validate checks a notice against the schema of its version and against those rules of the standard's text that no schema
// enforces, and says what is wrong in the order of the document. The result is nil when nothing is. It is safe for
// concurrent use.
func Validate(e *Event) []Finding {
	c := checker{e: e, d: e.doc}
	if !surelyValid(e.doc) {
		c.schema()
	}
	c.rules()
	return c.result()
}

// checker collects the findings of one notice.
type checker struct {
	e   *Event
	d   *xmltree.Document
	out []placed
	// qualified says that a finding about qualified children is there already: one says it for all.
	qualified bool
	hopeless  bool // there is an error among the findings
	stage     int  // where in out the present stage of the check began
	// unavailable says that a Param calls the coordinates fillers.
	unavailable bool
}

// placed is a finding with the offset it is sorted by.
type placed struct {
	Finding
	offset int
}

// add takes a finding about node n, or about one of its attributes.
func (c *checker) add(code string, n xmltree.Node, attr *xmltree.Attr, format string, args ...any) {
	if attr != nil {
		c.addAt(code, n, attr.Offset, "/@"+attr.Local, fmt.Sprintf(format, args...))
		return
	}
	c.addAt(code, n, c.d.Offset(n), "", fmt.Sprintf(format, args...))
}

// addAt takes a finding about something within element n.
func (c *checker) addAt(code string, n xmltree.Node, offset int, step, message string) {
	if c.full(codes[code]) {
		return
	}
	f := Finding{Code: code, Severity: codes[code], Message: message, Path: c.d.Path(n) + step, Link: "/findings/" + code}
	f.Line, f.Column = c.place(n, offset)
	c.out = append(c.out, placed{f, offset})
}

// full tells whether the present stage has enough findings to say that there are more. Placing one takes time, and a
// hostile notice may ask for very many. The first error always has room.
func (c *checker) full(s Severity) bool {
	if len(c.out)-c.stage > maxFindings && (s == Warning || c.hopeless) {
		return true
	}
	c.hopeless = c.hopeless || s == Error
	return false
}

// place returns line and column of an offset at or after the start of node n.
func (c *checker) place(n xmltree.Node, offset int) (line, column int) {
	line, column = c.d.Position(n)
	between := string(c.d.Source()[c.d.Offset(n):offset])
	for _, r := range between {
		if r == '\n' {
			line, column = line+1, 1
		} else {
			column++
		}
	}
	return line, column
}

func (c *checker) result() []Finding {
	slices.SortStableFunc(c.out, func(a, b placed) int {
		if a.Severity != b.Severity && (a.offset == b.offset) {
			return severityOrder(a.Severity) - severityOrder(b.Severity)
		}
		return a.offset - b.offset
	})
	c.out = withoutRepeats(c.out)
	n := min(len(c.out), maxFindings)
	if n == 0 {
		return nil
	}
	kept := c.out[:n]
	if len(c.out) > maxFindings {
		// What is cut off must not hide that the notice is invalid.
		if !slices.ContainsFunc(kept, isError) {
			if i := slices.IndexFunc(c.out, isError); i >= 0 {
				kept[n-1] = c.out[i]
			}
		}
	}
	fs := make([]Finding, 0, n+1)
	for _, p := range kept {
		fs = append(fs, p.Finding)
	}
	if len(c.out) > maxFindings {
		fs = append(fs, Finding{
			Code: "more-findings", Severity: Warning, Link: "/findings/more-findings",
			Message: fmt.Sprintf("There are more findings than these %d. Mend some of them and check again.", maxFindings),
		})
	}
	return fs
}

// codeSchema is the code of what only the schema's own words say.
const codeSchema = "schema"

// withoutRepeats drops what only repeats, in the schema's words, what another error says of the same place.
func withoutRepeats(fs []placed) []placed {
	said := make(map[string]bool, len(fs))
	for _, f := range fs {
		if f.Code != codeSchema && f.Severity == Error {
			said[f.Path] = true
		}
	}
	return slices.DeleteFunc(fs, func(f placed) bool { return f.Code == codeSchema && said[f.Path] })
}

func isError(p placed) bool { return p.Severity == Error }

func severityOrder(s Severity) int {
	if s == Error {
		return 0
	}
	return 1
}
