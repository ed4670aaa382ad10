// Package filter decides which notices concern a subscriber.
//
// A Spec says what is wanted in words: streams, roles, circles on the sky, a least importance, a CEL expression, XPath
// expressions. Compile turns it into a Filter, once, and refuses what it does not understand with the reason; a filter
// that cannot be compiled never becomes one that lets everything through. A Filter is matched against notices that are
// already parsed, by any number of goroutines at once.
//
// Strangers send filters, so everything has a limit: the size and number of expressions when compiling, the work and the
// time of each evaluation when matching. An evaluation that hits a limit counts as "does not match" and is reported by
// Filter.Failures.
package filter

import (
	"errors"
	"fmt"
	"slices"

	"tocsin/sky"
)

// A Spec says which notices are wanted. The kinds of condition are AND-ed; within a kind, any one that holds is enough.
// An empty kind asks nothing, so the zero Spec wants everything.
type Spec struct {
	// Streams are patterns for the stream, such as nasa.gsfc.gcn/SWIFT, without regard to case. `*` stands for any run of
	// characters within one segment of the path, `**` for any run of characters, slashes included, `?` for one character.
	Streams []string `json:"streams,omitempty" yaml:"streams,omitempty"`
	// Roles are observation, prediction, utility, test. A notice without a role is an observation.
	Roles []string `json:"roles,omitempty" yaml:"roles,omitempty"`
	// Cones are circles on the sky. A notice matches when its position, widened by its error, overlaps one of them;
	// a notice without a position does not match any cone.
	Cones []Cone `json:"cones,omitempty" yaml:"cones,omitempty"`
	// MinImportance is the least Why/@importance. A notice that states none does not match.
	MinImportance *float64 `json:"min_importance,omitempty" yaml:"min_importance,omitempty"`
	// CEL is an expression of the Common Expression Language that must be true. docs/FILTERS.md lists its variables.
	CEL string `json:"cel,omitempty" yaml:"cel,omitempty"`
	// XPath are XPath 1.0 expressions with Comet's meaning: true, a number other than 0, a string or a node-set that is not
	// empty. No namespace prefix is bound.
	XPath []string `json:"xpath,omitempty" yaml:"xpath,omitempty"`
}

// A Cone is a circle on the sky, in degrees.
type Cone struct {
	RADeg     float64 `json:"ra_deg" yaml:"ra_deg"`
	DecDeg    float64 `json:"dec_deg" yaml:"dec_deg"`
	RadiusDeg float64 `json:"radius_deg" yaml:"radius_deg"`
}

// ParseCone reads "RA,DEC,RADIUS" in the forms of sky.ParseCircle.
func ParseCone(s string) (Cone, error) {
	c, err := sky.ParseCircle(s)
	if err != nil {
		return Cone{}, err
	}
	return Cone{RADeg: c.Center.RADeg, DecDeg: c.Center.DecDeg, RadiusDeg: c.RadiusDeg}, nil
}

// Circle returns the cone as a circle.
func (c Cone) Circle() sky.Circle {
	return sky.Circle{Center: sky.Point{RADeg: c.RADeg, DecDeg: c.DecDeg}, RadiusDeg: c.RadiusDeg}
}

// String gives the cone in a form astronomers read.
func (c Cone) String() string { return c.Circle().String() }

// IsZero reports whether the spec asks nothing.
func (s Spec) IsZero() bool {
	return len(s.Streams)+len(s.Roles)+len(s.Cones)+len(s.XPath) == 0 && s.MinImportance == nil && s.CEL == ""
}

// clone returns a copy that shares nothing with s.
func (s Spec) clone() Spec {
	s.Streams, s.Roles = slices.Clone(s.Streams), slices.Clone(s.Roles)
	s.Cones, s.XPath = slices.Clone(s.Cones), slices.Clone(s.XPath)
	if s.MinImportance != nil {
		v := *s.MinImportance
		s.MinImportance = &v
	}
	return s
}

// An Error says which condition of a Spec was refused, and why, in words for its author.
type Error struct {
	Field string // streams, roles, cones, min_importance, cel, xpath; with [i] where it is a list
	Text  string
}

func (e *Error) Error() string { return "filter: " + e.Field + ": " + e.Text }

// Errors that Failure.Err wraps when the evaluation of an expression was ended by a limit.
var (
	ErrCost = errors.New("filter: the expression took more work than is allowed for one notice")
	ErrTime = errors.New("filter: the expression took more time than is allowed for one notice")
)

func refuse(field, format string, args ...any) *Error {
	return &Error{Field: field, Text: fmt.Sprintf(format, args...)}
}
