// Package mutate damages XML documents by one edit at a time, for tests that compare two judges of such documents.
//
// The edits are those that authors make: a misspelt name, a dropped or doubled element, two in the wrong order, a word
// where a number belongs, an attribute of another standard, a namespace that is nearly right. Equal seeds give equal
// mutants. Most mutants are well-formed; a few are not, on purpose.
package mutate

import (
	"bytes"
	"math/rand/v2"
	"strings"
)

// Edit returns a copy of doc with one edit, and the name of the edit. The document should be well-formed and in UTF-8;
// with a document that has no elements it returns a copy.
func Edit(doc []byte, rng *rand.Rand) (mutant []byte, edit string) {
	p := parse(doc)
	if len(p.elems) == 0 {
		return bytes.Clone(doc), "none"
	}
	for range 50 {
		k := edits[rng.IntN(len(edits))]
		if out, ok := k.do(p, rng); ok && !bytes.Equal(out, doc) {
			return out, k.name
		}
	}
	return bytes.Clone(doc), "none"
}

// edits holds every kind of edit. The frequent mistakes of authors are in it more than once.
var edits = []struct {
	name string
	do   func(page, *rand.Rand) ([]byte, bool)
}{
	{"rename element", renameElement},
	{"rename element", renameElement},
	{"misspell element", misspellElement},
	{"drop element", dropElement},
	{"drop element", dropElement},
	{"double element", doubleElement},
	{"add element", addElement},
	{"add element", addElement},
	{"swap elements", swapElements},
	{"move element", moveElement},
	{"unwrap element", unwrapElement},
	{"empty element", emptyElement},
	{"wrong text", wrongText},
	{"wrong text", wrongText},
	{"wrong text", wrongText},
	{"stray text", strayText},
	{"stray text", strayText},
	{"drop attribute", dropAttribute},
	{"rename attribute", renameAttribute},
	{"rename attribute", renameAttribute},
	{"wrong attribute value", wrongAttribute},
	{"wrong attribute value", wrongAttribute},
	{"wrong attribute value", wrongAttribute},
	{"add attribute", addAttribute},
	{"add attribute", addAttribute},
	{"add foreign attribute", addForeignAttribute},
	{"change namespace", changeNamespace},
	{"prefix element", prefixElement},
	{"default namespace", defaultNamespace},
	{"add markup", addMarkup},
	{"break markup", breakMarkup},
}

func renameElement(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	return p.rename(e, samePrefix(e, pick(rng, elementNames))), true
}

func misspellElement(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	return p.rename(e, samePrefix(e, misspell(p.local(e), rng))), true
}

func dropElement(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	return splice(p.src, e.from, e.to, ""), true
}

func doubleElement(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	return splice(p.src, e.to, e.to, string(p.src[e.from:e.to])), true
}

func addElement(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	name := pick(rng, elementNames)
	if rng.IntN(4) == 0 { // an STC element where the prefix of the place is an STC one, or anywhere as default
		name = samePrefix(e, name)
	}
	var text string
	switch rng.IntN(4) {
	case 0:
		text = "<" + name + "/>"
	case 1:
		text = "<" + name + ">" + escape(pick(rng, texts)) + "</" + name + ">"
	case 2:
		text = "<" + name + " " + pick(rng, attributeNames) + `="` + escape(pick(rng, texts)) + `"/>`
	default:
		text = "<" + name + `><Description/></` + name + ">"
	}
	at := e.to
	switch {
	case rng.IntN(2) == 0 && e.open < e.close: // as the first or last child
		at = e.open
		if rng.IntN(2) == 0 {
			at = e.close
		}
	case rng.IntN(2) == 0:
		at = e.from
	}
	return splice(p.src, at, at, text), true
}

func swapElements(p page, rng *rand.Rand) ([]byte, bool) {
	a := p.pick(rng)
	for _, b := range p.elems {
		if b.parent == a.parent && b.from >= a.to {
			var out []byte
			out = append(out, p.src[:a.from]...)
			out = append(out, p.src[b.from:b.to]...)
			out = append(out, p.src[a.to:b.from]...)
			out = append(out, p.src[a.from:a.to]...)
			return append(out, p.src[b.to:]...), true
		}
	}
	return nil, false
}

func moveElement(p page, rng *rand.Rand) ([]byte, bool) {
	a, b := p.pick(rng), p.pick(rng)
	if b.open >= b.close || (b.from >= a.from && b.from < a.to) {
		return nil, false
	}
	moved := string(p.src[a.from:a.to])
	if a.from < b.open {
		out := splice(p.src, b.open, b.open, moved)
		return splice(out, a.from, a.to, ""), true
	}
	out := splice(p.src, a.from, a.to, "")
	return splice(out, b.open, b.open, moved), true
}

func unwrapElement(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	if e.open >= e.close {
		return nil, false
	}
	return splice(p.src, e.from, e.to, string(p.src[e.open:e.close])), true
}

func emptyElement(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	if e.open >= e.close {
		return nil, false
	}
	return splice(p.src, e.open, e.close, pick(rng, []string{"", " ", "\n", "<!-- -->"})), true
}

func wrongText(p page, rng *rand.Rand) ([]byte, bool) {
	for range 20 {
		e := p.pick(rng)
		if e.children == 0 && e.open > 0 && e.close > e.open {
			return splice(p.src, e.open, e.close, escape(pick(rng, texts))), true
		}
	}
	return nil, false
}

func strayText(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	text := pick(rng, []string{"x", "0", "&#32;", "&#160;", "<![CDATA[ ]]>", "<![CDATA[]]>", "<![CDATA[x]]>", "&amp;", "\t", " "})
	at := e.to
	switch {
	case e.open == 0: // <X/> becomes <X>text</X>
		head := bytes.TrimSuffix(p.src[e.from:e.to], []byte("/>"))
		return splice(p.src, e.from, e.to, string(head)+">"+text+"</"+e.name+">"), true
	case rng.IntN(3) > 0:
		at = e.open
	}
	return splice(p.src, at, at, text), true
}

func dropAttribute(p page, rng *rand.Rand) ([]byte, bool) {
	a, ok := p.pickAttr(rng)
	return splice(p.src, a.from, a.to, ""), ok
}

func renameAttribute(p page, rng *rand.Rand) ([]byte, bool) {
	a, ok := p.pickAttr(rng)
	if !ok {
		return nil, false
	}
	name := pick(rng, attributeNames)
	if rng.IntN(3) == 0 {
		name = misspell(a.name, rng)
	}
	return splice(p.src, a.from, a.nameTo, " "+name), true
}

func wrongAttribute(p page, rng *rand.Rand) ([]byte, bool) {
	a, ok := p.pickAttr(rng)
	if !ok {
		return nil, false
	}
	if rng.IntN(5) == 0 { // white space, which the schema types treat differently
		old := string(p.src[a.valFrom:a.valTo])
		return splice(p.src, a.valFrom, a.valTo, pick(rng, []string{" " + old, old + " ", "&#10;" + old, old + "\n", old + "&#9;"})), true
	}
	return splice(p.src, a.valFrom, a.valTo, escape(pick(rng, texts))), true
}

func addAttribute(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	return p.addAttr(e, pick(rng, attributeNames), escape(pick(rng, texts))), true
}

func addForeignAttribute(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	return splice(p.src, e.nameTo, e.nameTo, " "+pick(rng, foreignAttributes)), true
}

func changeNamespace(p page, rng *rand.Rand) ([]byte, bool) {
	for range 20 {
		a, ok := p.pickAttr(rng)
		if !ok {
			return nil, false
		}
		if strings.HasPrefix(a.name, "xmlns") {
			return splice(p.src, a.valFrom, a.valTo, pick(rng, namespaces)), true
		}
	}
	return nil, false
}

func prefixElement(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	name := p.local(e)
	root := p.elems[0]
	if i := strings.IndexByte(root.name, ':'); i > 0 && e.name == name {
		return p.rename(e, root.name[:i+1]+name), true
	}
	return p.rename(e, name), true // the prefix goes away
}

func defaultNamespace(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.elems[0]
	if rng.IntN(2) == 0 {
		e = p.pick(rng)
	}
	return p.addAttr(e, "xmlns", pick(rng, append([]string{""}, namespaces...))), true
}

func addMarkup(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	at := e.from
	if e.open < e.close && rng.IntN(2) == 0 {
		at = e.open
	}
	return splice(p.src, at, at, pick(rng, []string{"<!-- a remark -->", "<?work todo?>", "<!--\n-->", "\r\n", "&#xD;"})), true
}

func breakMarkup(p page, rng *rand.Rand) ([]byte, bool) {
	e := p.pick(rng)
	switch rng.IntN(6) {
	case 0:
		return p.src[:e.from+rng.IntN(e.to-e.from)], true
	case 1:
		return splice(p.src, e.to, e.to, "</"+e.name+">"), true
	case 2:
		return splice(p.src, e.from, e.from, pick(rng, []string{"&nbsp;", "&", "<", "]]>", "\x01", "\xff", "&#0;", "<!-- -- -->"})), true
	case 3:
		return splice(p.src, e.nameTo, e.nameTo, ` a="1" a="2"`), true
	case 4:
		return splice(p.src, e.nameTo, e.nameTo, ` nowhere:a="1"`), true
	default:
		return append(bytes.Clone(p.src), pick(rng, []string{"x", "<a/>", "<!-- end -->", "\n"})...), true
	}
}
