package voevent

import (
	"math"
	"strconv"
	"strings"

	"tocsin/sky"
)

// Position is a direction on the sky, FK5 and ICRS taken as one, with the radius within which it lies as far as the author
// says.
type Position struct {
	sky.Point
	ErrorDeg    float64 // above 0; meaningful with HasError only
	HasError    bool    // false when the author gives no radius, or 0 or less, which publishers write when they have none
	CoordSystem string  // as written, such as UTC-FK5-GEO
}

// Position returns where on the sky it happened, if the notice says so. It reads Position2D of the ObservationLocation, or the
// first two coordinates of Position3D where there is no Position2D; never an ObservatoryLocation. Numbers that only look like
// a position are none:
//   - coordinates that are not FK5 or ICRS (FK4, geodetic, solar ...), not in degrees, not numbers or out of range; in a
//     system of an unknown name they count if the first one is called RA;
//   - fillers: Coords_String says unavailable or Coords_Type is 0, as GCN marks notices without localisation; or exactly
//     0, 0 without a radius between 0 and 180 degrees, which other publishers write;
//   - a radius of 180 degrees or more, which is the whole sky.
//
// Where the coordinates carry no unit they are in degrees; where no system is named at all they are FK5 or ICRS. Of the two
// axes of a 2.1 Error2 the longer one counts.
func (e *Event) Position() (Position, bool) {
	e.positionOnce.Do(func() { e.position, e.hasPosition = e.readPosition() })
	return e.position, e.hasPosition
}

func (e *Event) readPosition() (Position, bool) {
	l := &e.WhereWhen().Observation
	if !l.onSky() || e.coordsUnavailable() {
		return Position{}, false
	}
	p := Position{CoordSystem: l.system()}
	var ok bool
	switch {
	case l.Position2D != nil:
		ok = l.Position2D.point(&p)
	case l.Position3D != nil:
		ok = l.Position3D.point(&p)
	}
	const wholeSkyDeg = 180
	filler := p.RADeg == 0 && p.DecDeg == 0 && !p.HasError
	if !ok || !p.Valid() || filler || p.HasError && p.ErrorDeg >= wholeSkyDeg {
		return Position{}, false
	}
	return p, true
}

// coordsUnavailable reads the two Params by which GCN says that the coordinates are fillers.
func (e *Event) coordsUnavailable() bool {
	if p, ok := e.Param("Coords_String"); ok && strings.HasPrefix(trim(p.Value), "unavailable") {
		return true
	}
	p, ok := e.Param("Coords_Type")
	return ok && trim(p.Value) == "0"
}

// system returns the name of the coordinate system that the coordinates are in.
func (l *Location) system() string {
	if l.CoordSystemID != "" {
		return l.CoordSystemID
	}
	return l.CoordSystem
}

// onSky reports whether the coordinates are celestial ones of FK5 or ICRS. System names are made of a time scale, a frame
// and a reference position with hyphens between; publishers mix up their order.
func (l *Location) onSky() bool {
	for _, id := range [...]string{l.CoordSystemID, l.CoordSystem, l.SpaceRefFrame} {
		for part := range strings.SplitSeq(strings.ToUpper(id), "-") {
			switch part {
			case "FK5", "ICRS", "J2000":
				return true
			case "FK4", "GEOD", "GEO_D", "GEO_C", "ECLIPTIC", "GALACTIC", "GALACTIC_II", "SUPER_GALACTIC":
				return false
			}
		}
	}
	name := ""
	if l.Position2D != nil {
		name = strings.ToUpper(l.Position2D.Name1)
	}
	unnamed := l.CoordSystemID == "" && l.CoordSystem == ""
	return l.SpaceRefFrame == "" && (strings.HasPrefix(name, "RA") || unnamed && name == "")
}

func (s *Position2D) point(p *Position) bool {
	if !allDegrees(s.Unit) || !allDegrees(s.C1Unit) || !allDegrees(s.C2Unit) || !readPoint(&p.Point, s.C1, s.C2) {
		return false
	}
	unit := s.ErrorRadiusUnit
	radius, ok := number(s.ErrorRadius)
	if !ok {
		a, ok1 := number(s.Error2C1)
		b, ok2 := number(s.Error2C2)
		radius, ok, unit = max(a, b), ok1 && ok2, ""
	}
	switch unit {
	case "arcmin":
		radius /= 60
	case "arcsec":
		radius /= 3600
	default:
		ok = ok && allDegrees(unit)
	}
	if ok && radius > 0 {
		p.ErrorDeg, p.HasError = radius, true
	}
	return true
}

func (s *Position3D) point(p *Position) bool {
	angles := strings.FieldsFunc(s.Unit, isUnitSeparator)
	if len(angles) != 3 || !allDegrees(angles[0]) || !allDegrees(angles[1]) {
		return false
	}
	return readPoint(&p.Point, s.C1, s.C2)
}

func readPoint(p *sky.Point, c1, c2 string) bool {
	ra, ok1 := number(c1)
	dec, ok2 := number(c2)
	if ra == 360 {
		ra = 0
	}
	p.RADeg, p.DecDeg = ra+0, dec+0 // makes a negative zero positive
	return ok1 && ok2
}

// allDegrees reports whether every part of a unit such as "deg" or "deg-deg" is the degree, which it is when nothing is said.
func allDegrees(unit string) bool {
	for part := range strings.FieldsFuncSeq(unit, isUnitSeparator) {
		switch strings.ToLower(part) {
		case "deg", "degree", "degrees":
		default:
			return false
		}
	}
	return true
}

func isUnitSeparator(r rune) bool { return r == '-' || r == ' ' || r == ',' }

// number reads a finite decimal number, with white space around it or not. It takes none of the other forms that Go's own
// parser knows.
func number(s string) (float64, bool) {
	s = trim(s)
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && c != '.' && c != '+' && c != '-' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsInf(v, 0)
}

// Importance returns how important the author thinks the notice is, usually from 0 to 1. VOEvent 2.0 §3.6.
func (e *Event) Importance() (float64, bool) { return number(e.Why().Importance) }
