package xpath

import (
	"math"
	"strconv"
)

// maxNesting bounds the parser's own recursion, so that a thousand brackets do not take a thousand stack frames.
const maxNesting = 100

type parser struct {
	limits  Limits
	tokens  []token
	next    int
	nesting int // levels of the grammar's recursion
	depth   int // predicates and function calls
	// What the expression being read asks of its own context: see predicate.
	usesPosition, usesLast bool
}

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) take() token {
	t := p.tokens[p.next]
	if t.kind != tokEnd {
		p.next++
	}
	return t
}

func (p *parser) accept(symbol string) bool {
	if p.peek().is(symbol) {
		p.next++
		return true
	}
	return false
}

func (p *parser) expect(symbol string) {
	if t := p.peek(); !p.accept(symbol) {
		fail(t.at, "%q is expected here, not %s", symbol, t)
	}
}

func (p *parser) enter(at int) func() {
	if p.nesting++; p.nesting > maxNesting {
		fail(at, "the expression is nested too deeply")
	}
	return func() { p.nesting-- }
}

func (p *parser) deeper(at int) func() {
	if p.depth++; p.limits.Depth > 0 && p.depth > p.limits.Depth {
		fail(at, "more than %d predicates and functions within each other are not allowed", p.limits.Depth)
	}
	return func() { p.depth-- }
}

func (p *parser) orExpr() expr {
	defer p.enter(p.peek().at)()
	left := p.andExpr()
	for p.accept("or") {
		a, b := left, p.andExpr()
		left = boolExpr(func(c *context) bool { return a.boolean(c) || b.boolean(c) })
	}
	return left
}

func (p *parser) andExpr() expr {
	left := p.equality()
	for p.accept("and") {
		a, b := left, p.equality()
		left = boolExpr(func(c *context) bool { return a.boolean(c) && b.boolean(c) })
	}
	return left
}

func (p *parser) equality() expr {
	left := p.relational()
	for {
		switch {
		case p.accept("="):
			left = compare(opEqual, left, p.relational())
		case p.accept("!="):
			left = compare(opNotEqual, left, p.relational())
		default:
			return left
		}
	}
}

func (p *parser) relational() expr {
	left := p.additive()
	for {
		switch {
		case p.accept("<"):
			left = compare(opLess, left, p.additive())
		case p.accept("<="):
			left = compare(opLessEqual, left, p.additive())
		case p.accept(">"):
			left = compare(opGreater, left, p.additive())
		case p.accept(">="):
			left = compare(opGreaterEqual, left, p.additive())
		default:
			return left
		}
	}
}

func (p *parser) additive() expr {
	left := p.multiplicative()
	for {
		switch {
		case p.accept("+"):
			a, b := left, p.multiplicative()
			left = numberExpr(func(c *context) float64 { return a.number(c) + b.number(c) })
		case p.accept("-"):
			a, b := left, p.multiplicative()
			left = numberExpr(func(c *context) float64 { return a.number(c) - b.number(c) })
		default:
			return left
		}
	}
}

func (p *parser) multiplicative() expr {
	left := p.unary()
	for {
		switch {
		case p.accept("*"):
			a, b := left, p.unary()
			left = numberExpr(func(c *context) float64 { return a.number(c) * b.number(c) })
		case p.accept("div"):
			a, b := left, p.unary()
			left = numberExpr(func(c *context) float64 { return a.number(c) / b.number(c) })
		case p.accept("mod"):
			a, b := left, p.unary()
			left = numberExpr(func(c *context) float64 { return math.Mod(a.number(c), b.number(c)) })
		default:
			return left
		}
	}
}

func (p *parser) unary() expr {
	minus, count := false, 0
	for p.accept("-") {
		minus, count = !minus, count+1
	}
	e := p.union()
	switch {
	case minus:
		return numberExpr(func(c *context) float64 { return -e.number(c) })
	case count > 0:
		return numberExpr(e.number)
	}
	return e
}

func (p *parser) union() expr {
	at := p.peek().at
	left := p.pathExpr()
	for p.peek().is("|") {
		p.next++
		rightAt := p.peek().at
		right := p.pathExpr()
		a, ok := left.(nodeSet)
		if !ok {
			fail(at, "| joins node-sets, and what is before it is none")
		}
		b, ok := right.(nodeSet)
		if !ok {
			fail(rightAt, "| joins node-sets, and what is behind it is none")
		}
		left = &unionExpr{a, b}
	}
	return left
}

// pathExpr reads a location path, or a primary expression with predicates and a path behind it. XPath 1.0 §3.3.
func (p *parser) pathExpr() expr {
	t := p.peek()
	var primary expr
	switch {
	case t.kind == tokString:
		p.next++
		primary = literal(t.text)
	case t.kind == tokNumber:
		p.next++
		v, err := strconv.ParseFloat(t.text, 64)
		if err != nil && v == 0 {
			fail(t.at, "%s is not a number", t)
		}
		primary = constant(v)
	case t.is("("):
		p.next++
		primary = p.orExpr()
		p.expect(")")
	case t.is("$"):
		fail(t.at, "variables are not available")
	case t.kind == tokName && p.tokens[p.next+1].is("(") && !isNodeType(t.text):
		primary = p.call()
	default:
		return p.locationPath()
	}
	filtered := &path{}
	for at := p.peek().at; p.peek().is("["); at = p.peek().at {
		set, ok := primary.(nodeSet)
		if !ok {
			fail(at, "a predicate can only follow a node-set")
		}
		filtered.start = set
		filtered.startPredicates = append(filtered.startPredicates, p.predicate())
	}
	if n := p.peek(); n.is("/") || n.is("//") {
		set, ok := primary.(nodeSet)
		if !ok {
			fail(n.at, "a path can only follow a node-set")
		}
		filtered.start = set
		p.next++
		p.relativePath(filtered, n.text == "//")
	}
	if filtered.start == nil {
		return primary
	}
	return filtered.finish()
}

func (p *parser) locationPath() expr {
	out := &path{}
	switch t := p.peek(); {
	case t.is("/"):
		p.next++
		out.absolute = true
		if !p.stepMayFollow() {
			return out.finish()
		}
		p.relativePath(out, false)
	case t.is("//"):
		p.next++
		out.absolute = true
		p.relativePath(out, true)
	default:
		p.relativePath(out, false)
	}
	return out.finish()
}

func (p *parser) stepMayFollow() bool {
	t := p.peek()
	return t.kind == tokName || t.kind == tokAxis || t.is("@") || t.is(".") || t.is("..")
}

func (p *parser) relativePath(out *path, descend bool) {
	for {
		if descend {
			out.steps = append(out.steps, step{axis: axisDescendantOrSelf, test: nodeTest{kind: testNode}})
		}
		out.steps = append(out.steps, p.step())
		switch {
		case p.accept("//"):
			descend = true
		case p.accept("/"):
			descend = false
		default:
			return
		}
	}
}

func (p *parser) step() step {
	t := p.take()
	s := step{axis: axisChild}
	switch {
	case t.is("."):
		return step{axis: axisSelf, test: nodeTest{kind: testNode}}
	case t.is(".."):
		return step{axis: axisParent, test: nodeTest{kind: testNode}}
	case t.is("@"):
		s.axis = axisAttribute
		t = p.take()
	case t.kind == tokAxis:
		axis, ok := axes[t.text]
		if !ok {
			fail(t.at, "%q is not an axis that is available", t.text)
		}
		s.axis = axis
		p.expect("::")
		t = p.take()
	}
	if t.kind != tokName {
		fail(t.at, "a name is expected here, not %s", t)
	}
	s.test = p.nodeTest(t)
	for p.peek().is("[") {
		s.predicates = append(s.predicates, p.predicate())
	}
	return s
}

func (p *parser) nodeTest(t token) nodeTest {
	switch {
	case p.peek().is(":"):
		fail(t.at, `no namespace prefix is bound, so %q means nothing here; write *[local-name()="..."]`, t.text+":")
	case t.text == "*":
		return nodeTest{kind: testAny}
	case !p.peek().is("("):
		return nodeTest{kind: testName, name: t.text}
	case !isNodeType(t.text):
		fail(t.at, "%q is not a node type", t.text)
	}
	p.next++
	if t.text == "processing-instruction" && p.peek().kind == tokString {
		p.next++
	}
	p.expect(")")
	switch t.text {
	case "node":
		return nodeTest{kind: testNode}
	case "text":
		return nodeTest{kind: testText}
	default:
		return nodeTest{kind: testNothing}
	}
}

func isNodeType(name string) bool {
	return name == "node" || name == "text" || name == "comment" || name == "processing-instruction"
}

func (p *parser) predicate() predicate {
	at := p.peek().at
	defer p.deeper(at)()
	p.expect("[")
	position, last := p.usesPosition, p.usesLast
	p.usesPosition, p.usesLast = false, false
	e := p.orExpr()
	out := predicate{expr: e, usesLast: p.usesLast, positional: p.usesPosition || p.usesLast || isNumber(e)}
	p.usesPosition, p.usesLast = position, last
	p.expect("]")
	if isNumber(e) {
		out.expr = boolExpr(func(c *context) bool { return e.number(c) == float64(c.pos) })
	}
	return out
}
