package main

import (
	"time"

	"tocsin/voevent"
)

// noticeLine is one line for people about a notice: when it came, and what it says.
func (t *terminal) noticeLine(received time.Time, e *voevent.Event) string {
	at := t.paint(dim, received.UTC().Format("15:04:05"))
	if e == nil {
		return at + "  " + t.paint(red, "not a notice that can be read")
	}
	line := printable(voevent.Line(e.Summary()), 300)
	switch e.Role {
	case voevent.Observation:
		line = t.paint(bold, line)
	case voevent.Prediction:
		line = t.paint(cyan, line)
	case voevent.Utility:
	default:
		line = t.paint(dim, line)
	}
	return at + "  " + line
}
