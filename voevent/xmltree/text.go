package xmltree

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// run collects the text between two tags. As long as it is one piece that needs no unescaping it is a range of the
// source; from then on its bytes are at the end of Document.buf.
type run struct {
	from, to int // range in the source, with markup of CDATA and with comments; from is noRun when there is none
	a, b     int // range of the text, in the source or in buf
	inBuf    bool
}

const noRun = -1

// text reads characters at pos until the next '<'.
func (p *parser) text() error {
	src, from := p.src, p.pos
	i := from
	for i < len(src) {
		c := src[i]
		if class[c]&textStop == 0 {
			i++
			continue
		}
		switch c {
		case '<':
			p.plain(from, from, i, i)
			p.pos = i
			return nil
		case ']':
			if strings.HasPrefix(src[i:], "]]>") {
				return p.bad(i, `"]]>" may not be within text`)
			}
			i++
		default:
			return p.copyText(from, i)
		}
	}
	p.plain(from, from, i, i)
	p.pos = i
	return nil
}

// copyText goes on from i where something has to be replaced.
func (p *parser) copyText(from, i int) error {
	p.toBuf()
	d, src := p.d, p.src
	if p.run.from == noRun {
		p.run.from = from
	}
	d.buf = append(d.buf, src[from:i]...)
	for i < len(src) {
		c := src[i]
		if class[c]&textStop == 0 {
			d.buf = append(d.buf, c)
			i++
			continue
		}
		if c == '<' {
			break
		}
		switch c {
		case ']':
			if strings.HasPrefix(src[i:], "]]>") {
				return p.bad(i, `"]]>" may not be within text`)
			}
			d.buf = append(d.buf, c)
			i++
		case '&':
			var err error
			if i, err = p.reference(i); err != nil {
				return err
			}
		case '\r':
			d.buf = append(d.buf, '\n')
			if i++; i < len(src) && src[i] == '\n' {
				i++
			}
		default:
			return p.badCharacter(i)
		}
	}
	p.run.b, p.run.to, p.pos = len(d.buf), i, i
	return nil
}

// cdata reads a CDATA section at pos.
func (p *parser) cdata() error {
	from := p.pos + len("<![CDATA[")
	n := strings.Index(p.src[from:], "]]>")
	if n < 0 {
		return p.bad(p.pos, "the CDATA section has no end")
	}
	to := from + n
	if err := p.checkCharacters(from, to); err != nil {
		return err
	}
	start, end := p.pos, to+len("]]>")
	p.pos = end
	text := p.src[from:to]
	cr := strings.IndexByte(text, '\r')
	if cr < 0 {
		p.plain(start, from, to, end)
		return nil
	}
	p.toBuf()
	if p.run.from == noRun {
		p.run.from = start
	}
	d := p.d
	for ; cr >= 0; cr = strings.IndexByte(text, '\r') {
		d.buf = append(d.buf, text[:cr]...)
		d.buf = append(d.buf, '\n')
		text = strings.TrimPrefix(text[cr+1:], "\n")
	}
	d.buf = append(d.buf, text...)
	p.run.b, p.run.to = len(d.buf), end
	return nil
}

// plain adds the piece of text a to b, which lies within the markup from to end, to the run.
func (p *parser) plain(from, a, b, end int) {
	r := &p.run
	switch {
	case a == b:
		return
	case r.from == noRun:
		*r = run{from: from, to: end, a: a, b: b}
		return
	}
	p.toBuf()
	p.d.buf = append(p.d.buf, p.src[a:b]...)
	r.b, r.to = len(p.d.buf), end
}

// toBuf moves the run to buf.
func (p *parser) toBuf() {
	r := &p.run
	if r.inBuf {
		return
	}
	at := len(p.d.buf)
	if r.from != noRun {
		p.d.buf = append(p.d.buf, p.src[r.a:r.b]...)
	}
	r.a, r.b, r.inBuf = at, len(p.d.buf), true
}

// endRun makes a node of the text collected, at a tag.
func (p *parser) endRun() error {
	r := p.run
	p.run = run{from: noRun}
	if r.from == noRun || r.a == r.b {
		return nil
	}
	_, err := p.addNode(node{
		kind: Text, start: int32(r.from), end: int32(r.to),
		a: int32(r.a), b: int32(r.b), inBuf: r.inBuf,
	})
	return err
}

// reference appends what a reference at i stands for to buf and returns where it ends. Without a document type there are
// no entities but the five of XML 1.0 §4.6.
func (p *parser) reference(i int) (end int, err error) {
	src := p.src
	n := strings.IndexByte(src[i:min(len(src), i+p.limits.NameBytes)], ';')
	if n < 0 {
		return 0, p.bad(i, "there is a '&' that begins no reference; write &amp; for the character")
	}
	name, end := src[i+1:i+n], i+n+1
	d := p.d
	switch name {
	case "amp":
		d.buf = append(d.buf, '&')
	case "lt":
		d.buf = append(d.buf, '<')
	case "gt":
		d.buf = append(d.buf, '>')
	case "quot":
		d.buf = append(d.buf, '"')
	case "apos":
		d.buf = append(d.buf, '\'')
	default:
		if !strings.HasPrefix(name, "#") {
			return 0, p.bad(i, "the reference "+p.quote(i)+" is to an entity that is not declared")
		}
		r, ok := characterNumber(name[1:])
		if !ok || !isCharacter(r) {
			return 0, p.bad(i, fmt.Sprintf("the reference &%s; is to no character of XML", name))
		}
		d.buf = utf8.AppendRune(d.buf, r)
	}
	return end, nil
}

// characterNumber reads the digits of a character reference.
func characterNumber(s string) (rune, bool) {
	base := rune(10)
	if strings.HasPrefix(s, "x") {
		base, s = 16, s[1:]
	}
	if s == "" {
		return 0, false
	}
	var r rune
	for i := range len(s) {
		var v rune
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			v = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			v = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			v = rune(c-'A') + 10
		default:
			return 0, false
		}
		if r = r*base + v; r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, true
}
