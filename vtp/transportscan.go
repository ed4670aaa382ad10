package vtp

import "strings"

// A messageScan reads the Transport messages that nearly all peers send, in a microsecond: an ack comes for each
// delivery, so this is the most frequent input of a busy broker. It knows a small part of XML and gives up at anything else
// (entities, comments, CDATA, other encodings, anything outside of ASCII, prefixed or unknown children), which then goes to
// the strict parser. What it accepts, the strict parser accepts and reads the same; a property test holds it to that.
type messageScan struct {
	s string
	i int
}

const (
	maxScanBytes  = 64 << 10
	maxScanAttrs  = 8
	maxScanName   = 64
	maxScanParams = 256
)

// Classes of characters.
const (
	nameStart = 1 << iota
	nameChar
	inText  // stands for itself in a text
	inValue // stands for itself in an attribute value, apart from the closing quote
)

var class = func() (t [256]uint8) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = inText | inValue
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			t[c] |= nameStart | nameChar
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[c] |= nameChar
		}
	}
	t['\n'], t['\t'] = inText, inText
	t['<'], t['&'] = 0, 0
	t[']'] = inValue // "]]>" may not stand in a text
	return t
}()

type scannedAttr struct{ prefix, local, value string }

// scanTransport reads s when it is a Transport message of the usual kind.
func scanTransport(s string) (t Transport, ok bool) {
	if len(s) > maxScanBytes {
		return t, false
	}
	m := messageScan{s: s}
	if !m.declaration() {
		return t, false
	}
	m.space()
	if !m.literal("<") {
		return t, false
	}
	prefix, local, ok := m.name()
	if !ok || local != "Transport" {
		return t, false
	}
	if !m.root(prefix, &t) || !m.children(&t) {
		return t, false
	}
	if !m.literal("</") {
		return t, false
	}
	endPrefix, endLocal, ok := m.name()
	if !ok || endPrefix != prefix || endLocal != local {
		return t, false
	}
	m.space()
	if !m.literal(">") {
		return t, false
	}
	m.space()
	return t, m.i == len(s)
}

// declaration reads an XML declaration in one of its two usual forms, or none.
func (m *messageScan) declaration() bool {
	if !strings.HasPrefix(m.s, "<?xml") {
		return true
	}
	for _, d := range [...]string{
		`<?xml version="1.0" encoding="UTF-8"?>`, `<?xml version='1.0' encoding='UTF-8'?>`,
		`<?xml version = '1.0' encoding = 'UTF-8'?>`, `<?xml version="1.0" encoding="utf-8"?>`, `<?xml version="1.0"?>`,
	} {
		if m.literal(d) {
			return true
		}
	}
	return false
}

func (m *messageScan) literal(s string) bool {
	if strings.HasPrefix(m.s[m.i:], s) {
		m.i += len(s)
		return true
	}
	return false
}

// space skips white space and says whether there was some. A carriage return counts as unusual.
func (m *messageScan) space() bool {
	from := m.i
	for m.i < len(m.s) && (m.s[m.i] == ' ' || m.s[m.i] == '\n' || m.s[m.i] == '\t') {
		m.i++
	}
	return m.i > from
}

// part reads a name without a colon.
func (m *messageScan) part() (string, bool) {
	from := m.i
	if from >= len(m.s) || class[m.s[from]]&nameStart == 0 {
		return "", false
	}
	for m.i < len(m.s) && class[m.s[m.i]]&nameChar != 0 {
		m.i++
	}
	return m.s[from:m.i], m.i-from <= maxScanName
}

// name reads a qualified name.
func (m *messageScan) name() (prefix, local string, ok bool) {
	if local, ok = m.part(); !ok || m.i >= len(m.s) || m.s[m.i] != ':' {
		return "", local, ok
	}
	m.i++
	prefix = local
	local, ok = m.part()
	return prefix, local, ok
}

// attr reads one attribute after its leading space.
func (m *messageScan) attr() (a scannedAttr, ok bool) {
	if a.prefix, a.local, ok = m.name(); !ok || m.i+1 >= len(m.s) || m.s[m.i] != '=' {
		return a, false
	}
	quote := m.s[m.i+1]
	if quote != '"' && quote != '\'' {
		return a, false
	}
	m.i += 2
	from := m.i
	for m.i < len(m.s) && m.s[m.i] != quote && class[m.s[m.i]]&inValue != 0 {
		m.i++
	}
	if m.i >= len(m.s) || m.s[m.i] != quote {
		return a, false
	}
	a.value = m.s[from:m.i]
	m.i++
	return a, true
}

// attrs reads attributes up to the end of the tag, which it leaves.
func (m *messageScan) attrs(list *[maxScanAttrs]scannedAttr) (n int, ok bool) {
	for {
		spaced := m.space()
		if m.i >= len(m.s) {
			return n, false
		}
		if c := m.s[m.i]; c == '>' || c == '/' {
			return n, true
		}
		if !spaced || n == len(list) {
			return n, false
		}
		a, ok := m.attr()
		if !ok {
			return n, false
		}
		for _, b := range list[:n] {
			// Also when the prefixes differ: they may stand for one namespace.
			if b.local == a.local && (b.prefix == a.prefix || b.prefix != "xmlns" && a.prefix != "xmlns" && a.prefix != "" && b.prefix != "") {
				return n, false
			}
		}
		list[n] = a
		n++
	}
}

// root reads the attributes of the root and checks its namespaces.
func (m *messageScan) root(prefix string, t *Transport) bool {
	var list [maxScanAttrs]scannedAttr
	n, ok := m.attrs(&list)
	if !ok || !m.literal(">") || reserved(prefix) {
		return false
	}
	attrs := list[:n]
	for _, a := range attrs {
		switch {
		case a.prefix == "xmlns":
			if reserved(a.local) || a.value == "" || strings.Contains(a.value, "/www.w3.org/XML/") || strings.Contains(a.value, "/www.w3.org/2000/xmlns") {
				return false
			}
			if a.local == prefix {
				t.Namespace = a.value
			}
		case a.prefix == "" && a.local == "xmlns":
			if strings.Contains(a.value, "/www.w3.org/") {
				return false
			}
			if prefix == "" {
				t.Namespace = a.value
			}
		case a.prefix == "":
			if a.local == "role" {
				t.Role = a.value
			}
		default:
			if reserved(a.prefix) || !declared(attrs, a.prefix) {
				return false
			}
		}
	}
	return transportRole(t.Role) && (prefix == "" || declared(attrs, prefix))
}

// reserved says that a prefix begins with xml, which has rules of its own.
func reserved(prefix string) bool {
	return len(prefix) >= 3 && strings.EqualFold(prefix[:3], "xml")
}

func declared(attrs []scannedAttr, prefix string) bool {
	for _, a := range attrs {
		if a.prefix == "xmlns" && a.local == prefix {
			return true
		}
	}
	return false
}

// text reads character data up to the next tag.
func (m *messageScan) text() (string, bool) {
	from := m.i
	for m.i < len(m.s) && class[m.s[m.i]]&inText != 0 {
		m.i++
	}
	return trimXML(m.s[from:m.i]), m.i < len(m.s) && m.s[m.i] == '<'
}

// simple reads an element without attributes that holds only text, after its name.
func (m *messageScan) simple(name string) (value string, ok bool) {
	if m.literal("/>") {
		return "", true
	}
	if !m.literal(">") {
		return "", false
	}
	if value, ok = m.text(); !ok {
		return "", false
	}
	return value, m.literal("</") && m.literal(name) && m.literal(">")
}

// children reads what the root holds, up to its end tag.
func (m *messageScan) children(t *Transport) bool {
	var origin, response, stamp, meta bool
	for {
		m.space()
		if strings.HasPrefix(m.s[m.i:], "</") {
			return true
		}
		if !m.literal("<") {
			return false
		}
		name, ok := m.part()
		if !ok {
			return false
		}
		switch {
		case name == "Origin" && !origin:
			origin = true
			t.Origin, ok = m.simple(name)
		case name == "Response" && !response:
			response = true
			t.Response, ok = m.simple(name)
		case name == "TimeStamp" && !stamp:
			stamp = true
			t.TimeStamp, ok = m.simple(name)
		case name == "Meta" && !meta:
			meta = true
			ok = m.literal("/>") || m.literal(">") && m.meta(t)
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
}

// meta reads what Meta holds, and its end tag.
func (m *messageScan) meta(t *Transport) bool {
	for range maxScanParams {
		m.space()
		if m.literal("</Meta>") {
			return true
		}
		if !m.literal("<") {
			return false
		}
		name, ok := m.part()
		if !ok {
			return false
		}
		switch name {
		case "Param":
			ok = m.param(t)
		case "Result":
			if ok = t.Result == ""; ok {
				t.Result, ok = m.simple(name)
			}
		case "filter":
			if ok = m.literal(` type="xpath"`); ok {
				var f string
				f, ok = m.simple(name)
				t.Filters = append(t.Filters, f)
			}
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return false
}

// param reads a Param after its name.
func (m *messageScan) param(t *Transport) bool {
	var list [maxScanAttrs]scannedAttr
	n, ok := m.attrs(&list)
	if !ok || !m.literal("/>") && !m.literal("></Param>") {
		return false
	}
	var name, value string
	for _, a := range list[:n] {
		switch {
		case a.prefix == "" && a.local == "name":
			name = a.value
		case a.prefix == "" && a.local == "value":
			value = a.value
		default:
			return false
		}
	}
	t.addParam(name, value)
	return true
}
