package voevent

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds on the JSON that FromJSON takes. They leave room for the mapping of any notice within DefaultLimits.
const (
	maxJSONBytes  = 16 << 20
	maxJSONDepth  = 64
	maxJSONValues = 500_000
)

// jsonValue is one JSON value. The standard library's decoder is not used because it silently replaces bad UTF-8 and lone
// surrogates and keeps the last of two members of one name: here all three are errors, and numbers keep their text.
type jsonValue struct {
	kind  byte        // '{' '[' '"' '0' (number) 't' 'f' 'n'
	taken bool        // set by get, so that what nobody asked for can be named
	key   string      // of a member of an object
	text  string      // of strings, unescaped; of numbers, the literal
	items []jsonValue // elements or members
}

// get returns the member of that name, nil when it is absent or null.
func (v *jsonValue) get(key string) *jsonValue {
	for i := range v.items {
		if m := &v.items[i]; m.key == key {
			m.taken = true
			if m.kind == 'n' {
				return nil
			}
			return m
		}
	}
	return nil
}

// what names the kind of a value in messages.
func (v *jsonValue) what() string {
	switch v.kind {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case '0':
		return "the number " + v.text
	case 't':
		return "true"
	case 'f':
		return "false"
	}
	return "null"
}

// literal returns a value that is no list and no object as the text it would have in XML.
func (v *jsonValue) literal() string {
	switch v.kind {
	case 't':
		return "true"
	case 'f':
		return "false"
	}
	return v.text
}

// jsonPath is the way to the value in hand. It becomes a pointer only when an error needs it.
type jsonPath []jsonStep

// jsonStep is a member, or an element of a list when key is empty and list is set.
type jsonStep struct {
	key   string
	index int
	list  bool
}

func (p *jsonPath) member(key string) { *p = append(*p, jsonStep{key: key}) }
func (p *jsonPath) element(i int)     { *p = append(*p, jsonStep{index: i, list: true}) }
func (p *jsonPath) up()               { *p = (*p)[:len(*p)-1] }

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// pointer is the JSON pointer, RFC 6901.
func (p jsonPath) pointer() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteByte('/')
		if s.list {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			b.WriteString(pointerEscaper.Replace(s.key))
		}
	}
	return b.String()
}

func (p jsonPath) fail(text string) error { return &JSONError{Pointer: p.pointer(), Text: text} }

// jsonScanner reads a text into a jsonValue, strictly by RFC 8259.
type jsonScanner struct {
	s      string
	i      int
	values int
	path   jsonPath
	stack  []jsonValue // what the lists and objects being read hold so far
}

// items takes what was put on the stack since it had that height.
func (p *jsonScanner) items(from int) []jsonValue {
	if from == len(p.stack) {
		return nil
	}
	items := slices.Clone(p.stack[from:])
	p.stack = p.stack[:from]
	return items
}

// parseJSON reads a whole text that must be one object.
func parseJSON(b []byte) (*jsonValue, error) {
	if len(b) > maxJSONBytes {
		return nil, jsonPath(nil).fail("the text has more than " + strconv.Itoa(maxJSONBytes>>20) + " MiB")
	}
	if !utf8.Valid(b) {
		return nil, jsonPath(nil).fail("the text is not UTF-8")
	}
	p := &jsonScanner{s: strings.TrimPrefix(string(b), "\ufeff")}
	p.space()
	if p.i == len(p.s) {
		return nil, p.fail("the text is empty")
	}
	v, err := p.value(1)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(p.s) {
		return nil, p.fail("there is more text after the end of the notice")
	}
	if v.kind != '{' {
		return nil, p.fail("a notice is an object { ... }, this is " + v.what())
	}
	return &v, nil
}

// fail names line and column too, for what is not JSON cannot be found by pointer alone.
func (p *jsonScanner) fail(text string) error {
	line := 1 + strings.Count(p.s[:p.i], "\n")
	column := 1 + utf8.RuneCountInString(p.s[strings.LastIndexByte(p.s[:p.i], '\n')+1:p.i])
	return p.path.fail(text + " (line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column) + ")")
}

func (p *jsonScanner) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// next skips white space and returns the byte there, 0 at the end.
func (p *jsonScanner) next() byte {
	p.space()
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *jsonScanner) value(depth int) (v jsonValue, err error) {
	if depth > maxJSONDepth {
		return v, p.fail("lists and objects are nested more than " + strconv.Itoa(maxJSONDepth) + " deep")
	}
	if p.values++; p.values > maxJSONValues {
		return v, p.fail("there are more than " + strconv.Itoa(maxJSONValues) + " values")
	}
	switch c := p.next(); {
	case c == '{':
		v.kind = c
		v.items, err = p.object(depth)
		return v, err
	case c == '[':
		v.kind = c
		v.items, err = p.array(depth)
		return v, err
	case c == '"':
		v.kind = c
		v.text, err = p.str()
		return v, err
	case c == '-' || c >= '0' && c <= '9':
		n := numberPrefix(p.s[p.i:])
		if n == 0 {
			return v, p.fail("this is not a number as JSON writes them")
		}
		v.kind, v.text = '0', p.s[p.i:p.i+n]
		p.i += n
		return v, nil
	case c == 0 && p.i == len(p.s):
		return v, p.fail("the text ends in the middle")
	}
	for _, w := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.s[p.i:], w) {
			v.kind = w[0]
			p.i += len(w)
			return v, nil
		}
	}
	return v, p.fail("a value is expected here: text stands in double quotes")
}

func (p *jsonScanner) object(depth int) ([]jsonValue, error) {
	p.i++
	if p.next() == '}' {
		p.i++
		return nil, nil
	}
	from := len(p.stack)
	var seen map[string]bool // only for objects too large to compare one by one
	for {
		if p.next() != '"' {
			return nil, p.fail("a name in double quotes is expected here")
		}
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		p.path.member(key)
		if hasMember(p.stack[from:], key, &seen) {
			return nil, p.fail("the name is there twice in one object")
		}
		if p.next() != ':' {
			return nil, p.fail("a colon is expected after the name")
		}
		p.i++
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.key = key
		p.stack = append(p.stack, v)
		switch p.next() {
		case ',':
			p.i++
			p.path.up()
		case '}':
			p.i++
			p.path.up()
			return p.items(from), nil
		default:
			return nil, p.fail("a comma or a closing brace is expected after the value")
		}
	}
}

func hasMember(members []jsonValue, key string, seen *map[string]bool) bool {
	if len(members) < 16 {
		for i := range members {
			if members[i].key == key {
				return true
			}
		}
		return false
	}
	if *seen == nil {
		*seen = make(map[string]bool, 64)
		for i := range members {
			(*seen)[members[i].key] = true
		}
	}
	if (*seen)[key] {
		return true
	}
	(*seen)[key] = true
	return false
}

func (p *jsonScanner) array(depth int) ([]jsonValue, error) {
	p.i++
	if p.next() == ']' {
		p.i++
		return nil, nil
	}
	from := len(p.stack)
	for {
		p.path.element(len(p.stack) - from)
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		p.stack = append(p.stack, v)
		switch p.next() {
		case ',':
			p.i++
			p.path.up()
		case ']':
			p.i++
			p.path.up()
			return p.items(from), nil
		default:
			return nil, p.fail("a comma or a closing bracket is expected after the value")
		}
	}
}

// str reads a string; p.i is at its opening quote.
func (p *jsonScanner) str() (string, error) {
	p.i++
	from := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.s[from : p.i-1], nil
		case c == '\\':
			return p.escaped(from)
		case c < ' ':
			return "", p.fail("a text holds a control character; a line end is written \\n")
		default:
			p.i++
		}
	}
	return "", p.fail("a text is not closed with a double quote")
}

// escaped reads the rest of a string from its first backslash.
func (p *jsonScanner) escaped(from int) (string, error) {
	b := []byte(p.s[from:p.i])
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return string(b), nil
		case c < ' ':
			return "", p.fail("a text holds a control character; a line end is written \\n")
		case c == '\\':
			r, n := unescape(p.s[p.i:])
			if n == 0 {
				return "", p.fail("a backslash is followed by something that is no JSON escape, or by half a surrogate pair")
			}
			b = utf8.AppendRune(b, r)
			p.i += n
		default:
			b = append(b, c)
			p.i++
		}
	}
	return "", p.fail("a text is not closed with a double quote")
}

// unescape reads one escape at the beginning of s and returns how long it is, 0 when it is none.
func unescape(s string) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hex4(s[2:])
		if !ok {
			return 0, 0
		}
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			if low, ok := hex4(s[8:]); ok {
				if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
					return both, 12
				}
			}
		}
	}
	return 0, 0
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// numberPrefix returns the length of the JSON number literal at the beginning of s, 0 when there is none.
func numberPrefix(s string) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return 0
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// isNumberLiteral reports whether the whole text is a JSON number.
func isNumberLiteral(s string) bool { return s != "" && numberPrefix(s) == len(s) }
