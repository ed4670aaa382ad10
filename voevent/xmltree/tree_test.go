package xmltree_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"tocsin/voevent/xmltree"
)

func parse(t testing.TB, doc string) *xmltree.Document {
	t.Helper()
	d, err := xmltree.Parse([]byte(doc), xmltree.Limits{})
	if err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	return d
}

// dump writes the tree in a form of its own, one node a line.
func dump(d *xmltree.Document) string {
	var b strings.Builder
	var walk func(n xmltree.Node, depth int)
	walk = func(n xmltree.Node, depth int) {
		indent := strings.Repeat("  ", depth)
		if d.Kind(n) == xmltree.Text {
			fmt.Fprintf(&b, "%s%q\n", indent, d.Text(n))
			return
		}
		fmt.Fprintf(&b, "%s{%s}%s:%s", indent, d.Space(n), d.Prefix(n), d.Local(n))
		for _, ns := range d.Namespaces(n) {
			fmt.Fprintf(&b, " ns %s=%q", ns.Prefix, ns.URI)
		}
		for _, a := range d.Attrs(n) {
			fmt.Fprintf(&b, " {%s}%s:%s=%q", a.Space, a.Prefix, a.Local, a.Value)
		}
		b.WriteByte('\n')
		for c := d.FirstChild(n); c != xmltree.None; c = d.NextSibling(c) {
			walk(c, depth+1)
		}
	}
	walk(d.Root(), 0)
	return b.String()
}

func TestTree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ doc, want string }{
		"namespaces": {
			`<v:a xmlns:v="urn:v" xmlns="urn:d" b="1" v:b="2"><c xmlns=""><d/></c><v:e xmlns:v="urn:w"/><f/></v:a>`,
			"{urn:v}v:a ns v=\"urn:v\" ns =\"urn:d\" {}:b=\"1\" {urn:v}v:b=\"2\"\n" +
				"  {}:c ns =\"\"\n    {}:d\n  {urn:w}v:e ns v=\"urn:w\"\n  {urn:d}:f\n",
		},
		"texts are unescaped": {
			"<a>x &lt;&#65;&amp;\r\ny\rz</a>",
			"{}:a\n  \"x <A&\\ny\\nz\"\n",
		},
		"CDATA, text and comments are one text": {
			"<a>x<![CDATA[<&amp;\r\n]]>y<!-- no -->z<?no no?>&gt;<b/><![CDATA[c]]></a>",
			"{}:a\n  \"x<&amp;\\nyz>\"\n  {}:b\n  \"c\"\n",
		},
		"empty texts are none": {
			"<a><![CDATA[]]><!-- --><b></b></a>",
			"{}:a\n  {}:b\n",
		},
		"white space stays": {
			"<a> <b/>\n</a>",
			"{}:a\n  \" \"\n  {}:b\n  \"\\n\"\n",
		},
		"values are normalised, references are not": {
			"<a b=' x\ty\r\nz\r\r ' c='&#9;&#10;&#13;&lt;' d='plain'/>",
			"{}:a {}:b=\" x y z   \" {}:c=\"\\t\\n\\r<\" {}:d=\"plain\"\n",
		},
		"namespace names are unescaped": {
			`<p:a xmlns:p="urn:&amp;x"/>`,
			"{urn:&x}p:a ns p=\"urn:&x\"\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, dump(parse(t, c.doc))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValueJoinsTexts(t *testing.T) {
	t.Parallel()
	d := parse(t, "<a>1<b>2&amp;<c/>3</b><!-- x -->4<d><![CDATA[5]]></d></a>")
	if got := d.Value(d.Root()); got != "12&345" {
		t.Errorf("value %q", got)
	}
	b := d.Child(d.Root(), "b")
	if got := d.Value(b); got != "2&3" {
		t.Errorf("value of b %q", got)
	}
	if got := d.Value(d.Child(b, "c")); got != "" {
		t.Errorf("value of c %q", got)
	}
	if got := d.Value(d.FirstChild(d.Root())); got != "1" {
		t.Errorf("value of a text %q", got)
	}
}

func TestNavigationAndPlaces(t *testing.T) {
	t.Parallel()
	const doc = "<?xml version='1.0'?>\n<r>\n  <a/>é<a x='1'>t</a>\r\n<b/></r>\n"
	d := parse(t, doc)
	r := d.Root()
	a1 := d.FirstElement(r)
	a2 := d.NextElement(a1)
	b := d.NextElement(a2)
	text := d.FirstChild(a2)
	if d.NextElement(b) != xmltree.None || d.Child(r, "b") != b || d.Child(r, "c") != xmltree.None || d.Parent(text) != a2 || d.Parent(r) != xmltree.None {
		t.Error("the tree is linked wrongly")
	}
	if v, ok := d.Attr(a2, "x"); !ok || v != "1" {
		t.Errorf("attribute x: %q, %v", v, ok)
	}
	if _, ok := d.Attr(a1, "x"); ok {
		t.Error("the first a has no attribute x")
	}
	for _, c := range []struct {
		n            xmltree.Node
		path         string
		line, column int
		source       string
	}{
		{r, "/r", 2, 1, "<r>\n  <a/>é<a x='1'>t</a>\r\n<b/></r>"},
		{a1, "/r/a[1]", 3, 3, "<a/>"},
		{d.NextSibling(a1), "/r/text()[2]", 3, 7, "é"},
		{a2, "/r/a[2]", 3, 8, "<a x='1'>t</a>"},
		{text, "/r/a[2]/text()", 3, 17, "t"},
		{b, "/r/b", 4, 1, "<b/>"},
	} {
		if got := d.Path(c.n); got != c.path {
			t.Errorf("path %s, want %s", got, c.path)
		}
		if line, column := d.Position(c.n); line != c.line || column != c.column {
			t.Errorf("%s is at %d:%d, want %d:%d", c.path, line, column, c.line, c.column)
		}
		if got := string(d.Source()[d.Offset(c.n):d.End(c.n)]); got != c.source {
			t.Errorf("%s is %q, want %q", c.path, got, c.source)
		}
	}
	if !d.Blank(d.FirstChild(r)) || d.Blank(text) || d.Blank(r) {
		t.Error("Blank is wrong")
	}
	if got := string(d.Source()[d.Attrs(a2)[0].Offset:][:1]); got != "x" {
		t.Errorf("the attribute is at %q", got)
	}
}

func TestMethodsStandNone(t *testing.T) {
	t.Parallel()
	d := parse(t, "<a/>")
	for _, n := range []xmltree.Node{xmltree.None, 7} {
		if d.Local(n)+d.Prefix(n)+d.Space(n)+d.Text(n)+d.Value(n)+d.Path(n) != "" || d.Attrs(n) != nil || d.Namespaces(n) != nil ||
			d.FirstChild(n) != xmltree.None || d.NextElement(n) != xmltree.None || d.Child(n, "a") != xmltree.None || d.Parent(n) != xmltree.None ||
			d.Offset(n) != 0 || d.End(n) != 0 || d.Blank(n) || d.Kind(n) != xmltree.Text {
			t.Errorf("node %d has something", n)
		}
	}
}

func TestTrailer(t *testing.T) {
	t.Parallel()
	d := parse(t, "<!--before--><a><!--within--></a>\n<!--\n=====BEGIN=====\n-->\n<?x?><!--2-->\n")
	if diff := cmp.Diff([]string{"\n=====BEGIN=====\n", "2"}, d.Trailer()); diff != "" {
		t.Error(diff)
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const root = "<a b='é'>\r\né€𝄞</a>"
	utf16le := func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
		return b.String()
	}
	utf16be := func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			b.Write([]byte{byte(u >> 8), byte(u)})
		}
		return b.String()
	}
	const latinRoot = "<a b='\xe9'>\r\n\xe9</a>"
	for name, c := range map[string]struct{ doc, element, encoding, text string }{
		"UTF-8":                  {"<?xml version='1.0'?>" + root + "\n", root, "UTF-8", "\né€𝄞"},
		"UTF-8 marked":           {"\ufeff" + root + "\x00", root, "UTF-8", "\né€𝄞"},
		"US-ASCII":               {"<?xml version='1.0' encoding='us-ascii'?><a b='&#233;'>x</a>", "<a b='&#233;'>x</a>", "US-ASCII", "x"},
		"Latin-1":                {"<?xml version='1.0' encoding='iso-8859-1'?>\n<!--\xe9-->" + latinRoot + "<!--\xe9-->", latinRoot, "ISO-8859-1", "\né"},
		"UTF-16LE marked":        {"\xff\xfe" + utf16le("<!--𝄞-->"+root+" "), utf16le(root), "UTF-16LE", "\né€𝄞"},
		"UTF-16BE marked":        {"\xfe\xff" + utf16be("<?xml version='1.0' encoding='UTF-16'?>"+root), utf16be(root), "UTF-16BE", "\né€𝄞"},
		"UTF-16LE declared":      {utf16le("<?xml version='1.0' encoding='UTF-16'?>" + root + "\x00"), utf16le(root), "UTF-16LE", "\né€𝄞"},
		"UTF-16BE declared so":   {utf16be("<?xml version='1.0' encoding='utf-16be'?>" + root), utf16be(root), "UTF-16BE", "\né€𝄞"},
		"UTF-8 in small letters": {"<?xml version='1.0' encoding='utf-8'?>" + root, root, "UTF-8", "\né€𝄞"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, c.doc)
			if d.Encoding() != c.encoding {
				t.Errorf("encoding %s", d.Encoding())
			}
			from, to := d.RootRange()
			if got := c.doc[from:to]; sha256.Sum256([]byte(got)) != sha256.Sum256([]byte(c.element)) {
				t.Errorf("the element is %q, want %q", got, c.element)
			}
			if v, _ := d.Attr(d.Root(), "b"); v != "é" && c.encoding != "US-ASCII" {
				t.Errorf("attribute %q", v)
			}
			if got := d.Value(d.Root()); got != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
		})
	}
}
