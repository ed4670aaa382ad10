package voevent

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"tocsin/internal/testbed"

	"github.com/google/go-cmp/cmp"
)

// A damage replaces the first from by to in a fixture, and says which finding must come of it.
type damage struct {
	name     string
	base     string // of testdata/valid; burst-2.0.xml when empty
	from, to string
	code     string
	path     string
	says     string // part of the message
}

var damages = []damage{
	// What people really send.
	{name: "datatype as GECAM writes it", from: `dataType="int" ucd`, to: `datatype="int" ucd`, code: "datatype-lowercase", path: "/VOEvent/What/Param[1]/@datatype", says: `Param "Serial" has the attribute datatype. It is written dataType`},
	{name: "bool as ANTARES writes it", from: `value="0x1A"`, to: `value="true" dataType="bool"`, code: "datatype-unknown", path: "/VOEvent/What/Param[3]/@dataType", says: `Param "Flags" has dataType="bool": allowed are string, float and int`},
	{name: "units", from: `unit="sigma"`, to: `units="sigma"`, code: "units-for-unit", path: "/VOEvent/What/Param[2]/@units", says: `Param "Significance"`},
	{name: "role as H.E.S.S. writes it", from: `role="observation"`, to: `role="observe"`, code: "role-unknown", path: "/VOEvent/@role", says: `role="observe": allowed are observation, prediction, utility and test`},
	{name: "no role", from: ` role="observation"`, to: ``, code: "role-missing", path: "/VOEvent", says: "no role"},
	{name: "text in a Group as IPN writes it", from: "<Param name=\"Occulted\"", to: "see below<Param name=\"Occulted\"", code: "text-in-element-only", path: "/VOEvent/What/Group[2]", says: `Group "Flags" holds the text "see below"`},
	{name: "coordinate system in another order", from: `<AstroCoordSystem id="UTC-FK5-GEO"/>`, to: `<AstroCoordSystem id="FK5-UTC-GEO"/>`, code: "coord-system-unknown", path: "/VOEvent/WhereWhen/ObsDataLocation/ObservationLocation/AstroCoordSystem/@id", says: "FK5-UTC-GEO"},
	{name: "two coordinate systems", from: `coord_system_id="UTC-FK5-GEO"`, to: `coord_system_id="UTC-ICRS-GEO"`, code: "coord-system-mismatch", path: "/VOEvent/WhereWhen/ObsDataLocation/ObservationLocation/AstroCoords", says: "UTC-ICRS-GEO"},
	{name: "impossible ISOTime", from: `07:08:09.10</ISOTime>`, to: `569:03:04.96</ISOTime>`, code: "isotime-unreadable", path: "/VOEvent/WhereWhen/ObsDataLocation/ObservationLocation/AstroCoords/Time/TimeInstant/ISOTime", says: "569"},
	{name: "no namespace", from: `xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0"`, to: `xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" `, code: ""},
	{name: "https", from: `"http://www.ivoa.net/xml/VOEvent/v2.0"`, to: `"https://www.ivoa.net/xml/VOEvent/v2.0"`, code: "https-namespace", path: "/VOEvent", says: "begin with http:"},
	{name: "another namespace", from: `"http://www.ivoa.net/xml/VOEvent/v2.0"`, to: `"http://www.ivoa.net/xml/VOEvent/v1.0"`, code: "unknown-namespace", path: "/VOEvent", says: "v1.0"},
	{name: "another version", from: `version="2.0">`, to: `version="1.1">`, code: "version-mismatch", path: "/VOEvent/@version", says: "version 2.0"},
	{name: "no version", from: ` version="2.0">`, to: `>`, code: "version-mismatch", path: "/VOEvent", says: "no attribute version"},
	{name: "no error radius", from: `<Error2Radius>0.25</Error2Radius>`, to: ``, code: "error-radius-missing", path: "/VOEvent/WhereWhen/ObsDataLocation/ObservationLocation/AstroCoords/Position2D", says: "Error2Radius"},
	{name: "negative radius as SVOM writes it", from: `<Error2Radius>0.25<`, to: `<Error2Radius>-1.0000<`, code: "error-radius-negative", says: "-1.0000"},
	{name: "supercedes", from: `cite="supersedes"`, to: `cite="supercedes"`, code: "cite-misspelt", path: "/VOEvent/Citations/EventIVORN[2]/@cite", says: "supersedes"},
	{name: "another kind of citation", from: `cite="supersedes"`, to: `cite="update"`, code: "cite-unknown", says: `cite="update"`},
	{name: "no cite", from: ` cite="supersedes"`, to: ``, code: "cite-missing", path: "/VOEvent/Citations/EventIVORN[2]", says: "b-early"},
	{name: "empty citation", from: `>ivo://org.example.watch/bursts#b-early<`, to: `><`, code: "citation-empty", says: "names no notice"},
	{name: "itself", from: `>ivo://org.example.watch/bursts#b-early<`, to: `>ivo://org.example.watch/bursts#b-2031-05-06T07:08:09.10<`, code: "citation-self", says: "itself"},
	{name: "group in group", from: `<Param name="Occulted" value="false"/>`, to: `<Group name="inner"><Param name="Occulted" value="false"/></Group>`, code: "group-in-group", path: "/VOEvent/What/Group[2]/Group", says: `Group "inner" is inside Group "Flags"`},
	{name: "two Params of one name", from: `name="Flags" value`, to: `name="Serial" value`, code: "param-duplicate", path: "/VOEvent/What/Param[3]", says: `"Serial"`},
	{name: "two Params of one name in a Group", from: `name="Saturated"`, to: `name="Occulted"`, code: "param-duplicate", path: "/VOEvent/What/Group[2]/Param[2]", says: "in its Group"},
	{name: "two Groups of one name", from: `<Group name="Flags">`, to: `<Group name="Light_curve">`, code: "group-duplicate", path: "/VOEvent/What/Group[2]", says: "Light_curve"},
	{name: "Param without a name", from: `<Param name="Flags" value`, to: `<Param value`, code: "param-no-name", path: "/VOEvent/What/Param[3]", says: "no name"},
	{name: "float that is none", from: `value="8.25"`, to: `value=""`, code: "value-not-of-datatype", path: "/VOEvent/What/Param[2]", says: `it is a float, but its value is ""`},
	{name: "int that is none", from: `value="17"`, to: `value="83158.81"`, code: "value-not-of-datatype", path: "/VOEvent/What/Param[1]", says: "int"},
	{name: "two values", from: `<Param name="Remark">`, to: `<Param name="Remark" value="x">`, code: "value-twice", says: "attribute counts"},
	{name: "filler", from: `<C1>123.4567</C1>`, to: `<C1>0</C1>`, code: ""},
	{name: "filler marked by GCN", from: `<Param name="Flags" value="0x1A"/>`, to: `<Param name="Coords_String" value="unavailable/inappropriate"/>`, code: "position-filler", says: "filler"},
	{name: "coordinates exchanged", from: `<C2>-12.345</C2>`, to: `<C2>112.345</C2>`, code: "position-out-of-range", says: "112.345"},
	{name: "importance in per cent", from: `importance="0.75"`, to: `importance="75"`, code: "importance-range", path: "/VOEvent/Why/@importance", says: `"75"`},
	{name: "no local part", from: `bursts#b-2031-05-06T07:08:09.10"`, to: `bursts"`, code: "ivorn-no-local", path: "/VOEvent/@ivorn", says: "names a stream"},
	{name: "not an IVORN", from: `ivorn="ivo://org.example.watch/bursts#b-2031-05-06T07:08:09.10"`, to: `ivorn="http://example.org/1"`, code: "ivorn-malformed", path: "/VOEvent/@ivorn", says: "malformed"},
	{name: "no date", from: `<Date>2031-05-06T07:09:00</Date>`, to: ``, code: "date-missing", path: "/VOEvent/Who", says: "no Date"},
	{name: "date in another form", from: `<Date>2031-05-06T07:09:00</Date>`, to: `<Date>2031-5-6 7:09</Date>`, code: "bad-date", path: "/VOEvent/Who/Date", says: `"2031-5-6 7:09"`},
	{name: "leap second in Date", from: `<Date>2031-05-06T07:09:00</Date>`, to: `<Date>2016-12-31T23:59:60</Date>`, code: "bad-date", path: "/VOEvent/Who/Date", says: `23:59:60`},
	{name: "white space in Date", from: `<Date>2031-05-06T07:09:00</Date>`, to: `<Date> 2031-05-06T07:09:00</Date>`, code: "date-white-space", path: "/VOEvent/Who/Date", says: "libxml2"},
	{name: "no author", base: "update-2.0.xml", code: "author-missing", path: "/VOEvent/Who", says: "neither"},
	{name: "no Who", base: "smallest-2.0.xml", code: "date-missing", path: "/VOEvent", says: "no Who"},
	{name: "a NUL at the end", from: "</voe:VOEvent>\n", to: "</voe:VOEvent>\n\x00", code: "trailing-nul", path: "/VOEvent", says: "NUL"},

	// What else the schema forbids.
	{name: "qualified children", from: `<Who>`, to: `<Who xmlns="http://www.ivoa.net/xml/VOEvent/v2.0">`, code: "children-qualified", path: "/VOEvent/Who", says: "Who is in the namespace of VOEvent"},
	{name: "element of another language", from: `<How>`, to: `<How><x:Spectrum xmlns:x="urn:x"/>`, code: "foreign-element", path: "/VOEvent/How/Spectrum", says: "urn:x"},
	{name: "attribute of another language", from: `<How>`, to: `<How xmlns:x="urn:x" x:y="1">`, code: "foreign-attribute", path: "/VOEvent/How/@y", says: "x:y"},
	{name: "unknown attribute", from: `<Param name="Flags"`, to: `<Param nme="Flags"`, code: "unknown-attribute", path: "/VOEvent/What/Param[3]/@nme", says: "Is name meant?"},
	{name: "unknown element", from: `<Param name="Flags" value="0x1A"/>`, to: `<param name="Flags" value="0x1A"/>`, code: "unknown-element", path: "/VOEvent/What/param", says: "Is Param meant?"},
	{name: "misplaced element", from: `<How>`, to: `<How><Param name="f" value="1"/>`, code: "misplaced-element", path: "/VOEvent/How/Param", says: `Param "f" is not allowed in How. Allowed there: Description, Reference.`},
	{name: "element in text", from: `<Description>Wide camera`, to: `<Description>Wide <b>camera</b>`, code: "element-in-text", path: "/VOEvent/How/Description/b", says: "text only"},
	{name: "two Whats", from: `<How>`, to: `<What/><How>`, code: "repeated-element", path: "/VOEvent/What[2]", says: "more than one What"},
	{name: "one coordinate", from: `<C2>-12.345</C2>`, to: ``, code: "missing-element", says: "Value2 has no C2"},
	{name: "Reference to nowhere", from: `<Reference uri="http://watch.example.org/camera" type="url"/>`, to: `<Reference type="url"/>`, code: "missing-attribute", path: "/VOEvent/How/Reference", says: "no attribute uri"},
	{name: "How with nothing in it", from: "<How>\n    <Description>Wide camera, 30 mm.</Description>\n    <Reference uri=\"http://watch.example.org/camera\" type=\"url\"/>\n  </How>", to: "<How/>", code: "empty-element", path: "/VOEvent/How", says: "at least one of Description, Reference"},
	{name: "white space in a Reference", from: `<Reference uri="http://watch.example.org/camera" type="url"/>`, to: `<Reference uri="http://watch.example.org/camera" type="url"> </Reference>`, code: "not-empty", path: "/VOEvent/How/Reference", says: "not even white space"},
	{name: "citations in the wrong order", from: "<Citations>", to: "<Citations><Description>first</Description>", code: "wrong-order", path: "/VOEvent/Citations/EventIVORN[1]", says: "EventIVORN, Description"},
	{name: "sexagesimal", from: `<C1>123.4567</C1>`, to: `<C1>08h13m49s</C1>`, code: "not-a-number", says: `C1 is "08h13m49s"`},
	{name: "probability in per cent", from: `probability="0.9"`, to: `probability="90"`, code: "probability-range", path: "/VOEvent/Why/Inference/@probability", says: "from 0 to 1"},
	{name: "not a URI", from: `uri="http://watch.example.org/camera"`, to: `uri="http://watch.example.org:port/"`, code: "bad-uri", path: "/VOEvent/How/Reference/@uri", says: "port"},
	{name: "bad id", from: `id="w1"`, to: `id="1 w"`, code: "bad-id", path: "/VOEvent/WhereWhen/@id", says: "begin with a letter"},
	{name: "ragged table", from: `<TD>7.4</TD>`, to: ``, code: "table-ragged", path: "/VOEvent/What/Table/Data/TR[1]", says: "1 cells, but the table has 2 Fields"},
	{name: "xsi:type that does not fit", from: `<Description>Wide camera`, to: `<Description xsi:type="Remark">Wide camera`, code: "schema", says: "schema of VOEvent 2.0"},

	// The other versions.
	{name: "role of a contributor", base: "interval-2.1.xml", from: `role="ProjectLeader"`, to: `role="PI"`, code: "contributor-role-unknown", path: "/VOEvent/Who/Author/Contributor[1]/@role", says: `role="PI"`},
	{name: "one id twice", base: "interval-2.1.xml", from: `<AstroCoordSystem id="site"/>`, to: `<AstroCoordSystem id="sky"/>`, code: "id-repeated", says: `"sky"`},
	{name: "order of 2.1", base: "interval-2.1.xml", from: `<Time unit="s">`, to: `<Position2D><Value2><C1>1</C1><C2>2</C2></Value2></Position2D><Time unit="s">`, code: "wrong-order", says: "Time, PositionName, Position2D, Position3D"},
	{name: "instant and interval", base: "interval-2.1.xml", from: `<TimeInterval>`, to: `<TimeInstant/><TimeInterval>`, code: "repeated-element", says: "one of TimeInterval and TimeInstant"},
	{name: "STC namespace forgotten", base: "burst-1.1.xml", from: ` xmlns="http://www.ivoa.net/xml/STC/stc-v1.30.xsd"`, to: ``, code: "stc-namespace-missing", path: "/VOEvent/WhereWhen/ObsDataLocation", says: "stc-v1.30"},
	{name: "STC number", base: "burst-1.1.xml", from: `<C1 pos_unit="deg">123.4567<`, to: `<C1 pos_unit="deg">x<`, code: "schema", says: "C1"},
	{name: "STC time", base: "burst-1.1.xml", from: `2006-05-06T07:08:09.10`, to: `2016-12-31T23:59:60`, code: "bad-date", says: "ISOTime"},
	{name: "unresolved reference", base: "burst-1.1.xml", from: `coord_system_id="UTC-FK5-GEO"`, to: `coord_system_id="FK5-UTC-GEO"`, code: "reference-unresolved", says: "FK5-UTC-GEO"},
	{name: "xlink to nowhere", base: "burst-1.1.xml", from: `Observatories#HILL`, to: `Observatories#HILL#1`, code: "bad-uri", path: "/VOEvent/WhereWhen/ObsDataLocation/ObservatoryLocation/@href", says: "HILL#1"},
	{name: "white space in an STC flavor", base: "burst-1.1.xml", from: `<SPHERICAL coord_naxes="2"/>`, to: `<SPHERICAL coord_naxes="2"> </SPHERICAL>`, code: "not-empty", says: "SPHERICAL must be empty"},
	{name: "xlink", base: "burst-1.1.xml", from: `xlink:type="simple"`, to: `xlink:type="url"`, code: "xlink-value", says: "simple"},
}

func (d damage) apply(t *testing.T) []byte {
	t.Helper()
	base := d.base
	if base == "" {
		base = "burst-2.0.xml"
	}
	text, err := os.ReadFile(filepath.Join("testdata", "valid", base))
	if err != nil {
		t.Fatal(err)
	}
	if d.from != "" && !bytes.Contains(text, []byte(d.from)) {
		t.Fatalf("%s has no %q", base, d.from)
	}
	return bytes.Replace(text, []byte(d.from), []byte(d.to), 1)
}

func findingsOf(t *testing.T, text []byte) []Finding {
	t.Helper()
	e, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return Validate(e)
}

func TestValidateNamesWhatIsWrongAndWhere(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			fs := findingsOf(t, d.apply(t))
			if d.code == "" {
				if len(fs) > 0 {
					t.Fatalf("findings in a notice that is in order: %+v", fs)
				}
				return
			}
			i := slices.IndexFunc(fs, func(f Finding) bool { return f.Code == d.code })
			if i < 0 {
				t.Fatalf("no finding %s, but %+v", d.code, fs)
			}
			f := fs[i]
			if d.path != "" && f.Path != d.path {
				t.Errorf("path %s, want %s", f.Path, d.path)
			}
			if !strings.Contains(f.Message, d.says) {
				t.Errorf("the message lacks %q: %s", d.says, f.Message)
			}
			if f.Line < 1 || f.Column < 1 || f.Link != "/findings/"+f.Code || f.Severity != codes[f.Code] {
				t.Errorf("incomplete: %+v", f)
			}
		})
	}
}

func TestAnOrdinaryNoticeHasNoFindings(t *testing.T) {
	for _, name := range []string{"burst-2.0.xml", "interval-2.1.xml", "burst-1.1.xml", "plain-1.1.xml"} {
		text, err := os.ReadFile(filepath.Join("testdata", "valid", name))
		if err != nil {
			t.Fatal(err)
		}
		if fs := findingsOf(t, text); fs != nil {
			t.Errorf("%s: %+v", name, fs)
		}
	}
}

func TestAFindingPointsAtItsPlace(t *testing.T) {
	text := "<?xml version=\"1.0\"?>\n<!-- é -->\n<v:VOEvent xmlns:v=\"http://www.ivoa.net/xml/VOEvent/v2.0\" version=\"2.0\" role=\"test\"\n ivorn=\"ivo://org.example/s#1\">" +
		"<Who><AuthorIVORN>ivo://org.example/é</AuthorIVORN><Date>2031-05-06T07:09:00</Date></Who>\n  <What><Description>é</Description><Param name=\"a\" datatype=\"int\" value=\"1\"/></What></v:VOEvent>"
	want := []Finding{{
		Code: "datatype-lowercase", Severity: Error, Line: 5, Column: 53, Path: "/VOEvent/What/Param/@datatype", Link: "/findings/datatype-lowercase",
		Message: `Param "a" has the attribute datatype. It is written dataType, with a capital T.`,
	}}
	if diff := cmp.Diff(want, findingsOf(t, []byte(text))); diff != "" {
		t.Error(diff)
	}
	// In UTF-16 the place is the same, and the encoding is remarked upon.
	utf := append([]byte{0xff, 0xfe}, func() (out []byte) {
		for _, u := range utf16.Encode([]rune(text)) {
			out = append(out, byte(u), byte(u>>8))
		}
		return out
	}()...)
	fs := findingsOf(t, utf)
	if len(fs) != 2 || fs[0].Code != "encoding-unusual" {
		t.Fatalf("findings in UTF-16: %+v", fs)
	}
	if diff := cmp.Diff(want, fs[1:]); diff != "" {
		t.Error(diff)
	}
}

func TestFindingsComeInTheOrderOfTheDocument(t *testing.T) {
	text := damage{from: `<Param name="Serial" value="17" dataType="int"`, to: `<Param name="Serial" value="1.7" datatype="int" units="x"`}.apply(t)
	text = bytes.Replace(text, []byte(`cite="followup"`), []byte(`cite="followUp"`), 1)
	text = bytes.Replace(text, []byte(`role="observation"`), []byte(`role="Observation"`), 1)
	var got []string
	for _, f := range findingsOf(t, text) {
		got = append(got, f.Code)
	}
	if diff := cmp.Diff([]string{"role-unknown", "datatype-lowercase", "units-for-unit", "cite-misspelt"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestThereAreNotMoreThanAHundredFindings(t *testing.T) {
	var params strings.Builder
	for i := range 300 {
		fmt.Fprintf(&params, `<Param name="p%d" value="1" datatype="int"/>`, i)
	}
	fs := findingsOf(t, damage{from: `<Param name="Serial"`, to: params.String() + `<Param name="Serial"`}.apply(t))
	if len(fs) != maxFindings+1 || fs[maxFindings].Code != "more-findings" {
		t.Fatalf("%d findings, the last is %s", len(fs), fs[len(fs)-1].Code)
	}
	// Warnings do not hide an error that comes after them.
	text := damage{from: `<Param name="Serial"`, to: strings.Repeat(`<Param value="1"/>`, 300) + `<Param name="Serial"`}.apply(t)
	if fs := findingsOf(t, text); !Valid(fs) || len(fs) != maxFindings+1 {
		t.Fatalf("valid %v with %d findings, want valid with %d", Valid(fs), len(fs), maxFindings+1)
	}
	text = bytes.Replace(text, []byte(`cite="followup"`), []byte(`cite="x"`), 1)
	if fs := findingsOf(t, text); Valid(fs) || len(fs) != maxFindings+1 {
		t.Fatalf("valid %v with %d findings, want invalid with %d", Valid(fs), len(fs), maxFindings+1)
	}
	// Not even when there are thousands.
	text = damage{from: `<Param name="Serial"`, to: strings.Repeat(`<Param value="1"/>`, 5000) + `<Param name="Serial"`}.apply(t)
	text = bytes.Replace(text, []byte(`cite="followup"`), []byte(`cite="x"`), 1)
	if fs := findingsOf(t, text); Valid(fs) || len(fs) != maxFindings+1 {
		t.Fatalf("valid %v with %d findings, want invalid with %d", Valid(fs), len(fs), maxFindings+1)
	}
}

func TestEveryFindingHasAPageAndEveryPageAFinding(t *testing.T) {
	seen := map[string]bool{}
	collect := func(fs []Finding) {
		for _, f := range fs {
			seen[f.Code] = true
		}
	}
	for _, d := range damages {
		collect(findingsOf(t, d.apply(t)))
	}
	odd := map[string]string{ // what no damage to a fixture brings about
		"no-namespace":     `<VOEvent version="2.0" ivorn="ivo://org.example/s#1"/>`,
		"encoding-unusual": "<?xml version='1.0' encoding='ISO-8859-1'?><v:VOEvent xmlns:v='http://www.ivoa.net/xml/VOEvent/v2.0' version='2.0' ivorn='ivo://org.example/s#1'/>",
		"more-findings":    `<v:VOEvent xmlns:v='http://www.ivoa.net/xml/VOEvent/v2.0' version='2.0' ivorn='ivo://org.example/s#1'><What>` + strings.Repeat(`<Param/>`, 200) + `</What></v:VOEvent>`,
	}
	for code, text := range odd {
		collect(findingsOf(t, []byte(text)))
		if !seen[code] {
			t.Errorf("no %s in %s", code, text)
		}
	}
	for _, code := range FindingCodes() {
		page, ok := FindingPage(code)
		if !ok {
			t.Errorf("%s has no page", code)
		}
		for _, part := range []string{"# ", "**What is wrong.**", "**Why it matters.**", "**Example.**", "**How to mend it.**", "`" + code + "`"} {
			if strings.Count(page, part) == 0 {
				t.Errorf("the page of %s lacks %q", code, part)
			}
		}
		if !seen[code] {
			t.Errorf("no test brings about %s", code)
		}
	}
	for code := range seen {
		if _, ok := codes[code]; !ok {
			t.Errorf("the code %s is on no list", code)
		}
	}
	if got, want := strings.Count(findingPages, "\n## "), len(codes); got != want {
		t.Errorf("%d pages for %d codes", got, want)
	}
	if _, ok := FindingPage("nothing"); ok {
		t.Error("there is a page for a code that does not exist")
	}
}

func TestValidateIsSafeForConcurrentUse(t *testing.T) {
	e, err := Parse(damage{from: `cite="followup"`, to: `cite="x"`}.apply(t))
	if err != nil {
		t.Fatal(err)
	}
	want := Validate(e)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if diff := cmp.Diff(want, Validate(e)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	all.Wait()
}

// The corpora come with the verdicts of libxml2 and the published schemas.
func TestTheCorpusHasItsPublishedVerdicts(t *testing.T) {
	dir := testbed.Corpus(t, "voevent")
	for _, row := range table(t, filepath.Join(dir, "MANIFEST.tsv")) {
		want := row["valid"] == "yes"
		checkVerdict(t, filepath.Join(dir, row["file"]), want)
	}
	dir = testbed.Corpus(t, "voevent-synthetic")
	refused := map[string]bool{ // by design: a document type
		"entity-in-attribute.xml": true, "external-dtd.xml": true, "parameter-entity.xml": true, "dtd-default-attribute.xml": true,
	}
	for _, row := range table(t, filepath.Join(dir, "SYNTHETIC.tsv")) {
		if strings.Contains(row["why"], "Transport") {
			continue
		}
		want := row["comet-2.0-xsd"] == "valid" && !refused[row["file"]]
		checkVerdict(t, filepath.Join(dir, row["file"]), want)
	}
}

func checkVerdict(t *testing.T, path string, want bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var why []string
	e, err := Parse(text)
	if err != nil {
		why = append(why, err.Error())
	} else {
		for _, f := range Validate(e) {
			if f.Severity == Error && f.Code != "ivorn-malformed" { // no rule of the schema
				why = append(why, f.Code+": "+f.Message)
			}
		}
	}
	if (len(why) == 0) != want {
		t.Errorf("%s: valid should be %v; findings %q", filepath.Base(path), want, why)
	}
}

func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, cell := range row {
			m[rows[0][i]] = cell
		}
		out = append(out, m)
	}
	if len(out) < 50 {
		t.Fatalf("only %d rows in %s", len(out), path)
	}
	return out
}

// FuzzValidate holds Validate to what must hold for whatever parses: it ends, its findings are complete, and the short cut
// of the recogniser changes nothing.
func FuzzValidate(f *testing.F) {
	for _, s := range validSamples(f) {
		f.Add(s.text)
	}
	for _, d := range damages {
		if d.base == "" {
			f.Add([]byte(`<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" ivorn="ivo://org.example/s#1"><What>` + d.to + `</What></v:VOEvent>`))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParseLimits(text, Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		fs := Validate(e)
		for _, x := range fs {
			if _, ok := FindingPage(x.Code); !ok || x.Message == "" || x.Severity != codes[x.Code] {
				t.Fatalf("incomplete finding %+v", x)
			}
		}
		c := &checker{e: e, d: e.doc}
		c.schema()
		c.rules()
		if diff := cmp.Diff(c.result(), fs); diff != "" {
			t.Fatalf("with the engine (-) and with the recogniser (+) findings differ:\n%s", diff)
		}
	})
}
