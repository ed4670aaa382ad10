package filter

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/internal/testbed"
	"tocsin/sky"
	"tocsin/voevent"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// notices of the tests; the position of the first is 74.7412, 25.3137 with an error of 3 arcminutes.
const (
	located = `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent ivorn="ivo://NASA.gsfc.gcn/SWIFT#BAT_GRB_Pos_655721-214" role="observation" version="2.0" xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0">
  <Who><AuthorIVORN>ivo://nasa.gsfc.tan/gcn</AuthorIVORN><Date>2015-09-17T22:51:00</Date></Who>
  <What>
    <Param name="Packet_Type" value="61"/>
    <Param name="TrigID" value="655721"/>
    <Param name="Burst_Inten" value="1632" unit="cts"/>
    <Param name="Rate_Signif" value=" 14.5 "/>
    <Param name="Grade" value="high"/>
    <Group name="Solution_Status"><Param name="Point_Source" value="true"/><Param name="Def_NOT_a_GRB" value="false"/></Group>
    <Group type="GW_SKYMAP"><Param name="skymap_fits" value="https://example.org/s.fits"/></Group>
  </What>
  <WhereWhen><ObsDataLocation><ObservatoryLocation id="GEOLUN"/><ObservationLocation>
    <AstroCoordSystem id="UTC-FK5-GEO"/>
    <AstroCoords coord_system_id="UTC-FK5-GEO">
      <Time unit="s"><TimeInstant><ISOTime>2015-09-17T22:50:38.55</ISOTime></TimeInstant></Time>
      <Position2D unit="deg"><Name1>RA</Name1><Name2>Dec</Name2><Value2><C1>74.7412</C1><C2>25.3137</C2></Value2><Error2Radius>0.0500</Error2Radius></Position2D>
    </AstroCoords>
  </ObservationLocation></ObsDataLocation></WhereWhen>
  <Why importance="0.95"><Inference probability="0.9"><Name>GRB</Name></Inference></Why>
  <Citations><EventIVORN cite="followup">ivo://nasa.gsfc.gcn/SWIFT#older</EventIVORN></Citations>
</voe:VOEvent>`
	unlocated = `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent ivorn="ivo://gwnet/LVC#S190425z-1-Preliminary" role="test" version="2.0" xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0">
  <Who><AuthorIVORN>ivo://gwnet</AuthorIVORN></Who>
  <What><Param name="FAR" value="4.5e-13"/></What>
</voe:VOEvent>`
)

func event(t testing.TB, text string) *voevent.Event {
	t.Helper()
	e, err := voevent.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func compile(t testing.TB, s Spec) *Filter {
	t.Helper()
	f, err := Compile(s, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMatch(t *testing.T) {
	swift, gw := event(t, located), event(t, unlocated)
	for _, c := range []struct {
		name      string
		spec      Spec
		swift, gw bool
	}{
		{"nothing asked", Spec{}, true, true},
		{"stream", Spec{Streams: []string{"nasa.gsfc.gcn/SWIFT"}}, true, false},
		{"stream in other letters, with scheme", Spec{Streams: []string{"ivo://NASA.GSFC.GCN/swift"}}, true, false},
		{"one of several streams", Spec{Streams: []string{"x/y", "gwnet/*", "nasa.gsfc.gcn/*"}}, true, true},
		{"role", Spec{Roles: []string{"Observation", "prediction"}}, true, false},
		{"role and stream", Spec{Roles: []string{"test"}, Streams: []string{"nasa.gsfc.gcn/**"}}, false, false},
		{"cone around", Spec{Cones: []Cone{{74.7, 25.3, 1}}}, true, false},
		{"cone the error reaches into", Spec{Cones: []Cone{{74.7412, 25.3137 + 1.04, 1}}}, true, false},
		{"cone the error does not reach", Spec{Cones: []Cone{{74.7412, 25.3137 + 1.06, 1}}}, false, false},
		{"whole sky is no place for a notice without position", Spec{Cones: []Cone{{0, 0, 180}}}, true, false},
		{"one of several cones", Spec{Cones: []Cone{{200, 0, 1}, {74.7, 25.3, 1}}}, true, false},
		{"importance", Spec{MinImportance: new(0.95)}, true, false},
		{"importance not reached", Spec{MinImportance: new(0.96)}, false, false},
		{"least importance 0 still asks for one", Spec{MinImportance: new(float64(0))}, true, false},
		{"cel", Spec{CEL: `role == "observation"`}, true, false},
		{"xpath", Spec{XPath: []string{`//Param[@name="FAR" and @value < 1e-10]`}}, false, true},
		{"one of several xpaths", Spec{XPath: []string{`//Foo`, `//Param[@name="TrigID"]`}}, true, false},
		{"cel and xpath", Spec{CEL: `role == "test"`, XPath: []string{`//Param`}}, false, true},
		{"all kinds", Spec{
			Streams: []string{"**"}, Roles: []string{"observation"}, Cones: []Cone{{74, 25, 2}}, MinImportance: new(0.5),
			CEL: `packet_type == 61`, XPath: []string{`//Why[@importance > 0.9]`},
		}, true, false},
	} {
		f := compile(t, c.spec)
		for _, n := range []struct {
			event *voevent.Event
			want  bool
		}{{swift, c.swift}, {gw, c.gw}} {
			if got := f.Match(n.event); got != n.want {
				t.Errorf("%s: %v gives %v, want %v\n%v", c.name, n.event.IVORN, got, n.want, f.Explain(n.event))
			}
			if x := f.Explain(n.event); x.Match != n.want {
				t.Errorf("%s: the explanation differs: %v", c.name, x)
			}
		}
	}
}

func TestCELVariablesAndFunctions(t *testing.T) {
	swift, gw := event(t, located), event(t, unlocated)
	for _, c := range []struct {
		text      string
		swift, gw bool
	}{
		{`ivorn == "ivo://NASA.gsfc.gcn/SWIFT#BAT_GRB_Pos_655721-214"`, true, false},
		{`stream == "nasa.gsfc.gcn/swift"`, true, false},
		{`stream.startsWith("gwnet/")`, false, true},
		{`version == "2.0" && role in ["test", "observation"]`, true, true},
		{`params.TrigID == "655721"`, true, false},
		{`params["TrigID"] == "655721" || role == "test"`, true, true},
		{`has(params.TrigID)`, true, false},
		{`!has(params.TrigID)`, false, true},
		{`"FAR" in params && num(params.FAR) < 1e-10`, false, true},
		{`num(params.Burst_Inten) > 1000`, true, false},
		{`num(params["Rate_Signif"]) >= 14.5`, true, false},
		{`num(params.Grade) > 0.0`, false, false},
		{`lower(params.Grade) == "high"`, true, false},
		{`params.exists(k, k.startsWith("Burst"))`, true, false},
		{`size(params) == 5`, true, false},
		{`groups.Solution_Status.Point_Source == "true"`, true, false},
		{`"GW_SKYMAP" in groups && groups.GW_SKYMAP.skymap_fits.endsWith(".fits")`, true, false},
		{`has_position && dec_deg > -30.0`, true, false},
		{`dec_deg > -30`, true, false},
		{`dec_deg < 90`, true, false},
		{`!has_position || error_deg < 0.1`, true, true},
		{`has_error && error_deg <= 0.05`, true, false},
		{`separation(ra_deg, dec_deg, 75, 25) < 1`, true, false},
		{`separation(ra_deg, dec_deg, 75.0, 25.0) > 170.0`, false, false},
		{`has_time && time > timestamp("2015-01-01T00:00:00Z")`, true, false},
		{`time.getFullYear() == 2015`, true, false},
		{`importance > 0.9`, true, false},
		{`!has_importance`, false, true},
		{`importance < 1.0`, true, false},
		{`size(cites) == 1 && cites[0].endsWith("#older")`, true, false},
		{`"followup" in cite_types`, true, false},
		{`packet_type == 61`, true, false},
		{`packet_type == 0`, false, true},
		{`notice_type.matches("^SWIFT_BAT_")`, true, false},
		{`alert_type == "initial"`, false, true},
		{`true`, true, true},
	} {
		f, err := Compile(Spec{CEL: c.text}, Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		for _, n := range []struct {
			event *voevent.Event
			want  bool
		}{{swift, c.swift}, {gw, c.gw}} {
			if got := f.Match(n.event); got != n.want {
				t.Errorf("%s: %v gives %v, want %v\n%v", c.text, n.event.IVORN, got, n.want, f.Explain(n.event))
			}
		}
		if x := f.Failures(); x.Limit > 0 {
			t.Errorf("%s: %+v", c.text, x)
		}
	}
}

func TestCompileRefusesWithAReason(t *testing.T) {
	long := strings.Repeat("x", 5000)
	many := func(n int, s string) (out []string) {
		for range n {
			out = append(out, s)
		}
		return out
	}
	for _, c := range []struct {
		spec        Spec
		field, text string
	}{
		{Spec{Streams: []string{"a/b", ""}}, "streams[1]", "empty"},
		{Spec{Streams: []string{"ivo://nasa.gsfc.gcn/SWIFT#BAT"}}, "streams[0]", "before the first #"},
		{Spec{Streams: []string{"a b"}}, "streams[0]", "white space"},
		{Spec{Streams: []string{long}}, "streams[0]", "more than the 4096"},
		{Spec{Streams: many(257, "a")}, "streams", "more than the 256"},
		{Spec{Roles: []string{"observe"}}, "roles[0]", "not a role"},
		{Spec{Roles: many(17, "test")}, "roles", "more than the 16"},
		{Spec{Cones: []Cone{{0, 91, 1}}}, "cones[0]", "not on the sky"},
		{Spec{Cones: []Cone{{0, 0, 1}, {0, 0, -1}}}, "cones[1]", "between 0 and 180"},
		{Spec{Cones: []Cone{{0, 0, math.NaN()}}}, "cones[0]", "between 0 and 180"},
		{Spec{Cones: make([]Cone, 1025)}, "cones", "more than the 1024"},
		{Spec{MinImportance: new(math.NaN())}, "min_importance", "not a number"},
		{Spec{CEL: `params.TrigID`}, "cel", "gives string"},
		{Spec{CEL: `1 + 1`}, "cel", "gives int"},
		{Spec{CEL: `role = "test"`}, "cel", "column 6"},
		{Spec{CEL: `nothing == 1`}, "cel", "undeclared reference to 'nothing'"},
		{Spec{CEL: `role == 1`}, "cel", "no matching overload"},
		{Spec{CEL: `role.matches("(")`}, "cel", "matches"},
		{Spec{CEL: `role.matches(stream)`}, "cel", "must be written out"},
		{Spec{CEL: `role.matches("((a{100}){100}){10}")`}, "cel", ""},
		{Spec{CEL: `time > timestamp("yesterday")`}, "cel", "timestamp"},
		{Spec{CEL: strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200)}, "cel", "recursion"},
		{Spec{CEL: `"` + long + `" == role`}, "cel", "more than the 4096"},
		{Spec{CEL: " "}, "cel", ""},
		{Spec{XPath: []string{"//Param", "//Param["}}, "xpath[1]", "a name is expected"},
		{Spec{XPath: []string{""}}, "xpath[0]", "the end"},
		{Spec{XPath: []string{"//voe:VOEvent"}}, "xpath[0]", "prefix"},
		{Spec{XPath: []string{long}}, "xpath[0]", "more than the 4096"},
		{Spec{XPath: many(17, "//a")}, "xpath", "more than the 16"},
		{Spec{CEL: "true", XPath: many(16, "//a")}, "xpath", "more than the 16"},
	} {
		f, err := Compile(c.spec, Limits{})
		var fe *Error
		if f != nil || !errors.As(err, &fe) || fe.Field != c.field || !strings.Contains(fe.Text, c.text) {
			t.Errorf("%.80v: %v; want %s: ...%s...", c.spec, err, c.field, c.text)
		}
	}
}

// A notice that is as large and as hostile as the parser lets through.
func hostile(t testing.TB) *voevent.Event {
	t.Helper()
	var params strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&params, `<Param name="aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%d" value="1"/>`, i)
	}
	return event(t, `<voe:VOEvent ivorn="ivo://example.org/x#1" role="test" version="2.0" xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0"><What>`+
		params.String()+
		`<Param name="b" value="`+strings.Repeat("a", 300_000)+`"/></What></voe:VOEvent>`)
}

var hostileSpecs = []Spec{
	{XPath: []string{`//*[count(//*[count(//*[count(//*[count(//*)>9999])>9999])>9999])>9999]`}},
	{XPath: []string{`//*[//* != //*]`, `//*[//*[//*]/x]`}},
	{CEL: `params.all(a, params.all(b, params.all(c, params.all(d, a + b + c + d != "x"))))`},
	{CEL: `[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, a + b + c + d + e < 100)))))`},
	{CEL: `cites.all(x, true) && [1,2,3,4,5,6,7,8,9].all(x, (params.b + params.b + params.b + params.b).contains("aaaaaab"))`},
}

func TestHostileExpressionsEndAndAreReported(t *testing.T) {
	e := hostile(t)
	for _, s := range hostileSpecs {
		f := compile(t, s)
		for range 2 {
			if f.Match(e) {
				t.Errorf("%v matches", s)
			}
		}
		// On a machine busy enough the clock comes first.
		if x := f.Failures(); x.Limit < 2 || !errors.Is(x.Last, ErrCost) && !errors.Is(x.Last, ErrTime) {
			t.Errorf("%v: %+v; want two evaluations ended by their cost", s, x)
		}
		if x := f.Explain(e); x.Match || !strings.Contains(x.String(), "than is allowed for one notice") {
			t.Errorf("%v: explained as %v", s, x)
		}
	}
}

func TestRegularExpressionsAreNotTriedOnLongTexts(t *testing.T) {
	f := compile(t, Spec{CEL: `params.b.matches("^(a+)+(b|c+)*(a|b|ab)+$")`})
	e := event(t, strings.Replace(located, `name="TrigID" value="`, `name="b" value="`+strings.Repeat("a", 20_000), 1))
	if x := f.Explain(e); x.Match || !strings.Contains(x.String(), "longer than the 16384 allowed") {
		t.Error(x)
	}
}

func TestTheClockEndsEvaluations(t *testing.T) {
	e := hostile(t)
	l := Limits{XPathSteps: 1 << 40, CELCost: 1 << 60, Time: 5 * time.Millisecond}
	for _, s := range []Spec{
		{XPath: []string{`//*[count(//*[count(//*[count(//*)>9999])>9999])>9999]`}},
		{CEL: `[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e,
			[1,2,3,4,5,6,7,8,9].all(f, [1,2,3,4,5,6,7,8,9].all(g, [1,2,3,4,5,6,7,8,9].all(h, a + b + c + d + e + f + g + h < 1000))))))))`},
	} {
		f, err := Compile(s, l)
		if err != nil {
			t.Fatal(err)
		}
		if f.Match(e) {
			t.Errorf("%v matches", s)
		}
		if x := f.Failures(); x.Limit != 1 || !errors.Is(x.Last, ErrTime) {
			t.Errorf("%v: %+v; want an evaluation ended by the clock", s, x)
		}
	}
}

func TestAMissingParamIsNotAFailureOfTheFilter(t *testing.T) {
	f := compile(t, Spec{CEL: `num(params.FAR) < 1.0`})
	e := event(t, located)
	if f.Match(e) {
		t.Error("a notice without the Param matches")
	}
	if x := f.Failures(); x.Limit != 0 || x.Notice != 1 || x.Last != nil {
		t.Errorf("%+v", x)
	}
	if x := f.Explain(e).String(); !strings.Contains(x, `no such key: FAR`) {
		t.Errorf("explained as %s", x)
	}
}

func TestAPanicCostsOneNoticeAndIsReported(t *testing.T) {
	f := compile(t, Spec{XPath: []string{"//Param"}})
	f.xpath[0] = nil // what no caller can do: the evaluation runs into a nil pointer
	if f.Match(event(t, located)) {
		t.Error("it matches")
	}
	if x := f.Failures(); x.Limit != 1 || !errors.Is(x.Last, errBroken) {
		t.Errorf("%+v", x)
	}
}

func TestExplain(t *testing.T) {
	f := compile(t, Spec{
		Streams: []string{"gwnet/*", "nasa.gsfc.gcn/*"}, Roles: []string{"test"}, Cones: []Cone{{200, 0, 5}}, MinImportance: new(0.5),
		CEL: `packet_type == 61`, XPath: []string{`//Foo`},
	})
	want := `does not match
  no  streams[0] gwnet/*: the stream is nasa.gsfc.gcn/SWIFT
  yes streams[1] nasa.gsfc.gcn/*: the stream is nasa.gsfc.gcn/SWIFT
  no  roles[0] test: the role is observation
  no  cones[0] 13h20m00.0s +00°00'00" ± 5.0°: the notice is at 04h58m57.9s +25°18'49" ± 3.0', 121.5° from the centre; the radii add up to 5.0°
  yes min_importance 0.5: the importance is 0.95
  yes cel packet_type == 61: it is true
  no  xpath[0] //Foo: it is false`
	if d := cmp.Diff(want, f.Explain(event(t, located)).String()); d != "" {
		t.Error(d)
	}
	var none *Filter
	if x := none.Explain(event(t, located)); !x.Match || x.String() != "matches: the filter asks nothing" {
		t.Errorf("nil filter: %v", x)
	}
}

func TestNilAndZeroFiltersAreEverything(t *testing.T) {
	e := event(t, unlocated)
	for _, f := range []*Filter{nil, compile(t, Spec{})} {
		if !f.Everything() || !f.Match(e) || !f.Spec().IsZero() || f.Failures() != (Failures{}) {
			t.Error("it asks something")
		}
	}
	if compile(t, Spec{Streams: []string{"**"}}).Everything() {
		t.Error("a filter with a pattern counts as none")
	}
}

func TestSpecIsACopy(t *testing.T) {
	s := Spec{Streams: []string{"gwnet/*"}, MinImportance: new(float64(1))}
	f := compile(t, s)
	s.Streams[0], *s.MinImportance = "x", 2
	got := f.Spec()
	got.Streams[0] = "y"
	if d := cmp.Diff(Spec{Streams: []string{"gwnet/*"}, MinImportance: new(float64(1))}, f.Spec()); d != "" {
		t.Error(d)
	}
}

// globRegexp is the meaning of a pattern, said another way.
func globRegexp(p string) *regexp.Regexp {
	q := regexp.QuoteMeta(p)
	q = regexp.MustCompile(`(\\\*){2,}`).ReplaceAllString(q, "\x00")
	q = strings.ReplaceAll(q, `\*`, "[^/]*")
	return regexp.MustCompile("^" + strings.ReplaceAll(q, "\x00", ".*") + "$")
}

func TestGlobsMeanWhatTheirRegularExpressionsMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringMatching(`([ab]|/b|\*|\*\*){1,8}`).Draw(t, "pattern")
		g, problem := compileGlob(p)
		if problem != "" {
			t.Fatal(problem)
		}
		re := globRegexp(p)
		for range 10 {
			s := rapid.StringMatching(`[ab](/?[ab]){0,8}`).Draw(t, "stream")
			authority, resource, _ := strings.Cut(s, "/")
			if got, want := g.match(authority, strings.ToUpper(resource)), re.MatchString(s); got != want {
				t.Fatalf("%s on %s: %v, but %v is %v", p, s, got, re, want)
			}
			if got := globMatch(g.pattern, s); got != re.MatchString(s) {
				t.Fatalf("%s on %s: the general search says %v", p, s, got)
			}
		}
	})
}

func TestConesAreOverlapsOfCircles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) sky.Circle {
			return sky.Circle{
				Center: sky.Point{
					RADeg:  math.Round(rapid.Float64Range(0, 359).Draw(t, label+" ra")*1e4)/1e4 + 0.5,
					DecDeg: math.Round(rapid.Float64Range(-89, 89).Draw(t, label+" dec")*1e4) / 1e4,
				},
				RadiusDeg: math.Round(rapid.Float64Range(0.001, 60).Draw(t, label+" r")*1e4) / 1e4,
			}
		}
		n, c := draw("notice"), draw("cone")
		text := strings.NewReplacer("<C1>74.7412<", fmt.Sprintf("<C1>%v<", n.Center.RADeg), "<C2>25.3137<", fmt.Sprintf("<C2>%v<", n.Center.DecDeg),
			"<Error2Radius>0.0500<", fmt.Sprintf("<Error2Radius>%v<", n.RadiusDeg)).Replace(located)
		e, err := voevent.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		f, err := Compile(Spec{Cones: []Cone{{c.Center.RADeg, c.Center.DecDeg, c.RadiusDeg}}}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := f.Match(e), sky.Separation(n.Center, c.Center) <= n.RadiusDeg+c.RadiusDeg; got != want {
			t.Fatalf("notice %v, cone %v: %v, want %v", n, c, got, want)
		}
	})
}

func TestOneFilterServesManyGoroutines(t *testing.T) {
	f := compile(t, Spec{
		Streams: []string{"nasa.**"}, Roles: []string{"observation"}, Cones: []Cone{{74, 25, 2}}, MinImportance: new(0.5),
		CEL: `params.exists(k, k == "TrigID") && num(params.Burst_Inten) > 1`, XPath: []string{`//Param[last()]`},
	})
	swift, gw := event(t, located), event(t, unlocated)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if !f.Match(swift) || f.Match(gw) || !f.Explain(swift).Match {
					t.Error("wrong verdict")
					return
				}
			}
		})
	}
	wg.Wait()
}

// Filters that real users of GCN would write, over all real notices: none may fail, and each must match something.
func TestFiltersOverTheCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testbed.Corpus(t, "voevent"), "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	specs := []Spec{
		{Streams: []string{"nasa.gsfc.gcn/*"}},
		{Cones: []Cone{{0, 90, 120}}},
		{MinImportance: new(0.5)},
		{CEL: `has_position && error_deg < 1.0 && role == "observation"`},
		{CEL: `"FAR" in params && num(params.FAR) < 1e-6`},
		{CEL: `groups.exists(g, "BNS" in groups[g] && num(groups[g].BNS) > 0.1)`},
		{CEL: `size(cites) > 0 && cite_types.exists(c, c == "retraction")`},
		{XPath: []string{`//Param[@name="Packet_Type" and @value="61"]`}},
		{XPath: []string{`/*[local-name()="VOEvent" and @role!="test"]`}},
		{XPath: []string{`//Position2D[Error2Radius < 0.1]`}},
	}
	hits := make([]int, len(specs))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e, err := voevent.Parse(raw)
		if err != nil {
			continue
		}
		for i, s := range specs {
			f := compile(t, s)
			if f.Match(e) {
				hits[i]++
			}
			if x := f.Failures(); x.Limit > 0 {
				t.Errorf("%s: %v: %v", filepath.Base(file), s, x.Last)
			}
		}
	}
	for i, s := range specs {
		if hits[i] == 0 || hits[i] == len(files) {
			t.Errorf("%+v matches %d of %d notices", s, hits[i], len(files))
		}
	}
	t.Log(hits)
}
