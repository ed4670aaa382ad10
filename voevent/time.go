package voevent

import "time"

// Time returns when it happened, in UTC, if the notice says so.
func (e *Event) Time() (time.Time, bool) { panic("voevent: being written") }

// AuthorTime returns when the author wrote the notice: Who/Date, which is UTC unless it says otherwise.
func (e *Event) AuthorTime() (time.Time, bool) { panic("voevent: being written") }

// Importance returns how important the author thinks it is, from 0 to 1. VOEvent 2.0 §3.5.
func (e *Event) Importance() (float64, bool) { panic("voevent: being written") }
