package voevent

import (
	"strings"

	"tocsin/voevent/xmltree"
)

// The parts are read by local names, so that notices with another namespace, or with one on elements that should have none,
// are understood all the same.

func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// part returns the first child of the root of that name.
func (e *Event) part(local string) xmltree.Node { return e.doc.Child(e.doc.Root(), local) }

// value returns the trimmed text of a child, "" where there is none.
func (e *Event) value(n xmltree.Node, local string) string {
	return trim(e.doc.Value(e.doc.Child(n, local)))
}

func (e *Event) attr(n xmltree.Node, local string) string {
	v, _ := e.doc.Attr(n, local)
	return v
}

// each calls fn for the elements within n.
func (e *Event) each(n xmltree.Node, fn func(c xmltree.Node, local string)) {
	for c := e.doc.FirstElement(n); c != xmltree.None; c = e.doc.NextElement(c) {
		fn(c, e.doc.Local(c))
	}
}

func (e *Event) reference(n xmltree.Node) Reference {
	return Reference{URI: e.attr(n, "uri"), Type: e.attr(n, "type"), MimeType: e.attr(n, "mimetype"), Meaning: e.attr(n, "meaning")}
}

// Who returns the part. Like the other parts it is never nil; its Node is None when the notice has none.
func (e *Event) Who() *Who {
	e.whoOnce.Do(func() {
		w := &Who{Node: e.part("Who")}
		e.each(w.Node, func(c xmltree.Node, local string) {
			switch local {
			case "AuthorIVORN":
				setFirst(&w.AuthorIVORN, trim(e.doc.Value(c)))
			case "Date":
				setFirst(&w.Date, trim(e.doc.Value(c)))
			case "Author":
				if w.Author == nil {
					w.Author = e.readAuthor(c)
				}
			case "Description":
				w.Descriptions = append(w.Descriptions, e.doc.Value(c))
			case "Reference":
				w.References = append(w.References, e.reference(c))
			}
		})
		e.who = w
	})
	return e.who
}

func setFirst(to *string, v string) {
	if *to == "" {
		*to = v
	}
}

func (e *Event) readAuthor(n xmltree.Node) *Author {
	a := &Author{Node: n}
	e.each(n, func(c xmltree.Node, local string) {
		v := trim(e.doc.Value(c))
		switch local {
		case "title":
			setFirst(&a.Title, v)
		case "shortName":
			setFirst(&a.ShortName, v)
		case "logoURL":
			setFirst(&a.LogoURL, v)
		case "contactName":
			setFirst(&a.ContactName, v)
		case "contactEmail":
			setFirst(&a.ContactEmail, v)
		case "contactPhone":
			setFirst(&a.ContactPhone, v)
		case "contributor", "Contributor":
			a.Contributors = append(a.Contributors, Contributor{
				Name: v, IVORN: e.attr(c, "ivorn"), AltIdentifier: e.attr(c, "altIdentifier"), Role: e.attr(c, "role"),
			})
		}
	})
	return a
}

// What returns the part.
func (e *Event) What() *What {
	e.whatOnce.Do(func() {
		w := &What{Node: e.part("What")}
		e.each(w.Node, func(c xmltree.Node, local string) {
			switch local {
			case "Param":
				w.Params = append(w.Params, e.readParam(c))
			case "Group":
				w.Groups = append(w.Groups, e.readGroup(c))
			case "Table":
				w.Tables = append(w.Tables, e.readTable(c))
			case "Description":
				w.Descriptions = append(w.Descriptions, e.doc.Value(c))
			case "Reference":
				w.References = append(w.References, e.reference(c))
			}
		})
		e.what = w
	})
	return e.what
}

func (e *Event) readParam(n xmltree.Node) Param {
	p := Param{Node: n}
	for _, a := range e.doc.Attrs(n) {
		if a.Prefix != "" {
			continue
		}
		switch a.Local {
		case "name":
			p.Name = a.Value
		case "value":
			p.Value, p.HasValue = a.Value, true
		case "unit":
			p.Unit = a.Value
		case "ucd":
			p.UCD = a.Value
		case "dataType":
			p.DataType = a.Value
		case "utype":
			p.UType = a.Value
		}
	}
	if e.doc.FirstElement(n) == xmltree.None {
		return p
	}
	e.each(n, func(c xmltree.Node, local string) {
		switch local {
		case "Value":
			if !p.HasValue {
				p.Value, p.HasValue = e.doc.Value(c), true
			}
		case "Description":
			p.Descriptions = append(p.Descriptions, e.doc.Value(c))
		case "Reference":
			p.References = append(p.References, e.reference(c))
		}
	})
	return p
}

func (e *Event) readGroup(n xmltree.Node) Group {
	g := Group{Node: n, Name: e.attr(n, "name"), Type: e.attr(n, "type")}
	e.each(n, func(c xmltree.Node, local string) {
		switch local {
		case "Param":
			g.Params = append(g.Params, e.readParam(c))
		case "Description":
			g.Descriptions = append(g.Descriptions, e.doc.Value(c))
		case "Reference":
			g.References = append(g.References, e.reference(c))
		}
	})
	return g
}

func (e *Event) readTable(n xmltree.Node) Table {
	t := Table{Node: n, Name: e.attr(n, "name"), Type: e.attr(n, "type")}
	e.each(n, func(c xmltree.Node, local string) {
		switch local {
		case "Param":
			t.Params = append(t.Params, e.readParam(c))
		case "Field":
			f := Field{
				Node: c, Name: e.attr(c, "name"), UCD: e.attr(c, "ucd"), Unit: e.attr(c, "unit"),
				DataType: e.attr(c, "dataType"), UType: e.attr(c, "utype"),
			}
			e.each(c, func(c xmltree.Node, local string) {
				switch local {
				case "Description":
					f.Descriptions = append(f.Descriptions, e.doc.Value(c))
				case "Reference":
					f.References = append(f.References, e.reference(c))
				}
			})
			t.Fields = append(t.Fields, f)
		case "Data":
			t.Rows = append(t.Rows, e.readRows(c)...)
		case "Description":
			t.Descriptions = append(t.Descriptions, e.doc.Value(c))
		case "Reference":
			t.References = append(t.References, e.reference(c))
		}
	})
	return t
}

func (e *Event) readRows(data xmltree.Node) (rows [][]string) {
	e.each(data, func(tr xmltree.Node, local string) {
		if local != "TR" {
			return
		}
		row := []string{}
		e.each(tr, func(td xmltree.Node, local string) {
			if local == "TD" {
				row = append(row, e.doc.Value(td))
			}
		})
		rows = append(rows, row)
	})
	return rows
}

// Param returns the first Param of that name that is in no Group and no Table.
func (e *Event) Param(name string) (Param, bool) { return findParam(e.What().Params, name) }

// GroupParam returns the first Param of that name in any Group of that name: groups of one name are common.
func (e *Event) GroupParam(group, name string) (Param, bool) {
	gs := e.What().Groups
	for i := range gs {
		if gs[i].Name != group {
			continue
		}
		if p, ok := findParam(gs[i].Params, name); ok {
			return p, true
		}
	}
	return Param{}, false
}

func findParam(ps []Param, name string) (Param, bool) {
	for i := range ps {
		if ps[i].Name == name {
			return ps[i], true
		}
	}
	return Param{}, false
}

// How returns the part.
func (e *Event) How() *How {
	e.howOnce.Do(func() {
		h := &How{Node: e.part("How")}
		e.each(h.Node, func(c xmltree.Node, local string) {
			switch local {
			case "Description":
				h.Descriptions = append(h.Descriptions, e.doc.Value(c))
			case "Reference":
				h.References = append(h.References, e.reference(c))
			}
		})
		e.how = h
	})
	return e.how
}

// Why returns the part.
func (e *Event) Why() *Why {
	e.whyOnce.Do(func() {
		n := e.part("Why")
		w := &Why{Node: n, Importance: e.attr(n, "importance"), Expires: e.attr(n, "expires")}
		e.each(n, func(c xmltree.Node, local string) {
			switch local {
			case "Name":
				w.Names = append(w.Names, e.doc.Value(c))
			case "Concept":
				w.Concepts = append(w.Concepts, e.doc.Value(c))
			case "Inference":
				w.Inferences = append(w.Inferences, e.readInference(c))
			case "Description":
				w.Descriptions = append(w.Descriptions, e.doc.Value(c))
			case "Reference":
				w.References = append(w.References, e.reference(c))
			}
		})
		e.why = w
	})
	return e.why
}

func (e *Event) readInference(n xmltree.Node) Inference {
	i := Inference{Node: n, Probability: e.attr(n, "probability"), Relation: e.attr(n, "relation")}
	e.each(n, func(c xmltree.Node, local string) {
		switch local {
		case "Name":
			i.Names = append(i.Names, e.doc.Value(c))
		case "Concept":
			i.Concepts = append(i.Concepts, e.doc.Value(c))
		case "Description":
			i.Descriptions = append(i.Descriptions, e.doc.Value(c))
		case "Reference":
			i.References = append(i.References, e.reference(c))
		}
	})
	return i
}

// Citations returns what the notice cites, in the order written. Empty citations, which exist, are left out.
func (e *Event) Citations() []Citation {
	e.citationsOnce.Do(func() {
		e.each(e.part("Citations"), func(c xmltree.Node, local string) {
			if name := trim(e.doc.Value(c)); local == "EventIVORN" && name != "" {
				e.citations = append(e.citations, Citation{Node: c, IVORN: name, Cite: e.attr(c, "cite")})
			}
		})
	})
	return e.citations
}

// Description returns the text of the notice's own Description.
func (e *Event) Description() string { return e.doc.Value(e.part("Description")) }
