// Package xmltree reads one XML document into a compact tree in a single pass, and refuses whatever two parsers could
// understand differently: duplicate attributes, undefined prefixes, document types, text after the root.
//
// It exists because a broker parses every notice once on its hot path, has to know where each part lies in the bytes
// received, and must never disagree with its subscribers' parsers about what a notice says. Neither encoding/xml nor the
// libraries built on it check namespaces and duplicate attributes.
//
// The tree lives in a few slices sized from the input; names, attribute values and texts are views of the source wherever
// nothing had to be unescaped. The bytes given to Parse must therefore never change afterwards. A Document is read-only
// and safe for any number of goroutines.
package xmltree

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits bounds what Parse takes in. A zero field means the field of DefaultLimits.
type Limits struct {
	Bytes      int // length of the input, in bytes as received
	Depth      int // elements within elements, the root being 1
	Nodes      int // elements and texts in the document
	Attributes int // attributes and namespace declarations on one element, and namespace declarations in scope at once
	NameBytes  int // length of a name with its prefix, in bytes
}

// DefaultLimits leave ample room: of a million real notices the longest had 8 kB and eight levels.
var DefaultLimits = Limits{Bytes: 1 << 20, Depth: 32, Nodes: 50_000, Attributes: 64, NameBytes: 256}

// maxBytes keeps every offset of the transcoded text, which may be twice as long, within an int32.
const maxBytes = 1<<30 - 1

func (l Limits) orDefault() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Bytes, DefaultLimits.Bytes)
	set(&l.Depth, DefaultLimits.Depth)
	set(&l.Nodes, DefaultLimits.Nodes)
	set(&l.Attributes, DefaultLimits.Attributes)
	set(&l.NameBytes, DefaultLimits.NameBytes)
	l.Bytes = min(l.Bytes, maxBytes)
	l.Attributes = min(l.Attributes, math.MaxUint16)
	l.NameBytes = min(l.NameBytes, math.MaxUint16)
	return l
}

// Node names an element or a text of one Document. It is meaningless for another one.
type Node int32

// None is the absence of a node. Every method of Document accepts it and answers with nothing.
const None Node = -1

// Kind tells elements from texts. Comments and processing instructions are not in the tree.
type Kind uint8

// The kinds of nodes.
const (
	Element Kind = iota
	Text
)

// Attr is one attribute, without namespace declarations: those are in Document.Namespaces. Value is unescaped and
// normalised as XML 1.0 §3.3.3 has it for attributes without a declared type.
type Attr struct {
	Prefix, Space, Local, Value string
	Offset                      int // of its name, in Document.Source
}

// NS is one namespace declaration. Prefix is empty for the default namespace, and URI is empty where that is undone.
type NS struct {
	Prefix, URI string
}

// Document is a parsed document.
type Document struct {
	raw      []byte
	src      string // UTF-8, without byte order mark
	buf      []byte // unescaped texts, which nodes refer to by offset
	nodes    []node
	attrs    []Attr
	ns       []NS
	spaces   []string // namespace URIs of elements; 0 is none
	trailer  []string
	encoding string
	rawFrom  int // range of the root element in raw
	rawTo    int
}

// node is kept free of pointers so that the garbage collector skips the arena.
type node struct {
	parent, first, next Node
	start, end          int32 // range in src
	// Elements: a is the end of the name, b the first attribute, c the first declaration.
	// Texts: a and b are the range of the text, in buf if inBuf, in src otherwise.
	a, b, c    int32
	space      int32  // index into spaces
	nattr, nns uint16 // both bounded by Limits.Attributes
	prefix     uint16 // length of the prefix, without the colon
	kind       Kind
	inBuf      bool
	_          [2]byte
}

func (d *Document) at(n Node) *node {
	if n < 0 || int(n) >= len(d.nodes) {
		return nil
	}
	return &d.nodes[n]
}

func (d *Document) element(n Node) *node {
	if e := d.at(n); e != nil && e.kind == Element {
		return e
	}
	return nil
}

// Root returns the root element.
func (d *Document) Root() Node { return 0 }

// Kind says what n is.
func (d *Document) Kind(n Node) Kind {
	if e := d.at(n); e != nil {
		return e.kind
	}
	return Text
}

// Prefix returns the namespace prefix an element is written with.
func (d *Document) Prefix(n Node) string {
	if e := d.element(n); e != nil {
		return d.src[e.start+1 : e.start+1+int32(e.prefix)]
	}
	return ""
}

// Space returns the URI of the namespace an element is in.
func (d *Document) Space(n Node) string {
	if e := d.element(n); e != nil {
		return d.spaces[e.space]
	}
	return ""
}

// Local returns the name of an element without its prefix.
func (d *Document) Local(n Node) string {
	if e := d.element(n); e != nil {
		return d.local(e)
	}
	return ""
}

func (d *Document) local(e *node) string {
	from := e.start + 1 + int32(e.prefix)
	if e.prefix > 0 {
		from++
	}
	return d.src[from:e.a]
}

// Parent returns the element that holds n, None for the root.
func (d *Document) Parent(n Node) Node {
	if e := d.at(n); e != nil {
		return e.parent
	}
	return None
}

// FirstChild returns the first element or text within n.
func (d *Document) FirstChild(n Node) Node {
	if e := d.element(n); e != nil {
		return e.first
	}
	return None
}

// NextSibling returns the element or text after n.
func (d *Document) NextSibling(n Node) Node {
	if e := d.at(n); e != nil {
		return e.next
	}
	return None
}

// FirstElement returns the first element within n.
func (d *Document) FirstElement(n Node) Node { return d.skipTexts(d.FirstChild(n)) }

// NextElement returns the element after n, texts left out.
func (d *Document) NextElement(n Node) Node { return d.skipTexts(d.NextSibling(n)) }

func (d *Document) skipTexts(n Node) Node {
	for n != None && d.nodes[n].kind != Element {
		n = d.nodes[n].next
	}
	return n
}

// Child returns the first element within n that has that local name, whatever its namespace.
func (d *Document) Child(n Node, local string) Node {
	for c := d.FirstElement(n); c != None; c = d.NextElement(c) {
		if d.local(&d.nodes[c]) == local {
			return c
		}
	}
	return None
}

// Attrs returns the attributes of an element in the order written. The slice must not be changed.
func (d *Document) Attrs(n Node) []Attr {
	if e := d.element(n); e != nil {
		return d.attrs[e.b : int(e.b)+int(e.nattr) : int(e.b)+int(e.nattr)]
	}
	return nil
}

// Attr returns the value of the attribute that has that name and no namespace.
func (d *Document) Attr(n Node, local string) (string, bool) {
	as := d.Attrs(n)
	for i := range as {
		if as[i].Prefix == "" && as[i].Local == local {
			return as[i].Value, true
		}
	}
	return "", false
}

// Namespaces returns the namespace declarations written on an element. The slice must not be changed.
func (d *Document) Namespaces(n Node) []NS {
	if e := d.element(n); e != nil {
		return d.ns[e.c : int(e.c)+int(e.nns) : int(e.c)+int(e.nns)]
	}
	return nil
}

// Text returns the text of a text node, unescaped, with CDATA sections and line ends resolved; "" for an element. Text
// on both sides of a comment or of a processing instruction is one node.
func (d *Document) Text(n Node) string {
	e := d.at(n)
	if e == nil || e.kind != Text {
		return ""
	}
	if e.inBuf {
		return view(d.buf[e.a:e.b])
	}
	return d.src[e.a:e.b]
}

// Blank reports whether n is a text of nothing but white space.
func (d *Document) Blank(n Node) bool {
	if e := d.at(n); e == nil || e.kind != Text {
		return false
	}
	t := d.Text(n)
	for i := range len(t) {
		if !isSpace(t[i]) {
			return false
		}
	}
	return true
}

// Value returns all text within n, joined: XPath's string value.
func (d *Document) Value(n Node) string {
	e := d.at(n)
	switch {
	case e == nil:
		return ""
	case e.kind == Text:
		return d.Text(n)
	case e.first == None:
		return ""
	case d.nodes[e.first].kind == Text && d.nodes[e.first].next == None:
		return d.Text(e.first)
	}
	var b strings.Builder
	// The nodes lie in document order, so what is within n follows it directly.
	for c := n + 1; int(c) < len(d.nodes) && d.nodes[c].start < e.end; c++ {
		if d.nodes[c].kind == Text {
			b.WriteString(d.Text(c))
		}
	}
	return b.String()
}

// Offset returns where n begins in Source: the '<' of an element, the first character of a text.
func (d *Document) Offset(n Node) int {
	if e := d.at(n); e != nil {
		return int(e.start)
	}
	return 0
}

// End returns where n ends in Source: behind the '>' of its end tag, or behind its last character.
func (d *Document) End(n Node) int {
	if e := d.at(n); e != nil {
		return int(e.end)
	}
	return 0
}

// Position returns where n begins, both counted from 1, the column in characters.
func (d *Document) Position(n Node) (line, column int) { return d.LineColumn(d.Offset(n)) }

// LineColumn returns the place of a byte of Source, both counted from 1, the column in characters.
func (d *Document) LineColumn(offset int) (line, column int) { return place(d.src, offset) }

// place counts CR, LF and CR LF as one line end each.
func place(src string, offset int) (line, column int) {
	line, from := 1, 0
	offset = min(max(offset, 0), len(src))
	for i := range offset {
		if src[i] == '\n' || src[i] == '\r' && (i+1 >= len(src) || src[i+1] != '\n') {
			line++
			from = i + 1
		}
	}
	return line, utf8.RuneCountInString(src[from:offset]) + 1
}

// Source returns the text that was scanned, in UTF-8 and without byte order mark: the bytes given to Parse themselves
// where they were that already. They must not be changed.
func (d *Document) Source() []byte { return bytesOf(d.src) }

// Encoding returns the encoding the document came in: "UTF-8", "UTF-16LE", "UTF-16BE", "ISO-8859-1" or "US-ASCII".
func (d *Document) Encoding() string { return d.encoding }

// RootRange returns where the root element lies in the bytes given to Parse, whatever their encoding, from the '<' of
// its start tag to behind the '>' of its end tag.
func (d *Document) RootRange() (from, to int) { return d.rawFrom, d.rawTo }

// Trailer returns the comments after the root, without their delimiters. Signatures travel there.
func (d *Document) Trailer() []string { return d.trailer }

// Path returns the way to n by local names, such as "/VOEvent/What/Param[3]". The index counts siblings of one name from
// 1 and is left out where there is only one.
func (d *Document) Path(n Node) string {
	if d.at(n) == nil {
		return ""
	}
	var steps []string
	for ; n != None; n = d.nodes[n].parent {
		steps = append(steps, d.step(n))
	}
	var b strings.Builder
	for _, step := range slices.Backward(steps) {
		b.WriteByte('/')
		b.WriteString(step)
	}
	return b.String()
}

func (d *Document) step(n Node) string {
	name := func(n Node) string {
		if d.nodes[n].kind == Text {
			return "text()"
		}
		return d.local(&d.nodes[n])
	}
	step, index, same := name(n), 0, 0
	for c := d.FirstChild(d.nodes[n].parent); c != None; c = d.nodes[c].next {
		if name(c) != step {
			continue
		}
		same++
		if c == n {
			index = same
		}
	}
	if same < 2 {
		return step
	}
	return step + "[" + strconv.Itoa(index) + "]"
}
