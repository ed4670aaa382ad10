package voevent

import (
	"encoding/json"
	"strings"
	"testing"
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
