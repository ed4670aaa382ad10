// Package voevent reads VOEvent notices of versions 1.1, 2.0 and 2.1, checks them and maps them to JSON and back. It does
// no input or output, resolves nothing that a notice names, and keeps the bytes as they came: what it offers are views.
package voevent

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"tocsin/voevent/xmltree"
)

// Limits bounds what Parse takes in.
type Limits = xmltree.Limits

// DefaultLimits are those Parse uses.
var DefaultLimits = xmltree.DefaultLimits

// Role is the attribute that says what a notice is for. VOEvent 2.0 §3.1.3.
type Role string

// The roles of the standard.
const (
	Observation Role = "observation" // something was seen; also what a notice without the attribute means
	Prediction  Role = "prediction"  // something will be seen
	Utility     Role = "utility"     // housekeeping, such as where a spacecraft points
	Test        Role = "test"        // nothing happened
)

// Known reports whether the role is one of the standard's.
func (r Role) Known() bool {
	switch r {
	case Observation, Prediction, Utility, Test:
		return true
	}
	return false
}

// Event is a notice as parsed. Its identity is read at once, all else when it is first asked for. It is read-only and safe
// for any number of goroutines.
type Event struct {
	IVORN     IVORN  // the notice's name; see IVORNErr for names that break the rules
	IVORNErr  error  // why the name is malformed, nil when it is well formed
	Role      Role   // Observation where the attribute is absent
	Version   string // as written, "" when absent
	Namespace string // of the root element, "" when absent

	raw    []byte
	doc    *xmltree.Document
	sha256 [32]byte

	whoOnce       sync.Once
	who           *Who
	whatOnce      sync.Once
	what          *What
	whereWhenOnce sync.Once
	whereWhen     *WhereWhen
	howOnce       sync.Once
	how           *How
	whyOnce       sync.Once
	why           *Why
	citationsOnce sync.Once
	citations     []Citation
	positionOnce  sync.Once
	position      Position
	hasPosition   bool
}

// Codes of a ParseError: those of xmltree, and two of its own.
const (
	CodeNotWellFormed = xmltree.CodeNotWellFormed
	CodeDoctype       = xmltree.CodeDoctype
	CodeEncoding      = xmltree.CodeEncoding
	CodeOversize      = xmltree.CodeOversize
	CodeNotVOEvent    = "not-voevent" // well-formed XML with another root
	CodeIVORN         = "ivorn"       // no ivorn, so nothing it could be called
)

// ParseError says why bytes cannot be read as a notice.
type ParseError struct {
	Code         string // one of the codes above
	Text         string // what is wrong, in words
	Line, Column int    // counted from 1, 0 where no place can be named
	IVORN        string // the notice's name, if it could be read all the same; unchecked text
	Err          error  // the *xmltree.SyntaxError, if that was the reason
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return "voevent: " + e.Text
	}
	return fmt.Sprintf("voevent: line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// Unwrap returns Err.
func (e *ParseError) Unwrap() error { return e.Err }

// Parse reads a notice within DefaultLimits. The bytes are the event's from now on and must not change.
func Parse(raw []byte) (*Event, error) { return ParseLimits(raw, DefaultLimits) }

// ParseLimits reads a notice within l. Its error is a *ParseError and means that the bytes cannot be understood as a VOEvent
// at all, or that it has no ivorn; whatever else is wrong is for Validate to say.
func ParseLimits(raw []byte, l Limits) (*Event, error) {
	doc, err := xmltree.Parse(raw, l)
	if err != nil {
		return nil, parseError(raw, err)
	}
	root := doc.Root()
	if local := doc.Local(root); local != "VOEvent" {
		line, column := doc.Position(root)
		return nil, &ParseError{Code: CodeNotVOEvent, Text: "the root element is " + strconv.Quote(local) + ", not VOEvent", Line: line, Column: column}
	}
	e := &Event{Role: Observation, Namespace: doc.Space(root), raw: raw, doc: doc}
	name, id := "", ""
	for _, a := range doc.Attrs(root) {
		if a.Prefix != "" {
			continue
		}
		switch a.Local {
		case "ivorn":
			name = a.Value
		case "id":
			id = a.Value
		case "role":
			e.Role = Role(a.Value)
		case "version":
			e.Version = a.Value
		}
	}
	if name == "" && strings.HasPrefix(id, scheme) {
		name = id // VOEvent 1.0 and what came before it
	}
	if strings.Trim(name, " \t\r\n") == "" {
		line, column := doc.Position(root)
		return nil, &ParseError{Code: CodeIVORN, Text: "the notice has no ivorn", Line: line, Column: column}
	}
	e.IVORN, e.IVORNErr = ParseIVORN(name)
	e.sha256 = sha256.Sum256(e.Element())
	return e, nil
}

func parseError(raw []byte, err error) error {
	pe := &ParseError{Code: CodeNotWellFormed, Text: err.Error(), IVORN: guessIVORN(raw), Err: err}
	if se, ok := errors.AsType[*xmltree.SyntaxError](err); ok {
		pe.Code, pe.Text, pe.Line, pe.Column = se.Code, se.Text, se.Line, se.Column
	}
	return pe
}

// guessIVORN looks for the name in what looks like the start tag of a VOEvent near the beginning of bytes that could not be
// parsed, so that a refusal can name what it refuses. It returns "" rather than anything doubtful.
func guessIVORN(raw []byte) string {
	const window, longest = 4096, 512
	text := raw[:min(len(raw), window)]
	i := bytes.Index(text, []byte("VOEvent"))
	for i > 0 && text[i-1] != '<' && text[i-1] != ':' {
		next := bytes.Index(text[i+1:], []byte("VOEvent"))
		if next < 0 {
			return ""
		}
		i += 1 + next
	}
	if i < 0 {
		return ""
	}
	text = text[i:]
	if j := bytes.IndexByte(text, '>'); j >= 0 {
		text = text[:j]
	}
	_, after, ok := bytes.Cut(text, []byte("ivorn"))
	if !ok {
		return ""
	}
	after = bytes.TrimLeft(after, " \t\r\n")
	if after, ok = bytes.CutPrefix(after, []byte("=")); !ok {
		return ""
	}
	after = bytes.TrimLeft(after, " \t\r\n")
	if len(after) == 0 || after[0] != '"' && after[0] != '\'' {
		return ""
	}
	name, _, ok := bytes.Cut(after[1:], after[:1])
	if !ok || len(name) > longest {
		return ""
	}
	if _, err := ParseIVORN(string(name)); err != nil || bytes.IndexByte(name, '&') >= 0 {
		return ""
	}
	return string(name)
}

// Raw returns the bytes given to Parse. They must not be changed.
func (e *Event) Raw() []byte { return e.raw }

// Element returns the bytes of the root element within Raw, from '<' to '>': what a signature or a hash covers. They must
// not be changed.
func (e *Event) Element() []byte {
	from, to := e.doc.RootRange()
	return e.raw[from:to:to]
}

// SHA256 returns the hash of Element, by which a notice is known as already seen.
func (e *Event) SHA256() [32]byte { return e.sha256 }

// Doc returns the tree.
func (e *Event) Doc() *xmltree.Document { return e.doc }

// Stream returns what precedes the first '#' or '?' of the IVORN, without ivo://, the authority in lower case.
func (e *Event) Stream() string { return e.IVORN.Stream() }
