package filter

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"tocsin/broker/filter/xpath"
	"tocsin/sky"
	"tocsin/voevent"
)

// A Filter is a compiled Spec. It never changes, and any number of goroutines may match with it at once.
type Filter struct {
	spec    Spec
	limits  Limits
	streams []glob
	roles   []voevent.Role
	cones   []sky.Circle
	least   *float64
	cel     *celProgram
	xpath   []*xpath.Expr

	everything bool // no condition at all

	failures failures
}

// Compile checks a Spec and makes it ready to match. The error is an *Error. A nil *Filter matches everything, as the
// filter of the zero Spec does.
func Compile(s Spec, l Limits) (*Filter, error) {
	l = l.orDefault()
	f := &Filter{spec: s.clone(), limits: l, everything: s.IsZero()}
	for _, compile := range []func() *Error{f.compileStreams, f.compileRoles, f.compileCones, f.compileImportance, f.compileExpressions} {
		if err := compile(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Spec returns what was compiled.
func (f *Filter) Spec() Spec {
	if f == nil {
		return Spec{}
	}
	return f.spec.clone()
}

// Everything reports whether the filter asks nothing, so that it need not be evaluated.
func (f *Filter) Everything() bool {
	return f == nil || f.everything
}

// Match reports whether the notice is wanted. An expression that fails counts as false; see Failures.
func (f *Filter) Match(e *voevent.Event) bool {
	if f == nil || f.everything {
		return true
	}
	return f.matchStream(e) && f.matchRole(e) && f.matchImportance(e) && f.matchCone(e) && f.matchExpressions(e)
}

func (f *Filter) compileStreams() *Error {
	if n := len(f.spec.Streams); n > f.limits.Streams {
		return refuse("streams", "%d patterns are more than the %d allowed", n, f.limits.Streams)
	}
	for i, p := range f.spec.Streams {
		field := fmt.Sprintf("streams[%d]", i)
		if len(p) > f.limits.ExpressionBytes {
			return refuse(field, "%d bytes are more than the %d allowed", len(p), f.limits.ExpressionBytes)
		}
		g, problem := compileGlob(p)
		if problem != "" {
			return refuse(field, "%s", problem)
		}
		f.streams = append(f.streams, g)
	}
	return nil
}

func (f *Filter) matchStream(e *voevent.Event) bool {
	if len(f.streams) == 0 {
		return true
	}
	authority, resource := e.IVORN.Authority(), e.IVORN.Resource()
	for i := range f.streams {
		if f.streams[i].match(authority, resource) {
			return true
		}
	}
	return false
}

func (f *Filter) compileRoles() *Error {
	if n := len(f.spec.Roles); n > maxRoles {
		return refuse("roles", "%d roles are more than the %d allowed", n, maxRoles)
	}
	for i, text := range f.spec.Roles {
		r := voevent.Role(strings.ToLower(strings.TrimSpace(text)))
		if !r.Known() {
			return refuse(fmt.Sprintf("roles[%d]", i), "%q is not a role of VOEvent: observation, prediction, utility, test", text)
		}
		f.roles = append(f.roles, r)
	}
	return nil
}

// maxRoles leaves room for repetitions of the four.
const maxRoles = 16

func (f *Filter) matchRole(e *voevent.Event) bool {
	return len(f.roles) == 0 || slices.Contains(f.roles, e.Role)
}

func (f *Filter) compileCones() *Error {
	if n := len(f.spec.Cones); n > f.limits.Cones {
		return refuse("cones", "%d circles are more than the %d allowed", n, f.limits.Cones)
	}
	for i, c := range f.spec.Cones {
		field, circle := fmt.Sprintf("cones[%d]", i), c.Circle()
		switch {
		case !circle.Center.Valid():
			return refuse(field, "the centre %v, %v is not on the sky: 0 <= ra_deg <= 360, -90 <= dec_deg <= 90", c.RADeg, c.DecDeg)
		case !circle.Valid():
			return refuse(field, "the radius %v is not between 0 and 180 degrees", c.RadiusDeg)
		}
		f.cones = append(f.cones, circle)
	}
	return nil
}

func (f *Filter) matchCone(e *voevent.Event) bool {
	if len(f.cones) == 0 {
		return true
	}
	region, ok := regionOf(e)
	if !ok {
		return false
	}
	for i := range f.cones {
		if f.cones[i].Overlaps(region) {
			return true
		}
	}
	return false
}

// regionOf is where the notice says it may have happened. A notice that gives no error, or none that makes sense, is taken
// at its position.
func regionOf(e *voevent.Event) (sky.Circle, bool) {
	p, ok := e.Position()
	if !ok {
		return sky.Circle{}, false
	}
	c := sky.Circle{Center: p.Point}
	if p.HasError && p.ErrorDeg > 0 {
		c.RadiusDeg = min(p.ErrorDeg, 180)
	}
	return c, true
}

func (f *Filter) compileImportance() *Error {
	if v := f.spec.MinImportance; v != nil {
		if math.IsNaN(*v) {
			return refuse("min_importance", "it is not a number")
		}
		f.least = new(*v)
	}
	return nil
}

func (f *Filter) matchImportance(e *voevent.Event) bool {
	if f.least == nil {
		return true
	}
	v, ok := e.Importance()
	return ok && v >= *f.least
}
