package xpath

import (
	"math"
	"strconv"
	"strings"
)

// An expr has one of the four types of XPath, known when compiling, and converts itself to the other three. Node-sets also
// have each.
type expr interface {
	boolean(c *context) bool
	number(c *context) float64
	text(c *context) string
}

// A nodeSet is an expr that gives nodes.
type nodeSet interface {
	expr
	// each calls yield with every node, perhaps in another order than the document's and more than once, until it
	// returns false, and reports whether it never did.
	each(c *context, yield func(item) bool) bool
}

type boolExpr func(*context) bool

func (f boolExpr) boolean(c *context) bool { return f(c) }
func (f boolExpr) number(c *context) float64 {
	if f(c) {
		return 1
	}
	return 0
}
func (f boolExpr) text(c *context) string { return strconv.FormatBool(f(c)) }

type numberExpr func(*context) float64

func (f numberExpr) boolean(c *context) bool   { v := f(c); return v != 0 && !math.IsNaN(v) }
func (f numberExpr) number(c *context) float64 { return f(c) }
func (f numberExpr) text(c *context) string    { return formatNumber(f(c)) }

type stringExpr func(*context) string

func (f stringExpr) boolean(c *context) bool   { return f(c) != "" }
func (f stringExpr) number(c *context) float64 { return parseNumber(f(c)) }
func (f stringExpr) text(c *context) string    { return f(c) }

type constant float64

func (v constant) boolean(*context) bool   { return v != 0 && !math.IsNaN(float64(v)) }
func (v constant) number(*context) float64 { return float64(v) }
func (v constant) text(*context) string    { return formatNumber(float64(v)) }

type literal string

func (s literal) boolean(*context) bool   { return s != "" }
func (s literal) number(*context) float64 { return parseNumber(string(s)) }
func (s literal) text(*context) string    { return string(s) }

func isBool(e expr) bool { _, ok := e.(boolExpr); return ok }

func isNumber(e expr) bool {
	switch e.(type) {
	case numberExpr, constant:
		return true
	}
	return false
}

// parseNumber is number() of a string: white space, an optional minus, digits with an optional point; and, as in libxml2, an
// optional exponent. Everything else, "+1", "inf" and "0x1" among it, is NaN.
func parseNumber(s string) float64 {
	s = strings.Trim(s, " \t\r\n")
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || !isDigit(digits[0]) && (digits[0] != '.' || len(digits) == 1 || !isDigit(digits[1])) ||
		scanNumber(digits, 0) != len(digits) {
		return math.NaN()
	}
	v, _ := strconv.ParseFloat(s, 64) // out of range is an infinity or 0, as it should be
	return v
}

// formatNumber is string() of a number. XPath 1.0 §4.2: never an exponent.
func formatNumber(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	case v == 0:
		return "0"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

type operator uint8

const (
	opEqual operator = iota
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
)

// swapped is the operator for the operands in the other order.
func (o operator) swapped() operator {
	switch o {
	case opLess:
		return opGreater
	case opLessEqual:
		return opGreaterEqual
	case opGreater:
		return opLess
	case opGreaterEqual:
		return opLessEqual
	}
	return o
}

func (o operator) numbers(a, b float64) bool {
	switch o {
	case opEqual:
		return a == b
	case opNotEqual:
		return a != b
	case opLess:
		return a < b
	case opLessEqual:
		return a <= b
	case opGreater:
		return a > b
	default:
		return a >= b
	}
}

func (o operator) strings(a, b string) bool {
	switch o {
	case opEqual:
		return a == b
	case opNotEqual:
		return a != b
	default:
		return o.numbers(parseNumber(a), parseNumber(b))
	}
}

// compare builds a comparison by the rules of XPath 1.0 §3.4, which depend on the types of both sides.
func compare(o operator, a, b expr) expr {
	left, leftSet := a.(nodeSet)
	right, rightSet := b.(nodeSet)
	order := o >= opLess
	switch {
	case leftSet && rightSet:
		return boolExpr(func(c *context) bool { return compareSets(c, o, left, right) })
	case (leftSet || rightSet) && (isBool(a) || isBool(b)):
		return boolExpr(func(c *context) bool { return o.numbers(truth(a.boolean(c)), truth(b.boolean(c))) })
	case rightSet:
		return compare(o.swapped(), b, a)
	case leftSet && isNumber(b):
		return boolExpr(func(c *context) bool {
			want := b.number(c)
			return !left.each(c, func(it item) bool { c.spend(1); return !o.numbers(parseNumber(c.value(it)), want) })
		})
	case leftSet && order:
		return compare(o, a, numberExpr(b.number))
	case leftSet:
		if attr := attributeOf(a); attr != "" {
			return boolExpr(func(c *context) bool {
				c.spend(1)
				got, ok := c.attribute(attr)
				return ok && (got == b.text(c)) == (o == opEqual)
			})
		}
		return boolExpr(func(c *context) bool {
			want := b.text(c)
			return !left.each(c, func(it item) bool { c.spend(1); return !o.strings(c.value(it), want) })
		})
	case order || isNumber(a) && !isBool(b) || isNumber(b) && !isBool(a):
		return boolExpr(func(c *context) bool { return o.numbers(a.number(c), b.number(c)) })
	case isBool(a) || isBool(b):
		return boolExpr(func(c *context) bool { return (a.boolean(c) == b.boolean(c)) == (o == opEqual) })
	default:
		return boolExpr(func(c *context) bool { return o.strings(a.text(c), b.text(c)) })
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// compareSets looks for a node on each side such that the comparison of their strings holds.
func compareSets(c *context, o operator, left, right nodeSet) bool {
	var values []string
	right.each(c, func(it item) bool {
		c.spend(1)
		values = append(values, c.value(it))
		return true
	})
	return !left.each(c, func(it item) bool {
		v := c.value(it)
		for _, w := range values {
			c.spend(1)
			if o.strings(v, w) {
				return false
			}
		}
		return true
	})
}
