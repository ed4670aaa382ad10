package voevent_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/internal/testbed"
	"tocsin/voevent"
)

func TestJSONKeepsEveryCorpusFile(t *testing.T) {
	for _, corpus := range []string{"voevent", "voevent-synthetic", "gcn"} {
		t.Run(corpus, func(t *testing.T) {
			dir := testbed.Corpus(t, corpus)
			files, unreadable := 0, 0
			err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
					return err
				}
				raw, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				files++
				if _, err := voevent.Parse(raw); err == nil {
					t.Run(filepath.Base(path), func(t *testing.T) { matchesSchema(t, roundTrip(t, raw)) })
				} else {
					unreadable++ // Parse's own tests judge that
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d files, %d of them no notice", files, unreadable)
			if files == 0 || unreadable > files/2 {
				t.Errorf("of %d files %d cannot be read as notices", files, unreadable)
			}
		})
	}
}

// fixtures returns the XML of testdata/json by name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/json/*.xml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	all := make(map[string][]byte)
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = raw
	}
	return all
}

func TestJSONOfFixtures(t *testing.T) {
	for name, raw := range fixtures(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			roundTrip(t, raw)
			e, err := voevent.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			js, err := voevent.ToJSON(e, voevent.JSONOptions{Indent: "  ", Numbers: true, Summary: true})
			if err != nil {
				t.Fatal(err)
			}
			matchesSchema(t, js)
			golden(t, strings.TrimSuffix(name, ".xml")+".json", append(js, '\n'))
		})
	}
}

func TestXMLOfAuthoredJSON(t *testing.T) {
	names, err := filepath.Glob("testdata/json/authored/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			js, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			matchesSchema(t, js)
			xml, err := voevent.FromJSON(js)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(name, ".json")+".xml", xml)
			roundTrip(t, xml)
		})
	}
}

const shell = `<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" ivorn="ivo://org.example/a#1">%s</v:VOEvent>`

func TestJSONSays(t *testing.T) {
	tests := []struct {
		name, xml string
		want      string // without voevent, ivorn and prefix
	}{
		{"value is exact text", `<What><Param value=" 1.50 " dataType="float"/></What>`, `"what":{"params":[{"value":" 1.50 ","data_type":"float"}]}`},
		{"absent and empty values differ", `<What><Param value=""/><Param/></What>`, `"what":{"params":[{"value":""},{}]}`},
		{"number literals are numbers", `<Why importance="0.950"/>`, `"why":{"importance":0.950,"items":[]}`},
		{"other numbers are texts", `<Why importance="+1.5"/>`, `"why":{"importance":"+1.5","items":[]}`},
		{"infinity is a text", `<Why importance="INF"/>`, `"why":{"importance":"INF","items":[]}`},
		{"nothing is a text", `<Why importance=""/>`, `"why":{"importance":"","items":[]}`},
		{"names repeat", `<What><Group name="g"/><Group name="g"/></What>`, `"what":{"groups":[{"name":"g"},{"name":"g"}]}`},
		{"order is run by run", `<What><Param/><Param/><Group/><Param/><Description/></What>`, `"what":{"params":[{},{},{}],"groups":[{}],"descriptions":[""],"order":"P2 G P D"}`},
		{"usual order is left out", `<What><Param/><Group/><Table/><Description/><Reference/></What>`, `"what":{"params":[{}],"groups":[{}],"tables":[{}],"descriptions":[""],"references":[{}]}`},
		{"order of children", `<Description/><Who/>`, `"who":{},"description":"","child_order":["description","who"]`},
		{"empty parts are there", `<Who/><What/><How/><Why/><Citations/>`, `"who":{},"what":{},"how":[],"why":{"items":[]},"citations":[]`},
		{"white space in a text is kept", "<Description> \n </Description>", `"description":" \n "`},
		{"rows", `<What><Table><Data><TR><TD>1</TD><TD/></TR><TR/></Data></Table></What>`, `"what":{"tables":[{"rows":[["1",""],[]]}]}`},
		{"unknown attribute stays with its Param", `<What><Param name="a" datatype="int"/></What>`, `"what":{"params":[{"name":"a","attributes":{"datatype":"int"}}]}`},
		{"line separators are escaped", "<Description>\u2028é\u2029</Description>", `"description":"\u2028é\u2029"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			js := string(roundTrip(t, fmt.Appendf(nil, shell, tt.xml)))
			got := strings.TrimSuffix(strings.TrimPrefix(js, `{"voevent":"2.0","ivorn":"ivo://org.example/a#1",`), `,"xml":{"prefix":"v"}}`)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestNumbersOfParams(t *testing.T) {
	for value, want := range map[string]string{
		"1.50": "1.50", "2\n": "2", "+1.5": "1.5", ".5": "0.5", "1e400": "", "0x3": "", "1_000": "", "NaN": "", "INF": "", "": "", "12:00": "", "-0.0": "-0.0",
	} {
		e, err := voevent.Parse(fmt.Appendf(nil, shell, `<What><Param value="`+value+`"/></What>`))
		if err != nil {
			t.Fatal(err)
		}
		js, err := voevent.ToJSON(e, voevent.JSONOptions{Numbers: true})
		if err != nil {
			t.Fatal(err)
		}
		number := ""
		if _, rest, ok := strings.Cut(string(js), `"number":`); ok {
			number, _, _ = strings.Cut(rest, "}")
		}
		if value == "1e400" {
			want = "1e400" // a literal, whatever a reader's numbers can hold
		}
		if number != want {
			t.Errorf("%q: number %q, want %q", value, number, want)
		}
	}
}

func TestRawWins(t *testing.T) {
	raw := fmt.Appendf(nil, shell, "<!-- as it was -->  <Who\n/>")
	e, err := voevent.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	js, err := voevent.ToJSON(e, voevent.JSONOptions{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	matchesSchema(t, js)
	back, err := voevent.FromJSON(js)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, back) {
		t.Errorf("got %s", back)
	}
}

func TestFromJSONRefuses(t *testing.T) {
	notice := func(rest string) string { return `{"voevent":"2.0","ivorn":"ivo://org.example/a#1"` + rest + `}` }
	raw := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, shell, ""))
	tests := []struct {
		name, json, pointer, text string
	}{
		{"nothing", ``, "", "empty"},
		{"another kind of value", `[]`, "", "a notice is an object"},
		{"no version", `{"ivorn":"ivo://org.example/a#1"}`, "/voevent", "which version"},
		{"no name", `{"voevent":"2.0"}`, "/ivorn", "needs a name"},
		{"bad UTF-8", notice(",\"description\":\"\xff\""), "", "not UTF-8"},
		{"half a surrogate pair", notice(`,"description":"\ud800"`), "/description", "surrogate"},
		{"duplicate member", notice(`,"role":"test","role":"observation"`), "/role", "twice"},
		{"trailing text", notice("") + "{}", "", "more text after"},
		{"cut short", `{"voevent":"2.0",`, "", "a name in double quotes is expected"},
		{"not JSON", notice(`,"role":test`), "/role", "double quotes"},
		{"bare control character", notice(",\"description\":\"a\nb\""), "/description", "control character"},
		{"nested too deep", notice(`,"who":` + strings.Repeat("[", 100)), "/who" + strings.Repeat("/0", 63), "nested"},
		{"character XML lacks", notice(`,"description":"ab\u0000"`), "/description", "character 3 of this text, U+0000"},
		{"misspelt member", notice(`,"who":{"authorIvorn":"x"}`), "/who/authorIvorn", "author_ivorn may be meant"},
		{"unknown member", notice(`,"colour":"red"`), "/colour", "it knows voevent, ivorn"},
		{"number for a text", notice(`,"who":{"date":2026}`), "/who/date", "not the number 2026"},
		{"object for a list", notice(`,"what":{"params":{"a":1}}`), "/what/params", "must be a list"},
		{"text for an object", notice(`,"what":{"params":["a"]}`), "/what/params/0", "must be an object"},
		{"list for a value", notice(`,"what":{"params":[{},{"value":[1]}]}`), "/what/params/1/value", "not a list"},
		{"value_element without value", notice(`,"what":{"params":[{"value_element":true}]}`), "/what/params/0/value_element", "no value"},
		{"value_element no boolean", notice(`,"what":{"params":[{"value":"1","value_element":"yes"}]}`), "/what/params/0/value_element", "true or false"},
		{"two Value elements", notice(`,"what":{"params":[{"value":"1","value_element":true,"overridden_value":"2"}]}`), "/what/params/0/overridden_value", "one element Value"},
		{"item of two members", notice(`,"how":[{"description":"a","reference":{}}]`), "/how/0", "exactly one member"},
		{"unknown item", notice(`,"how":[{"descripion":"a"}]`), "/how/0/descripion", "description may be meant"},
		{"order counts wrongly", notice(`,"what":{"params":[{},{}],"order":"P3"}`), "/what/order", "more than the 2 children"},
		{"order leaves out", notice(`,"what":{"params":[{}],"groups":[{}],"order":"P"}`), "/what/order", "leaves out Group"},
		{"order of unknown letters", notice(`,"what":{"params":[{}],"order":"X"}`), "/what/order", "none of the letters P, G, T, D and R"},
		{"order of huge counts", notice(`,"what":{"params":[{}],"order":"P99999999999"}`), "/what/order", "more than"},
		{"child_order of unknown names", notice(`,"who":{},"child_order":["why"]`), "/child_order", "names 1 Why, but there are 0"},
		{"number that is a boolean", notice(`,"why":{"importance":true}`), "/why/importance", "a number or a text"},
		{"coordinate's attribute alone", notice(`,"where_when":{"event":{"position":{"c1_ucd":"pos"}}}`), "/where_when/event/position/c1_ucd", "belongs to c1"},
		{"two names of one system", notice(`,"where_when":{"event":{"coord_system":"A","astro_coord_system_id":"B"}}`), "/where_when/event/astro_coord_system_id", "coord_system already"},
		{"attribute known elsewhere", notice(`,"what":{"params":[{"name":"a","attributes":{"name":"b"}}]}`), "/what/params/0/attributes/name", "already has"},
		{"attribute that is no name", notice(`,"what":{"params":[{"attributes":{"a b":"c"}}]}`), "/what/params/0/attributes/a b", "cannot be the name"},
		{"attribute that declares", notice(`,"xml":{"attributes":{"xmlns:x":"u"}}`), "/xml/attributes/xmlns:x", "cannot be a prefix"},
		{"undeclared prefix", notice(`,"xml":{"attributes":{"x:a":"c"}}`), "/xml/attributes/x:a", "not declared"},
		{"pointer is escaped", notice(`,"xml":{"attributes":{"~/":"c"}}`), "/xml/attributes/~0~1", "cannot be the name"},
		{"reserved namespace", notice(`,"xml":{"namespaces":{"q":"http://www.w3.org/XML/1998/namespace"}}`), "/xml/namespaces/q", "reserved"},
		{"path to nowhere", notice(`,"xml":{"extra":[{"path":"/VOEvent/Who","attributes":{"a":"b"}}]}`), "/xml/extra/0/path", "no Who[1]"},
		{"path without root", notice(`,"xml":{"extra":[{"path":"/Who","xml":"<a/>"}]}`), "/xml/extra/0/path", "from the root"},
		{"fragment not well-formed", notice(`,"xml":{"extra":[{"path":"/VOEvent","xml":"<a>"}]}`), "/xml/extra/0/xml", "not well-formed"},
		{"fragment that closes its parent", notice(`,"xml":{"extra":[{"path":"/VOEvent","xml":"<a/></fragment><fragment>"}]}`), "/xml/extra/0/xml", "not well-formed"},
		{"fragment of two elements", notice(`,"xml":{"extra":[{"path":"/VOEvent","xml":"<a/><b/>"}]}`), "/xml/extra/0/xml", "exactly one"},
		{"fragment with text", notice(`,"xml":{"extra":[{"path":"/VOEvent","xml":"<a/>b"}]}`), "/xml/extra/0/xml", "exactly one"},
		{"fragment with a document type", notice(`,"xml":{"extra":[{"path":"/VOEvent","xml":"<!DOCTYPE a><a/>"}]}`), "/xml/extra/0/xml", "not well-formed"},
		{"fragment with unknown prefix", notice(`,"xml":{"extra":[{"path":"/VOEvent","xml":"<q:a/>"}]}`), "/xml/extra/0/xml", "not well-formed"},
		{"place beyond the end", notice(`,"xml":{"extra":[{"path":"/VOEvent","at":1,"xml":"<a/>"}]}`), "/xml/extra/0/at", "only 1 children"},
		{"one place twice", notice(`,"who":{},"xml":{"extra":[{"path":"/VOEvent","at":0,"xml":"<a/>"},{"path":"/VOEvent","at":0,"xml":"<b/>"}]}`), "/xml/extra/1/at", "already has this place"},
		{"into a text", notice(`,"description":"x","xml":{"extra":[{"path":"/VOEvent/Description","xml":"<a/>"}]}`), "/xml/extra/0/xml", "holds text"},
		{"entry that says nothing", notice(`,"xml":{"extra":[{"path":"/VOEvent"}]}`), "/xml/extra/0", "an entry has either"},
		{"same attribute by two prefixes", notice(`,"xml":{"namespaces":{"a":"urn:x","b":"urn:x"},"attributes":{"a:y":"1","b:y":"2"}}`), "", "cannot be written as XML"},
		{"schema location under a foreign xsi", notice(`,"xml":{"namespaces":{"xsi":"urn:x"},"schema_location":"a b"}`), "/xml/schema_location", "needs the prefix xsi"},
		{"signature of another form", notice(`,"signature":{"form":"x","armor":"y"}`), "/signature/form", "only form"},
		{"signature that leaves its comment", notice(`,"signature":{"form":"comet-openpgp","armor":"-----BEGIN PGP SIGNATURE-----\n--><a/><!--\n-----END PGP SIGNATURE-----"}`), "/signature/armor", "not an OpenPGP signature"},
		{"raw that is no base64", `{"raw":"*"}`, "/raw", "not base64"},
		{"raw that is no notice", `{"raw":"` + base64.StdEncoding.EncodeToString([]byte("<a/>")) + `"}`, "/raw", "no notice"},
		{"raw of another notice", `{"ivorn":"ivo://org.example/b#2","raw":"` + raw + `"}`, "/raw", "another notice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			xml, err := voevent.FromJSON([]byte(tt.json))
			var je *voevent.JSONError
			if !errors.As(err, &je) {
				t.Fatalf("got %v, %s", err, xml)
			}
			if je.Pointer != tt.pointer || !strings.Contains(je.Text, tt.text) {
				t.Errorf("got  %s: %s\nwant %s: ...%s...", je.Pointer, je.Text, tt.pointer, tt.text)
			}
		})
	}
}

func TestNullCountsAsAbsent(t *testing.T) {
	plain, err := voevent.FromJSON([]byte(`{"voevent":"2.0","ivorn":"a","why":{"items":[]},"what":{"params":[{"name":"b"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	nulls, err := voevent.FromJSON([]byte(`{"voevent":"2.0","ivorn":"a","role":null,"who":null,"why":{"expires":null,"items":[]},` +
		`"what":{"params":[{"name":"b","value":null}],"groups":null,"order":null},"xml":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain, nulls) {
		t.Errorf("got %s", nulls)
	}
}

func TestFromJSONBoundsSize(t *testing.T) {
	for name, js := range map[string]string{
		"bytes":   `{"voevent":"2.0","ivorn":"` + strings.Repeat("a", 17<<20) + `"}`,
		"values":  `{"voevent":"2.0","ivorn":"a","how":[` + strings.Repeat("1,", 600_000) + `1]}`,
		"entries": `{"voevent":"2.0","ivorn":"a","xml":{"extra":[` + strings.Repeat(`{"path":"/VOEvent"},`, 60_000) + `{}]}}`,
	} {
		var je *voevent.JSONError
		if _, err := voevent.FromJSON([]byte(js)); !errors.As(err, &je) || !strings.Contains(je.Text, "more than") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A notice made of nothing but oddities must not cost the square of its size.
func TestJSONOfManyOddities(t *testing.T) {
	var b strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&b, `<Description odd="%d">a</Description><x/>stray<Group><y/></Group>`, i)
	}
	js := roundTrip(t, fmt.Appendf(nil, shell, "<What>"+b.String()+"</What>"))
	if n := bytes.Count(js, []byte(`"path"`)); n != 4*4000 {
		t.Errorf("%d entries", n)
	}
}

func TestJSONIsOneLineUnlessIndented(t *testing.T) {
	for name, raw := range fixtures(t) {
		e, err := voevent.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		flat, err := voevent.ToJSON(e, voevent.JSONOptions{Summary: true, Raw: true, Numbers: true})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(flat, "\n") {
			t.Errorf("%s: more than one line", name)
		}
		deep, err := voevent.ToJSON(e, voevent.JSONOptions{Summary: true, Raw: true, Numbers: true, Indent: "\t"})
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, deep); err != nil {
			t.Fatal(err)
		}
		if compact.String() != string(flat) {
			t.Errorf("%s: indenting changed more than white space", name)
		}
	}
}
