package filter

import (
	"fmt"
	"strconv"
	"strings"

	"tocsin/sky"
	"tocsin/voevent"
)

// An Explanation says for each condition of a filter whether a notice meets it, and why.
type Explanation struct {
	Match      bool        `json:"match"`
	Conditions []Condition `json:"conditions,omitempty"` // in the order of Spec's fields; all are evaluated, met or not
}

// A Condition is one entry of a Spec before one notice.
type Condition struct {
	Field string `json:"field"` // such as streams[0]
	Want  string `json:"want"`  // as in the Spec
	Match bool   `json:"match"`
	Text  string `json:"text"` // why, in words
}

// String lists the conditions, one on a line.
func (x Explanation) String() string {
	var b strings.Builder
	if x.Match {
		b.WriteString("matches")
	} else {
		b.WriteString("does not match")
	}
	if len(x.Conditions) == 0 {
		b.WriteString(": the filter asks nothing")
	}
	for _, c := range x.Conditions {
		mark := "no "
		if c.Match {
			mark = "yes"
		}
		fmt.Fprintf(&b, "\n  %s %s %s: %s", mark, c.Field, c.Want, c.Text)
	}
	return b.String()
}

// Explain evaluates every condition and says how each went. It gives the same verdict as Match, unless a limit that the
// skipped expressions would have reached makes the difference.
func (f *Filter) Explain(e *voevent.Event) Explanation {
	if f == nil {
		return Explanation{Match: true}
	}
	var x Explanation
	x.Match = true
	kind := func(conditions []Condition) {
		if len(conditions) == 0 {
			return
		}
		any := false
		for _, c := range conditions {
			any = any || c.Match
		}
		x.Match = x.Match && any
		x.Conditions = append(x.Conditions, conditions...)
	}
	kind(f.explainStreams(e))
	kind(f.explainRoles(e))
	kind(f.explainCones(e))
	kind(f.explainImportance(e))
	v := evaluation{filter: f, event: e}
	kind(v.explainCEL())
	kind(v.explainXPath())
	return x
}

func (f *Filter) explainStreams(e *voevent.Event) (out []Condition) {
	for i, g := range f.streams {
		out = append(out, Condition{
			Field: fmt.Sprintf("streams[%d]", i), Want: f.spec.Streams[i], Match: g.match(e.IVORN.Authority(), e.IVORN.Resource()),
			Text: "the stream is " + e.Stream(),
		})
	}
	return out
}

func (f *Filter) explainRoles(e *voevent.Event) (out []Condition) {
	for i, r := range f.roles {
		out = append(out, Condition{
			Field: fmt.Sprintf("roles[%d]", i), Want: f.spec.Roles[i], Match: r == e.Role,
			Text: "the role is " + string(e.Role),
		})
	}
	return out
}

func (f *Filter) explainCones(e *voevent.Event) (out []Condition) {
	region, located := regionOf(e)
	for i, cone := range f.cones {
		c := Condition{Field: fmt.Sprintf("cones[%d]", i), Want: cone.String()}
		if !located {
			c.Text = "the notice has no position"
		} else {
			c.Match = cone.Overlaps(region)
			c.Text = fmt.Sprintf("the notice is at %v, %s from the centre; the radii add up to %s", region,
				sky.FormatAngle(sky.Separation(cone.Center, region.Center)), sky.FormatAngle(cone.RadiusDeg+region.RadiusDeg))
		}
		out = append(out, c)
	}
	return out
}

func (f *Filter) explainImportance(e *voevent.Event) []Condition {
	if f.least == nil {
		return nil
	}
	c := Condition{Field: "min_importance", Want: strconv.FormatFloat(*f.least, 'g', -1, 64), Text: "the notice states no importance"}
	if v, ok := e.Importance(); ok {
		c.Match = v >= *f.least
		c.Text = "the importance is " + strconv.FormatFloat(v, 'g', -1, 64)
	}
	return []Condition{c}
}

func (v *evaluation) explainCEL() []Condition {
	if v.filter.cel == nil {
		return nil
	}
	c := Condition{Field: "cel", Want: v.filter.spec.CEL}
	ok, err := v.matchCEL()
	c.Match, c.Text = ok, verdict(ok, err)
	return []Condition{c}
}

func (v *evaluation) explainXPath() (out []Condition) {
	for i, x := range v.filter.xpath {
		ok, err := v.matchXPath(i)
		out = append(out, Condition{Field: fmt.Sprintf("xpath[%d]", i), Want: x.String(), Match: ok, Text: verdict(ok, err)})
	}
	return out
}

func verdict(ok bool, err error) string {
	switch {
	case err != nil:
		return "it counts as false: " + strings.TrimPrefix(err.Error(), "filter: ")
	case ok:
		return "it is true"
	default:
		return "it is false"
	}
}
