package voevent_test

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"testing"

	"tocsin/voevent"
	"tocsin/voevent/xmltree"
)

// elementOnly are the elements in which white space means nothing.
var elementOnly = strings.Fields(`VOEvent Who Author What Param Group Table Field Data TR WhereWhen ObsDataLocation
	ObservatoryLocation ObservationLocation AstroCoordSystem AstroCoords TimeFrame SpaceFrame Time TimeInstant TimeInterval
	Position2D Position3D Value2 Value3 Error2 Error3 How Why Inference Citations Reference`)

// c14n returns a document in the form of Canonical XML 1.1 without comments and processing instructions, white space in
// elementOnly elements dropped. Two documents with one such form say the same. The same is checked with libxml2 in internal/interop.
func c14n(t testing.TB, raw []byte) string {
	t.Helper()
	doc, err := xmltree.Parse(raw, xmltree.Limits{Bytes: 64 << 20, Depth: 1000, Nodes: 1 << 22, Attributes: 1000})
	if err != nil {
		t.Fatalf("not well-formed: %v\n%s", err, raw)
	}
	var b strings.Builder
	canonical(&b, doc, doc.Root(), map[string]string{"": "", "xml": "http://www.w3.org/XML/1998/namespace"}, map[string]string{"": ""})
	return b.String()
}

func canonical(b *strings.Builder, d *xmltree.Document, n xmltree.Node, scope, rendered map[string]string) {
	scope, rendered = maps.Clone(scope), maps.Clone(rendered)
	name := func(prefix, local string) string {
		if prefix == "" {
			return local
		}
		return prefix + ":" + local
	}
	for _, ns := range d.Namespaces(n) {
		scope[ns.Prefix] = ns.URI
	}
	b.WriteString("<" + name(d.Prefix(n), d.Local(n)))
	for _, p := range slices.Sorted(maps.Keys(scope)) {
		if was, ok := rendered[p]; p == "xml" || ok && was == scope[p] {
			continue
		}
		rendered[p] = scope[p]
		if p == "" {
			b.WriteString(" xmlns")
		} else {
			b.WriteString(" xmlns:" + p)
		}
		b.WriteString(`="` + attrEscaper.Replace(scope[p]) + `"`)
	}
	attrs := slices.Clone(d.Attrs(n))
	sort.Slice(attrs, func(i, j int) bool {
		if attrs[i].Space != attrs[j].Space {
			return attrs[i].Space < attrs[j].Space
		}
		return attrs[i].Local < attrs[j].Local
	})
	for _, a := range attrs {
		b.WriteString(" " + name(a.Prefix, a.Local) + `="` + attrEscaper.Replace(a.Value) + `"`)
	}
	b.WriteString(">")
	for c := d.FirstChild(n); c != xmltree.None; c = d.NextSibling(c) {
		switch {
		case d.Kind(c) == xmltree.Element:
			canonical(b, d, c, scope, rendered)
		case slices.Contains(elementOnly, d.Local(n)) && strings.Trim(d.Text(c), " \t\r\n") == "":
		default:
			b.WriteString(textEscaper.Replace(d.Text(c)))
		}
	}
	b.WriteString("</" + name(d.Prefix(n), d.Local(n)) + ">")
}

var (
	attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
	textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
)

// roundTrip checks that a notice survives XML -> JSON -> XML, and its JSON -> XML -> JSON, and returns the JSON.
func roundTrip(t testing.TB, raw []byte) []byte {
	t.Helper()
	e, err := voevent.ParseLimits(raw, voevent.Limits{Bytes: 8 << 20, Depth: 200, Nodes: 1 << 20})
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, raw)
	}
	js, err := voevent.ToJSON(e, voevent.JSONOptions{})
	if err != nil {
		t.Fatalf("ToJSON: %v\n%s", err, raw)
	}
	back, err := voevent.FromJSON(js)
	if err != nil {
		t.Fatalf("FromJSON: %v\n%s\nof\n%s", err, js, raw)
	}
	if want, got := c14n(t, raw), c14n(t, back); want != got {
		at := 0
		for at < len(want) && at < len(got) && want[at] == got[at] {
			at++
		}
		from := max(0, at-60)
		t.Fatalf("XML -> JSON -> XML differs\nwant ...%s\ngot  ...%s\nJSON %s\nXML %s",
			want[from:min(len(want), at+60)], got[from:min(len(got), at+60)], js, raw)
	}
	e2, err := voevent.ParseLimits(back, voevent.Limits{Bytes: 64 << 20, Depth: 200, Nodes: 1 << 22})
	if err != nil {
		t.Fatalf("Parse of FromJSON's result: %v\n%s", err, back)
	}
	again, err := voevent.ToJSON(e2, voevent.JSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(js) {
		t.Fatalf("JSON -> XML -> JSON differs\nfirst %s\nthen  %s\nXML %s", js, again, back)
	}
	return js
}
