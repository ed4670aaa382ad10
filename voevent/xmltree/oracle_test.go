package xmltree_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/testbed"
	"tocsin/voevent/xmltree"
)

// item is what both parsers must agree on: an element, an attribute, the text up to the next tag, or an end.
type item struct{ Kind, Space, Local, Value string }

func itemsOf(d *xmltree.Document) (items []item) {
	// The walk is iterative: the fuzzer may raise the limit of the depth.
	n := d.Root()
	for {
		if d.Kind(n) == xmltree.Text {
			items = append(items, item{Kind: "text", Value: d.Text(n)})
		} else {
			items = append(items, item{Kind: "element", Space: d.Space(n), Local: d.Local(n)})
			for _, a := range d.Attrs(n) {
				items = append(items, item{"attribute", a.Space, a.Local, blanks(a.Value)})
			}
			if c := d.FirstChild(n); c != xmltree.None {
				n = c
				continue
			}
			items = append(items, item{Kind: "end"})
		}
		for d.NextSibling(n) == xmltree.None {
			if n = d.Parent(n); n == xmltree.None {
				return items
			}
			items = append(items, item{Kind: "end"})
		}
		n = d.NextSibling(n)
	}
}

// blanks undoes a difference: encoding/xml does not normalise attribute values.
func blanks(s string) string { return strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(s) }

// oracleItems reads the same with encoding/xml, which is given the text as UTF-8.
func oracleItems(src []byte) (items []item, err error) {
	dec := xml.NewDecoder(strings.NewReader(string(src)))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			items = append(items, item{Kind: "text", Value: text.String()})
			text.Reset()
		}
	}
	depth := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			flush()
			depth++
			items = append(items, item{Kind: "element", Space: tok.Name.Space, Local: tok.Name.Local})
			for _, a := range tok.Attr {
				if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
					continue
				}
				items = append(items, item{"attribute", a.Name.Space, a.Name.Local, blanks(a.Value)})
			}
		case xml.EndElement:
			flush()
			depth--
			items = append(items, item{Kind: "end"})
		case xml.CharData:
			if depth > 0 {
				text.Write(tok)
			}
		}
	}
}

// agree checks that what this package accepts encoding/xml reads as the same document. Known differences, in which this
// package follows the standard or its package comment, are left out: encoding/xml refuses XML 1.1 and NUL after the root, has
// the shorter list of letters in names of XML 1.0's earlier editions, and does not normalise white space in attributes.
func agree(src []byte, d *xmltree.Document) error {
	src = src[:d.End(d.Root())] // what follows holds comments and instructions only
	if strings.HasPrefix(string(src), "<?xml") && !strings.HasPrefix(string(src), "<?xml-") {
		src = src[strings.Index(string(src), "?>")+2:]
	}
	want, err := oracleItems(src)
	if err != nil {
		if strings.Contains(err.Error(), "invalid XML name") && strings.ContainsFunc(string(src), func(r rune) bool { return r >= 0x80 }) {
			return nil
		}
		return fmt.Errorf("encoding/xml refuses what is accepted here: %w", err)
	}
	if diff := cmp.Diff(want, itemsOf(d)); diff != "" {
		return fmt.Errorf("encoding/xml reads another document (-it +this):\n%s", diff)
	}
	return nil
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "<a/>", "<?xml version='1.0' encoding='UTF-8'?>\r\n<p:a xmlns:p='urn:p' b=\"&lt;\n\" p:b='&#x41;'>x<![CDATA[<\r\n]]>y<!--c--><?d e?>&amp;</p:a><!--f-->\x00",
		"\xff\xfe<\x00a\x00/\x00>\x00", "\xef\xbb\xbf<a>\xc3\xa9</a>", "<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>",
		"<a xmlns='urn:a'><b xmlns=''><c xml:lang='en'/></b></a>", "<!DOCTYPE a><a/>", "<a b='1' b='2'/>", "<é:ü xmlns:é='urn:e'/>",
	} {
		f.Add([]byte(s))
	}
	if raw, err := os.ReadFile("../testdata/swift-bat-pos.xml"); err == nil {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		d, err := xmltree.Parse(raw, xmltree.Limits{})
		if string(raw) != before {
			t.Fatal("Parse changed its input")
		}
		if err != nil {
			se, ok := errors.AsType[*xmltree.SyntaxError](err)
			if !ok || se.Code == "" || se.Text == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if err := agree(d.Source(), d); err != nil {
			t.Fatal(err)
		}
		check(t, raw, d)
	})
}

// check holds what is true of every document.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, raw []byte, d *xmltree.Document,
) {
	t.Helper()
	from, to := d.RootRange()
	if from < 0 || to > len(raw) || from >= to {
		t.Fatalf("the root is at %d to %d of %d bytes", from, to, len(raw))
	}
	if d.Encoding() == "UTF-8" {
		if got, want := string(raw[from:to]), string(d.Source()[d.Offset(0):d.End(0)]); got != want {
			t.Fatalf("the root is %q, not %q", got, want)
		}
	}
	// The root element alone is the same document again.
	again, err := xmltree.Parse(append([]byte(nil), d.Source()[d.Offset(0):d.End(0)]...), xmltree.Limits{Bytes: 2 * xmltree.DefaultLimits.Bytes})
	if err != nil {
		t.Fatalf("the root alone is refused: %v", err)
	}
	if diff := cmp.Diff(itemsOf(d), itemsOf(again)); diff != "" {
		t.Fatalf("the root alone differs: %s", diff)
	}
}

// TestGeneratedDocuments writes documents in odd but legal ways and reads them back.
func TestGeneratedDocuments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		g := &generator{t: rt}
		g.element(0)
		doc := g.src.String()
		d, err := xmltree.Parse([]byte(doc), xmltree.Limits{})
		if err != nil {
			rt.Fatalf("%v in %q", err, doc)
		}
		if diff := cmp.Diff(g.want, itemsOf(d)); diff != "" {
			rt.Fatalf("%q (-written +read):\n%s", doc, diff)
		}
		if err := agree([]byte(doc), d); err != nil {
			rt.Fatalf("%q: %v", doc, err)
		}
		check(rt, []byte(doc), d)
	})
}

type generator struct {
	t    *rapid.T
	src  strings.Builder
	want []item
}

func (g *generator) pick(from ...string) string { return rapid.SampledFrom(from).Draw(g.t, "pick") }

func (g *generator) element(depth int) {
	prefix := g.pick("", "", "p", "é")
	name := g.pick("a", "Param", "x-1.2_", "ü")
	tag := name
	g.src.WriteByte('<')
	if prefix != "" {
		tag = prefix + ":" + name
	}
	g.src.WriteString(tag)
	var space, decls string
	if prefix != "" {
		space = g.pick("urn:1", "urn:2")
		decls = " xmlns:" + prefix + g.pick("='", " = '") + space + "'"
	} else {
		space = g.pick("", "urn:3")
		decls = "\n xmlns=\"" + space + `"`
	}
	g.want = append(g.want, item{Kind: "element", Space: space, Local: name})
	if rapid.Bool().Draw(g.t, "declared first") {
		g.src.WriteString(decls)
		decls = ""
	}
	for i := range rapid.IntRange(0, 3).Draw(g.t, "attributes") {
		name := fmt.Sprintf("n%d", i)
		attrSpace := ""
		g.src.WriteString(g.pick(" ", "\r\n\t"))
		if prefix != "" && rapid.Bool().Draw(g.t, "prefixed") {
			g.src.WriteString(prefix + ":")
			attrSpace = space
		}
		written, value := g.text(g.pick(`"`, "'"))
		g.src.WriteString(name + "=" + written)
		g.want = append(g.want, item{"attribute", attrSpace, name, blanks(value)})
	}
	g.src.WriteString(decls)
	children := rapid.IntRange(0, 4).Draw(g.t, "children")
	if children == 0 && rapid.Bool().Draw(g.t, "empty") {
		g.src.WriteString(g.pick("/>", " />"))
		g.want = append(g.want, item{Kind: "end"})
		return
	}
	g.src.WriteString(">")
	for range children {
		if depth < 5 && rapid.Bool().Draw(g.t, "element") {
			g.element(depth + 1)
			continue
		}
		written, value := g.text("")
		g.src.WriteString(written + g.pick("", "<!-- & < -->", "<?x &?>"))
		if value == "" {
			continue
		}
		if last := &g.want[len(g.want)-1]; last.Kind == "text" {
			last.Value += value
		} else {
			g.want = append(g.want, item{Kind: "text", Value: value})
		}
	}
	g.src.WriteString("</" + tag + g.pick(">", "\n>"))
	g.want = append(g.want, item{Kind: "end"})
}

// text writes some text, within quotes or, when quote is empty, within an element.
func (g *generator) text(quote string) (written, value string) {
	written = quote
	for range rapid.IntRange(0, 6).Draw(g.t, "pieces") {
		piece := rapid.SampledFrom([][2]string{
			{"&lt;", "<"},
			{"&amp;", "&"},
			{"&gt;", ">"},
			{"&#x41;", "A"},
			{"&#10;", "\n"},
			{"&#13;", "\r"},
			{"&apos;", "'"},
			{"&quot;", `"`},
			{"plain ", "plain "},
			{"é€𝄞", "é€𝄞"},
			{" ", " "},
			{"\n", "\n"},
			{"\r\n", "\n"},
			{"]", "]"},
			{"&#93;&#93;&gt;", "]]>"},
		}).Draw(g.t, "piece")
		if quote == "" && rapid.IntRange(0, 3).Draw(g.t, "CDATA") == 0 {
			piece = [2]string{"<![CDATA[" + piece[0] + "]]>", strings.ReplaceAll(piece[0], "\r\n", "\n")}
		}
		written += piece[0]
		value += piece[1]
	}
	return written + quote, value
}

// TestCorpusAgreesWithManifest holds this package against the verdicts of libxml2, which the manifests record.
func TestCorpusAgreesWithManifest(t *testing.T) {
	t.Parallel()
	verdicts := map[string]bool{}
	for corpus, c := range map[string]struct {
		manifest string
		column   int
		bad      string
	}{"voevent": {"MANIFEST.tsv", 11, "NO"}, "voevent-synthetic": {"SYNTHETIC.tsv", 2, "not well-formed"}} {
		dir := testbed.Corpus(t, corpus)
		table, err := os.ReadFile(filepath.Join(dir, c.manifest))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSpace(string(table)), "\n") {
			if cells := strings.Split(line, "\t"); i > 0 {
				verdicts[filepath.Join(dir, cells[0])] = !strings.HasPrefix(cells[c.column], c.bad)
			}
		}
	}
	// libxml2 takes these in: document types are refused here, and limits are lower.
	stricter := map[string]string{
		"quadratic-blowup.xml": xmltree.CodeDoctype, "entity-in-attribute.xml": xmltree.CodeDoctype, "external-entity-file.xml": xmltree.CodeDoctype,
		"external-entity-http.xml": xmltree.CodeDoctype, "external-dtd.xml": xmltree.CodeDoctype, "parameter-entity.xml": xmltree.CodeDoctype,
		"dtd-default-attribute.xml": xmltree.CodeDoctype, "many-attributes.xml": xmltree.CodeOversize,
	}
	if len(verdicts) < 370 {
		t.Fatalf("there are verdicts about %d files only", len(verdicts))
	}
	for file, wellFormed := range verdicts {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := xmltree.Parse(raw, xmltree.Limits{})
		name := filepath.Base(file)
		if code, ok := stricter[name]; ok {
			if se, ok := errors.AsType[*xmltree.SyntaxError](err); !ok || se.Code != code {
				t.Errorf("%s: %v, want %s", name, err, code)
			}
			continue
		}
		if (err == nil) != wellFormed {
			t.Errorf("%s: %v, libxml2 says well-formed %v", name, err, wellFormed)
		}
		if err == nil {
			if err := agree(d.Source(), d); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			check(t, raw, d)
		}
	}
}
