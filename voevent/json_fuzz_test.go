package voevent_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tocsin/voevent"
	"tocsin/voevent/xmltree"
)

// FuzzRoundTrip gives every text that Parse takes for a notice to JSON and back.
func FuzzRoundTrip(f *testing.F) {
	for _, raw := range fixtures(f) {
		f.Add(raw)
	}
	f.Add([]byte(`<VOEvent ivorn="a"/>`))
	f.Add([]byte(`<voe:VOEvent xmlns:voe="u" ivorn="a"><voe:What xmlns="v"><Param value=" "/>x</voe:What></voe:VOEvent>`))
	f.Add([]byte(`<VOEvent ivorn="a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="" xml:id="q"/>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := voevent.Parse(raw); err != nil {
			return
		}
		roundTrip(t, raw)
	})
}

// FuzzFromJSON gives any text to FromJSON: it answers with a *JSONError or with well-formed XML, and what is a notice
// then has one mapping.
func FuzzFromJSON(f *testing.F) {
	for _, dir := range []string{"testdata/json/*.json", "testdata/json/authored/*.json"} {
		names, err := filepath.Glob(dir)
		if err != nil || len(names) == 0 {
			f.Fatalf("no seeds: %v", err)
		}
		for _, name := range names {
			js, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(js)
		}
	}
	f.Add([]byte(`{"voevent":null,"ivorn":"a","xml":{"extra":[{"path":"/VOEvent","at":0,"xml":"<a/>"},{"path":"/VOEvent","text":"b"}]}}`))
	f.Fuzz(func(t *testing.T, js []byte) {
		xml, err := voevent.FromJSON(js)
		if err != nil {
			if _, ok := errors.AsType[*voevent.JSONError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if _, err := xmltree.Parse(xml, xmltree.Limits{Bytes: 64 << 20, Depth: 1000, Nodes: 1 << 22, Attributes: 1000, NameBytes: 4000}); err != nil {
			t.Fatalf("%v\n%s", err, xml)
		}
		if _, err := voevent.Parse(xml); err != nil {
			return // well-formed, but no name or beyond the limits
		}
		roundTrip(t, xml)
	})
}

func BenchmarkToJSON(b *testing.B) {
	e := benchEvent(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(e.Raw())))
	for b.Loop() {
		if _, err := voevent.ToJSON(e, voevent.JSONOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromJSON(b *testing.B) {
	js, err := voevent.ToJSON(benchEvent(b), voevent.JSONOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(js)))
	for b.Loop() {
		if _, err := voevent.FromJSON(js); err != nil {
			b.Fatal(err)
		}
	}
}

func benchEvent(b *testing.B) *voevent.Event {
	b.Helper()
	raw, err := os.ReadFile("testdata/swift-bat-pos.xml")
	if err != nil {
		b.Fatal(err)
	}
	e, err := voevent.Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	return e
}
