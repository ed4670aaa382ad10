package voevent_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The names that may stand in each element, and its attributes: enough to make most of what is drawn ordinary.
var likely = map[string]string{
	"VOEvent":             "Who What WhereWhen How Why Citations Description Reference",
	"Who":                 "AuthorIVORN Date Description Reference Author",
	"Author":              "title shortName logoURL contactName contactEmail contactPhone contributor Contributor",
	"What":                "Param Group Table Description Reference",
	"Group":               "Param Description Reference",
	"Param":               "Description Reference Value",
	"Table":               "Description Reference Param Field Data",
	"Field":               "Description Reference",
	"Data":                "TR",
	"TR":                  "TD",
	"WhereWhen":           "ObsDataLocation Description Reference",
	"ObsDataLocation":     "ObservatoryLocation ObservationLocation",
	"ObservatoryLocation": "AstroCoordSystem AstroCoords",
	"ObservationLocation": "AstroCoordSystem AstroCoords",
	"AstroCoordSystem":    "TimeFrame SpaceFrame",
	"TimeFrame":           "Name ReferencePosition TimeScale",
	"SpaceFrame":          "Name SpaceRefFrame CoordFlavor ReferencePosition",
	"AstroCoords":         "Time PositionName Position2D Position3D",
	"Time":                "TimeInstant TimeInterval Error",
	"TimeInstant":         "ISOTime TimeOffset TimeScale",
	"TimeInterval":        "ISOTimeStart ISOTimeStop",
	"Position2D":          "Name1 Name2 Value2 Error2Radius Error2",
	"Position3D":          "Name1 Name2 Name3 Value3 Error3",
	"Value2":              "C1 C2", "Error2": "C1 C2", "Value3": "C1 C2 C3", "Error3": "C1 C2 C3",
	"How":       "Description Reference",
	"Why":       "Name Concept Inference Description Reference",
	"Inference": "Name Concept Description Reference",
	"Citations": "EventIVORN Description",
}

var (
	oddNames   = strings.Fields("Param Who C1 Error Reference ext Data Value2 WhereWhen AstroCoords Name")
	attributes = strings.Fields("name value unit ucd dataType utype type uri mimetype meaning id coord_system_id importance expires probability relation cite pos_unit altIdentifier role ivorn datatype odd x:odd y:odd xml:lang")
	values     = []string{"", " ", "1", "1", "-1.50", "1e5", "+1", "NaN", "UTC-ICRS-TOPO", "a<b>&\"'c", "\t\n\r", "é\u2028𝒳", "]]>", "=====", " 2 ", "ns1"}
)

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;")

// drawElement writes a random element into b. Most are what the mapping knows, some are not; prefixes x and y mean the
// same, and p is that of the root.
func drawElement(t *rapid.T, b *strings.Builder, name, prefix string, depth int) {
	rare := func(what string) bool { return rapid.IntRange(0, 19).Draw(t, what) == 0 }
	child := prefix
	if name == "VOEvent" {
		child = ""
	} else if rare("prefix") {
		prefix = rapid.SampledFrom([]string{"p", "x", "y", "stc"}).Draw(t, "which")
		child = prefix
	}
	tag := name
	if prefix != "" {
		tag = prefix + ":" + name
	}
	b.WriteString("<" + tag)
	switch {
	case name == "VOEvent":
		b.WriteString(` xmlns:p="http://www.ivoa.net/xml/VOEvent/v2.0" xmlns:x="urn:x" xmlns:y="urn:x" xmlns:stc="http://www.ivoa.net/xml/STC/stc-v1.30.xsd" version="2.0" ivorn="ivo://org.example/r#1"`)
	case rare("default namespace"):
		b.WriteString(` xmlns="` + rapid.SampledFrom([]string{"", "urn:d", "http://www.ivoa.net/xml/STC/stc-v1.30.xsd"}).Draw(t, "uri") + `"`)
	case rare("declaration"):
		b.WriteString(` xmlns:x="` + rapid.SampledFrom([]string{"urn:x", "urn:z"}).Draw(t, "uri") + `"`)
	}
	for _, a := range rapid.SliceOfNDistinct(rapid.SampledFrom(attributes), 0, 3, rapid.ID[string]).Draw(t, "attributes") {
		if name == "VOEvent" && (a == "ivorn" || strings.Contains(a, ":")) {
			continue
		}
		if a == "y:odd" && strings.Contains(b.String()[strings.LastIndex(b.String(), "<"):], "x:odd") {
			continue // may be the same attribute
		}
		if a == "x:odd" && strings.Contains(b.String()[strings.LastIndex(b.String(), "<"):], "y:odd") {
			continue
		}
		b.WriteString(" " + a + `="` + xmlEscaper.Replace(rapid.SampledFrom(values).Draw(t, a)) + `"`)
	}
	b.WriteString(">")
	names, container := likely[name]
	if !container || rare("text") {
		b.WriteString(xmlEscaper.Replace(rapid.SampledFrom(values).Draw(t, "text")))
	}
	if depth < 9 && (container || rare("nested")) {
		for range rapid.IntRange(0, 5).Draw(t, "children") {
			switch {
			case rare("stray"):
				b.WriteString(xmlEscaper.Replace(rapid.SampledFrom(values).Draw(t, "stray text")))
			case rare("comment"):
				b.WriteString("<!-- c --><?pi?>")
			case rare("white"):
				b.WriteString("\n  ")
			case names == "" || rare("odd"):
				drawElement(t, b, rapid.SampledFrom(oddNames).Draw(t, "odd name"), child, depth+1)
			default:
				drawElement(t, b, rapid.SampledFrom(strings.Fields(names)).Draw(t, "child"), child, depth+1)
			}
		}
	}
	b.WriteString("</" + tag + ">")
}

func TestJSONKeepsRandomNotices(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var b strings.Builder
		drawElement(rt, &b, "VOEvent", "p", 1)
		js := roundTrip(rapidT{t, rt}, []byte(b.String()))
		matchesSchema(rapidT{t, rt}, js)
	})
}

// rapidT lets helpers that want a testing.TB report to rapid, so that it can shrink.
type rapidT struct {
	testing.TB
	rt *rapid.T
}

func (r rapidT) Fatalf(format string, args ...any) { r.rt.Fatal(fmt.Sprintf(format, args...)) }
func (r rapidT) Fatal(args ...any)                 { r.rt.Fatal(args...) }
func (r rapidT) Errorf(format string, args ...any) { r.rt.Fatal(fmt.Sprintf(format, args...)) }
func (r rapidT) Helper()                           {}
