package xmltree

import (
	"fmt"
	"slices"
	"strings"
)

// startTag reads a start tag or an empty element at pos.
func (p *parser) startTag() error {
	if err := p.endRun(); err != nil {
		return err
	}
	if len(p.stack) >= p.limits.Depth {
		return p.fail(CodeOversize, p.pos, fmt.Sprintf("elements are nested more than %d deep", p.limits.Depth))
	}
	d, start := p.d, p.pos
	nameEnd, colon, err := p.qName(start + 1)
	if err != nil {
		return err
	}
	e := node{kind: Element, start: int32(start), a: int32(nameEnd), b: int32(len(d.attrs)), c: int32(len(d.ns))}
	if colon > 0 {
		e.prefix = uint16(colon - start - 1)
	}
	f := frame{last: None, bound: len(p.bound)}
	if len(p.stack) > 0 {
		f.defaultSpace = p.stack[len(p.stack)-1].defaultSpace
	}
	empty, err := p.attributes(nameEnd, &f)
	if err != nil {
		return err
	}
	e.nattr = uint16(len(d.attrs) - int(e.b))
	e.nns = uint16(len(d.ns) - int(e.c))
	if err := p.resolveAttributes(d.attrs[e.b:]); err != nil {
		return err
	}
	e.space = f.defaultSpace
	if colon > 0 {
		if e.space, err = p.lookup(p.src[start+1:colon], start+1); err != nil {
			return err
		}
	}
	e.end = int32(p.pos)
	id, err := p.addNode(e)
	if err != nil {
		return err
	}
	if empty {
		p.bound = p.bound[:f.bound]
		return nil
	}
	f.node = id
	p.stack = append(p.stack, f)
	return nil
}

// endTag reads an end tag at pos.
func (p *parser) endTag() error {
	if err := p.endRun(); err != nil {
		return err
	}
	top := p.stack[len(p.stack)-1]
	e := &p.d.nodes[top.node]
	name := p.src[e.start+1 : e.a]
	i := p.pos + len("</")
	if !strings.HasPrefix(p.src[i:], name) {
		return p.bad(p.pos, "the element "+name+" is ended by "+p.quote(p.pos))
	}
	i += len(name)
	for i < len(p.src) && isSpace(p.src[i]) {
		i++
	}
	if i >= len(p.src) || p.src[i] != '>' {
		return p.bad(p.pos, "the element "+name+" is ended by "+p.quote(p.pos))
	}
	p.pos = i + 1
	e.end = int32(p.pos)
	p.bound = p.bound[:top.bound]
	p.stack = p.stack[:len(p.stack)-1]
	return nil
}

// attributes reads what follows the name of an element until behind the '>'.
func (p *parser) attributes(i int, f *frame) (empty bool, err error) {
	d, src := p.d, p.src
	firstAttr, firstNS := len(d.attrs), len(d.ns)
	for {
		spaced := false
		for i < len(src) && isSpace(src[i]) {
			i++
			spaced = true
		}
		if i >= len(src) {
			return false, p.bad(i, "the document ends within a tag")
		}
		switch {
		case src[i] == '>':
			p.pos = i + 1
			return false, nil
		case src[i] == '/' && i+1 < len(src) && src[i+1] == '>':
			p.pos = i + 2
			return true, nil
		case !spaced:
			return false, p.bad(i, "white space is missing before "+p.quote(i))
		}
		if len(d.attrs)-firstAttr+len(d.ns)-firstNS >= p.limits.Attributes {
			return false, p.fail(CodeOversize, i, fmt.Sprintf("an element has more than %d attributes", p.limits.Attributes))
		}
		from := i
		nameEnd, colon, err := p.qName(i)
		if err != nil {
			return false, err
		}
		i = nameEnd
		for i < len(src) && isSpace(src[i]) {
			i++
		}
		if i >= len(src) || src[i] != '=' {
			return false, p.bad(from, "the attribute "+src[from:nameEnd]+" has no value")
		}
		i++
		for i < len(src) && isSpace(src[i]) {
			i++
		}
		value, end, err := p.attributeValue(i)
		if err != nil {
			return false, err
		}
		i = end
		a := Attr{Local: src[from:nameEnd], Value: value, Offset: from}
		if colon > 0 {
			a.Prefix, a.Local = src[from:colon], src[colon+1:nameEnd]
		}
		switch {
		case a.Prefix == "xmlns":
			err = p.declare(f, a.Local, a)
		case colon == 0 && a.Local == "xmlns":
			err = p.declare(f, "", a)
		default:
			d.attrs = append(d.attrs, a)
		}
		if err != nil {
			return false, err
		}
	}
}

// declare takes in a namespace declaration. Namespaces in XML 1.0 §3 and §6.1.
func (p *parser) declare(f *frame, prefix string, a Attr) error {
	uri := a.Value
	switch {
	case prefix == "xmlns":
		return p.bad(a.Offset, "the prefix xmlns may not be declared")
	case prefix == "xml" && uri != xmlSpace:
		return p.bad(a.Offset, "the prefix xml may not be bound to another namespace")
	case prefix != "xml" && uri == xmlSpace, uri == xmlnsSpace:
		return p.bad(a.Offset, "no prefix may be bound to the reserved namespace "+uri)
	case prefix != "" && uri == "":
		return p.bad(a.Offset, "the prefix "+prefix+" is bound to an empty namespace")
	}
	for _, b := range p.bound[f.bound:] {
		if b.prefix == prefix {
			return p.bad(a.Offset, "the namespace declaration of "+a.Local+" is there twice")
		}
	}
	if len(p.bound) > p.limits.Attributes { // one of them is xml
		return p.fail(CodeOversize, a.Offset, fmt.Sprintf("more than %d namespace declarations are in scope", p.limits.Attributes))
	}
	d := p.d
	space := int32(0)
	if uri != "" {
		space = int32(len(d.spaces))
		d.spaces = append(d.spaces, uri)
	}
	if prefix == "" {
		f.defaultSpace = space
	}
	p.bound = append(p.bound, binding{prefix: prefix, space: space})
	d.ns = append(d.ns, NS{Prefix: prefix, URI: uri})
	return nil
}

// lookup returns the namespace that a prefix means here.
func (p *parser) lookup(prefix string, at int) (int32, error) {
	for _, b := range slices.Backward(p.bound) {
		if b.prefix == prefix {
			return b.space, nil
		}
	}
	return 0, p.bad(at, "the namespace prefix "+prefix+" is not declared")
}

// resolveAttributes finds the namespaces of the attributes of one element and refuses any that is there twice, by its
// name or by its expanded name.
func (p *parser) resolveAttributes(as []Attr) error {
	for i := range as {
		a := &as[i]
		if a.Prefix != "" {
			space, err := p.lookup(a.Prefix, a.Offset)
			if err != nil {
				return err
			}
			a.Space = p.d.spaces[space]
		}
		for j := range i {
			if as[j].Local == a.Local && as[j].Space == a.Space {
				return p.bad(a.Offset, "the attribute "+a.Local+" is there twice")
			}
		}
	}
	return nil
}

// attributeValue reads a quoted value at i and returns where it ends, behind the closing quote.
func (p *parser) attributeValue(i int) (value string, end int, err error) {
	src := p.src
	if i >= len(src) || src[i] != '"' && src[i] != '\'' {
		return "", 0, p.bad(i, "the value of an attribute is not in quotes")
	}
	quote := src[i]
	from := i + 1
	for i = from; i < len(src); i++ {
		c := src[i]
		if class[c]&attrStop == 0 {
			continue
		}
		switch c {
		case quote:
			return src[from:i], i + 1, nil
		case '"', '\'':
		default:
			return p.copyAttributeValue(from, i, quote)
		}
	}
	return "", 0, p.bad(from-1, "the value of an attribute has no end")
}

// copyAttributeValue goes on from i where something has to be replaced.
func (p *parser) copyAttributeValue(from, i int, quote byte) (value string, end int, err error) {
	d, src := p.d, p.src
	buf := len(d.buf)
	d.buf = append(d.buf, src[from:i]...)
	for i < len(src) {
		c := src[i]
		switch {
		case class[c]&attrStop == 0:
			d.buf = append(d.buf, c)
			i++
		case c == quote:
			return view(d.buf[buf:]), i + 1, nil
		case c == '"' || c == '\'':
			d.buf = append(d.buf, c)
			i++
		case c == '&':
			if i, err = p.reference(i); err != nil {
				return "", 0, err
			}
		case c == '\r' && i+1 < len(src) && src[i+1] == '\n':
			d.buf = append(d.buf, ' ')
			i += 2
		case isSpace(c):
			d.buf = append(d.buf, ' ')
			i++
		case c == '<':
			return "", 0, p.bad(i, "the value of an attribute may not hold '<'")
		default:
			return "", 0, p.badCharacter(i)
		}
	}
	return "", 0, p.bad(from-1, "the value of an attribute has no end")
}
