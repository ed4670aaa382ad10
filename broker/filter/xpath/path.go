package xpath

import (
	"cmp"
	"slices"

	"tocsin/voevent/xmltree"
)

// An item is a node as XPath sees it: an element or text, one of an element's attributes, or the document above the root
// element. Ordered by node and attribute they are in document order.
type item struct {
	node xmltree.Node
	attr int32 // index into the element's attributes, notAttribute for the element itself
}

const notAttribute = -1

var documentNode = item{xmltree.None, notAttribute}

func (c *context) isDocument(it item) bool { return it.node == xmltree.None }

// value is the string-value of a node. XPath 1.0 §5.
func (c *context) value(it item) string {
	switch {
	case it.attr != notAttribute:
		return c.made(c.doc.Attrs(it.node)[it.attr].Value)
	case c.isDocument(it):
		return c.made(c.doc.Value(c.doc.Root()))
	default:
		return c.made(c.doc.Value(it.node))
	}
}

// attribute is the value of an attribute of the current node.
func (c *context) attribute(name string) (string, bool) {
	if c.item.attr != notAttribute || c.isDocument(c.item) {
		return "", false
	}
	return c.doc.Attr(c.item.node, name)
}

func (c *context) parent(it item) (item, bool) {
	switch {
	case it.attr != notAttribute:
		return item{it.node, notAttribute}, true
	case c.isDocument(it):
		return item{}, false
	default:
		return item{c.doc.Parent(it.node), notAttribute}, true // that of the root is None: the document
	}
}

func (c *context) firstChild(it item) xmltree.Node {
	switch {
	case it.attr != notAttribute:
		return xmltree.None
	case c.isDocument(it):
		return c.doc.Root()
	default:
		return c.doc.FirstChild(it.node)
	}
}

type axis uint8

const (
	axisChild axis = iota
	axisAttribute
	axisSelf
	axisParent
	axisDescendant
	axisDescendantOrSelf
	axisAncestor
	axisAncestorOrSelf
	axisFollowing
	axisFollowingSibling
	axisPreceding
	axisPrecedingSibling
)

var axes = map[string]axis{
	"child": axisChild, "attribute": axisAttribute, "self": axisSelf, "parent": axisParent,
	"descendant": axisDescendant, "descendant-or-self": axisDescendantOrSelf,
	"ancestor": axisAncestor, "ancestor-or-self": axisAncestorOrSelf,
	"following": axisFollowing, "following-sibling": axisFollowingSibling,
	"preceding": axisPreceding, "preceding-sibling": axisPrecedingSibling,
}

type testKind uint8

const (
	testName    testKind = iota // of that name, in no namespace
	testAny                     // *
	testNode                    // node()
	testText                    // text()
	testNothing                 // comment() and processing-instruction(), which the tree does not hold
)

type nodeTest struct {
	kind testKind
	name string
}

func (c *context) passes(t nodeTest, a axis, it item) bool {
	c.spend(1)
	if a == axisAttribute {
		switch t.kind {
		case testName:
			at := &c.doc.Attrs(it.node)[it.attr]
			return at.Prefix == "" && at.Local == t.name
		default:
			return t.kind == testAny || t.kind == testNode
		}
	}
	if t.kind == testNode {
		return true
	}
	if it.attr != notAttribute || c.isDocument(it) {
		return false
	}
	switch element := c.doc.Kind(it.node) == xmltree.Element; t.kind {
	case testName:
		return element && c.doc.Local(it.node) == t.name && c.doc.Space(it.node) == ""
	case testAny:
		return element
	case testText:
		return !element
	default:
		return false
	}
}

type predicate struct {
	expr       expr
	usesLast   bool
	positional bool
}

// holds evaluates the predicate for one node of a list.
func (p *predicate) holds(c *context, it item, pos, size int) bool {
	was, wasPos, wasSize := c.item, c.pos, c.size
	c.item, c.pos, c.size = it, pos, size
	ok := p.expr.boolean(c)
	c.item, c.pos, c.size = was, wasPos, wasSize
	return ok
}

type step struct {
	axis       axis
	test       nodeTest
	predicates []predicate
	usesLast   bool // one of the predicates needs to know how many nodes there are
	barrier    bool // its nodes are made unique before the next step, which would else do its work again and again
}

// A path is a location path: from the current node, the document, or the nodes of an expression through the steps.
type path struct {
	absolute        bool
	start           nodeSet // nil: the current node
	startPredicates []predicate
	steps           []step
}

// finish puts the path into the form that is evaluated.
func (p *path) finish() expr {
	var steps []step
	for _, s := range p.steps {
		positional := slices.ContainsFunc(s.predicates, func(q predicate) bool { return q.positional })
		s.usesLast = slices.ContainsFunc(s.predicates, func(q predicate) bool { return q.usesLast })
		// //Param is short for a walk over all nodes and then their children; it is the same as one walk over the descendants,
		// unless predicates count within the children of each.
		if n := len(steps); n > 0 && s.axis == axisChild && !positional {
			if before := &steps[n-1]; before.axis == axisDescendantOrSelf && before.test.kind == testNode && len(before.predicates) == 0 {
				s.axis = axisDescendant
				*before = s
				continue
			}
		}
		steps = append(steps, s)
	}
	for i := range steps {
		switch steps[i].axis {
		case axisChild, axisAttribute, axisSelf:
		default:
			steps[i].barrier = i > 0 || p.start != nil
		}
	}
	p.steps = steps
	return p
}

// attributeOf returns the name if e is just @name, the commonest of all paths.
func attributeOf(e expr) string {
	p, ok := e.(*path)
	if !ok || p.absolute || p.start != nil || len(p.steps) != 1 {
		return ""
	}
	if s := &p.steps[0]; s.axis == axisAttribute && s.test.kind == testName && len(s.predicates) == 0 {
		return s.test.name
	}
	return ""
}

func (p *path) boolean(c *context) bool   { return !p.each(c, func(item) bool { return false }) }
func (p *path) number(c *context) float64 { return parseNumber(p.text(c)) }
func (p *path) text(c *context) string    { return firstText(c, p) }

// firstText is string() of a node-set: that of its first node in document order.
func firstText(c *context, s nodeSet) string {
	it, ok := first(c, s)
	if !ok {
		return ""
	}
	return c.value(it)
}

func first(c *context, s nodeSet) (least item, found bool) {
	s.each(c, func(it item) bool {
		if !found || it.before(least) {
			least, found = it, true
		}
		return true
	})
	return least, found
}

func (it item) before(o item) bool {
	return it.node < o.node || it.node == o.node && it.attr < o.attr
}

// unique gives the nodes in document order, each once.
func unique(c *context, s nodeSet) []item {
	var out []item
	s.each(c, func(it item) bool {
		c.spend(1)
		out = append(out, it)
		return true
	})
	return sortUnique(out)
}

func sortUnique(list []item) []item {
	if !slices.IsSortedFunc(list, compareItems) {
		slices.SortFunc(list, compareItems)
	}
	return slices.Compact(list)
}

func compareItems(a, b item) int {
	if d := cmp.Compare(a.node, b.node); d != 0 {
		return d
	}
	return cmp.Compare(a.attr, b.attr)
}

func (p *path) each(c *context, yield func(item) bool) bool {
	from := 0
	var list []item
	switch {
	case p.start != nil:
		list = p.startNodes(c)
	case p.absolute:
		list = []item{documentNode}
	default:
		list = []item{c.item}
	}
	for i := range p.steps {
		if !p.steps[i].barrier || i == len(p.steps)-1 {
			continue
		}
		var out []item
		for _, it := range list {
			p.walk(c, p.steps[from:i+1], it, func(it item) bool {
				out = append(out, it)
				return true
			})
		}
		list, from = sortUnique(out), i+1
	}
	for _, it := range list {
		if !p.walk(c, p.steps[from:], it, yield) {
			return false
		}
	}
	return true
}

// startNodes applies the predicates of a filter expression, which count in document order. XPath 1.0 §3.3.
func (p *path) startNodes(c *context) []item {
	list := unique(c, p.start)
	for i := range p.startPredicates {
		list = filterList(c, &p.startPredicates[i], list)
	}
	return list
}

func filterList(c *context, q *predicate, list []item) []item {
	out := list[:0]
	for i, it := range list {
		if q.holds(c, it, i+1, len(list)) {
			out = append(out, it)
		}
	}
	return out
}

// walk follows the steps from one node and yields where they end.
func (p *path) walk(c *context, steps []step, it item, yield func(item) bool) bool {
	if len(steps) == 0 {
		return yield(it)
	}
	s := &steps[0]
	if len(steps) > 1 {
		last := yield
		yield = func(it item) bool { return p.walk(c, steps[1:], it, last) }
	}
	switch {
	case len(s.predicates) == 0:
		return c.along(s.axis, it, func(it item) bool { return !c.passes(s.test, s.axis, it) || yield(it) })
	case s.usesLast:
		var list []item
		c.along(s.axis, it, func(it item) bool {
			if c.passes(s.test, s.axis, it) {
				list = append(list, it)
			}
			return true
		})
		for i := range s.predicates {
			list = filterList(c, &s.predicates[i], list)
		}
		for _, it := range list {
			if !yield(it) {
				return false
			}
		}
		return true
	default:
		counts := make([]int, len(s.predicates))
		return c.along(s.axis, it, func(it item) bool {
			if !c.passes(s.test, s.axis, it) {
				return true
			}
			for i := range s.predicates {
				counts[i]++
				if !s.predicates[i].holds(c, it, counts[i], 0) {
					return true
				}
			}
			return yield(it)
		})
	}
}

type unionExpr struct{ a, b nodeSet }

func (u *unionExpr) boolean(c *context) bool   { return u.a.boolean(c) || u.b.boolean(c) }
func (u *unionExpr) number(c *context) float64 { return parseNumber(u.text(c)) }
func (u *unionExpr) text(c *context) string    { return firstText(c, u) }
func (u *unionExpr) each(c *context, yield func(item) bool) bool {
	return u.a.each(c, yield) && u.b.each(c, yield)
}
