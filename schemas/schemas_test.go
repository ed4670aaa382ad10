package schemas_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/schemas"
)

func TestEverySchemaIsUTF8AndSaysWhoseDescriptionItIs(t *testing.T) {
	names, err := fs.Glob(schemas.FS(), "*.xsd")
	if err != nil || len(names) == 0 {
		t.Fatalf("no schemas embedded: %v", err)
	}
	for _, name := range names {
		text, err := schemas.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(text) || !bytes.HasPrefix(text, []byte(`<?xml version="1.0" encoding="UTF-8"?>`)) {
			t.Errorf("%s is not UTF-8 or does not say so", name)
		}
		first := firstComment(t, text)
		for _, want := range []string{"Tocsin's own", "description of the language that", "IVOA"} {
			if !strings.Contains(strings.Join(strings.Fields(first), " "), want) {
				t.Errorf("%s: its opening comment lacks %q:\n%s", name, want, first)
			}
		}
	}
}

func TestEachWholeSchemaHasItsNamespace(t *testing.T) {
	for name, want := range map[string]string{
		schemas.VOEvent11:   schemas.VOEvent11NS,
		schemas.VOEvent20:   schemas.VOEvent20NS,
		schemas.VOEvent21:   schemas.VOEvent21NS,
		schemas.Transport11: schemas.Transport11NS,
	} {
		text, err := schemas.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		var root struct {
			Target string `xml:"targetNamespace,attr"`
		}
		if err := xml.Unmarshal(text, &root); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if root.Target != want {
			t.Errorf("%s: target namespace %q, want %q", name, root.Target, want)
		}
	}
}

func TestReadOfAnUnknownNameFails(t *testing.T) {
	if _, err := schemas.Read("nothing.xsd"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Read = %v, want fs.ErrNotExist", err)
	}
}

func firstComment(t *testing.T, text []byte) string {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := tok.(type) {
		case xml.Comment:
			return string(x)
		case xml.StartElement:
			return ""
		}
	}
}
