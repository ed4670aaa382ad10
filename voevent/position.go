package voevent

import "tocsin/sky"

// Position is a direction on the sky, with the radius within which it is sure to lie as far as the author says.
type Position struct {
	sky.Point
	ErrorDeg    float64 // meaningful with HasError only
	HasError    bool
	CoordSystem string // as written, such as UTC-FK5-GEO
}

// Position returns where on the sky it happened, if the notice says so.
func (e *Event) Position() (Position, bool) { panic("voevent: being written") }
