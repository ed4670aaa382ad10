package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func gather(t *testing.T, stdin string, args ...string) ([]string, error) {
	t.Helper()
	var got []string
	err := eachInput(&terminal{stdin: strings.NewReader(stdin)}, args, func(in input) error {
		kind := "xml"
		if in.JSON {
			kind = "json"
		}
		got = append(got, fmt.Sprintf("%s %s %s", filepath.Base(in.Name), kind, in.Raw))
		return nil
	})
	return got, err
}

func TestInputs(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.xml": "<b/>", "a.xml": "<a/>", "sub/c.VOEVENT": "<c/>", "sub/d.txt": "<d/>",
		"e.json":  "{\n  \"voevent\": \"2.0\"\n}\n",
		"f.jsonl": "{\"seq\":1,\"raw\":\"<f/>\"}\n{\"raw_base64\":\"PGcv4Pg+\"}\n{\"voevent\":\"2.0\",\"raw\":\"PGgvPg==\"}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, stdin string
		args, want  []string
		err         string
	}{
		{name: "no argument reads standard input", stdin: " \n<x/>", want: []string{"standard input xml  \n<x/>"}},
		{name: "a dash too", stdin: "<x/>", args: []string{"-"}, want: []string{"standard input xml <x/>"}},
		{
			name: "a folder, in order, with its subfolders, known endings only", args: []string{dir},
			want: []string{
				"a.xml xml <a/>", "b.xml xml <b/>", "e.json json {\n  \"voevent\": \"2.0\"\n}",
				"f.jsonl:1 xml <f/>", "f.jsonl:2 xml <g/\xe0\xf8>", "f.jsonl:3 json {\"voevent\":\"2.0\",\"raw\":\"PGgvPg==\"}", "c.VOEVENT xml <c/>",
			},
		},
		{name: "a named file, whatever its ending", args: []string{filepath.Join(dir, "sub/d.txt")}, want: []string{"d.txt xml <d/>"}},
		{name: "a missing file", args: []string{filepath.Join(dir, "nothing")}, err: "nothing"},
		{name: "JSON that is cut", stdin: "{\"raw\":\"<a/>\"}\n{\"raw\":", want: []string{"standard input xml <a/>"}, err: "JSON document 2"},
		{name: "JSON of the wrong type", stdin: `{"raw": 5}`, err: "raw"},
		{name: "nothing at all", stdin: "", want: []string{"standard input xml "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := gather(t, c.stdin, c.args...)
			if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if len(got) > 0 && strings.HasPrefix(got[0], "standard input:1") {
				got[0] = strings.Replace(got[0], "standard input:1", "standard input", 1)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestInputsEndWithTheFirstError(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	err := eachInput(&terminal{stdin: strings.NewReader("{\"raw\":\"<a/>\"}{\"raw\":\"<b/>\"}")}, nil, func(input) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Fatalf("%v after %d", err, n)
	}
	if err := eachInput(&terminal{inputTTY: true}, nil, nil); err == nil {
		t.Fatal("a command waits for a person to type a notice")
	}
}

// A file that never ends must not fill the memory.
func TestInputsAreBounded(t *testing.T) {
	for _, first := range []string{"<", "{\"raw\":\""} {
		r := &endless{first: []byte(first)}
		err := splitInput("endless", r, func(input) error { return nil })
		if !errors.Is(err, errTooLong) || r.given > 2*maxInputBytes {
			t.Errorf("%q: %v after %d bytes", first, err, r.given)
		}
	}
}

type endless struct {
	first []byte
	given int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.first)
	e.first = e.first[n:]
	for i := n; i < len(b); i++ {
		b[i] = 'x'
	}
	e.given += len(b)
	return len(b), nil
}

func FuzzInputs(f *testing.F) {
	f.Add([]byte("<a/>"))
	f.Add([]byte(" {\"raw\":\"<a/>\"}\n{\"raw_base64\":\"PGE+\"}"))
	f.Add([]byte("{\"voevent\":\"2.0\"}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		err := splitInput("f", bytes.NewReader(b), func(in input) error {
			total += len(in.Raw)
			return nil
		})
		if err == nil && total > 2*len(b) {
			t.Fatalf("%d bytes became %d", len(b), total)
		}
	})
}
