package broker

import (
	"errors"
	"fmt"
	"strings"

	"tocsin/journal"
	"tocsin/voevent"
)

// check holds a notice against the standard. In submit mode errors refuse it;
// in relay mode they are only told.
func check(e *voevent.Event, relay bool) ([]voevent.Finding, *Error) {
	name := e.IVORN.String()
	if len(name) > journal.MaxName {
		return nil, &Error{
			Kind: Invalid, Reason: ReasonIVORN, IVORN: clip(name, 256),
			Text: fmt.Sprintf("the ivorn has %d bytes; at most %d can be kept", len(name), journal.MaxName),
		}
	}
	findings := voevent.Validate(e)
	if relay {
		return findings, nil
	}
	if !voevent.Valid(findings) {
		return findings, invalid(e, findings)
	}
	if e.IVORN.Local() == "" {
		return findings, &Error{
			Kind: Invalid, Reason: ReasonIVORN, IVORN: name, Findings: findings,
			Text: fmt.Sprintf("the ivorn %s names a stream and not a notice; add a # and a name that is unique in the stream", name),
		}
	}
	return findings, nil
}

// invalid makes the errors among the findings a refusal.
func invalid(e *voevent.Event, findings []voevent.Finding) *Error {
	var (
		first  voevent.Finding
		errors int
	)
	for _, f := range findings {
		if f.Severity != voevent.Error {
			continue
		}
		// A wrong version, role or ivorn says more than what the schema makes of it.
		if errors == 0 || reason(first) == ReasonSchema && reason(f) != ReasonSchema {
			first = f
		}
		errors++
	}
	text := first.Message
	if first.Line > 0 {
		text = fmt.Sprintf("line %d, column %d: %s", first.Line, first.Column, text)
	}
	if errors > 1 {
		text = fmt.Sprintf("%s (the first of %d errors)", strings.TrimSuffix(text, "."), errors)
	}
	return &Error{Kind: Invalid, Reason: reason(first), Text: oneLine(text), IVORN: e.IVORN.String(), Findings: findings}
}

// reason gives the word of the vocabulary for a finding.
func reason(f voevent.Finding) string {
	if r, ok := reasons[f.Code]; ok {
		return r
	}
	return ReasonSchema
}

// reasons are those of the findings that have a word of their own.
var reasons = map[string]string{
	"ivorn-malformed":   ReasonIVORN,
	"ivorn-no-local":    ReasonIVORN,
	"role-missing":      ReasonRole,
	"role-unknown":      ReasonRole,
	"version-mismatch":  ReasonVersion,
	"unknown-namespace": ReasonVersion,
}

// unreadable makes what is no VOEvent a refusal.
func (b *Broker) unreadable(err error) *Error {
	var pe *voevent.ParseError
	if !errors.As(err, &pe) {
		return &Error{Kind: Invalid, Reason: ReasonNotWellFormed, Text: oneLine(err.Error()), Err: err}
	}
	r := &Error{Kind: Invalid, Reason: ReasonNotWellFormed, Text: pe.Text, IVORN: clip(pe.IVORN, 256), Err: err}
	if pe.Line > 0 {
		r.Text = fmt.Sprintf("line %d, column %d: %s", pe.Line, pe.Column, pe.Text)
	}
	switch pe.Code {
	case voevent.CodeDoctype:
		r.Reason = ReasonDoctype
		r.Text += "; a notice must stand for itself: remove the DOCTYPE"
	case voevent.CodeOversize:
		r.Reason = ReasonOversize
		r.Text += "; shorten the notice, or refer to the rest by a Reference"
	case voevent.CodeEncoding:
		r.Text += "; send UTF-8"
	case voevent.CodeNotVOEvent:
		r.Reason = ReasonSchema
		r.Text += "; send a VOEvent document"
	case voevent.CodeIVORN:
		r.Reason = ReasonIVORN
		r.Text += "; give the root element an ivorn attribute such as ivo://authority/stream#name"
	}
	r.Text = oneLine(r.Text)
	return r
}

// oneLine makes a text fit for logs and for protocols that know no lines.
func oneLine(s string) string { return clip(strings.Join(strings.Fields(s), " "), 1000) }
