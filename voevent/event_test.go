package voevent_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/testbed"
	"tocsin/voevent"
	"tocsin/voevent/xmltree"
)

const ns20 = "http://www.ivoa.net/xml/VOEvent/v2.0"

// notice returns a notice with what is within the root element.
func notice(within string) string {
	return `<?xml version="1.0"?><v:VOEvent xmlns:v="` + ns20 + `" version="2.0" role="test" ivorn="ivo://org.example/stream#1">` + within + `</v:VOEvent>`
}

func parse(t testing.TB, doc string) *voevent.Event {
	t.Helper()
	e, err := voevent.Parse([]byte(doc))
	if err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return e
}

func TestParseReadsTheIdentity(t *testing.T) {
	t.Parallel()
	type identity struct {
		IVORN, Role, Version, Namespace, Stream string
		Malformed                               bool
	}
	for name, c := range map[string]struct {
		doc  string
		want identity
	}{
		"ordinary": {
			notice(""),
			identity{IVORN: "ivo://org.example/stream#1", Role: "test", Version: "2.0", Namespace: ns20, Stream: "org.example/stream"},
		},
		"role absent means observation": {
			`<VOEvent ivorn="ivo://org.example/s?1" version="2.1"/>`,
			identity{IVORN: "ivo://org.example/s?1", Role: "observation", Version: "2.1", Stream: "org.example/s"},
		},
		"unknown role, malformed name": {
			`<x:VOEvent xmlns:x="urn:x" ivorn="IVO://Org.Example/S#a b" role="TEST"/>`,
			identity{IVORN: "IVO://Org.Example/S#a b", Role: "TEST", Namespace: "urn:x", Stream: "org.example/S", Malformed: true},
		},
		"attributes with a prefix do not count": {
			`<VOEvent xmlns:x="urn:x" x:role="test" x:ivorn="ivo://org.example/x" ivorn="ivo://org.example/s#1"/>`,
			identity{IVORN: "ivo://org.example/s#1", Role: "observation", Stream: "org.example/s"},
		},
		"escaped name": {
			`<VOEvent ivorn="ivo://org.example/s#a&amp;b"/>`,
			identity{IVORN: "ivo://org.example/s#a&b", Role: "observation", Stream: "org.example/s"},
		},
		"id as in the first drafts": {
			`<VOEvent id="ivo://org.example/s#1"/>`,
			identity{IVORN: "ivo://org.example/s#1", Role: "observation", Stream: "org.example/s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := parse(t, c.doc)
			got := identity{e.IVORN.String(), string(e.Role), e.Version, e.Namespace, e.Stream(), e.IVORNErr != nil}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if e.Role.Known() != (e.Role != "TEST") {
				t.Errorf("role %q is known: %v", e.Role, e.Role.Known())
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const good = `<v:VOEvent ivorn="ivo://org.example/s#1" xmlns:v="urn:v"`
	for name, c := range map[string]struct{ doc, code, ivorn string }{
		"nothing":                 {"", voevent.CodeNotWellFormed, ""},
		"cut off":                 {good + ">", voevent.CodeNotWellFormed, "ivo://org.example/s#1"},
		"text before":             {"x" + good + "/>", voevent.CodeNotWellFormed, "ivo://org.example/s#1"},
		"document type":           {"<!DOCTYPE VOEvent>" + good + "/>", voevent.CodeDoctype, "ivo://org.example/s#1"},
		"name by an entity":       {`<!DOCTYPE a [<!ENTITY b "c">]><VOEvent ivorn="ivo://org.example/s#&b;"/>`, voevent.CodeDoctype, ""},
		"name without end":        {`<VOEvent ivorn="ivo://org.example/s#1`, voevent.CodeNotWellFormed, ""},
		"encoding":                {`<?xml version="1.0" encoding="KOI8-R"?>` + good + "/>", voevent.CodeEncoding, "ivo://org.example/s#1"},
		"oversize":                {good + ">" + strings.Repeat(" ", 1<<20) + "</v:VOEvent>", voevent.CodeOversize, "ivo://org.example/s#1"},
		"another root":            {`<Transport role="iamalive"/>`, voevent.CodeNotVOEvent, ""},
		"root in small letters":   {`<voevent ivorn="ivo://org.example/s#1"/>`, voevent.CodeNotVOEvent, ""},
		"no name":                 {`<VOEvent/>`, voevent.CodeIVORN, ""},
		"empty name":              {`<VOEvent ivorn=" "/>`, voevent.CodeIVORN, ""},
		"an id that is no name":   {`<VOEvent id="e1"/>`, voevent.CodeIVORN, ""},
		"name of another element": {`<a ivorn="ivo://org.example/s#1"><VOEvent>`, voevent.CodeNotWellFormed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := voevent.Parse([]byte(c.doc))
			pe, ok := errors.AsType[*voevent.ParseError](err)
			if !ok {
				t.Fatalf("%v", err)
			}
			if pe.Code != c.code || pe.IVORN != c.ivorn || pe.Text == "" {
				t.Errorf("%q %q %q, want %q %q", pe.Code, pe.IVORN, pe.Text, c.code, c.ivorn)
			}
			if _, syntax := errors.AsType[*xmltree.SyntaxError](err); syntax != (c.code != voevent.CodeNotVOEvent && c.code != voevent.CodeIVORN) {
				t.Errorf("wraps a syntax error: %v", syntax)
			}
		})
	}
}

func TestParseLimitsAreHeld(t *testing.T) {
	t.Parallel()
	doc := []byte(notice("<What><Param/></What>"))
	if _, err := voevent.ParseLimits(doc, voevent.Limits{Depth: 3}); err != nil {
		t.Error(err)
	}
	if _, err := voevent.ParseLimits(doc, voevent.Limits{Depth: 2}); err == nil {
		t.Error("deeper than the limit")
	}
}

func TestHashCoversTheElementAlone(t *testing.T) {
	t.Parallel()
	const element = `<VOEvent ivorn="ivo://org.example/s#1">` + "\r\n</VOEvent >"
	want := sha256.Sum256([]byte(element))
	for _, around := range [][2]string{{"", ""}, {"<?xml version='1.0'?>\n<!--x-->", "\n<!--signature-->\n"}, {"\ufeff", "\x00"}} {
		e := parse(t, around[0]+element+around[1])
		if e.SHA256() != want || string(e.Element()) != element || string(e.Raw()) != around[0]+element+around[1] {
			t.Errorf("%q: element %q", around, e.Element())
		}
	}
	if other := parse(t, strings.Replace(element, "\r", "", 1)); other.SHA256() == want {
		t.Error("other bytes have the same hash")
	}
}

func TestPartsAreRead(t *testing.T) {
	t.Parallel()
	e := parse(t, notice(`
		<Who><AuthorIVORN> ivo://a </AuthorIVORN><Date>2025-01-02T03:04:05</Date><Description>d</Description>
			<Author><title>T</title><title>no</title><contactEmail>e</contactEmail><contributor>c</contributor>
				<Contributor ivorn="ivo://c" altIdentifier="orcid" role="Editor">d</Contributor></Author></Who>
		<What><Param name="a" value="attribute" unit="s" ucd="u" dataType="int" utype="t"><Value>element</Value><Description>pd</Description><Reference uri="u" type="y" mimetype="m" meaning="n"/></Param>
			<Group name="g" type="1"><Param name="a" value="ga"/></Group><Param name="a" value="second"/><Param name="v"><Value> text </Value></Param><Param name="none"/>
			<Group name="g" type="2"><Param name="b" value="gb"/></Group>
			<Table name="t"><Param name="tp" value="1"/><Field name="f" unit="mag"/><Data><TR><TD>1</TD><TD/></TR><TR/></Data></Table><Description>wd</Description></What>
		<How><Description>hd</Description><Reference uri="hu"/></How>
		<Why importance=" 0.5 " expires="x"><Name>n</Name><Concept>c</Concept><Inference probability="0.9" relation="r"><Name>in</Name><Concept>ic</Concept></Inference></Why>
		<Citations><EventIVORN cite="followup"> ivo://b#1 </EventIVORN><EventIVORN cite="retraction"/><EventIVORN>ivo://b#2</EventIVORN></Citations>
		<Description>the end</Description>`))
	who := e.Who()
	if who.AuthorIVORN != "ivo://a" || who.Author.Title != "T" || who.Author.ContactEmail != "e" || len(who.Author.Contributors) != 2 ||
		who.Author.Contributors[1] != (voevent.Contributor{Name: "d", IVORN: "ivo://c", AltIdentifier: "orcid", Role: "Editor"}) {
		t.Errorf("%+v %+v", who, who.Author)
	}
	for name, want := range map[string]string{"a": "attribute", "v": " text ", "none": ""} {
		if p, ok := e.Param(name); !ok || p.Value != want || p.HasValue != (name != "none") {
			t.Errorf("Param %s: %+v, %v", name, p, ok)
		}
	}
	if _, ok := e.Param("tp"); ok {
		t.Error("a Param of a Table is found outside it")
	}
	p, _ := e.Param("a")
	if p.Unit != "s" || p.UCD != "u" || p.DataType != "int" || p.UType != "t" || p.Descriptions[0] != "pd" || p.References[0] != (voevent.Reference{URI: "u", Type: "y", MimeType: "m", Meaning: "n"}) {
		t.Errorf("%+v", p)
	}
	if p, ok := e.GroupParam("g", "b"); !ok || p.Value != "gb" {
		t.Errorf("Param b of the second group: %+v, %v", p, ok)
	}
	if _, ok := e.GroupParam("x", "a"); ok {
		t.Error("there is no group x")
	}
	table := e.What().Tables[0]
	if diff := cmp.Diff([][]string{{"1", ""}, {}}, table.Rows); diff != "" || table.Fields[0].Unit != "mag" || table.Params[0].Name != "tp" {
		t.Errorf("%+v %s", table, diff)
	}
	if v, ok := e.Importance(); !ok || v != 0.5 {
		t.Errorf("importance %v, %v", v, ok)
	}
	if w := e.Why(); w.Expires != "x" || w.Names[0] != "n" || w.Concepts[0] != "c" || w.Inferences[0].Probability != "0.9" || w.Inferences[0].Names[0] != "in" {
		t.Errorf("%+v", w)
	}
	if h := e.How(); h.Descriptions[0] != "hd" || h.References[0].URI != "hu" {
		t.Errorf("%+v", h)
	}
	var cites []string
	for _, c := range e.Citations() {
		cites = append(cites, c.Cite+" "+c.IVORN)
	}
	if diff := cmp.Diff([]string{"followup ivo://b#1", " ivo://b#2"}, cites); diff != "" {
		t.Error(diff)
	}
	if e.Description() != "the end" {
		t.Errorf("description %q", e.Description())
	}
}

func TestPartsOfAnEmptyNotice(t *testing.T) {
	t.Parallel()
	e := parse(t, notice(""))
	if e.Who().Node != xmltree.None || e.What().Node != xmltree.None || e.WhereWhen().Node != xmltree.None || e.How().Node != xmltree.None ||
		e.Why().Node != xmltree.None || e.Citations() != nil || e.Description() != "" {
		t.Error("something is there")
	}
	if _, ok := e.Position(); ok {
		t.Error("a position is there")
	}
	if _, ok := e.Time(); ok {
		t.Error("a time is there")
	}
	if _, ok := e.AuthorTime(); ok {
		t.Error("an author's time is there")
	}
	if _, ok := e.Importance(); ok {
		t.Error("an importance is there")
	}
}

func TestEventServesManyGoroutines(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/swift-bat-pos.xml")
	if err != nil {
		t.Fatal(err)
	}
	e := parse(t, string(raw))
	want := voevent.Line(parse(t, string(raw)).Summary())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := voevent.Line(e.Summary()); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
	wg.Wait()
}

// corpusFiles returns the published notices by path.
func corpusFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, corpus := range []string{"voevent", "voevent-synthetic"} {
		names, err := filepath.Glob(filepath.Join(testbed.Corpus(t, corpus), "*.xml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if files[name], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(files) < 370 {
		t.Fatalf("there are %d files only", len(files))
	}
	return files
}

func TestCorpusIsUnderstood(t *testing.T) {
	t.Parallel()
	refused := map[string]int{}
	timed, placed, named := 0, 0, 0
	for name, raw := range corpusFiles(t) {
		e, err := voevent.Parse(raw)
		if err != nil {
			pe, ok := errors.AsType[*voevent.ParseError](err)
			if !ok {
				t.Fatalf("%s: %v", name, err)
			}
			refused[pe.Code]++
			continue
		}
		if !bytes.HasPrefix(e.Element(), []byte("<")) && e.Doc().Encoding() == "UTF-8" || !bytes.Contains(raw, e.Element()) {
			t.Errorf("%s: the element is %.20q...", name, e.Element())
		}
		s := e.Summary()
		if _, ok := e.Time(); ok {
			timed++
		}
		if p, ok := e.Position(); ok {
			placed++
			if !p.Valid() || p.HasError && (p.ErrorDeg <= 0 || p.ErrorDeg >= 180) {
				t.Errorf("%s: %+v", name, p)
			}
			if c, ok := e.Param("Coords_String"); ok && strings.HasPrefix(c.Value, "unavailable") {
				t.Errorf("%s: a filler is taken for a position", name)
			}
		}
		if s.PacketType != nil && s.NoticeType == "" && *s.PacketType != 4 && *s.PacketType != 576 {
			t.Errorf("%s: GCN type %d has no name", name, *s.PacketType)
		}
		if s.NoticeType != "" {
			named++
		}
	}
	want := map[string]int{
		voevent.CodeNotWellFormed: 9, voevent.CodeDoctype: 8, voevent.CodeOversize: 2, voevent.CodeNotVOEvent: 3, voevent.CodeIVORN: 1,
	}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("refused (-want +got)\n%s", diff)
	}
	t.Logf("%d have a time, %d a position, %d a GCN type", timed, placed, named)
	if timed < 280 || placed < 200 || named < 240 {
		t.Errorf("too few: %d have a time, %d a position, %d a GCN type", timed, placed, named)
	}
}

func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/summary/*.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := voevent.Parse(raw)
		if err != nil {
			if pe, ok := errors.AsType[*voevent.ParseError](err); !ok || pe.Code == "" || pe.Text == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		s := e.Summary()
		if line := voevent.Line(s); strings.ContainsAny(line, "\n\r\t\x1b\u009b") {
			t.Errorf("%q is not one safe line", line)
		}
		if s.Localised != (s.RADeg != nil && s.DecDeg != nil) || s.ErrorDeg != nil && !s.Localised {
			t.Errorf("%+v", s)
		}
		if e.SHA256() != sha256.Sum256(e.Element()) {
			t.Error("the hash is of something else")
		}
		// The element alone has the same identity, if it is in UTF-8 without a declaration that says otherwise.
		if e.Doc().Encoding() == "UTF-8" {
			again, err := voevent.Parse(bytes.Clone(e.Element()))
			if err != nil || again.SHA256() != e.SHA256() || again.IVORN != e.IVORN || again.Role != e.Role {
				t.Errorf("the element alone: %v", err)
			}
		}
	})
}

func TestIVORNsKeepTheirParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		authority := rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9_.~*'()-]{2,12}`).Draw(t, "authority")
		resource := rapid.StringMatching(`([a-zA-Z0-9_~*'()-]{1,6}(/[a-zA-Z0-9_~*'()-]{1,6}){0,2})?`).Draw(t, "resource")
		local := rapid.StringMatching(`([#?][a-zA-Z0-9_.~*'()+=/%!$&,;:@?-]{0,20})?`).Draw(t, "local")
		text := "ivo://" + authority
		if resource != "" {
			text += "/" + resource
		}
		v, err := voevent.ParseIVORN(text + local)
		if err != nil {
			t.Fatalf("%s: %v", text+local, err)
		}
		if v.String() != text+local || v.Authority() != strings.ToLower(authority) || v.Resource() != resource || v.Local() != strings.TrimPrefix(strings.TrimPrefix(local, local[:min(1, len(local))]), "") {
			t.Fatalf("%s: %+v", text+local, v)
		}
		other, err := voevent.ParseIVORN("IVO://" + strings.ToUpper(text[len("ivo://"):]) + local)
		if err != nil || !v.Same(other) || v.Key() != other.Key() {
			t.Fatalf("%s and %s differ: %v", v, other, err)
		}
	})
}

func ExampleLine() {
	raw, _ := os.ReadFile("testdata/swift-bat-pos.xml")
	e, _ := voevent.Parse(raw)
	fmt.Println(voevent.Line(e.Summary()))
	// Output: nasa.gsfc.gcn/SWIFT  SWIFT_BAT_GRB_POS_ACK  2025-11-21 12:34:56.78  RA 04h58m57.9s Dec +25°18'49" ±3.0'
}

func BenchmarkParse(b *testing.B) {
	raw, err := os.ReadFile("testdata/swift-bat-pos.xml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := voevent.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSummary(b *testing.B) {
	raw, err := os.ReadFile("testdata/swift-bat-pos.xml")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		e, err := voevent.Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		if s := e.Summary(); !s.Localised {
			b.Fatal("no position")
		}
	}
}
