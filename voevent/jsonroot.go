package voevent

import (
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"tocsin/voevent/xmltree"
)

// event builds the root element from the whole text.
func (d *jsonDecoder) event(v *jsonValue) (*xmlElement, error) {
	root := &xmlElement{local: "VOEvent", prefix: defaultPrefix, prefixed: true}
	version, err := d.version(root, v)
	if err != nil {
		return nil, err
	}
	if !hasKey(v, "ivorn") && !hasKey(v, "id") {
		d.path.member("ivorn")
		return nil, d.fail(`a notice needs a name, such as "ivo://org.example/stream#42"`)
	}
	for i := range rootAttrs {
		a := &rootAttrs[i]
		if m := v.get(a.key); m != nil && a.key != "" {
			if err := d.attr(root, a, m); err != nil {
				return nil, err
			}
		}
	}
	if _, err := d.children(root, rootShape, v, nil); err != nil {
		return nil, err
	}
	if err := d.order(root, rootShape, v); err != nil {
		return nil, err
	}
	if err := d.in("xml", func() error { return d.xml(root, version, v.get("xml")) }); err != nil {
		return nil, err
	}
	for _, derived := range []string{"summary", "raw", "signature"} {
		v.get(derived)
	}
	return root, d.nothingElse(v, func() []string {
		known := append([]string{"voevent", "ivorn", "id", "role"}, rootShape.keys()...)
		return append(known, "child_order", "xml", "signature", "summary", "raw")
	})
}

// version reads "voevent". It also marks the text as being in this mapping, so only null, for a notice without the
// attribute, may stand for nothing.
func (d *jsonDecoder) version(root *xmlElement, v *jsonValue) (version string, err error) {
	if m := v.get("voevent"); m != nil {
		err := d.in("voevent", func() error { version, err = d.str(m); return err })
		root.attrs = append(root.attrs, xmlAttr{name: "version", value: version})
		return version, err
	}
	for i := range v.items {
		if v.items[i].key == "voevent" {
			return "", nil
		}
	}
	d.path.member("voevent")
	return "", d.fail(`this is not a notice in this mapping unless it says which version of VOEvent it is, such as "2.0"`)
}

// xml reads the member "xml", which may be absent.
func (d *jsonDecoder) xml(root *xmlElement, version string, v *jsonValue) error {
	if v == nil {
		root.ns = []xmltree.NS{{Prefix: root.prefix, URI: namespaceOf(version)}}
		return nil
	}
	if v.kind != '{' {
		return d.fail("this must be an object { ... }, not " + v.what())
	}
	if m := v.get("prefix"); m != nil {
		if err := d.in("prefix", func() error { return d.prefix(root, m) }); err != nil {
			return err
		}
	}
	if m := v.get("namespaces"); m != nil {
		if err := d.in("namespaces", func() error { return d.namespaces(root, m) }); err != nil {
			return err
		}
	}
	declared := func(prefix string) (uri string, ok bool) {
		for _, ns := range root.ns {
			if ns.Prefix == prefix {
				return ns.URI, true
			}
		}
		return "", false
	}
	if _, ok := declared(root.prefix); !ok {
		root.ns = append(root.ns, xmltree.NS{Prefix: root.prefix, URI: namespaceOf(version)})
	}
	if m := v.get("schema_location"); m != nil {
		err := d.in("schema_location", func() error {
			text, err := d.str(m)
			root.attrs = append(root.attrs, xmlAttr{name: "schemaLocation", prefix: "xsi", value: text})
			if uri, ok := declared("xsi"); ok && uri != xsiNamespace {
				return d.fail("it needs the prefix xsi, which namespaces gives another meaning")
			} else if !ok {
				root.ns = append(root.ns, xmltree.NS{Prefix: "xsi", URI: xsiNamespace})
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if m := v.get("attributes"); m != nil {
		if err := d.in("attributes", func() error { return d.attributes(root, m) }); err != nil {
			return err
		}
	}
	if m := v.get("extra"); m != nil {
		if err := d.in("extra", func() error { return d.extras(root, m) }); err != nil {
			return err
		}
	}
	return d.nothingElse(v, words("prefix", "namespaces", "schema_location", "attributes", "extra"))
}

func (d *jsonDecoder) prefix(el *xmlElement, v *jsonValue) (err error) {
	if el.prefix, err = d.str(v); err != nil {
		return err
	}
	el.prefixed = true
	if el.prefix != "" && !isNCName(el.prefix) || el.prefix == "xmlns" {
		return d.fail(strconv.Quote(el.prefix) + " cannot be a prefix")
	}
	return nil
}

func (d *jsonDecoder) namespaces(el *xmlElement, v *jsonValue) error {
	if v.kind != '{' {
		return d.fail("this must be an object { prefix: namespace, ... }, not " + v.what())
	}
	if len(v.items) > maxXMLScope {
		return d.fail("an element has at most " + strconv.Itoa(maxXMLScope) + " of them")
	}
	for i := range v.items {
		m := &v.items[i]
		d.path.member(m.key)
		uri, err := d.str(m)
		switch {
		case err != nil:
			return err
		case m.key != "" && !isNCName(m.key), m.key == "xmlns":
			return d.fail(strconv.Quote(m.key) + " cannot be a prefix")
		case m.key != "" && uri == "":
			return d.fail("a prefix cannot stand for no namespace")
		case (m.key == "xml") != (uri == xmlNamespace), uri == "http://www.w3.org/2000/xmlns/":
			return d.fail("this namespace and this prefix are reserved by XML")
		}
		el.ns = append(el.ns, xmltree.NS{Prefix: m.key, URI: uri})
		d.path.up()
	}
	return nil
}

// extraEntry is one entry of "extra" before it is applied.
type extraEntry struct {
	path    []pathStep
	value   *jsonValue
	pointer string
	index   int
}

type pathStep struct {
	local string
	index int
}

// extras applies the list "extra". Indices in paths count what the list itself adds, so it goes from the root down: once
// all entries for shallower elements are applied, the places of deeper ones are settled.
func (d *jsonDecoder) extras(root *xmlElement, v *jsonValue) error {
	if v.kind == '[' && len(v.items) > maxXMLEntries {
		return d.fail("there are more than " + strconv.Itoa(maxXMLEntries) + " entries")
	}
	var entries []extraEntry
	err := d.each(v, func(x *jsonValue) error {
		if x.kind != '{' {
			return d.fail("this must be an object { ... }, not " + x.what())
		}
		p := x.get("path")
		if p == nil {
			d.path.member("path")
			return d.fail(`this must say which element it belongs to, such as "/VOEvent/What"`)
		}
		return d.in("path", func() error {
			text, err := d.str(p)
			if err != nil {
				return err
			}
			steps, ok := splitPath(text)
			if !ok || steps[0] != (pathStep{root.local, 1}) {
				return d.fail(`a path is the names of elements from the root, such as "/VOEvent/What/Param[3]"`)
			}
			pointer := d.path[:len(d.path)-1].pointer()
			entries = append(entries, extraEntry{steps, x, pointer, len(entries)})
			return nil
		})
	})
	if err != nil {
		return err
	}
	sort.SliceStable(entries, func(a, b int) bool { return len(entries[a].path) < len(entries[b].path) })
	for i := range entries {
		d.path.element(entries[i].index)
		if err := d.extra(root, &entries[i]); err != nil {
			return err
		}
		d.path.up()
	}
	return nil
}

func (d *jsonDecoder) extra(root *xmlElement, x *extraEntry) error {
	el := root
	for _, s := range x.path[1:] {
		if err := el.settle(); err != nil {
			return err
		}
		if el = el.find(s.local, s.index); el == nil {
			d.path.member("path")
			return d.fail("there is no " + s.local + "[" + strconv.Itoa(s.index) + "] there, or it came from another entry")
		}
	}
	v := x.value
	at := -1
	if m := v.get("at"); m != nil {
		n, err := strconv.Atoi(m.text)
		if m.kind != '0' || err != nil || n < 0 {
			d.path.member("at")
			return d.fail("this must be a place among the children, counted from 0")
		}
		at = n
	}
	whole := 0
	for _, key := range []string{"xml", "text"} {
		m := v.get(key)
		if m == nil {
			continue
		}
		whole++
		err := d.in(key, func() error {
			text, err := d.str(m)
			if err != nil {
				return err
			}
			if strings.Trim(text, " \t\r\n") == "" {
				return d.fail("there is nothing in it")
			}
			if el.leaf {
				return d.fail("the element holds text, so nothing else can be put into it")
			}
			n := xmlNode{text: text, insert: &xmlInsert{at: at, pointer: x.pointer}}
			if key == "xml" {
				n.text, n.insert.raw, n.insert.local = "", text, fragmentName(text)
			}
			el.inserts = append(el.inserts, n)
			return nil
		})
		if err != nil {
			return err
		}
	}
	said, err := d.saidOf(el, v)
	if err != nil {
		return err
	}
	if whole > 1 || (whole == 1) == said {
		return d.fail("an entry has either xml, or text, or some of attributes, namespaces, prefix and child_order")
	}
	return d.nothingElse(v, words("path", "at", "xml", "text", "attributes", "namespaces", "prefix", "child_order"))
}

// saidOf applies what an entry says of an element that is there already.
func (d *jsonDecoder) saidOf(el *xmlElement, v *jsonValue) (said bool, err error) {
	for _, part := range []struct {
		key   string
		apply func(*xmlElement, *jsonValue) error
	}{
		{"child_order", d.orderByName}, {"prefix", d.prefix}, {"namespaces", d.namespaces}, {"attributes", d.attributes},
	} {
		if m := v.get(part.key); m != nil {
			said = true
			if err := d.in(part.key, func() error { return part.apply(el, m) }); err != nil {
				return true, err
			}
		}
	}
	return said, nil
}

// orderByName arranges the children of an element by a list of their names.
func (d *jsonDecoder) orderByName(el *xmlElement, v *jsonValue) error {
	names := make(map[string]int)
	locals := make(map[int]string)
	for _, c := range el.children {
		if c.element == nil {
			return d.fail("child_order comes before entries that add to the element")
		}
		names[c.element.local] = c.child
		locals[c.child] = c.element.local
	}
	var wanted []int
	err := d.each(v, func(x *jsonValue) error {
		name, err := d.str(x)
		i, ok := names[name]
		if err == nil && !ok {
			err = d.fail("the element has no child of this name")
		}
		wanted = append(wanted, i)
		return err
	})
	if err != nil {
		return err
	}
	return d.arrange(el, wanted, func(i int) string { return locals[i] })
}

// splitPath takes "/VOEvent/What/Param[3]" apart.
func splitPath(s string) ([]pathStep, bool) {
	rest, ok := strings.CutPrefix(s, "/")
	if !ok {
		return nil, false
	}
	words := strings.Split(rest, "/")
	if len(words) > maxJSONDepth {
		return nil, false
	}
	var steps []pathStep
	for _, w := range words {
		step := pathStep{w, 1}
		if name, index, ok := strings.Cut(w, "["); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if err != nil || n < 1 || !strings.HasSuffix(index, "]") {
				return nil, false
			}
			step = pathStep{name, n}
		}
		if step.local == "" {
			return nil, false
		}
		steps = append(steps, step)
	}
	return steps, true
}

var fragmentStart = regexp.MustCompile(`<(?:[^\s<>/:!?]+:)?([^\s<>/:!?]+)[\s/>]`)

// fragmentName returns the local name of a fragment's element, for counting it in paths. What it is taken from is checked
// when it is written.
func fragmentName(s string) string {
	if m := fragmentStart.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// The comment after the root in which Comet's proposal keeps a detached signature: OpenPGP armour in which every row of
// five hyphens, which a comment cannot hold, is written as five equal signs.
const (
	signatureForm  = "comet-openpgp"
	signatureBegin = "=====BEGIN PGP SIGNATURE====="
	signatureEnd   = "=====END PGP SIGNATURE====="
)

// signature returns the armour in the last such comment.
func signature(trailer []string) (armor string, ok bool) {
	for _, comment := range slices.Backward(trailer) {
		c := strings.Trim(comment, " \t\r\n")
		if strings.HasPrefix(c, signatureBegin) && strings.HasSuffix(c, signatureEnd) {
			return strings.ReplaceAll(c, "=====", "-----"), true
		}
	}
	return "", false
}

// signature reads the member of that name and returns the comment to write.
func (d *jsonDecoder) signature(v *jsonValue) (comment string, err error) {
	if v.kind != '{' {
		return "", d.fail("this must be an object { ... }, not " + v.what())
	}
	form, armor := v.get("form"), v.get("armor")
	if form == nil || form.text != signatureForm {
		d.path.member("form")
		return "", d.fail("the only form there is is " + strconv.Quote(signatureForm))
	}
	if armor == nil {
		d.path.member("armor")
		return "", d.fail("the signature itself is missing")
	}
	err = d.in("armor", func() error {
		text, err := d.str(armor)
		if err != nil {
			return err
		}
		comment = strings.ReplaceAll(text, "-----", "=====")
		if strings.Contains(comment, "--") || strings.HasSuffix(comment, "-") ||
			!strings.HasPrefix(comment, signatureBegin) || !strings.HasSuffix(comment, signatureEnd) {
			return d.fail("this is not an OpenPGP signature in ASCII armour, or it cannot stand in an XML comment")
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return "<!--\n" + comment + "\n-->\n", d.nothingElse(v, words("form", "armor"))
}

// raw returns the bytes that "raw" holds. They win over everything else, but must be a notice of the same name.
func (d *jsonDecoder) raw(v, ivorn *jsonValue) ([]byte, error) {
	text, err := d.str(v)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, d.fail("this is not base64")
	}
	e, err := Parse(b)
	if err != nil {
		return nil, d.fail("this holds no notice: " + strings.TrimPrefix(err.Error(), "voevent: "))
	}
	name, _ := e.Doc().Attr(e.Doc().Root(), "ivorn")
	if ivorn != nil && ivorn.text != name {
		return nil, d.fail("this holds another notice, " + strconv.Quote(name) + ": leave raw out after changing the rest")
	}
	return b, nil
}

// syntaxText returns what the XML scanner says, without its place: the place would be in a text nobody has seen.
func syntaxText(err error) string {
	if s, ok := errors.AsType[*xmltree.SyntaxError](err); ok {
		return s.Text
	}
	return err.Error()
}

// words is a list in the form that nothingElse takes.
func words(list ...string) func() []string { return func() []string { return list } }
