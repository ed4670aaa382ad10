// Package sky holds the geometry of the celestial sphere that Tocsin needs: points, circles, and the HEALPix
// pixels that make circles searchable.
//
// All angles are degrees, all positions are equatorial and of one frame (ICRS and FK5 J2000 differ by less than
// 0.03 arcseconds, far below the error of any alert, and are treated as one). The package only computes; it neither
// reads nor writes anything.
package sky

import "math"

const (
	rad = math.Pi / 180 // radians in a degree
	deg = 180 / math.Pi // degrees in a radian
)

// A Point is a direction on the sky.
type Point struct {
	RADeg  float64 `json:"ra_deg" yaml:"ra_deg"`   // right ascension, 0 to 360
	DecDeg float64 `json:"dec_deg" yaml:"dec_deg"` // declination, -90 to 90
}

// Valid reports whether both coordinates are finite and in range. 360 is a valid right ascension, because
// publishers write it; it means 0.
func (p Point) Valid() bool {
	return p.RADeg >= 0 && p.RADeg <= 360 && p.DecDeg >= -90 && p.DecDeg <= 90
}

// String gives the point in the form astronomers read, such as 04h58m57.9s +25°18'49".
func (p Point) String() string { return FormatRA(p.RADeg) + " " + FormatDec(p.DecDeg) }

// Separation returns the angle between a and b, in degrees, by Vincenty's formula on the sphere, which loses no
// digits at any distance (the haversine loses them near 180°, the cosine rule near 0°).
func Separation(a, b Point) float64 {
	sinA, cosA := math.Sincos(a.DecDeg * rad)
	sinB, cosB := math.Sincos(b.DecDeg * rad)
	sinL, cosL := math.Sincos((b.RADeg - a.RADeg) * rad)
	x := cosB * sinL
	y := cosA*sinB - sinA*cosB*cosL
	return math.Atan2(math.Sqrt(x*x+y*y), sinA*sinB+cosA*cosB*cosL) * deg
}

// A Circle is a cone seen from its tip: all points no further from Center than RadiusDeg.
type Circle struct {
	Center    Point   `json:"center" yaml:"center"`
	RadiusDeg float64 `json:"radius_deg" yaml:"radius_deg"` // 0 to 180
}

// Valid reports whether the centre is a valid point and the radius lies between 0 and 180 degrees.
func (c Circle) Valid() bool {
	return c.Center.Valid() && c.RadiusDeg >= 0 && c.RadiusDeg <= 180
}

// Contains reports whether p lies in the circle or on its rim.
func (c Circle) Contains(p Point) bool {
	return within(c.Center, p, c.RadiusDeg)
}

// Overlaps reports whether the circles share at least one point.
func (c Circle) Overlaps(o Circle) bool {
	return within(c.Center, o.Center, c.RadiusDeg+o.RadiusDeg)
}

// within avoids the trigonometry when the declinations alone say no. The difference of declinations is never more
// than the separation; the margin absorbs the rounding of both.
func within(a, b Point, limit float64) bool {
	if math.Abs(a.DecDeg-b.DecDeg) > limit+1e-9 {
		return false
	}
	return Separation(a, b) <= limit
}

// String gives the circle as its centre and radius.
func (c Circle) String() string { return c.Center.String() + " ± " + FormatAngle(c.RadiusDeg) }
