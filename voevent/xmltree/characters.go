package xmltree

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Classes of bytes. Bytes of characters beyond ASCII have none; that they are UTF-8 and characters of XML is checked for
// the whole text before it is scanned.
const (
	nameStart = 1 << iota // may begin a name
	nameByte              // may be within a name; a colon has neither of the two
	textStop              // text is more than copying from here: <, &, ], CR and control characters
	attrStop              // the same for attribute values: quotes, <, &, white space but blanks, control characters
	control               // no character of XML
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			t[c] = nameStart | nameByte
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[c] = nameByte
		case c == '\t', c == '\n':
			t[c] = attrStop
		case c == '\r', c == '<', c == '&':
			t[c] = textStop | attrStop
		case c == ']':
			t[c] = textStop
		case c == '"', c == '\'':
			t[c] = attrStop
		case c < ' ':
			t[c] = textStop | attrStop | control
		}
	}
	return t
}()

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// isCharacter is XML 1.0 §2.2, Char.
func isCharacter(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r >= 0xD800 && r <= 0xDFFF, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return r <= utf8.MaxRune
}

// checkCharacters refuses control characters in comments, instructions and CDATA sections.
func (p *parser) checkCharacters(from, to int) error {
	for i := from; i < to; i++ {
		if class[p.src[i]]&control != 0 {
			return p.badCharacter(i)
		}
	}
	return nil
}

func (p *parser) badCharacter(at int) error {
	return p.bad(at, fmt.Sprintf("the control character U+%04X is not allowed", p.src[at]))
}

// qName reads a name at i that may have a prefix, and returns where it and its prefix end; colon is 0 without one.
// Namespaces in XML 1.0 §4.
func (p *parser) qName(i int) (end, colon int, err error) {
	end, err = p.ncName(i)
	if err != nil {
		return 0, 0, err
	}
	if end < len(p.src) && p.src[end] == ':' {
		colon = end
		if end, err = p.ncName(colon + 1); err != nil {
			return 0, 0, err
		}
		if end < len(p.src) && p.src[end] == ':' {
			return 0, 0, p.bad(i, "the name "+p.src[i:end]+": has more than one colon")
		}
		if end-i > p.limits.NameBytes {
			return 0, 0, p.nameTooLong(i)
		}
	}
	return end, colon, nil
}

// ncName reads a name without a colon at i.
func (p *parser) ncName(i int) (end int, err error) {
	src := p.src
	end = i
	if end < len(src) && class[src[end]]&nameStart != 0 {
		end++
		for end < len(src) && class[src[end]]&nameByte != 0 {
			end++
		}
		if end >= len(src) || src[end] < utf8.RuneSelf {
			if end-i > p.limits.NameBytes {
				return 0, p.nameTooLong(i)
			}
			return end, nil
		}
	}
	for end < len(src) {
		r, n := utf8.DecodeRuneInString(src[end:])
		if !isNameStart(r) && (end == i || !isNameRune(r)) {
			break
		}
		end += n
		if end-i > p.limits.NameBytes {
			return 0, p.nameTooLong(i)
		}
	}
	if end == i {
		return 0, p.bad(i, "a name is missing before "+p.quote(min(i, len(src))))
	}
	return end, nil
}

func (p *parser) nameTooLong(at int) error {
	return p.fail(CodeOversize, at, fmt.Sprintf("a name has more than %d bytes", p.limits.NameBytes))
}

// isNameStart is XML 1.0 (fifth edition) §2.3, NameStartChar, without the colon.
func isNameStart(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 0 && class[r]&nameStart != 0
	}
	return in(r, 0xC0, 0xD6) || in(r, 0xD8, 0xF6) || in(r, 0xF8, 0x2FF) || in(r, 0x370, 0x37D) || in(r, 0x37F, 0x1FFF) ||
		in(r, 0x200C, 0x200D) || in(r, 0x2070, 0x218F) || in(r, 0x2C00, 0x2FEF) || in(r, 0x3001, 0xD7FF) ||
		in(r, 0xF900, 0xFDCF) || in(r, 0xFDF0, 0xFFFD) || in(r, 0x10000, 0xEFFFF)
}

// isNameRune is what NameChar adds to it.
func isNameRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 0 && class[r]&nameByte != 0
	}
	return r == 0xB7 || in(r, 0x300, 0x36F) || in(r, 0x203F, 0x2040)
}

func in(r, from, to rune) bool { return r >= from && r <= to }

// firstBadRune returns the offset of the first byte that is not UTF-8 or of the first character beyond ASCII that is none
// of XML, -1 if there is none.
func firstBadRune(s string) int {
	if utf8.ValidString(s) && !strings.Contains(s, "\uFFFE") && !strings.Contains(s, "\uFFFF") {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
		if r == 0xFFFE || r == 0xFFFF {
			return i
		}
	}
	return -1
}
