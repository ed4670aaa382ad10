package voevent

import (
	"slices"
	"strconv"
	"strings"

	"tocsin/voevent/xmltree"
)

// xmlElement is an element on its way from JSON to XML. XML is written by hand rather than through a library: prefixes of
// attributes can only be chosen once the declarations around them are known, fragments go in verbatim, and what is written
// is exactly as C14N 1.1 escapes it.
type xmlElement struct {
	local     string
	prefix    string
	prefixed  bool // prefix counts; else it is inherited
	attrs     []xmlAttr
	ns        []xmltree.NS
	leaf      bool // holds text and no elements
	inline    bool // its children go on one line
	text      string
	children  []xmlNode
	inserts   []xmlNode // of "extra", not yet among the children
	byName    map[string][]*xmlElement
	valueText string // of a Param whose value is in an element

	hasValueText bool
}

// xmlAttr is an attribute: with neither prefix nor space, with a prefix as written, or with a space that still needs one.
type xmlAttr struct {
	name, prefix, space, value string
	pointer                    string // to the JSON it came from, where it may yet turn out wrong
}

// xmlNode is a child: an element, a text, or an insert.
type xmlNode struct {
	element *xmlElement
	child   int // of elements: the index in the parent's shape
	text    string
	insert  *xmlInsert
}

// xmlInsert is what "extra" adds: a fragment of XML or, with the node's text, a text.
type xmlInsert struct {
	raw     string // of fragments
	local   string // of fragments: the element's name
	at      int    // the place among the children, -1 for the end
	pointer string // to the entry
}

func (el *xmlElement) add(c *xmlElement, child int) {
	el.children = append(el.children, xmlNode{element: c, child: child})
}

// settle puts the inserts among the children. Their places are those in the finished list.
func (el *xmlElement) settle() error {
	if len(el.inserts) == 0 {
		return nil
	}
	total := len(el.children) + len(el.inserts)
	merged := make([]xmlNode, total)
	filled := make([]bool, total)
	var end []xmlNode
	for _, x := range el.inserts {
		switch in := x.insert; {
		case in.at < 0:
			end = append(end, x)
		case in.at >= total:
			return &JSONError{Pointer: in.pointer + "/at", Text: "the element has only " + strconv.Itoa(total) + " children"}
		case filled[in.at]:
			return &JSONError{Pointer: in.pointer + "/at", Text: "another entry already has this place"}
		default:
			merged[in.at], filled[in.at] = x, true
		}
	}
	rest := slices.Concat(el.children, end)
	for i := range merged {
		if !filled[i] {
			merged[i], rest = rest[0], rest[1:]
		}
	}
	el.children, el.inserts, el.byName = merged, nil, nil
	return nil
}

// find returns the i-th child element of that name, counted from 1; nil when there is none or it is a fragment.
func (el *xmlElement) find(local string, i int) *xmlElement {
	if el.byName == nil {
		el.byName = make(map[string][]*xmlElement)
		for _, c := range el.children {
			switch {
			case c.element != nil:
				el.byName[c.element.local] = append(el.byName[c.element.local], c.element)
			case c.insert != nil && c.insert.local != "":
				el.byName[c.insert.local] = append(el.byName[c.insert.local], nil)
			}
		}
	}
	if same := el.byName[local]; i >= 1 && i <= len(same) {
		return same[i-1]
	}
	return nil
}

// xmlWriter writes a tree of elements.
type xmlWriter struct {
	buf   []byte
	scope []xmltree.NS      // declarations in force, innermost last
	known map[string]string // the same as a map, nil when it has to be made anew
}

// knows says whether a prefix stands for anything.
func (w *xmlWriter) knows(prefix string) bool {
	return prefix == "" || prefix == "xml" ||
		slices.ContainsFunc(w.scope, func(ns xmltree.NS) bool { return ns.Prefix == prefix })
}

// prefixes returns the scope as a map.
func (w *xmlWriter) prefixes() map[string]string {
	if w.known == nil {
		w.known = map[string]string{"xml": xmlNamespace}
		for _, ns := range w.scope {
			w.known[ns.Prefix] = ns.URI
		}
	}
	return w.known
}

// declare puts declarations in force until leave is called with what it returned.
func (w *xmlWriter) declare(ns ...xmltree.NS) (outer int) {
	outer = len(w.scope)
	if len(ns) > 0 {
		w.scope, w.known = append(w.scope, ns...), nil
	}
	return outer
}

func (w *xmlWriter) leave(outer int) {
	if len(w.scope) > outer {
		w.scope, w.known = w.scope[:outer], nil
	}
}

const (
	xmlIndent     = "  "
	maxXMLScope   = 256    // namespaces in force at once
	maxXMLAttrs   = 256    // unknown attributes of one element
	maxXMLEntries = 50_000 // entries of "extra"
)

// element writes el and what is in it. The line end and indentation before its end tag are in white, "" for one line.
func (w *xmlWriter) element(el *xmlElement, prefix, white string) error {
	if el.prefixed {
		prefix = el.prefix
	}
	if err := el.settle(); err != nil {
		return err
	}
	outer := w.declare(el.ns...)
	if len(w.scope) > maxXMLScope {
		return &JSONError{Pointer: "/xml", Text: "more than " + strconv.Itoa(maxXMLScope) + " namespaces are declared around one element"}
	}
	names, generated, err := w.names(el)
	if err != nil {
		return err
	}
	if !w.knows(prefix) {
		return &JSONError{Pointer: "/xml", Text: "the prefix " + strconv.Quote(prefix) + " is not declared in namespaces"}
	}
	tag := el.local
	if prefix != "" {
		tag = prefix + ":" + tag
	}
	w.buf = append(append(w.buf, '<'), tag...)
	for _, ns := range slices.Concat(el.ns, generated) {
		if ns.Prefix == "" && ns.URI == "" && outer == 0 {
			continue // nothing to undo at the root
		}
		w.buf = append(w.buf, " xmlns"...)
		if ns.Prefix != "" {
			w.buf = append(append(w.buf, ':'), ns.Prefix...)
		}
		w.attrValue(ns.URI)
	}
	for i := range el.attrs {
		w.buf = append(append(w.buf, ' '), names[i]...)
		w.attrValue(el.attrs[i].value)
	}
	if el.text == "" && len(el.children) == 0 {
		w.buf = append(w.buf, '/', '>')
	} else {
		w.buf = append(w.buf, '>')
		w.escape(el.text, false)
		if outer == 0 {
			prefix = "" // children of the root are unqualified
		}
		if err := w.content(el, prefix, white); err != nil {
			return err
		}
		w.buf = append(append(append(w.buf, '<', '/'), tag...), '>')
	}
	w.leave(outer)
	return nil
}

// content writes the children, each on its own line unless white space would matter.
func (w *xmlWriter) content(el *xmlElement, prefix, white string) error {
	lines := white != "" && !el.inline && !el.leaf && len(el.children) > 0
	for _, c := range el.children {
		lines = lines && c.text == ""
	}
	inner := ""
	if lines {
		inner = white + xmlIndent
	}
	for _, c := range el.children {
		w.buf = append(w.buf, inner...)
		switch {
		case c.element != nil:
			if err := w.element(c.element, prefix, inner); err != nil {
				return err
			}
		case c.insert != nil && c.insert.raw != "":
			if err := w.fragment(c.insert); err != nil {
				return err
			}
		default:
			w.escape(c.text, false)
		}
	}
	if lines {
		w.buf = append(w.buf, white...)
	}
	return nil
}

// names settles what each attribute is called, and which namespaces have to be declared for that.
func (w *xmlWriter) names(el *xmlElement) (names []string, generated []xmltree.NS, err error) {
	names = make([]string, len(el.attrs))
	for i := range el.attrs {
		a := &el.attrs[i]
		switch {
		case a.space != "":
			prefix, ok := prefixFor(w.prefixes(), a.space)
			for n := 1; !ok; n++ {
				prefix = "ns" + strconv.Itoa(n)
				if _, taken := w.prefixes()[prefix]; !taken {
					generated = append(generated, xmltree.NS{Prefix: prefix, URI: a.space})
					w.declare(generated[len(generated)-1])
					ok = true
				}
			}
			names[i] = prefix + ":" + a.name
		case a.prefix != "":
			if !w.knows(a.prefix) {
				return nil, nil, &JSONError{Pointer: a.pointer, Text: "the prefix " + strconv.Quote(a.prefix) + " is not declared in namespaces"}
			}
			names[i] = a.prefix + ":" + a.name
		default:
			names[i] = a.name
		}
	}
	return names, generated, nil
}

// fragmentLimits let through whatever Parse let through; the JSON text itself is bounded.
var fragmentLimits = xmltree.Limits{Bytes: 4 * maxJSONBytes, Depth: 1 << 10, Nodes: 1 << 23, Attributes: 1 << 10, NameBytes: 1 << 12}

// fragment writes a fragment after making sure that it is exactly one element under the prefixes in force, so that no
// fragment can close what it stands in.
func (w *xmlWriter) fragment(c *xmlInsert) error {
	probe := xmlWriter{}
	probe.buf = append(probe.buf, "<fragment"...)
	for p, uri := range w.prefixes() {
		if uri == "" || p == "xml" || p != "" && !strings.Contains(c.raw, p+":") {
			continue
		}
		probe.buf = append(probe.buf, " xmlns"...)
		if p != "" {
			probe.buf = append(append(probe.buf, ':'), p...)
		}
		probe.attrValue(uri)
	}
	probe.buf = append(probe.buf, '>')
	probe.buf = append(append(probe.buf, c.raw...), "</fragment>"...)
	doc, err := xmltree.Parse(probe.buf, fragmentLimits)
	if err != nil {
		return &JSONError{Pointer: c.pointer + "/xml", Text: "this is not well-formed XML: " + syntaxText(err)}
	}
	only := doc.FirstElement(doc.Root())
	if only == xmltree.None || doc.NextElement(only) != xmltree.None || strings.TrimSpace(doc.Value(doc.Root())) != strings.TrimSpace(doc.Value(only)) {
		return &JSONError{Pointer: c.pointer + "/xml", Text: "this must be exactly one XML element"}
	}
	w.buf = append(w.buf, probe.buf[doc.Offset(only):doc.End(only)]...)
	return nil
}

func (w *xmlWriter) attrValue(s string) {
	w.buf = append(w.buf, '=', '"')
	w.escape(s, true)
	w.buf = append(w.buf, '"')
}

// escape writes text as C14N 1.1 §2.3 has it: a carriage return, and in attributes tabs and line ends, survive only as
// character references.
func (w *xmlWriter) escape(s string, attr bool) {
	from := 0
	for i := 0; i < len(s); i++ {
		var ref string
		switch s[i] {
		case '&':
			ref = "&amp;"
		case '<':
			ref = "&lt;"
		case '\r':
			ref = "&#xD;"
		case '>':
			if !attr {
				ref = "&gt;"
			}
		case '"':
			if attr {
				ref = "&quot;"
			}
		case '\t':
			if attr {
				ref = "&#x9;"
			}
		case '\n':
			if attr {
				ref = "&#xA;"
			}
		}
		if ref != "" {
			w.buf = append(append(w.buf, s[from:i]...), ref...)
			from = i + 1
		}
	}
	w.buf = append(w.buf, s[from:]...)
}
