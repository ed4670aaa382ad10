package xpath

import (
	"math"
	"strings"
	"unicode/utf8"
)

// A function builds the call of a core function from its arguments, whose number has been checked.
type function struct {
	least, most int // arguments
	build       func(p *parser, at int, args []expr) expr
}

// call reads a function call. XPath 1.0 §4.
func (p *parser) call() expr {
	name := p.take()
	defer p.deeper(name.at)()
	f, ok := coreFunctions[name.text]
	if !ok {
		if name.text == "id" {
			fail(name.at, "id() finds nothing in a notice, which has no document type")
		}
		fail(name.at, "there is no function %s() in XPath 1.0", name.text)
	}
	p.expect("(")
	var args []expr
	for !p.peek().is(")") {
		if len(args) > 0 {
			p.expect(",")
		}
		args = append(args, p.orExpr())
	}
	p.expect(")")
	if len(args) < f.least || len(args) > f.most {
		fail(name.at, "%s() takes %s", name.text, countOf(f.least, f.most))
	}
	return f.build(p, name.at, args)
}

func countOf(least, most int) string {
	digits := func(n int) string { return string(rune('0' + n)) }
	switch {
	case most == 0:
		return "no arguments"
	case most == 1 && least == 1:
		return "1 argument"
	case least == most:
		return digits(least) + " arguments"
	case most > 9:
		return digits(least) + " or more arguments"
	}
	return digits(least) + " or " + digits(most) + " arguments"
}

// orCurrent is what the functions with an optional argument take without it: the current node.
func orCurrent(args []expr) expr {
	if len(args) > 0 {
		return args[0]
	}
	return (&path{steps: []step{{axis: axisSelf, test: nodeTest{kind: testNode}}}}).finish()
}

func setArgument(at int, name string, e expr) nodeSet {
	s, ok := e.(nodeSet)
	if !ok {
		fail(at, "%s() takes a node-set, such as //Param", name)
	}
	return s
}

var coreFunctions = newCoreFunctions()

func newCoreFunctions() map[string]function {
	text := func(least, most int, f func(c *context, args []expr) string) function {
		return function{least, most, func(_ *parser, _ int, args []expr) expr {
			return stringExpr(func(c *context) string { c.spend(1); return c.made(f(c, args)) })
		}}
	}
	test := func(arguments int, f func(c *context, args []expr) bool) function {
		return function{arguments, arguments, func(_ *parser, _ int, args []expr) expr {
			return boolExpr(func(c *context) bool { c.spend(1); return f(c, args) })
		}}
	}
	number := func(f func(float64) float64) function {
		return function{1, 1, func(_ *parser, _ int, args []expr) expr {
			return numberExpr(func(c *context) float64 { return f(args[0].number(c)) })
		}}
	}
	name := func(label string, f func(c *context, it item) string) function {
		return function{0, 1, func(_ *parser, at int, args []expr) expr {
			if len(args) == 0 {
				return stringExpr(func(c *context) string { return f(c, c.item) })
			}
			set := setArgument(at, label, args[0])
			return stringExpr(func(c *context) string {
				it, ok := first(c, set)
				if !ok {
					return ""
				}
				return f(c, it)
			})
		}}
	}
	return map[string]function{
		"last": {0, 0, func(p *parser, _ int, _ []expr) expr {
			p.usesLast = true
			return numberExpr(func(c *context) float64 { return float64(c.size) })
		}},
		"position": {0, 0, func(p *parser, _ int, _ []expr) expr {
			p.usesPosition = true
			return numberExpr(func(c *context) float64 { return float64(c.pos) })
		}},
		"count": {1, 1, func(_ *parser, at int, args []expr) expr {
			set := setArgument(at, "count", args[0])
			return numberExpr(func(c *context) float64 { return float64(len(unique(c, set))) })
		}},
		"sum": {1, 1, func(_ *parser, at int, args []expr) expr {
			set := setArgument(at, "sum", args[0])
			return numberExpr(func(c *context) (total float64) {
				for _, it := range unique(c, set) {
					total += parseNumber(c.value(it))
				}
				return total
			})
		}},
		"local-name":    name("local-name", localName),
		"namespace-uri": name("namespace-uri", namespaceURI),
		"name":          name("name", qualifiedName),

		"string":           text(0, 1, func(c *context, a []expr) string { return orCurrent(a).text(c) }),
		"concat":           text(2, 64, concat),
		"substring-before": text(2, 2, func(c *context, a []expr) string { s, _ := cut(c, a); return s }),
		"substring-after":  text(2, 2, func(c *context, a []expr) string { _, s := cut(c, a); return s }),
		"substring":        text(2, 3, substring),
		"normalize-space": text(0, 1, func(c *context, a []expr) string {
			return strings.Join(strings.FieldsFunc(orCurrent(a).text(c), func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }), " ")
		}),
		"translate": text(3, 3, translate),
		"string-length": {0, 1, func(_ *parser, _ int, args []expr) expr {
			e := orCurrent(args)
			return numberExpr(func(c *context) float64 { return float64(utf8.RuneCountInString(e.text(c))) })
		}},
		"starts-with": test(2, func(c *context, a []expr) bool { return strings.HasPrefix(a[0].text(c), a[1].text(c)) }),
		"contains":    test(2, func(c *context, a []expr) bool { return strings.Contains(a[0].text(c), a[1].text(c)) }),
		"boolean":     test(1, func(c *context, a []expr) bool { return a[0].boolean(c) }),
		"not":         test(1, func(c *context, a []expr) bool { return !a[0].boolean(c) }),
		"true":        test(0, func(*context, []expr) bool { return true }),
		"false":       test(0, func(*context, []expr) bool { return false }),
		"lang":        test(1, func(c *context, a []expr) bool { return c.speaks(a[0].text(c)) }),
		"number": {0, 1, func(_ *parser, _ int, args []expr) expr {
			return numberExpr(orCurrent(args).number)
		}},
		"floor":   number(math.Floor),
		"ceiling": number(math.Ceil),
		"round":   number(round),
	}
}

// round takes halves towards positive infinity. XPath 1.0 §4.4.
func round(v float64) float64 {
	if v >= -0.5 && v < 0.5 {
		return v * 0
	}
	if f := math.Floor(v); v-f < 0.5 {
		return f
	}
	return math.Ceil(v)
}

func localName(c *context, it item) string {
	if it.attr != notAttribute {
		return c.doc.Attrs(it.node)[it.attr].Local
	}
	return c.doc.Local(it.node)
}

func namespaceURI(c *context, it item) string {
	if it.attr != notAttribute {
		return c.doc.Attrs(it.node)[it.attr].Space
	}
	return c.doc.Space(it.node)
}

func qualifiedName(c *context, it item) string {
	prefix := c.doc.Prefix(it.node)
	if it.attr != notAttribute {
		prefix = c.doc.Attrs(it.node)[it.attr].Prefix
	}
	if prefix == "" {
		return localName(c, it)
	}
	return prefix + ":" + localName(c, it)
}

func concat(c *context, args []expr) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(c.made(a.text(c)))
	}
	return b.String()
}

func cut(c *context, args []expr) (before, after string) {
	before, after, found := strings.Cut(args[0].text(c), args[1].text(c))
	if !found {
		return "", ""
	}
	return before, after
}

// substring counts characters from 1 and rounds both numbers. XPath 1.0 §4.2.
func substring(c *context, args []expr) string {
	s, from := args[0].text(c), round(args[1].number(c))
	to := math.Inf(1)
	if len(args) == 3 {
		to = from + round(args[2].number(c))
	}
	start, end, position := len(s), len(s), 0.0
	for i := range s {
		position++
		if position >= from && start == len(s) && position < to {
			start = i
		}
		if position >= to {
			end = i
			break
		}
	}
	if start >= end || math.IsNaN(from) || math.IsNaN(to) {
		return ""
	}
	return s[start:end]
}

func translate(c *context, args []expr) string {
	s, from, to := args[0].text(c), []rune(args[1].text(c)), []rune(args[2].text(c))
	c.spend(len(from) + len(s)>>4*min(len(from), 64))
	table := make(map[rune]rune, len(from))
	for i, r := range from {
		if _, ok := table[r]; ok {
			continue
		}
		if i < len(to) {
			table[r] = to[i]
		} else {
			table[r] = -1
		}
	}
	return strings.Map(func(r rune) rune {
		if t, ok := table[r]; ok {
			return t
		}
		return r
	}, s)
}

// speaks is lang(): whether the nearest xml:lang is the language or one of its kinds. XPath 1.0 §4.3.
func (c *context) speaks(want string) bool {
	for it, ok := c.item, true; ok && !c.isDocument(it); it, ok = c.parent(it) {
		c.spend(1)
		if it.attr != notAttribute {
			continue
		}
		for _, a := range c.doc.Attrs(it.node) {
			if a.Prefix == "xml" && a.Local == "lang" {
				rest, ok := strings.CutPrefix(strings.ToLower(a.Value), strings.ToLower(want))
				return ok && (rest == "" || rest[0] == '-')
			}
		}
	}
	return false
}
