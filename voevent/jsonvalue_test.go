package voevent

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseJSON compares the scanner with the standard library's: what it takes is JSON with the same content, and what
// it refuses is either no JSON or one of the things the standard library is too patient with.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":[1,-0.5e+3,"\u00e9\ud834\udd1e\n",true,false,null,{}]}`, ` { "a" : { } } `, `{"a":01}`, `{"a":1.}`, `{"a":"\x"}`,
		`{"a":"\ud800"}`, `{"a":1,"a":2}`, `{"a":1}x`, "\ufeff{}", `{"a":tru}`, `{"a":-}`, `{"a":1e}`, `{,}`, `{"a":[,]}`, `{"a":"` + "\xff" + `"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseJSON(b)
		b = []byte(strings.TrimPrefix(string(b), "\ufeff"))
		if err == nil {
			var want any
			if uerr := json.Unmarshal(b, &want); uerr != nil && !strings.Contains(uerr.Error(), "cannot unmarshal number") {
				t.Fatalf("accepted %q: %v", b, uerr)
			} else if uerr == nil && !same(v, want) {
				t.Fatalf("%q: got %+v, want %v", b, v, want)
			}
			return
		}
		if !json.Valid(b) || len(b) == 0 || strings.TrimLeft(string(b), " \t\r\n")[0] != '{' {
			return
		}
		for _, stricter := range []string{"UTF-8", "twice", "surrogate", "nested", "more than"} {
			if strings.Contains(err.Error(), stricter) {
				return
			}
		}
		t.Fatalf("refused %q: %v", b, err)
	})
}

func same(v *jsonValue, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		if v.kind != '{' || len(v.items) != len(w) {
			return false
		}
		for i := range v.items {
			x, ok := w[v.items[i].key]
			if !ok || !same(&v.items[i], x) {
				return false
			}
		}
		return true
	case []any:
		if v.kind != '[' || len(v.items) != len(w) {
			return false
		}
		for i := range w {
			if !same(&v.items[i], w[i]) {
				return false
			}
		}
		return true
	case string:
		return v.kind == '"' && v.text == w
	case float64:
		var f float64
		return v.kind == '0' && json.Unmarshal([]byte(v.text), &f) == nil && f == w
	case bool:
		return v.kind == 't' && w || v.kind == 'f' && !w
	}
	return v.kind == 'n' && want == nil
}

// Everybody who reads the page or the schema must find every member there.
func TestEveryMemberIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/VOEVENT-JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("../schemas/voevent.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(s *jsonShape, seen map[*jsonShape]bool)
	walk = func(s *jsonShape, seen map[*jsonShape]bool) {
		if seen[s] {
			return
		}
		seen[s] = true
		names := s.members()
		for i := range s.children {
			c := &s.children[i]
			if c.key != "" && s != dataShape && s != rowShape {
				names = append(names, c.key)
			}
			if c.shape != nil {
				walk(c.shape, seen)
			}
		}
		if s == dataShape || s == rowShape {
			return
		}
		for _, k := range names {
			if !strings.Contains(string(page), "`"+k+"`") {
				t.Errorf("docs/VOEVENT-JSON.md does not name %s", k)
			}
			if !strings.Contains(string(schema), `"`+k+`": {`) {
				t.Errorf("schemas/voevent.schema.json does not name %s", k)
			}
		}
	}
	walk(rootShape, make(map[*jsonShape]bool))

	_, example, ok := strings.Cut(string(page), "```json\n")
	example, _, closed := strings.Cut(example, "```")
	if !ok || !closed {
		t.Fatal("the page has no example")
	}
	xml, err := FromJSON([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Parse(xml)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ToJSON(e, JSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(example)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(compact.String(), string(again)); diff != "" {
		t.Errorf("the page's example is not what ToJSON writes: -page +written\n%s", diff)
	}
}

// The members of folded elements share one object, so their names must not meet.
func TestNoTwoMembersOfAShapeShareAName(t *testing.T) {
	var walk func(where string, s *jsonShape, seen map[*jsonShape]bool)
	walk = func(where string, s *jsonShape, seen map[*jsonShape]bool) {
		if seen[s] {
			return
		}
		seen[s] = true
		names := make(map[string]bool)
		for _, k := range s.members() {
			if names[k] {
				t.Errorf("%s: two members %q", where, k)
			}
			names[k] = true
		}
		tokens := make(map[string]bool)
		for i := range s.children {
			c := &s.children[i]
			if tokens[c.token] || c.token == "" {
				t.Errorf("%s: two children %q in an order", where, c.token)
			}
			tokens[c.token] = true
			if c.shape != nil {
				walk(where+"/"+c.local, c.shape, seen)
			}
		}
	}
	walk("VOEvent", rootShape, make(map[*jsonShape]bool))
}
