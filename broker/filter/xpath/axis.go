package xpath

import (
	"slices"

	"tocsin/voevent/xmltree"
)

// along yields the nodes of an axis in its own order, nearest first, until yield returns false, and reports whether it
// never did. XPath 1.0 §2.2.
func (c *context) along(a axis, from item, yield func(item) bool) bool {
	switch a {
	case axisChild:
		for n := c.firstChild(from); n != xmltree.None; n = c.doc.NextSibling(n) {
			if !yield(item{n, notAttribute}) {
				return false
			}
		}
		return true
	case axisAttribute:
		if from.attr != notAttribute || c.isDocument(from) {
			return true
		}
		for i := range c.doc.Attrs(from.node) {
			if !yield(item{from.node, int32(i)}) {
				return false
			}
		}
		return true
	case axisSelf:
		return yield(from)
	case axisParent:
		p, ok := c.parent(from)
		return !ok || yield(p)
	case axisDescendant:
		return c.descend(from, yield)
	case axisDescendantOrSelf:
		return yield(from) && c.descend(from, yield)
	case axisAncestorOrSelf:
		if !yield(from) {
			return false
		}
		fallthrough
	case axisAncestor:
		for p, ok := c.parent(from); ok; p, ok = c.parent(p) {
			if !yield(p) {
				return false
			}
		}
		return true
	case axisFollowingSibling:
		if from.attr != notAttribute {
			return true
		}
		return c.siblingsAfter(from, yield)
	case axisPrecedingSibling:
		if from.attr != notAttribute {
			return true
		}
		return c.siblingsBefore(from, yield)
	case axisFollowing:
		return c.following(from, yield)
	default:
		return c.preceding(from, yield)
	}
}

// descend walks over everything below a node in document order.
func (c *context) descend(top item, yield func(item) bool) bool {
	n := c.firstChild(top)
	for n != xmltree.None {
		if !yield(item{n, notAttribute}) {
			return false
		}
		next := c.doc.FirstChild(n)
		for next == xmltree.None {
			if next = c.doc.NextSibling(n); next != xmltree.None {
				break
			}
			if n = c.doc.Parent(n); n == top.node || n == xmltree.None {
				return true
			}
		}
		n = next
	}
	return true
}

func (c *context) siblingsAfter(from item, yield func(item) bool) bool {
	for n := c.doc.NextSibling(from.node); n != xmltree.None; n = c.doc.NextSibling(n) {
		if !yield(item{n, notAttribute}) {
			return false
		}
	}
	return true
}

// siblingsBefore goes from the nearest to the first. The tree has no links backwards, so they are gathered first.
func (c *context) siblingsBefore(from item, yield func(item) bool) bool {
	var list []xmltree.Node
	for n := c.doc.FirstChild(c.doc.Parent(from.node)); n != xmltree.None && n != from.node; n = c.doc.NextSibling(n) {
		c.spend(1)
		list = append(list, n)
	}
	for _, n := range slices.Backward(list) {
		if !yield(item{n, notAttribute}) {
			return false
		}
	}
	return true
}

// following yields all that begins behind the end of a node. From an attribute it leaves out what is within its element, as
// libxml2 does and the standard does not.
func (c *context) following(from item, yield func(item) bool) bool {
	for from.attr = notAttribute; !c.isDocument(from); from, _ = c.parent(from) {
		ok := c.siblingsAfter(from, func(it item) bool { return yield(it) && c.descend(it, yield) })
		if !ok {
			return false
		}
	}
	return true
}

// preceding yields all that ends before the start of a node, last first.
func (c *context) preceding(from item, yield func(item) bool) bool {
	for from.attr = notAttribute; !c.isDocument(from); from, _ = c.parent(from) {
		ok := c.siblingsBefore(from, func(it item) bool { return c.reversed(it, yield) })
		if !ok {
			return false
		}
	}
	return true
}

// reversed yields a node and all below it in reverse document order.
func (c *context) reversed(it item, yield func(item) bool) bool {
	list := []item{it}
	c.descend(it, func(it item) bool {
		c.spend(1)
		list = append(list, it)
		return true
	})
	for _, it := range slices.Backward(list) {
		if !yield(it) {
			return false
		}
	}
	return true
}
