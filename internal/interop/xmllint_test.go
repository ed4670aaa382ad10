//go:build interop

package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/mutate"
	"tocsin/internal/testbed"
	"tocsin/schemas"
	"tocsin/voevent"
	"tocsin/voevent/xmltree"

	"github.com/jacoelho/xsd"
)

var (
	mutants = flag.Int("mutants", 24000, "how many damaged notices to compare with xmllint")
	seed    = flag.Uint64("seed", 20110711, "which damaged notices to make")
)

// A verdict of xmllint on one document.
type verdict struct {
	kind kind
	// namespaces says that the parser complained of an undefined prefix or an odd namespace name. It goes on then, and the
	// schema has its say.
	namespaces bool
	text       string // the first complaint
}

type kind uint8

const (
	notWellFormed kind = iota
	invalid
	valid
)

func (k kind) String() string { return [...]string{"not well-formed", "invalid", "valid"}[k] }

// published names the schema files of the standards, by the name of ours.
var published = map[string]string{
	schemas.VOEvent11:   "VOEvent-1.1.xsd",
	schemas.VOEvent20:   "VOEvent-2.0.xsd",
	schemas.VOEvent21:   "VOEvent-v2.1.xsd",
	schemas.Transport11: "transport-1.1.xsd",
}

// document is one text to be judged.
type document struct {
	name   string // where it comes from, and what was done to it
	text   []byte
	schema string // which of schemas' files describes it
}

// schemaFor tells which schema describes a document: that of its root's namespace. Documents of other namespaces, or of
// none, or that cannot be read, are judged by that of VOEvent 2.0.
func schemaFor(text []byte) string {
	doc, err := xmltree.Parse(bytes.Clone(text), xmltree.Limits{})
	if err != nil {
		return schemas.VOEvent20
	}
	switch doc.Space(doc.Root()) {
	case schemas.VOEvent11NS:
		return schemas.VOEvent11
	case schemas.VOEvent21NS:
		return schemas.VOEvent21
	case schemas.Transport11NS:
		return schemas.Transport11
	}
	return schemas.VOEvent20
}

// realDocuments reads every notice and Transport message of the corpora.
func realDocuments(t *testing.T) []document {
	t.Helper()
	var docs []document
	for _, dir := range []string{testbed.Corpus(t, "voevent"), testbed.Corpus(t, "voevent-synthetic"), filepath.Join(testbed.Corpus(t, "gcn"), "voevent")} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			docs = append(docs, document{name: filepath.Join(filepath.Base(dir), filepath.Base(path)), text: text, schema: schemaFor(text)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(docs) < 300 {
		t.Fatalf("only %d documents in the corpora", len(docs))
	}
	return docs
}

// damaged makes n mutants, as many of the rare versions 1.1 and 2.1 as of 2.0, so that each is well covered.
func damaged(t *testing.T, n int) []document {
	t.Helper()
	bySchema := map[string][]document{}
	for _, d := range realDocuments(t) {
		if len(d.text) < 20000 && !bytes.Contains(d.text, []byte("<!DOCTYPE")) && d.text[0] != 0xff && d.text[0] != 0xfe {
			bySchema[d.schema] = append(bySchema[d.schema], d)
		}
	}
	for _, name := range []string{schemas.VOEvent20, schemas.VOEvent21, schemas.VOEvent11, schemas.Transport11} {
		own, err := filepath.Glob(filepath.Join(testbed.Root(t), "voevent", "testdata", "valid", "*.xml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range own {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if schemaFor(text) == name {
				bySchema[name] = append(bySchema[name], document{name: "own/" + filepath.Base(path), text: text, schema: name})
			}
		}
	}
	share := map[string]int{schemas.VOEvent20: n / 2, schemas.VOEvent21: n / 5, schemas.VOEvent11: n / 5, schemas.Transport11: n / 10}
	rng := rand.New(rand.NewPCG(*seed, 20260225))
	var docs []document
	for _, name := range []string{schemas.VOEvent20, schemas.VOEvent21, schemas.VOEvent11, schemas.Transport11} {
		from := bySchema[name]
		for i := range share[name] {
			d := from[i%len(from)]
			text, edit := mutate.Edit(d.text, rng)
			if rng.IntN(8) == 0 {
				var second string
				text, second = mutate.Edit(text, rng)
				edit += ", " + second
			}
			docs = append(docs, document{name: d.name + ": " + edit, text: text, schema: schemaFor(text)})
		}
	}
	return docs
}

// judge asks xmllint for its verdict on every document, with the schemas found in dir under the names given.
func judge(t *testing.T, docs []document, schemaPath func(name string) string) []verdict {
	t.Helper()
	bin, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed (package libxml2-utils)")
	}
	dir := t.TempDir()
	out := make([]verdict, len(docs))
	const perProcess = 3000
	for _, name := range slices.Sorted(mapKeys(published)) {
		var batch []int
		for i := range docs {
			if docs[i].schema == name {
				batch = append(batch, i)
			}
		}
		for part := range slices.Chunk(batch, perProcess) {
			args := []string{"--nonet", "--noout", "--schema", schemaPath(name)}
			for _, i := range part {
				file := fmt.Sprintf("d%06d.xml", i)
				if err := os.WriteFile(filepath.Join(dir, file), docs[i].text, 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, file)
			}
			cmd := exec.Command(bin, args...)
			cmd.Dir = dir
			text, _ := cmd.CombinedOutput() // its status is 3 or 4 when any document is invalid
			readVerdicts(t, text, out)
		}
	}
	return out
}

func readVerdicts(t *testing.T, text []byte, out []verdict) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 16<<20)
	last := -1
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, "Schemas parser error") || strings.Contains(line, "failed to compile") {
			t.Fatalf("xmllint: %s", line)
		}
		var i int
		if n, _ := fmt.Sscanf(line, "d%06d.xml", &i); n != 1 {
			if last >= 0 { // a message that holds a line break of the document
				out[last].text += " " + line
			}
			continue
		}
		v := &out[i]
		last = -1
		switch {
		case strings.HasSuffix(line, ".xml validates"):
			v.kind = valid
		case strings.HasSuffix(line, ".xml fails to validate"):
			v.kind = invalid
		default:
			v.namespaces = v.namespaces || strings.Contains(line, "namespace error")
			if v.text == "" && !strings.Contains(line, "parser warning") {
				v.text, last = line, i
			}
		}
	}
}

func mapKeys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func publishedPath(t *testing.T) func(string) string {
	dir := testbed.Schemas(t)
	return func(name string) string { return filepath.Join(dir, published[name]) }
}

func ownPath(t *testing.T) func(string) string {
	return func(name string) string { return filepath.Join(testbed.Root(t), "schemas", name) }
}

// engines compiles our schemas, one engine each.
func engines(t *testing.T) map[string]*xsd.Engine {
	t.Helper()
	out := map[string]*xsd.Engine{}
	for name := range published {
		engine, err := xsd.Compile(t.Context(), xsd.File(ownPath(t)(name)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = engine
	}
	return out
}

// ours gives Tocsin's own verdict: nil when the notice is valid by the schema of its version. Transport messages have only
// the schema, and so are left to the engine.
func (d document) ours(engine *xsd.Engine) error {
	if d.schema == schemas.Transport11 {
		return firstOf(engine.Validate(context.Background(), bytes.NewReader(d.text)))
	}
	e, err := voevent.Parse(bytes.Clone(d.text))
	if err != nil {
		return err
	}
	for _, f := range voevent.Validate(e) {
		if f.Severity == voevent.Error && f.Code != "ivorn-malformed" { // a rule of the text, not of the schema
			return findingError{f}
		}
	}
	return nil
}

type findingError struct{ voevent.Finding }

func (e findingError) Error() string {
	return fmt.Sprintf("%s at %d:%d: %s", e.Code, e.Line, e.Column, e.Message)
}

func compare(t *testing.T, docs []document) {
	t.Helper()
	want := judge(t, docs, publishedPath(t))
	lint := judge(t, docs, ownPath(t))
	validators := engines(t)
	count := map[string]int{}
	bySchema := map[string]int{}
	designed := map[string]int{}
	lintDiffers, weDiffer, engineDiffers := 0, 0, 0
	for i, d := range docs {
		count[want[i].kind.String()]++
		bySchema[d.schema]++
		if lint[i].kind != want[i].kind {
			lintDiffers++
			report(t, lintDiffers, "xmllint: %v with the published schema, %v with ours\n  %s\n  %s\n  %s", want[i].kind, lint[i].kind, want[i].text, lint[i].text, describe(d))
		}
		if err := validators[d.schema].Validate(context.Background(), bytes.NewReader(d.text)); (err == nil) != (want[i].kind == valid) {
			engineDiffers++ // its quirks, which voevent mends
		}
		err := d.ours(validators[d.schema])
		if (err == nil) == (want[i].kind == valid) {
			continue
		}
		if why := differsByDesign(d, want[i], err); why != "" {
			designed[why]++
			continue
		}
		weDiffer++
		report(t, weDiffer, "xmllint with the published schema: %v; Tocsin: %v\n  %s\n  %s", want[i].kind, err, want[i].text, describe(d))
	}
	for why, n := range designed {
		t.Logf("%6d differ by design. %s", n, why)
	}
	t.Logf("%d documents (%v): %v", len(docs), bySchema, count)
	t.Logf("disagreements with xmllint and the published schemas: xmllint with our schemas %d; Tocsin %d, and %d by design; the bare engine with our schemas %d",
		lintDiffers, weDiffer, total(designed), engineDiffers)
}

func total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// firstOf returns the first of the engine's errors.
func firstOf(err error) error {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		return many.Unwrap()[0]
	}
	return err
}

func report(t *testing.T, nth int, format string, args ...any) {
	t.Helper()
	if nth <= 40 {
		t.Errorf(format, args...)
	} else {
		t.Fail()
	}
}

func describe(d document) string {
	dir := filepath.Join(os.TempDir(), "tocsin-disagreements")
	_ = os.MkdirAll(dir, 0o755)
	f, err := os.CreateTemp(dir, "d*.xml")
	if err != nil {
		return d.name
	}
	defer f.Close()
	_, _ = f.Write(d.text)
	return fmt.Sprintf("%s (%s), kept as %s", d.name, d.schema, f.Name())
}

func TestRealDocumentsHaveTheVerdictsOfThePublishedSchemas(t *testing.T) {
	compare(t, realDocuments(t))
}

func TestDamagedDocumentsHaveTheVerdictsOfThePublishedSchemas(t *testing.T) {
	compare(t, damaged(t, *mutants))
}
