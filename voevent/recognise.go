package voevent

import (
	"slices"

	"tocsin/schemas"
	"tocsin/voevent/xmltree"
)

// The recogniser walks the tree along the tables of recognise_forms.go. It has two uses.
//
// As a gate it stops at the first thing it does not like or does not know, and says whether the document is surely valid.
// That takes a few microseconds for a real notice, against hundreds for the schema engine, which then need not run. It
// errs on one side only: what it passes, the engine passes; tests hold it to that on thousands of damaged notices.
//
// As an explainer it goes on, and collects what is wrong as findings. It runs when the engine has refused a document,
// because it knows the document and can name things, where the engine knows facets.
type walker struct {
	d       *xmltree.Document
	root    *form
	explain func(fault) // nil for the gate
	unsure  bool        // something only the engine can judge
	ids     [8]string
	nids    int
}

// A fault is one place where a document leaves its form.
type fault struct {
	kind  faultKind
	node  xmltree.Node  // the element at fault, or a text
	attr  *xmltree.Attr // the attribute at fault, nil when none
	form  *form         // of the element the fault is in
	value value
	name  string // what is missing, or of what there is too much
}

type faultKind uint8

const (
	badRoot faultKind = iota
	badText           // text between elements
	badContent
	badElement
	badAttribute
	badValue
	badOrder
	repeated
	missingElement
	missingAttribute
	missingContent
	repeatedID
)

const xsiNS = "http://www.w3.org/2001/XMLSchema-instance"

// surelyValid tells whether the document is valid by the schema of its version. False may mean either.
func surelyValid(d *xmltree.Document) bool {
	w := walker{d: d, root: roots[d.Space(d.Root())]}
	return w.root != nil && d.Local(d.Root()) == "VOEvent" && w.element(d.Root(), w.root) && !w.unsure
}

// fault reports one, and says whether to go on.
func (w *walker) fault(f fault) bool {
	if w.explain == nil {
		return false
	}
	w.explain(f)
	return true
}

func (w *walker) element(n xmltree.Node, f *form) bool {
	switch f.model {
	case openModel:
		return w.anything(n)
	case elsewhere:
		w.unsure = true
		return w.explain != nil
	}
	if !w.attributes(n, f) {
		return false
	}
	switch f.model {
	case wordsOnly:
		return w.words(n, f)
	case emptyOnly:
		if c := w.d.FirstChild(n); c != xmltree.None {
			return w.fault(fault{kind: badContent, node: n, form: f})
		}
		return true
	}
	return w.children(n, f)
}

func (w *walker) words(n xmltree.Node, f *form) bool {
	if c := w.d.FirstElement(n); c != xmltree.None {
		return w.fault(fault{kind: badElement, node: c, form: f})
	}
	if f.value != anyText && !matches(f.value, w.d.Value(n)) {
		return w.fault(fault{kind: badValue, node: n, form: f, value: f.value})
	}
	return true
}

// children checks content of elements. Both models keep a set of the kids seen; inOrder looks at slots besides.
func (w *walker) children(n xmltree.Node, f *form) bool {
	var seen uint32
	var slot uint8
	full := false // the slot has what may be in it
	last, any := 0, false
	for c := w.d.FirstChild(n); c != xmltree.None; c = w.d.NextSibling(c) {
		if w.d.Kind(c) == xmltree.Text {
			if !w.d.Blank(c) && !w.fault(fault{kind: badText, node: c, form: f}) {
				return false
			}
			continue
		}
		i := f.find(w.d.Local(c), last)
		if i < 0 || w.d.Space(c) != f.kids[i].space {
			if !w.fault(fault{kind: badElement, node: c, form: f}) {
				return false
			}
			// A qualified child is understood all the same, so that what else is wrong inside is said too.
			if i < 0 || w.d.Space(c) != w.d.Space(w.d.Root()) {
				continue
			}
		}
		k := &f.kids[i]
		bit := uint32(1) << i
		switch {
		case f.model == anyOrder && k.once && seen&bit != 0, f.model == inOrder && k.slot == slot && full:
			if !w.fault(fault{kind: repeated, node: c, form: f, name: k.name}) {
				return false
			}
		case f.model == inOrder && k.slot < slot:
			if !w.fault(fault{kind: badOrder, node: c, form: f}) {
				return false
			}
		}
		if k.slot >= slot {
			slot, full = k.slot, k.once
		}
		seen |= bit
		last, any = i, true
		if !w.element(c, k.form) {
			return false
		}
	}
	if f.some && !any {
		return w.fault(fault{kind: missingContent, node: n, form: f})
	}
	for i := range f.kids {
		if f.kids[i].must && seen&(1<<i) == 0 && !w.fault(fault{kind: missingElement, node: n, form: f, name: f.kids[i].name}) {
			return false
		}
	}
	return true
}

// find looks for a kid by name, first where the last one was: Params come in rows.
func (f *form) find(name string, last int) int {
	if last < len(f.kids) && f.kids[last].name == name {
		return last
	}
	for i := range f.kids {
		if f.kids[i].name == name {
			return i
		}
	}
	return -1
}

func (w *walker) attributes(n xmltree.Node, f *form) bool {
	as := w.d.Attrs(n)
	var seen uint32
next:
	for i := range as {
		a := &as[i]
		if a.Prefix != "" {
			if a.Space == xsiNS {
				if a.Local == "schemaLocation" || a.Local == "noNamespaceSchemaLocation" {
					continue
				}
				if a.Local == "type" || a.Local == "nil" { // legal here and there; the engine knows
					w.unsure = true
					continue
				}
			}
			if !w.fault(fault{kind: badAttribute, node: n, attr: a, form: f}) {
				return false
			}
			continue
		}
		for j := range f.attrs {
			if f.attrs[j].name != a.Local {
				continue
			}
			seen |= 1 << j
			if v := f.attrs[j].value; v != anyText && !w.attributeValue(n, a, f, v) {
				return false
			}
			continue next
		}
		if !w.fault(fault{kind: badAttribute, node: n, attr: a, form: f}) {
			return false
		}
	}
	for j := range f.attrs {
		if f.attrs[j].must && seen&(1<<j) == 0 && !w.fault(fault{kind: missingAttribute, node: n, form: f, name: f.attrs[j].name}) {
			return false
		}
	}
	return true
}

func (w *walker) attributeValue(n xmltree.Node, a *xmltree.Attr, f *form, v value) bool {
	if !matches(v, a.Value) {
		return w.fault(fault{kind: badValue, node: n, attr: a, form: f, value: v})
	}
	if v != idValue {
		return true
	}
	s := collapseSpace(a.Value)
	if slices.Contains(w.ids[:w.nids], s) {
		return w.fault(fault{kind: repeatedID, node: n, attr: a, form: f, value: v})
	}
	if w.nids == len(w.ids) {
		w.unsure = true
		return true
	}
	w.ids[w.nids] = s
	w.nids++
	return true
}

// anything checks an element that VOEvent 1.1 leaves open. Whatever is without a namespace passes there; what has one may
// be declared in a schema, which then applies.
func (w *walker) anything(n xmltree.Node) bool {
	as := w.d.Attrs(n)
	for i := range as {
		if as[i].Prefix != "" && (as[i].Space != xsiNS || as[i].Local != "schemaLocation") {
			w.unsure = true
		}
	}
	for c := w.d.FirstElement(n); c != xmltree.None; c = w.d.NextElement(c) {
		if w.d.Space(c) != "" {
			w.unsure = true
		}
		if !w.anything(c) {
			return false
		}
	}
	return !w.unsure || w.explain != nil
}

// formOf returns the form to explain a document by: that of its namespace, else that of the version it claims, else 2.0's.
func formOf(d *xmltree.Document) *form {
	if f := roots[d.Space(d.Root())]; f != nil {
		return f
	}
	version, _ := d.Attr(d.Root(), "version")
	switch collapseSpace(version) {
	case "1.1":
		return roots[schemas.VOEvent11NS]
	case "2.1":
		return roots[schemas.VOEvent21NS]
	}
	return roots[schemas.VOEvent20NS]
}
