package voevent

import (
	"sort"
	"strconv"

	"tocsin/voevent/xmltree"
)

const (
	xsiNamespace = "http://www.w3.org/2001/XMLSchema-instance"
	xmlNamespace = "http://www.w3.org/XML/1998/namespace"
)

// jsonExtra is something the table of shapes has no place for. It is either said of an element that has a place (its
// unknown attributes, its namespace declarations, its prefix, the order of its children), or a whole element or text.
type jsonExtra struct {
	node   xmltree.Node
	within xmltree.Node // the parent, of whole elements and texts
	whole  bool
	at     int // its place among the parent's children, -1 for the end
	attrs  bool
	known  []jsonAttr // what attrs leaves out
	order  []string
}

// note keeps what is unusual about an element that has a place.
func (j *jsonEncoder) note(n xmltree.Node, known []jsonAttr, attrs bool) {
	if attrs || len(j.doc.Namespaces(n)) > 0 || j.doc.Prefix(n) != j.inherited(n) {
		j.extra = append(j.extra, jsonExtra{node: n, at: -1, attrs: attrs, known: known})
	}
}

// inherited is the prefix an element has unless something else is said: none below the root, then that of its parent.
func (j *jsonEncoder) inherited(n xmltree.Node) string {
	if p := j.doc.Parent(n); p != j.doc.Root() {
		return j.doc.Prefix(p)
	}
	return ""
}

// leftOver keeps the children without a place.
func (j *jsonEncoder) leftOver(n xmltree.Node, from int) {
	placed, before := 0, 0
	for _, kid := range j.kids[from:] {
		if kid.child >= 0 {
			placed++
		}
	}
	if placed == len(j.kids)-from {
		return
	}
	for i, kid := range j.kids[from:] {
		if kid.child >= 0 {
			continue
		}
		x := jsonExtra{node: kid.node, within: n, whole: true, at: i}
		if i == placed+before {
			x.at = -1
		}
		before++
		j.extra = append(j.extra, x)
	}
}

// hasUnknown reports whether an element has attributes that are not in the list.
func (j *jsonEncoder) hasUnknown(n xmltree.Node, known []jsonAttr) bool {
	for _, a := range j.doc.Attrs(n) {
		if !isKnown(known, a) {
			return true
		}
	}
	return false
}

// attributes writes the attributes of an element that are not in the list as an object.
func (j *jsonEncoder) attributes(n xmltree.Node, known []jsonAttr) {
	j.buf = append(j.buf, '{')
	var scope map[string]string
	for _, a := range j.doc.Attrs(n) {
		if isKnown(known, a) {
			continue
		}
		name := a.Local
		if a.Space != "" {
			if scope == nil {
				scope = j.scope(n)
			}
			name = "{" + a.Space + "}" + a.Local
			if p, _ := prefixFor(scope, a.Space); p != a.Prefix {
				name = a.Prefix + ":" + a.Local
			}
		}
		j.comma()
		j.str(name)
		j.buf = append(j.buf, ':')
		j.str(a.Value)
	}
	j.buf = append(j.buf, '}')
}

// scope returns the prefixes in force at n.
func (j *jsonEncoder) scope(n xmltree.Node) map[string]string {
	m := map[string]string{"xml": xmlNamespace}
	for ; n != xmltree.None; n = j.doc.Parent(n) {
		for _, ns := range j.doc.Namespaces(n) {
			if _, ok := m[ns.Prefix]; !ok {
				m[ns.Prefix] = ns.URI
			}
		}
	}
	return m
}

// prefixFor returns the prefix that an attribute named {uri}local gets: of those in scope the first in the alphabet.
func prefixFor(scope map[string]string, uri string) (prefix string, ok bool) {
	for p, u := range scope {
		if p != "" && u == uri && (!ok || p < prefix) {
			prefix, ok = p, true
		}
	}
	return prefix, ok
}

// namespaceOf is what the prefix of the root stands for when nothing else is said.
func namespaceOf(version string) string {
	switch version {
	case "1.0", "1.1", "2.1":
		return "http://www.ivoa.net/xml/VOEvent/v" + version
	}
	return "http://www.ivoa.net/xml/VOEvent/v2.0"
}

// defaultPrefix is the prefix of the root unless "xml"/"prefix" says another.
const defaultPrefix = "voe"

// rootAttrs have members of their own: those with a key in the notice itself. In drafts before 1.1 the attribute id was
// what ivorn is now. An xsi:schemaLocation counts as known only under its usual prefix.
var rootAttrs = []jsonAttr{
	{local: "ivorn", key: "ivorn"},
	{local: "id", key: "id"},
	{local: "role", key: "role"},
	{local: "version"},
	{local: "schemaLocation", space: xsiNamespace, prefix: "xsi"},
}

// xml writes the member "xml" if there is anything to say: how the root is written, and what has no place elsewhere.
func (j *jsonEncoder) xml() {
	n := j.doc.Root()
	start := len(j.buf)
	j.key("xml")
	j.buf = append(j.buf, '{')
	empty := len(j.buf)

	if p := j.doc.Prefix(n); p != defaultPrefix {
		j.member("prefix", p)
	}
	location, located := "", false
	for _, a := range j.doc.Attrs(n) {
		if rootAttrs[len(rootAttrs)-1].is(a) {
			location, located = a.Value, true
		}
	}
	j.rootNamespaces(n, located)
	if located {
		j.member("schema_location", location)
	}
	if j.hasUnknown(n, rootAttrs) {
		j.key("attributes")
		j.attributes(n, rootAttrs)
	}
	j.extras()

	if len(j.buf) == empty {
		j.buf = j.buf[:start]
		return
	}
	j.buf = append(j.buf, '}')
}

// rootNamespaces writes the declarations on the root, except those that follow from the version, the prefix and
// schema_location.
func (j *jsonEncoder) rootNamespaces(n xmltree.Node, located bool) {
	version, _ := j.doc.Attr(n, "version")
	prefix := j.doc.Prefix(n)
	open, declared := false, false
	write := func(ns xmltree.NS) {
		if !open {
			j.key("namespaces")
			j.buf = append(j.buf, '{')
			open = true
		}
		j.member(ns.Prefix, ns.URI)
	}
	for _, ns := range j.doc.Namespaces(n) {
		if ns.Prefix == prefix {
			declared = true
			if ns.URI == namespaceOf(version) {
				continue
			}
		}
		if located && ns.Prefix == "xsi" {
			continue
		}
		write(ns)
	}
	if !declared {
		write(xmltree.NS{Prefix: prefix}) // only "" can be undeclared in a well-formed document
	}
	if open {
		j.buf = append(j.buf, '}')
	}
}

// extras writes the list of what has no place, in the order of the document: "at" and the indices in paths count on it.
func (j *jsonEncoder) extras() {
	if len(j.extra) == 0 {
		return
	}
	sort.SliceStable(j.extra, func(a, b int) bool { return j.extra[a].node < j.extra[b].node })
	paths := jsonPaths{doc: j.doc}
	j.key("extra")
	j.buf = append(j.buf, '[')
	for i := range j.extra {
		x := &j.extra[i]
		j.comma()
		j.buf = append(j.buf, '{')
		if x.whole {
			j.member("path", paths.of(x.within))
			if x.at >= 0 {
				j.key("at")
				j.buf = strconv.AppendInt(j.buf, int64(x.at), 10)
			}
			if j.doc.Kind(x.node) == xmltree.Text {
				j.member("text", j.doc.Text(x.node))
			} else {
				j.member("xml", string(j.doc.Source()[j.doc.Offset(x.node):j.doc.End(x.node)]))
			}
		} else {
			j.member("path", paths.of(x.node))
			j.said(x)
		}
		j.buf = append(j.buf, '}')
	}
	j.buf = append(j.buf, ']')
}

// said writes what an entry says of an element that has a place.
func (j *jsonEncoder) said(x *jsonExtra) {
	if x.order != nil {
		j.key("child_order")
		j.buf = append(j.buf, '[')
		for _, name := range x.order {
			j.comma()
			j.str(name)
		}
		j.buf = append(j.buf, ']')
		return
	}
	if p := j.doc.Prefix(x.node); p != j.inherited(x.node) {
		j.member("prefix", p)
	}
	if ns := j.doc.Namespaces(x.node); len(ns) > 0 {
		j.key("namespaces")
		j.buf = append(j.buf, '{')
		for _, d := range ns {
			j.member(d.Prefix, d.URI)
		}
		j.buf = append(j.buf, '}')
	}
	if x.attrs {
		j.key("attributes")
		j.attributes(x.node, x.known)
	}
}

// jsonPaths finds paths of many elements without counting the same siblings again for each: a hostile notice may have
// tens of thousands of odd children in one element.
type jsonPaths struct {
	doc   *xmltree.Document
	index map[xmltree.Node]int // among siblings of its name, from 1; 0 where there is only one
	done  map[xmltree.Node]bool
}

func (p *jsonPaths) of(n xmltree.Node) string {
	up := p.doc.Parent(n)
	if up == xmltree.None {
		return "/" + p.doc.Local(n)
	}
	if !p.done[up] {
		p.count(up)
	}
	step := p.of(up) + "/" + p.doc.Local(n)
	if i := p.index[n]; i > 0 {
		step += "[" + strconv.Itoa(i) + "]"
	}
	return step
}

func (p *jsonPaths) count(up xmltree.Node) {
	if p.done == nil {
		p.done, p.index = make(map[xmltree.Node]bool), make(map[xmltree.Node]int)
	}
	p.done[up] = true
	names := make(map[string][]xmltree.Node)
	for c := p.doc.FirstElement(up); c != xmltree.None; c = p.doc.NextElement(c) {
		names[p.doc.Local(c)] = append(names[p.doc.Local(c)], c)
	}
	for _, same := range names {
		for i, c := range same {
			if len(same) > 1 {
				p.index[c] = i + 1
			}
		}
	}
}
