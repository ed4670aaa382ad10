package mutate

import (
	"bytes"
	"math/rand/v2"
	"strings"
)

// page is a document cut into elements by byte offsets. The cutting is rough: it serves to place edits, and a test's
// judges read the result with real parsers.
type page struct {
	src   []byte
	elems []elem
}

type elem struct {
	name             string
	from, nameFrom   int // the start of <name and of name
	nameTo           int // behind the name
	open, close      int // content between the tags; open is 0 for <name/>
	to               int // behind the end
	parent, children int
	attrs            []attr
	closeName        int // where the name stands in the end tag, 0 for <name/>
}

type attr struct {
	name           string
	from, nameTo   int // from includes the white space before it
	valFrom, valTo int
	to             int
}

func parse(src []byte) page {
	p := page{src: src}
	var stack []int
	for i := 0; i < len(src); {
		if src[i] != '<' {
			i++
			continue
		}
		rest := src[i:]
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			i = after(src, i, "-->")
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			i = after(src, i, "]]>")
		case bytes.HasPrefix(rest, []byte("<?")):
			i = after(src, i, "?>")
		case bytes.HasPrefix(rest, []byte("<!")):
			i = after(src, i, ">")
		case bytes.HasPrefix(rest, []byte("</")):
			end := after(src, i, ">")
			if n := len(stack); n > 0 {
				e := &p.elems[stack[n-1]]
				e.close, e.closeName, e.to = i, i+2, end
				stack = stack[:n-1]
			}
			i = end
		default:
			var e elem
			e, i = startTag(src, i)
			e.parent = -1
			if n := len(stack); n > 0 {
				e.parent = stack[n-1]
				p.elems[e.parent].children++
			}
			p.elems = append(p.elems, e)
			if e.to == 0 {
				stack = append(stack, len(p.elems)-1)
			}
		}
	}
	for _, i := range stack { // never closed: not well-formed; close them at the end
		e := &p.elems[i]
		e.close, e.to = len(src), len(src)
	}
	return p
}

func startTag(src []byte, i int) (elem, int) {
	e := elem{from: i, nameFrom: i + 1}
	for i++; i < len(src) && !strings.ContainsRune(" \t\r\n/>", rune(src[i])); {
		i++
	}
	e.nameTo = i
	e.name = string(src[e.nameFrom:i])
	for i < len(src) {
		from := i
		for i < len(src) && strings.ContainsRune(" \t\r\n", rune(src[i])) {
			i++
		}
		if i >= len(src) {
			break
		}
		if src[i] == '>' {
			e.open = i + 1
			return e, i + 1
		}
		if src[i] == '/' {
			i = after(src, i, ">")
			e.to = i
			return e, i
		}
		a := attr{from: from}
		start := i
		for i < len(src) && !strings.ContainsRune("= \t\r\n/>", rune(src[i])) {
			i++
		}
		a.nameTo = i
		a.name = string(src[start:i])
		for i < len(src) && src[i] != '"' && src[i] != '\'' && src[i] != '>' {
			i++
		}
		if i >= len(src) || src[i] == '>' {
			continue
		}
		quote := src[i]
		i++
		a.valFrom = i
		for i < len(src) && src[i] != quote {
			i++
		}
		a.valTo = i
		i = min(i+1, len(src))
		a.to = i
		e.attrs = append(e.attrs, a)
	}
	e.to = len(src)
	return e, len(src)
}

func after(src []byte, i int, end string) int {
	j := bytes.Index(src[i:], []byte(end))
	if j < 0 {
		return len(src)
	}
	return i + j + len(end)
}

// pick takes any element, the root seldom.
func (p page) pick(rng *rand.Rand) elem {
	if len(p.elems) > 1 && rng.IntN(10) > 0 {
		return p.elems[1+rng.IntN(len(p.elems)-1)]
	}
	return p.elems[rng.IntN(len(p.elems))]
}

// pickAttr takes any attribute; those of the root, which are few and weigh much, one time in four.
func (p page) pickAttr(rng *rand.Rand) (attr, bool) {
	if a := p.elems[0].attrs; len(a) > 0 && rng.IntN(4) == 0 {
		return a[rng.IntN(len(a))], true
	}
	for range 40 {
		if a := p.pick(rng).attrs; len(a) > 0 {
			return a[rng.IntN(len(a))], true
		}
	}
	return attr{}, false
}

func (p page) local(e elem) string {
	if i := strings.IndexByte(e.name, ':'); i >= 0 {
		return e.name[i+1:]
	}
	return e.name
}

func (p page) rename(e elem, name string) []byte {
	out := p.src
	if e.closeName > 0 {
		out = splice(out, e.closeName, e.closeName+len(e.name), name)
	}
	return splice(out, e.nameFrom, e.nameTo, name)
}

// addAttr sets an attribute, over an older one of that name when there is one.
func (p page) addAttr(e elem, name, value string) []byte {
	for _, a := range e.attrs {
		if a.name == name {
			return splice(p.src, a.valFrom, a.valTo, value)
		}
	}
	return splice(p.src, e.nameTo, e.nameTo, " "+name+`="`+value+`"`)
}

func samePrefix(e elem, name string) string {
	if i := strings.IndexByte(e.name, ':'); i >= 0 {
		return e.name[:i+1] + name
	}
	return name
}

func splice(src []byte, from, to int, text string) []byte {
	out := make([]byte, 0, len(src)+len(text))
	out = append(out, src[:from]...)
	out = append(out, text...)
	return append(out, src[to:]...)
}

func misspell(s string, rng *rand.Rand) string {
	if len(s) < 2 {
		return s + "s"
	}
	i := rng.IntN(len(s) - 1)
	switch rng.IntN(5) {
	case 0:
		return strings.ToLower(s)
	case 1:
		return strings.ToUpper(s[:1]) + s[1:]
	case 2:
		return s[:i] + s[i+1:i+2] + s[i:i+1] + s[i+2:]
	case 3:
		return s + "s"
	default:
		return s[:i+1] + s[i:]
	}
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace(s)
}

func pick[T any](rng *rand.Rand, s []T) T { return s[rng.IntN(len(s))] }
