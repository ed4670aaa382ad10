package xmltree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// input is a document as text.
type input struct {
	text     string // UTF-8, without byte order mark
	encoding string
	body     int // where the XML declaration ends
	skipped  int // bytes of raw before the text: a byte order mark
	units    int // bytes of raw for one UTF-16 unit or one Latin-1 character; 0 when raw is UTF-8
}

// Names of encodings, as Document.Encoding returns them.
const (
	utf8Name    = "UTF-8"
	asciiName   = "US-ASCII"
	latin1Name  = "ISO-8859-1"
	utf16LEName = "UTF-16LE"
	utf16BEName = "UTF-16BE"
)

// declaredNames maps what declarations write, in lower case, to the names above. UTF-16 without a byte order in its name
// stands for both.
var declaredNames = map[string]string{
	"utf-8": utf8Name, "utf8": utf8Name,
	"us-ascii": asciiName, "ascii": asciiName,
	"iso-8859-1": latin1Name, "iso_8859-1": latin1Name, "iso8859-1": latin1Name, "latin1": latin1Name,
	"utf-16": "UTF-16", "utf16": "UTF-16", "utf-16le": utf16LEName, "utf-16be": utf16BEName,
}

// decode finds out the encoding, by byte order mark and XML declaration as XML 1.0 appendix F has it, and transcodes.
func decode(raw []byte) (input, error) {
	in := input{encoding: utf8Name}
	switch {
	case hasPrefix(raw, 0xEF, 0xBB, 0xBF):
		in.skipped = 3
	case hasPrefix(raw, 0xFF, 0xFE, 0, 0), hasPrefix(raw, 0, 0, 0xFE, 0xFF), hasPrefix(raw, 0, 0, 0, '<'), hasPrefix(raw, '<', 0, 0, 0):
		return in, &SyntaxError{Code: CodeEncoding, Text: "the document is in UTF-32, which is not read here"}
	case hasPrefix(raw, 0x4C, 0x6F, 0xA7, 0x94):
		return in, &SyntaxError{Code: CodeEncoding, Text: "the document is in EBCDIC, which is not read here"}
	case hasPrefix(raw, 0xFF, 0xFE):
		in.encoding, in.skipped = utf16LEName, 2
	case hasPrefix(raw, 0xFE, 0xFF):
		in.encoding, in.skipped = utf16BEName, 2
	case hasPrefix(raw, '<', 0, '?', 0):
		in.encoding = utf16LEName
	case hasPrefix(raw, 0, '<', 0, '?'):
		in.encoding = utf16BEName
	}
	if in.encoding != utf8Name {
		text, err := fromUTF16(raw[in.skipped:], in.encoding)
		if err != nil {
			return in, err
		}
		in.text, in.units = text, 2
	} else {
		in.text = view(raw[in.skipped:])
	}
	declared, err := in.declaration()
	if err != nil {
		return in, err
	}
	if err := in.agree(declared); err != nil {
		return in, err
	}
	if at := firstBadRune(in.text); at >= 0 {
		p := parser{src: in.text}
		if r, n := utf8.DecodeRuneInString(in.text[at:]); n > 1 {
			return in, p.bad(at, fmt.Sprintf("the character U+%04X is not allowed", r))
		}
		return in, p.bad(at, fmt.Sprintf("the byte 0x%02X is not UTF-8, which the document is said to be in", in.text[at]))
	}
	return in, nil
}

func hasPrefix(raw []byte, prefix ...byte) bool { return bytes.HasPrefix(raw, prefix) }

// agree compares the encoding declared, "" if none, with the one found so far.
func (in *input) agree(declared string) error {
	if declared == "" || declared == in.encoding {
		return nil
	}
	name, known := declaredNames[strings.ToLower(declared)]
	wrong := func(text string) error {
		return &SyntaxError{Code: CodeEncoding, Line: 1, Column: 1, Text: "the document declares the encoding " + declared + text}
	}
	switch {
	case !known:
		return wrong(", which is not read here")
	case in.units > 0:
		if name != "UTF-16" && name != in.encoding {
			return wrong(" but is in " + in.encoding)
		}
	case name == utf8Name:
	case in.skipped > 0, name != asciiName && name != latin1Name:
		return wrong(" but is in " + in.encoding)
	case name == latin1Name:
		in.text, in.units = fromLatin1(in.text), 1
		in.encoding = latin1Name
	default:
		in.encoding = asciiName
		for i := range len(in.text) {
			if in.text[i] >= utf8.RuneSelf {
				p := parser{src: in.text}
				return p.bad(i, fmt.Sprintf("the byte 0x%02X is not US-ASCII, which the document is said to be in", in.text[i]))
			}
		}
	}
	return nil
}

// rawRange maps a range of the text to a range of the bytes received.
func (in *input) rawRange(from, to int) (rawFrom, rawTo int) {
	if in.units == 0 {
		return in.skipped + from, in.skipped + to
	}
	count := utf8.RuneCountInString
	if in.units == 2 {
		count = func(s string) (n int) {
			for _, r := range s {
				n += utf16.RuneLen(r)
			}
			return n
		}
	}
	rawFrom = in.skipped + in.units*count(in.text[:from])
	return rawFrom, rawFrom + in.units*count(in.text[from:to])
}

func fromUTF16(raw []byte, encoding string) (string, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if encoding == utf16BEName {
		order = binary.BigEndian
	}
	wrong := func(at int, text string) error {
		return &SyntaxError{Code: CodeNotWellFormed, Text: fmt.Sprintf("%s at byte %d of the %s text", text, at, encoding)}
	}
	if len(raw)%2 != 0 {
		return "", wrong(len(raw)-1, "there is half a character")
	}
	text := make([]byte, 0, len(raw)/2+len(raw)/16)
	for i := 0; i < len(raw); i += 2 {
		r := rune(order.Uint16(raw[i:]))
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if i+4 <= len(raw) {
				low = rune(order.Uint16(raw[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return "", wrong(i, "there is half of a surrogate pair")
			}
			i += 2
		}
		text = utf8.AppendRune(text, r)
	}
	return view(text), nil
}

func fromLatin1(s string) string {
	text := make([]byte, 0, len(s)+len(s)/16)
	for i := range len(s) {
		text = utf8.AppendRune(text, rune(s[i]))
	}
	return view(text)
}

// declaration reads the XML declaration, if there is one, and returns the encoding it names. XML 1.0 §2.8.
func (in *input) declaration() (encoding string, err error) {
	const open = "<?xml"
	p := parser{src: in.text}
	if !strings.HasPrefix(in.text, open) || len(in.text) == len(open) || !isSpace(in.text[len(open)]) {
		return "", nil
	}
	p.pos = len(open)
	version, ok, err := p.pseudoAttribute("version")
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", p.bad(p.pos, "the XML declaration names no version")
	case !isVersion(version):
		return "", p.bad(p.pos, "the XML declaration names an unknown version")
	}
	encoding, ok, err = p.pseudoAttribute("encoding")
	if err != nil {
		return "", err
	}
	if ok && !isEncodingName(encoding) {
		return "", p.bad(p.pos, "the XML declaration names an impossible encoding")
	}
	standalone, ok, err := p.pseudoAttribute("standalone")
	if err != nil {
		return "", err
	}
	if ok && standalone != "yes" && standalone != "no" {
		return "", p.bad(p.pos, "standalone in the XML declaration is neither yes nor no")
	}
	p.skipSpace()
	if !strings.HasPrefix(p.src[p.pos:], "?>") {
		return "", p.bad(p.pos, "the XML declaration does not end where it should")
	}
	in.body = p.pos + len("?>")
	return encoding, nil
}

// pseudoAttribute reads name="value" if that comes next.
func (p *parser) pseudoAttribute(name string) (value string, ok bool, err error) {
	before := p.pos
	p.skipSpace()
	if p.pos == before || !strings.HasPrefix(p.src[p.pos:], name) {
		p.pos = before
		return "", false, nil
	}
	p.pos += len(name)
	p.skipSpace()
	if p.peek(0) != '=' {
		return "", false, p.bad(p.pos, name+" in the XML declaration has no value")
	}
	p.pos++
	p.skipSpace()
	quote := p.peek(0)
	if quote != '"' && quote != '\'' {
		return "", false, p.bad(p.pos, name+" in the XML declaration is not in quotes")
	}
	p.pos++
	const longest = 64
	rest := p.src[p.pos:min(len(p.src), p.pos+longest)]
	n := strings.IndexByte(rest, quote)
	if n < 0 {
		return "", false, p.bad(p.pos, name+" in the XML declaration has no end")
	}
	p.pos += n + 1
	return rest[:n], true, nil
}

func isVersion(s string) bool {
	digits, ok := strings.CutPrefix(s, "1.")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

func isEncodingName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || class[c]&nameByte == 0) {
			return false
		}
	}
	return s != ""
}
