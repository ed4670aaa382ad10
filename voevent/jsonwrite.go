package voevent

import (
	"math"
	"strconv"
	"strings"

	"tocsin/voevent/xmltree"
)

// jsonEncoder writes one notice. Text goes straight into buf: no tree is built between XML and JSON.
type jsonEncoder struct {
	doc     *xmltree.Document
	buf     []byte
	kids    []jsonKid // a stack: the children of the elements being written
	extra   []jsonExtra
	numbers bool
	space   string // of the root
}

// jsonKid is a child element or a text that matters, and where it belongs: an index into the shape's children, -1 when
// the mapping has no place for it.
type jsonKid struct {
	node  xmltree.Node
	child int
}

// root writes what stands in the document element, without its braces.
func (j *jsonEncoder) root() {
	n := j.doc.Root()
	j.space = j.doc.Space(n)
	if v, ok := j.doc.Attr(n, "version"); ok {
		j.member("voevent", v)
	} else {
		j.key("voevent")
		j.buf = append(j.buf, "null"...)
	}
	for _, a := range rootAttrs {
		if v, ok := j.doc.Attr(n, a.local); ok && a.key != "" {
			j.member(a.key, v)
		}
	}
	from := len(j.kids)
	j.collect(n, rootShape)
	j.children(n, rootShape, jsonOwn, from)
	j.kids = j.kids[:from]
}

// jsonMode says how the members of an element are written.
type jsonMode uint8

const (
	jsonOwn    jsonMode = 1 << iota // into an object of the element's own
	jsonMerged                      // attributes marked merged are already spoken for
)

// object writes an element as an object.
func (j *jsonEncoder) object(n xmltree.Node, s *jsonShape) {
	j.buf = append(j.buf, '{')
	j.members(n, s, jsonOwn)
	j.buf = append(j.buf, '}')
}

// members writes an element's text, attributes and children into the object that is open. It reports whether there was
// anything to write.
func (j *jsonEncoder) members(n xmltree.Node, s *jsonShape, mode jsonMode) bool {
	start, from := len(j.buf), len(j.kids)
	j.collect(n, s)
	if s.text != "" {
		j.member(s.text, j.doc.Value(n))
	}
	merged := mode&jsonMerged != 0
	for i := range s.attrs {
		a := &s.attrs[i]
		v, ok := j.doc.Attr(n, a.local)
		switch {
		case ok && a.merged && merged:
		case ok && a.number:
			j.key(a.key)
			j.number(v)
		case ok:
			j.member(a.key, v)
		}
		if s == paramShape && a.local == "value" {
			j.paramValue(from, v, ok)
		}
	}
	inner := mode & jsonOwn
	if s == locationShape {
		if id, ok := j.sameSystem(from); ok {
			j.member("coord_system", id)
			inner |= jsonMerged
		}
	}
	if s.items {
		j.key("items")
		j.items(n, s, from)
	} else {
		j.children(n, s, inner, from)
	}
	j.kids = j.kids[:from]
	unknown := j.hasUnknown(n, s.attrs)
	if unknown && mode&jsonOwn != 0 {
		j.key("attributes")
		j.attributes(n, s.attrs)
		unknown = false
	}
	j.note(n, s.attrs, unknown)
	return len(j.buf) > start || merged
}

// collect puts the children of n on the stack and finds where each belongs.
func (j *jsonEncoder) collect(n xmltree.Node, s *jsonShape) {
	from := len(j.kids)
	for c := j.doc.FirstChild(n); c != xmltree.None; c = j.doc.NextSibling(c) {
		if j.doc.Kind(c) == xmltree.Text {
			if s.text == "" && !j.doc.Blank(c) {
				j.kids = append(j.kids, jsonKid{c, -1})
			}
			continue
		}
		j.kids = append(j.kids, jsonKid{c, j.place(c, s, from)})
	}
}

// place returns the index of the child of s that c is, -1 when c has no place there.
func (j *jsonEncoder) place(c xmltree.Node, s *jsonShape, from int) int {
	if sp := j.doc.Space(c); sp != "" && sp != j.space && !strings.Contains(sp, "//www.ivoa.net/xml/") {
		return -1
	}
	i := s.child(j.doc.Local(c))
	if i < 0 {
		return -1
	}
	k := &s.children[i]
	textOnly := k.form == formText || k.form == formNumber || k.form == formObject && k.shape.text != ""
	if textOnly && j.doc.FirstElement(c) != xmltree.None {
		return -1
	}
	if !k.many && !s.items && s != authorShape && s != howShape {
		for _, kid := range j.kids[from:] {
			if kid.child == i {
				return -1
			}
		}
	}
	return i
}

// children writes the children that have a place, one member per kind, then their order, and notes the others.
func (j *jsonEncoder) children(n xmltree.Node, s *jsonShape, mode jsonMode, from int) {
	to := len(j.kids)
	for i := range s.children {
		k := &s.children[i]
		open := false
		for x := from; x < to; x++ {
			if j.kids[x].child != i {
				continue
			}
			c := j.kids[x].node
			if k.form == formFold {
				j.fold(x, k.shape, mode&jsonMerged)
				continue
			}
			switch {
			case k.many && open:
				j.buf = append(j.buf, ',')
			case s == paramShape && k.local == "Value":
				j.valueElement(n, c)
				continue
			default:
				j.key(k.key)
			}
			if k.many && !open {
				j.buf = append(j.buf, '[')
				open = true
			}
			j.child(c, k)
		}
		if open {
			j.buf = append(j.buf, ']')
		} else if k.always {
			j.key(k.key)
			j.buf = append(j.buf, '[', ']')
		}
	}
	j.order(n, s, mode, from)
	j.leftOver(n, from)
}

// fold writes the members of a folded element. One that has none could not be told from an absent one: it goes to extra.
func (j *jsonEncoder) fold(x int, s *jsonShape, merged jsonMode) {
	buf, extra := len(j.buf), len(j.extra)
	if !j.members(j.kids[x].node, s, merged) {
		j.buf, j.extra = j.buf[:buf], j.extra[:extra]
		j.kids[x].child = -1
	}
}

// child writes one child as its form has it.
func (j *jsonEncoder) child(c xmltree.Node, k *jsonChild) {
	switch k.form {
	case formText:
		j.str(j.doc.Value(c))
		j.leaf(c, k)
	case formNumber:
		j.number(j.doc.Value(c))
		j.leaf(c, k)
	case formObject:
		j.object(c, k.shape)
	case formItems:
		from := len(j.kids)
		j.collect(c, k.shape)
		j.items(c, k.shape, from)
		j.kids = j.kids[:from]
		j.note(c, nil, j.hasUnknown(c, nil))
	case formRows:
		j.rows(c)
	case formFold:
		panic("voevent: a folded element has no value of its own")
	}
}

// leaf writes the known attributes of a text as neighbours of its member and notes the others.
func (j *jsonEncoder) leaf(c xmltree.Node, k *jsonChild) {
	for i := range k.attrs {
		if v, ok := j.doc.Attr(c, k.attrs[i].local); ok {
			j.member(k.attrs[i].key, v)
		}
	}
	j.note(c, k.attrs, j.hasUnknown(c, k.attrs))
}

// items writes children as an array of objects of one member. A run of children that may be many becomes one item.
func (j *jsonEncoder) items(n xmltree.Node, s *jsonShape, from int) {
	to := len(j.kids)
	j.buf = append(j.buf, '[')
	run := -1
	for x := from; x < to; x++ {
		i := j.kids[x].child
		if i < 0 {
			continue
		}
		k := &s.children[i]
		if i == run {
			j.buf = append(j.buf, ',')
		} else {
			if run >= 0 {
				j.buf = append(j.buf, ']', '}')
			}
			if run = -1; k.many {
				run = i
			}
			j.comma()
			j.buf = append(j.buf, '{')
			j.key(k.key)
			if k.many {
				j.buf = append(j.buf, '[')
			}
		}
		j.child(j.kids[x].node, k)
		if !k.many {
			j.buf = append(j.buf, '}')
		}
	}
	if run >= 0 {
		j.buf = append(j.buf, ']', '}')
	}
	j.buf = append(j.buf, ']')
	j.leftOver(n, from)
}

// rows writes Data as an array of rows, each an array of texts.
func (j *jsonEncoder) rows(data xmltree.Node) {
	from := len(j.kids)
	j.collect(data, dataShape)
	to := len(j.kids)
	j.buf = append(j.buf, '[')
	for x := from; x < to; x++ {
		if j.kids[x].child < 0 {
			continue
		}
		row := j.kids[x].node
		j.comma()
		j.buf = append(j.buf, '[')
		cells := len(j.kids)
		j.collect(row, rowShape)
		for _, cell := range j.kids[cells:] {
			if cell.child >= 0 {
				j.comma()
				j.child(cell.node, &rowShape.children[0])
			}
		}
		j.leftOver(row, cells)
		j.kids = j.kids[:cells]
		j.buf = append(j.buf, ']')
		j.note(row, nil, j.hasUnknown(row, nil))
	}
	j.buf = append(j.buf, ']')
	j.leftOver(data, from)
	j.kids = j.kids[:from]
	j.note(data, nil, j.hasUnknown(data, nil))
}

// order writes the order of the children when it is not that of the shape.
func (j *jsonEncoder) order(n xmltree.Node, s *jsonShape, mode jsonMode, from int) {
	last, sorted := 0, true
	for _, kid := range j.kids[from:] {
		if kid.child < 0 {
			continue
		}
		sorted = sorted && kid.child >= last
		last = kid.child
	}
	switch {
	case sorted:
	case mode&jsonOwn == 0:
		var names []string
		for _, kid := range j.kids[from:] {
			if kid.child >= 0 {
				names = append(names, s.children[kid.child].local)
			}
		}
		j.extra = append(j.extra, jsonExtra{node: n, at: -1, order: names})
	case s.runs:
		j.key("order")
		j.runs(s, from)
	default:
		j.key("child_order")
		j.buf = append(j.buf, '[')
		for _, kid := range j.kids[from:] {
			if kid.child >= 0 {
				j.comma()
				j.str(s.children[kid.child].token)
			}
		}
		j.buf = append(j.buf, ']')
	}
}

// runs writes an order as "P12 G P3 G D".
func (j *jsonEncoder) runs(s *jsonShape, from int) {
	j.buf = append(j.buf, '"')
	last, count := -1, 0
	flush := func() {
		if count > 0 {
			if j.buf[len(j.buf)-1] != '"' {
				j.buf = append(j.buf, ' ')
			}
			j.buf = append(j.buf, s.children[last].token...)
			if count > 1 {
				j.buf = strconv.AppendInt(j.buf, int64(count), 10)
			}
		}
		count = 0
	}
	for _, kid := range j.kids[from:] {
		if kid.child < 0 {
			continue
		}
		if kid.child != last {
			flush()
		}
		last = kid.child
		count++
	}
	flush()
	j.buf = append(j.buf, '"')
}

// paramValue writes the value of a Param that is in an element, and the number it stands for.
func (j *jsonEncoder) paramValue(from int, v string, isAttr bool) {
	if !isAttr {
		element := false
		for _, kid := range j.kids[from:] {
			if kid.child >= 0 && paramShape.children[kid.child].local == "Value" {
				v, element = j.doc.Value(kid.node), true
			}
		}
		if !element {
			return
		}
		j.member("value", v)
	}
	if j.numbers {
		if lit, ok := decimal(v); ok {
			j.key("number")
			j.buf = append(j.buf, lit...)
		}
	}
}

// valueElement writes what is to be said of the element Value of a Param: that the value came from there or, where the
// attribute wins, its text.
func (j *jsonEncoder) valueElement(param, c xmltree.Node) {
	if _, ok := j.doc.Attr(param, "value"); ok {
		j.member("overridden_value", j.doc.Value(c))
	} else {
		j.key("value_element")
		j.buf = append(j.buf, "true"...)
	}
	j.note(c, nil, j.hasUnknown(c, nil))
}

// decimal returns the JSON number a text stands for: the literal itself, or the nearest one for forms JSON does not have.
func decimal(s string) (string, bool) {
	s = strings.Trim(s, " \t\r\n")
	if isNumberLiteral(s) {
		return s, true
	}
	if strings.ContainsAny(s, "xXpP_") {
		return "", false // Go's hexadecimal and underscored numbers are no numbers to an astronomer
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", false
	}
	return strconv.FormatFloat(f, 'g', -1, 64), true
}

// sameSystem returns the coordinate system that both elements of a location name.
func (j *jsonEncoder) sameSystem(from int) (id string, ok bool) {
	found := 0
	for _, kid := range j.kids[from:] {
		if kid.child < 0 {
			continue
		}
		v, has := j.doc.Attr(kid.node, locationShape.children[kid.child].shape.attrs[0].local)
		if !has || found > 0 && v != id {
			return "", false
		}
		id = v
		found++
	}
	return id, found == 2
}
