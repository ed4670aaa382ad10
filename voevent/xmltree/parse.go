package xmltree

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"
)

// view returns b as a string without copying it. Nothing in this package changes bytes it has handed out.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Codes of a SyntaxError.
const (
	CodeNotWellFormed = "not-well-formed" // breaks XML 1.0 or Namespaces in XML 1.0
	CodeDoctype       = "doctype"         // has a document type declaration
	CodeEncoding      = "encoding"        // declares an encoding that is not read here or that is not the one it is in
	CodeOversize      = "oversize"        // exceeds a limit
)

// SyntaxError says why Parse refused a document. Line and Column are 0 where no place can be named.
type SyntaxError struct {
	Code         string // one of the codes of this package
	Text         string // what is wrong, in words
	Offset       int    // in the text as UTF-8
	Line, Column int    // counted from 1, the column in characters
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return "xmltree: " + e.Text
	}
	return fmt.Sprintf("xmltree: line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// Parse reads one document; its error is a *SyntaxError. The bytes belong to the Document from now on and must not change.
//
// It takes UTF-8, US-ASCII, ISO-8859-1 and UTF-16, and XML 1.0 with Namespaces 1.0; a document that declares XML 1.1 is
// read by the rules of 1.0. Besides what is not well-formed it refuses every document type declaration, so that there are
// no entities but the five of XML and nothing outside the document has a say in what it means. NUL bytes after the root,
// which some senders leave there, are passed over.
func Parse(raw []byte, l Limits) (*Document, error) {
	l = l.orDefault()
	if len(raw) > l.Bytes {
		return nil, &SyntaxError{Code: CodeOversize, Text: fmt.Sprintf("the document has %d bytes; the limit is %d", len(raw), l.Bytes)}
	}
	in, err := decode(raw)
	if err != nil {
		return nil, err
	}
	d := &Document{raw: raw, src: in.text, encoding: in.encoding}
	p := parser{d: d, src: in.text, pos: in.body, limits: l}
	if err := p.document(); err != nil {
		return nil, err
	}
	d.rawFrom, d.rawTo = in.rawRange(int(d.nodes[0].start), int(d.nodes[0].end))
	return d, nil
}

// The arenas begin with what the counts of '<' and '=' allow for, but not above these numbers: beyond, they grow with
// what is really there, so that hostile input cannot claim memory by its looks.
const (
	maxFirstNodes = 4096
	maxFirstAttrs = 1024
)

type parser struct {
	d      *Document
	src    string
	pos    int
	limits Limits

	stack []frame   // open elements
	bound []binding // namespace declarations in scope, innermost last

	run run // the text being collected
}

// frame is an open element.
type frame struct {
	node, last   Node  // the element, and the last child it has so far
	bound        int   // len(parser.bound) outside it
	defaultSpace int32 // index of the default namespace inside it
}

// binding is a prefix in scope.
type binding struct {
	prefix string
	space  int32
}

const (
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace = "http://www.w3.org/2000/xmlns/"
)

func (p *parser) fail(code string, at int, text string) error {
	line, column := place(p.src, at)
	return &SyntaxError{Code: code, Text: text, Offset: at, Line: line, Column: column}
}

func (p *parser) bad(at int, text string) error { return p.fail(CodeNotWellFormed, at, text) }

// document reads the whole text behind the XML declaration. It does not recurse: nesting costs a frame.
func (p *parser) document() error {
	d := p.d
	tags := strings.Count(p.src, "<")
	d.nodes = make([]node, 0, min(2*tags+1, maxFirstNodes, p.limits.Nodes))
	d.attrs = make([]Attr, 0, min(strings.Count(p.src, "="), maxFirstAttrs))
	d.spaces = append(make([]string, 0, 4), "", xmlSpace)
	p.stack = make([]frame, 0, 8)
	p.bound = append(make([]binding, 0, 4), binding{prefix: "xml", space: 1})
	p.run.from = noRun

	if err := p.prolog(); err != nil {
		return err
	}
	if err := p.startTag(); err != nil {
		return err
	}
	for len(p.stack) > 0 {
		if err := p.content(); err != nil {
			return err
		}
	}
	return p.epilog()
}

// prolog leaves pos at the '<' of the root's start tag.
func (p *parser) prolog() error {
	for {
		p.skipSpace()
		switch {
		case p.pos >= len(p.src):
			return p.bad(p.pos, "there is no element in the document")
		case p.src[p.pos] != '<':
			return p.bad(p.pos, "there is text before the first element: "+p.quote(p.pos))
		}
		switch p.peek(1) {
		case '!':
			if _, err := p.comment(); err != nil {
				return err
			}
		case '?':
			if err := p.instruction(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (p *parser) epilog() error {
	for {
		p.skipSpace()
		if p.pos >= len(p.src) {
			return nil
		}
		switch c := p.src[p.pos]; {
		case c == 0:
			if rest := strings.TrimLeft(p.src[p.pos:], "\x00 \t\r\n"); rest != "" {
				return p.bad(len(p.src)-len(rest), "there is text after NUL characters after the root element")
			}
			return nil
		case c != '<':
			return p.bad(p.pos, "there is text after the root element: "+p.quote(p.pos))
		case p.peek(1) == '!':
			text, err := p.comment()
			if err != nil {
				return err
			}
			p.d.trailer = append(p.d.trailer, text)
		case p.peek(1) == '?':
			if err := p.instruction(); err != nil {
				return err
			}
		default:
			return p.bad(p.pos, "there is a second root element: "+p.quote(p.pos))
		}
	}
}

// content reads one text or one piece of markup within an element.
func (p *parser) content() error {
	if p.pos >= len(p.src) {
		open := &p.d.nodes[p.stack[len(p.stack)-1].node]
		return p.bad(p.pos, "the document ends within the element "+p.src[open.start+1:open.a])
	}
	if p.src[p.pos] != '<' {
		return p.text()
	}
	switch p.peek(1) {
	case '/':
		return p.endTag()
	case '!':
		if strings.HasPrefix(p.src[p.pos:], "<![CDATA[") {
			return p.cdata()
		}
		_, err := p.comment()
		return err
	case '?':
		return p.instruction()
	default:
		return p.startTag()
	}
}

// peek returns the byte n behind pos, or 0 at the end of the text.
func (p *parser) peek(n int) byte {
	if p.pos+n < len(p.src) {
		return p.src[p.pos+n]
	}
	return 0
}

func (p *parser) skipSpace() {
	for p.pos < len(p.src) && isSpace(p.src[p.pos]) {
		p.pos++
	}
}

// quote shows the next few characters to the reader of an error.
func (p *parser) quote(at int) string {
	const most = 20
	n := 0
	for i := range p.src[at:] {
		if n++; n > most {
			return strconv.Quote(p.src[at:at+i]) + "..."
		}
	}
	return strconv.Quote(p.src[at:])
}

// comment reads what begins with "<!" and is not CDATA, which can only be a comment.
func (p *parser) comment() (string, error) {
	switch {
	case strings.HasPrefix(p.src[p.pos:], "<!DOCTYPE"):
		return "", p.fail(CodeDoctype, p.pos, "the document has a document type declaration, which is not allowed")
	case !strings.HasPrefix(p.src[p.pos:], "<!--"):
		return "", p.bad(p.pos, "this markup is unknown or in the wrong place: "+p.quote(p.pos))
	}
	from := p.pos + len("<!--")
	n := strings.Index(p.src[from:], "--")
	if n < 0 {
		return "", p.bad(p.pos, "the comment has no end")
	}
	to := from + n
	if to+2 >= len(p.src) || p.src[to+2] != '>' {
		return "", p.bad(to, `"--" may not be within a comment`)
	}
	if err := p.checkCharacters(from, to); err != nil {
		return "", err
	}
	p.pos = to + len("-->")
	return p.src[from:to], nil
}

// instruction reads a processing instruction, which has no meaning here.
func (p *parser) instruction() error {
	from := p.pos + len("<?")
	nameEnd, err := p.ncName(from)
	if err != nil {
		return err
	}
	if target := p.src[from:nameEnd]; strings.EqualFold(target, "xml") {
		return p.bad(p.pos, "the XML declaration may only stand at the very beginning of the document")
	}
	n := strings.Index(p.src[nameEnd:], "?>")
	if n < 0 {
		return p.bad(p.pos, "the processing instruction has no end")
	}
	if n > 0 && !isSpace(p.src[nameEnd]) {
		return p.bad(nameEnd, "white space is missing after the name of a processing instruction")
	}
	if err := p.checkCharacters(nameEnd, nameEnd+n); err != nil {
		return err
	}
	p.pos = nameEnd + n + len("?>")
	return nil
}

// addNode appends to the arena and links the node to what is open.
func (p *parser) addNode(n node) (Node, error) {
	d := p.d
	if len(d.nodes) >= p.limits.Nodes {
		return None, p.fail(CodeOversize, int(n.start), fmt.Sprintf("the document has more than %d elements and texts", p.limits.Nodes))
	}
	id := Node(len(d.nodes))
	n.parent, n.first, n.next = None, None, None
	if len(p.stack) > 0 {
		top := &p.stack[len(p.stack)-1]
		n.parent = top.node
		if top.last == None {
			d.nodes[top.node].first = id
		} else {
			d.nodes[top.last].next = id
		}
		top.last = id
	}
	d.nodes = append(d.nodes, n)
	return id, nil
}
