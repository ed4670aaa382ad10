package filter

import "time"

// Limits bounds what a Spec may ask and what each evaluation may cost. A zero field means the field of DefaultLimits.
type Limits struct {
	Streams         int // patterns
	Cones           int // circles
	Expressions     int // CEL and XPath expressions together
	ExpressionBytes int // length of one expression or one pattern
	// XPathDepth is how deep predicates and function calls may nest within each other in XPath.
	XPathDepth int
	// XPathSteps is the work that all XPath expressions together may do for one notice: nodes visited, values compared, and
	// a step for every 16 bytes of text. An honest expression over the largest real notice takes some thousands.
	XPathSteps int
	// CELCost is the work the CEL expression may do for one notice, in the units of CEL's own accounting: about one for
	// each operation and for each ten characters of text.
	CELCost uint64
	// Time is how long the expressions may take for one notice by the clock. The two limits above end hostile
	// expressions long before this; it is generous so that an overloaded machine does not make notices disappear.
	Time time.Duration
}

// DefaultLimits suit filters sent by strangers.
var DefaultLimits = Limits{
	Streams:         256,
	Cones:           1024,
	Expressions:     16,
	ExpressionBytes: 4096,
	XPathDepth:      8,
	XPathSteps:      100_000,
	CELCost:         50_000,
	Time:            250 * time.Millisecond,
}

func (l Limits) orDefault() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Streams, DefaultLimits.Streams)
	set(&l.Cones, DefaultLimits.Cones)
	set(&l.Expressions, DefaultLimits.Expressions)
	set(&l.ExpressionBytes, DefaultLimits.ExpressionBytes)
	set(&l.XPathDepth, DefaultLimits.XPathDepth)
	set(&l.XPathSteps, DefaultLimits.XPathSteps)
	if l.CELCost == 0 {
		l.CELCost = DefaultLimits.CELCost
	}
	if l.Time <= 0 {
		l.Time = DefaultLimits.Time
	}
	return l
}
