package voevent

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonDecoder builds the elements of one notice from its JSON.
type jsonDecoder struct {
	path jsonPath
}

func (d *jsonDecoder) fail(text string) error { return d.path.fail(text) }

// in runs f with the path led to a member.
func (d *jsonDecoder) in(key string, f func() error) error {
	d.path.member(key)
	if err := f(); err != nil {
		return err
	}
	d.path.up()
	return nil
}

// each runs f for every element of a list, the path led to it.
func (d *jsonDecoder) each(v *jsonValue, f func(x *jsonValue) error) error {
	if v.kind != '[' {
		return d.fail("this must be a list [ ... ], not " + v.what())
	}
	for i := range v.items {
		d.path.element(i)
		if err := f(&v.items[i]); err != nil {
			return err
		}
		d.path.up()
	}
	return nil
}

// str returns a text that XML can carry.
func (d *jsonDecoder) str(v *jsonValue) (string, error) {
	if v.kind != '"' {
		return "", d.fail("this must be a text in double quotes, not " + v.what())
	}
	return v.text, d.carried(v.text)
}

// strOrNumber also takes a number, of which the literal counts.
func (d *jsonDecoder) strOrNumber(v *jsonValue) (string, error) {
	if v.kind == '0' {
		return v.text, nil
	}
	if v.kind != '"' {
		return "", d.fail("this must be a number or a text in double quotes, not " + v.what())
	}
	return v.text, d.carried(v.text)
}

// carried refuses characters that XML 1.0 §2.2 does not have.
func (d *jsonDecoder) carried(s string) error {
	for i, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return d.fail("character " + strconv.Itoa(1+utf8.RuneCountInString(s[:i])) + " of this text, U+" +
				strings.ToUpper(strconv.FormatInt(int64(r)|0x10000, 16)[1:]) + ", cannot be written in XML")
		}
	}
	return nil
}

// object builds an element from an object of its own.
func (d *jsonDecoder) object(local string, s *jsonShape, v *jsonValue) (*xmlElement, error) {
	if v.kind != '{' {
		return nil, d.fail("this must be an object { ... }, not " + v.what())
	}
	el := &xmlElement{local: local}
	if _, err := d.members(el, s, v, nil); err != nil {
		return nil, err
	}
	if err := d.order(el, s, v); err != nil {
		return nil, err
	}
	if a := v.get("attributes"); a != nil {
		if err := d.in("attributes", func() error { return d.attributes(el, a) }); err != nil {
			return nil, err
		}
	}
	return el, d.nothingElse(v, s.members)
}

// members reads what a shape knows from an object into an element, and reports whether there was anything. The
// coord_system that speaks for the merged attributes is system, nil when there is none.
func (d *jsonDecoder) members(el *xmlElement, s *jsonShape, v *jsonValue, system *string) (found bool, err error) {
	for i := range s.attrs {
		a := &s.attrs[i]
		m := v.get(a.key)
		if s == paramShape && a.local == "value" {
			if err := d.paramValue(el, v, m); err != nil {
				return false, err
			}
			continue
		}
		if m == nil {
			if a.merged && system != nil {
				el.attrs = append(el.attrs, xmlAttr{name: a.local, value: *system})
				found = true
			}
			continue
		}
		found = true
		if a.merged && system != nil {
			d.path.member(a.key)
			return false, d.fail("coord_system already says this")
		}
		if err := d.attr(el, a, m); err != nil {
			return false, err
		}
	}
	if s.text != "" {
		if m := v.get(s.text); m != nil {
			found = true
			if err := d.in(s.text, func() error { el.text, err = d.str(m); return err }); err != nil {
				return false, err
			}
		}
		el.leaf = true
	}
	if s.items {
		if m := v.get("items"); m != nil {
			found = true
			if err := d.in("items", func() error { return d.items(el, s, m) }); err != nil {
				return false, err
			}
		}
		return found, nil
	}
	system = nil
	if s == locationShape && hasKey(v, "coord_system") {
		m := v.get("coord_system")
		err := d.in("coord_system", func() error {
			id, err := d.str(m)
			system = &id
			return err
		})
		if err != nil {
			return false, err
		}
	}
	any, err := d.children(el, s, v, system)
	return found || any, err
}

func (d *jsonDecoder) attr(el *xmlElement, a *jsonAttr, m *jsonValue) error {
	return d.in(a.key, func() (err error) {
		var text string
		if a.number {
			text, err = d.strOrNumber(m)
		} else {
			text, err = d.str(m)
		}
		el.attrs = append(el.attrs, xmlAttr{name: a.local, value: text})
		return err
	})
}

// paramValue reads the value of a Param. A number or a boolean becomes its literal text and, where the JSON names no
// data_type, gives the Param one.
func (d *jsonDecoder) paramValue(el *xmlElement, v, value *jsonValue) error {
	v.get("number") // derived
	inElement := false
	if m := v.get("value_element"); m != nil {
		if m.kind != 't' && m.kind != 'f' {
			d.path.member("value_element")
			return d.fail("this must be true or false, not " + m.what())
		}
		inElement = m.kind == 't'
	}
	if value == nil {
		if inElement {
			d.path.member("value_element")
			return d.fail("there is no value to put into an element")
		}
		return nil
	}
	if value.kind == '[' || value.kind == '{' {
		d.path.member("value")
		return d.fail("a value is one text, number or boolean, not " + value.what())
	}
	text := value.literal()
	if err := d.in("value", func() error { return d.carried(text) }); err != nil {
		return err
	}
	if inElement {
		el.valueText, el.hasValueText = text, true
	} else {
		el.attrs = append(el.attrs, xmlAttr{name: "value", value: text})
	}
	if value.kind != '"' && !hasKey(v, "data_type") {
		kind := "string"
		if value.kind == '0' {
			kind = "int"
			if strings.ContainsAny(text, ".eE") {
				kind = "float"
			}
		}
		el.attrs = append(el.attrs, xmlAttr{name: "dataType", value: kind})
	}
	return nil
}

// hasKey is get without taking the member.
func hasKey(v *jsonValue, key string) bool {
	for i := range v.items {
		if v.items[i].key == key && v.items[i].kind != 'n' {
			return true
		}
	}
	return false
}

// children reads the members that stand for children, in the order of the shape.
func (d *jsonDecoder) children(el *xmlElement, s *jsonShape, v *jsonValue, system *string) (found bool, err error) {
	for i := range s.children {
		k := &s.children[i]
		if k.form == formFold {
			inner := &xmlElement{local: k.local}
			any, err := d.members(inner, k.shape, v, system)
			if err != nil {
				return false, err
			}
			if any {
				el.add(inner, i)
				found = true
			}
			continue
		}
		m := v.get(k.key)
		if m == nil {
			if err := d.orphans(k, v); err != nil {
				return false, err
			}
			if k.local == "Value" && s == paramShape && el.hasValueText {
				el.add(&xmlElement{local: k.local, leaf: true, text: el.valueText}, i)
				found = true
			}
			continue
		}
		found = true
		if k.local == "Value" && s == paramShape && el.hasValueText {
			d.path.member(k.key)
			return false, d.fail("a Param has one element Value, and value_element already says what it holds")
		}
		err := d.in(k.key, func() error {
			if !k.many {
				return d.child(el, i, k, m, v)
			}
			return d.each(m, func(x *jsonValue) error { return d.child(el, i, k, x, v) })
		})
		if err != nil {
			return false, err
		}
	}
	return found, nil
}

// orphans refuses the attributes of a child that is not there.
func (d *jsonDecoder) orphans(k *jsonChild, v *jsonValue) error {
	for _, a := range k.attrs {
		if v.get(a.key) != nil {
			d.path.member(a.key)
			return d.fail("this belongs to " + k.key + ", which is missing")
		}
	}
	return nil
}

// child builds one child of el from its value.
func (d *jsonDecoder) child(el *xmlElement, i int, k *jsonChild, m, around *jsonValue) (err error) {
	c := &xmlElement{local: k.local}
	switch k.form {
	case formText:
		c.leaf = true
		c.text, err = d.str(m)
	case formNumber:
		c.leaf = true
		c.text, err = d.strOrNumber(m)
	case formObject:
		c, err = d.object(k.local, k.shape, m)
	case formItems:
		err = d.items(c, k.shape, m)
	case formRows:
		err = d.rows(c, m)
	case formFold:
		panic("voevent: a folded element has no value of its own")
	}
	if err != nil {
		return err
	}
	if len(k.attrs) > 0 {
		step := d.path[len(d.path)-1]
		d.path.up() // the neighbours lie beside the child
		for x := range k.attrs {
			if a := around.get(k.attrs[x].key); a != nil {
				if err := d.attr(c, &k.attrs[x], a); err != nil {
					return err
				}
			}
		}
		d.path = append(d.path, step)
	}
	el.add(c, i)
	return nil
}

// items reads a list of objects of one member each.
func (d *jsonDecoder) items(el *xmlElement, s *jsonShape, v *jsonValue) error {
	return d.each(v, func(x *jsonValue) error {
		if x.kind != '{' || len(x.items) != 1 {
			return d.fail("each element of this list is an object with exactly one member, one of " + wordList(itemKeys(s)))
		}
		m := &x.items[0]
		for i := range s.children {
			k := &s.children[i]
			if k.key != m.key {
				continue
			}
			return d.in(k.key, func() error {
				if k.many {
					return d.each(m, func(y *jsonValue) error { return d.child(el, i, k, y, x) })
				}
				return d.child(el, i, k, m, x)
			})
		}
		d.path.member(m.key)
		return d.fail(unknownMember(m.key, itemKeys(s)))
	})
}

func itemKeys(s *jsonShape) []string {
	ks := make([]string, 0, len(s.children))
	for i := range s.children {
		ks = append(ks, s.children[i].key)
	}
	return ks
}

func (d *jsonDecoder) rows(el *xmlElement, v *jsonValue) error {
	return d.each(v, func(x *jsonValue) error {
		row := &xmlElement{local: "TR", inline: true}
		el.add(row, 0)
		return d.each(x, func(y *jsonValue) error {
			text, err := d.str(y)
			row.add(&xmlElement{local: "TD", leaf: true, text: text}, 0)
			return err
		})
	})
}

// attributes reads an object of attributes that have no member of their own.
func (d *jsonDecoder) attributes(el *xmlElement, v *jsonValue) error {
	if v.kind != '{' {
		return d.fail("this must be an object { name: text, ... }, not " + v.what())
	}
	if len(v.items) > maxXMLAttrs {
		return d.fail("an element has at most " + strconv.Itoa(maxXMLAttrs) + " attributes")
	}
	for i := range v.items {
		m := &v.items[i]
		d.path.member(m.key)
		a := xmlAttr{name: m.key}
		local := m.key
		if rest, ok := strings.CutPrefix(m.key, "{"); ok {
			if a.space, local, ok = strings.Cut(rest, "}"); !ok || a.space == "" {
				return d.fail("an attribute in a namespace is named {namespace}name")
			}
			a.name, a.pointer = local, d.path.pointer()
			if err := d.carried(a.space); err != nil {
				return err
			}
		} else if prefix, rest, ok := strings.Cut(m.key, ":"); ok {
			if !isNCName(prefix) || prefix == "xmlns" {
				return d.fail(strconv.Quote(prefix) + " cannot be a prefix here")
			}
			a.prefix, a.name, local = prefix, rest, rest
			a.pointer = d.path.pointer()
		}
		if !isNCName(local) || a.prefix == "" && a.space == "" && local == "xmlns" {
			return d.fail(strconv.Quote(local) + " cannot be the name of an attribute")
		}
		var err error
		if a.value, err = d.str(m); err != nil {
			return err
		}
		for _, b := range el.attrs {
			if a.prefix == "" && a.space == "" && b.prefix == "" && b.space == "" && b.name == a.name {
				return d.fail("the element already has this attribute")
			}
		}
		el.attrs = append(el.attrs, a)
		d.path.up()
	}
	return nil
}

// nothingElse refuses the first member that nobody asked for.
func (d *jsonDecoder) nothingElse(v *jsonValue, known func() []string) error {
	for i := range v.items {
		if !v.items[i].taken {
			d.path.member(v.items[i].key)
			return d.fail(unknownMember(v.items[i].key, known()))
		}
	}
	return nil
}

// unknownMember says what is wrong with a name and which one may have been meant.
func unknownMember(key string, known []string) string {
	fold := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	best, least := "", 3
	for _, k := range known {
		if dist := editDistance(fold(key), fold(k), least); dist < least {
			best, least = k, dist
		}
	}
	if best != "" {
		return "the mapping has no such name here; " + best + " may be meant"
	}
	return "the mapping has no such name here; it knows " + wordList(known)
}

func wordList(words []string) string {
	switch len(words) {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// editDistance counts the letters to change, insert or remove between two words, up to limit.
func editDistance(a, b string, limit int) int {
	if len(a) > 40 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for x := range row {
		row[x] = x
	}
	for y := 1; y <= len(a); y++ {
		diagonal := row[0]
		row[0] = y
		for x := 1; x <= len(b); x++ {
			cost := diagonal
			if a[y-1] != b[x-1] {
				cost = 1 + min(diagonal, row[x], row[x-1])
			}
			diagonal, row[x] = row[x], cost
		}
	}
	return min(row[len(b)], limit)
}

// isNCName reports whether s can be an XML name without colon, Namespaces in XML 1.0 §3.
func isNCName(s string) bool {
	for i, r := range s {
		switch {
		case r == '_', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z':
		case r >= 0xc0 && r <= 0x2ff && r != 0xd7 && r != 0xf7, r >= 0x370 && r <= 0x1fff && r != 0x37e,
			r == 0x200c, r == 0x200d, r >= 0x2070 && r <= 0x218f, r >= 0x2c00 && r <= 0x2fef,
			r >= 0x3001 && r <= 0xd7ff, r >= 0xf900 && r <= 0xfdcf, r >= 0xfdf0 && r <= 0xfffd,
			r >= 0x10000 && r <= 0xeffff:
		case i > 0 && (r == '-' || r == '.' || r >= '0' && r <= '9' || r == 0xb7 || r >= 0x300 && r <= 0x36f || r == 0x203f || r == 0x2040):
		default:
			return false
		}
	}
	return s != ""
}
