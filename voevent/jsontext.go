package voevent

import "unicode/utf8"

func (j *jsonEncoder) comma() {
	if c := j.buf[len(j.buf)-1]; c != '{' && c != '[' {
		j.buf = append(j.buf, ',')
	}
}

func (j *jsonEncoder) key(k string) {
	j.comma()
	j.buf = append(append(append(j.buf, '"'), k...), '"', ':')
}

func (j *jsonEncoder) member(k, v string) {
	j.key(k)
	j.str(v)
}

// number writes a text as a number if it is a JSON number literal, which is kept to the letter, and as a string if not.
func (j *jsonEncoder) number(s string) {
	if isNumberLiteral(s) {
		j.buf = append(j.buf, s...)
		return
	}
	j.str(s)
}

const hexDigits = "0123456789abcdef"

func (j *jsonEncoder) str(s string) {
	b := j.buf
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < 0xe2 {
			continue
		}
		if c == 0xe2 {
			// The two line ends of Unicode, which JavaScript once took for its own.
			if r, _ := utf8.DecodeRuneInString(s[i:]); r != '\u2028' && r != '\u2029' {
				continue
			}
			b = append(b, s[from:i]...)
			b = append(b, `\u202`...)
			b = append(b, hexDigits[s[i+2]&0xf])
			i += 2
			from = i + 1
			continue
		}
		if c > 0xe2 {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	j.buf = append(append(b, s[from:]...), '"')
}
