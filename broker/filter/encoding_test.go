package filter

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

var whole = Spec{
	Streams: []string{"nasa.gsfc.gcn/*"}, Roles: []string{"observation"}, Cones: []Cone{{74.74, 25.31, 5}, {10, -20, 0.5}},
	MinImportance: new(0.5), CEL: `packet_type == 61`, XPath: []string{`//Param[@name="TrigID"]`},
}

func TestSpecIsReadFromJSONAndYAML(t *testing.T) {
	for name, c := range map[string]struct{ json, yaml string }{
		"objects": {
			`{"streams":["nasa.gsfc.gcn/*"],"roles":["observation"],"cones":[{"ra_deg":74.74,"dec_deg":25.31,"radius_deg":5},{"ra_deg":10,"dec_deg":-20,"radius_deg":0.5}],
			 "min_importance":0.5,"cel":"packet_type == 61","xpath":["//Param[@name=\"TrigID\"]"]}`,
			`
streams: [nasa.gsfc.gcn/*]
roles: [observation]
cones:
  - {ra_deg: 74.74, dec_deg: 25.31, radius_deg: 5}
  - {ra_deg: 10, dec_deg: -20, radius_deg: 0.5}
min_importance: 0.5
cel: packet_type == 61
xpath:
  - //Param[@name="TrigID"]
`,
		},
		"cones as text": {
			`{"streams":["nasa.gsfc.gcn/*"],"roles":["observation"],"cones":["74.74,25.31,5","10,-20,30'"],
			 "min_importance":0.5,"cel":"packet_type == 61","xpath":["//Param[@name=\"TrigID\"]"]}`,
			`
streams: [nasa.gsfc.gcn/*]
roles: [observation]
cones: ["74.74,25.31,5", "00h40m00s,-20d00m00s,30'"]
min_importance: 0.5
cel: packet_type == 61
xpath: ['//Param[@name="TrigID"]']
`,
		},
	} {
		got, err := ParseJSON([]byte(c.json))
		if d := cmp.Diff(whole, got); err != nil || d != "" {
			t.Errorf("%s: JSON: %v %s", name, err, d)
		}
		got, err = ParseYAML([]byte(c.yaml))
		if d := cmp.Diff(whole, got); err != nil || d != "" {
			t.Errorf("%s: YAML: %v %s", name, err, d)
		}
	}
	for _, empty := range []string{"", "---", "{}", "# nothing"} {
		if s, err := ParseYAML([]byte(empty)); err != nil || !s.IsZero() {
			t.Errorf("%q: %v, %v", empty, s, err)
		}
	}
	if s, err := ParseJSON([]byte("{}")); err != nil || !s.IsZero() {
		t.Errorf("{}: %v, %v", s, err)
	}
}

func TestMisspeltSpecsAreRefused(t *testing.T) {
	for text, reason := range map[string]string{
		`{"stream":["a"]}`:                                `"stream" is not known`,
		`{"Streams":["a"]}`:                               `"Streams" is not known`,
		`{"roles":["test"],"roles":["observation"]}`:      `occurs twice`,
		`{"cones":[{"ra_deg":1,"dec_deg":2}]}`:            `radius_deg is missing`,
		`{"cones":[{"ra_deg":1,"dec_deg":2,"radius":3}]}`: `"radius" is not known`,
		`{"cones":["1,2"]}`:                               `three parts`,
		`{"cones":[null]}`:                                `three parts`,
		`{"streams":"a"}`:                                 `streams`,
		`{"min_importance":"high"}`:                       `min_importance`,
		`[]`:                                              `expected`,
		`"x"`:                                             `expected`,
		`{"cel":"true"} {"cel":"false"}`:                  ``,
		`{`:                                               ``,
		``:                                                ``,
		`{"cones":[{"ra_deg":1,"dec_deg":2,"radius_deg":[]}]}`: ``,
	} {
		if s, err := ParseJSON([]byte(text)); err == nil || !strings.Contains(err.Error(), reason) || !s.IsZero() {
			t.Errorf("JSON %s: %v, %v; want %s", text, s, err, reason)
		}
	}
	for text, reason := range map[string]string{
		"stream: [a]":                            `"stream" is not known`,
		"roles: [test]\nroles: [test]":           "twice",
		"cones: [{ra_deg: 1, dec_deg: 2}]":       "radius_deg is missing",
		"cones: [{ra_deg: 1, dec_deg: 2, r: 3}]": `"r" is not known`,
		"cones: [5]":                             "three parts",
		"streams: a":                             "",
		"- a":                                    "mapping is expected",
		"cel: a\n---\ncel: b":                    "only one document",
		"\t":                                     "",
	} {
		if s, err := ParseYAML([]byte(text)); err == nil || !strings.Contains(err.Error(), reason) || !s.IsZero() {
			t.Errorf("YAML %s: %v, %v; want %s", text, s, err, reason)
		}
	}
	var fe *Error
	if _, err := ParseJSON([]byte(`{"cones":[{"ra_deg":1}]}`)); !errors.As(err, &fe) || fe.Field != "cones" {
		t.Errorf("%v is no *Error of cones", err)
	}
}

func TestSpecSurvivesJSONAndYAML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Spec
		s.Streams = rapid.SliceOfN(rapid.StringMatching(`[a-z*/.: #]{0,10}`), 0, 3).Draw(t, "streams")
		s.Roles = rapid.SliceOfN(rapid.SampledFrom([]string{"test", "observation"}), 0, 2).Draw(t, "roles")
		for range rapid.IntRange(0, 2).Draw(t, "cones") {
			s.Cones = append(s.Cones, Cone{rapid.Float64Range(0, 360).Draw(t, "ra"), rapid.Float64Range(-90, 90).Draw(t, "dec") + 0, rapid.Float64Range(0, 180).Draw(t, "r")})
		}
		if rapid.Bool().Draw(t, "has") {
			s.MinImportance = new(rapid.Float64Range(0, 1).Draw(t, "importance"))
		}
		s.CEL = rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "cel")
		s.XPath = rapid.SliceOfN(rapid.StringMatching(`[ -~]{0,20}`), 0, 2).Draw(t, "xpath")
		want := shown(s)
		j, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseJSON(j); err != nil || shown(got) != want {
			t.Fatalf("JSON %s: %v, %v", j, got, err)
		}
		y, err := yaml.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseYAML(y); err != nil || shown(got) != want {
			t.Fatalf("YAML %s: %v, %v", y, got, err)
		}
	})
}

// shown shows a spec so that nil and empty lists are one.
func shown(s Spec) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func FuzzParseJSON(f *testing.F) {
	b, _ := json.Marshal(whole)
	f.Add(b)
	f.Add([]byte(`{"cones":["1,2,3"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseJSON(b)
		if err != nil {
			return
		}
		if _, err := Compile(s, Limits{}); err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T", err)
			}
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseJSON(again); err != nil || shown(back) != shown(s) {
			t.Fatalf("%s is read as %s, %v", again, shown(back), err)
		}
	})
}

// FuzzCompile gives any text to each kind of condition: Compile refuses it or the filter ends within its limits.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`//Param[@name="TrigID"]`, `role == "observation"`, `params.exists(k, num(params[k]) > 1.0)`, `nasa.gsfc.gcn/**`, `04h58m57.9s,+25d18m49s,3'`,
		`//*[count(//*[count(//*[count(//*)>9])>9])>9]`, `[1,2].map(x, [x, x]).size() > 1`, `"a".matches("(a*)*b")`, `time - duration("1h") > timestamp("2015-09-17T22:50:38Z")`,
		`groups.map(g, groups[g])[0].map(k, k) == []`, `separation(1, 2u, 3.0, ra_deg) < 1`, `importance / 0.0 > 1.0`, `packet_type % 0 == 1`, `string(packet_type) + role == ""`,
		`has(params.x) ? num(params.x) > 1.0 : false`, `type(params) == map`, `params == params`, `{"a": params} == {"a": params}`, `"x" in groups["Solution_Status"]`,
	} {
		f.Add(s, s)
		f.Add(s, "")
		f.Add("", s)
	}
	events := []string{located, unlocated}
	f.Fuzz(func(t *testing.T, cel, xpath string) {
		for _, s := range []Spec{{CEL: cel}, {XPath: []string{xpath}}, {Streams: []string{cel}}, {CEL: cel, XPath: []string{xpath}, Streams: []string{"**"}}} {
			flt, err := Compile(s, Limits{})
			if err != nil {
				var fe *Error
				if !errors.As(err, &fe) || flt != nil {
					t.Fatalf("%T", err)
				}
				continue
			}
			if flt.Everything() != s.IsZero() {
				t.Fatalf("%+v became a filter for everything", s)
			}
			for _, text := range events {
				e := event(t, text)
				if got, x := flt.Match(e), flt.Explain(e); got != x.Match {
					t.Fatalf("%+v: %v, explained as %v", s, got, x)
				}
			}
			if x := flt.Failures(); errors.Is(x.Last, errBroken) {
				t.Fatalf("%+v: %v", s, x.Last)
			}
		}
		if c, err := ParseCone(cel); err == nil && !c.Circle().Valid() {
			t.Fatalf("%q is the cone %+v", cel, c)
		}
	})
}
