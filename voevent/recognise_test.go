package voevent

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"tocsin/internal/mutate"
	"tocsin/internal/testbed"
	"tocsin/voevent/xmltree"
)

var mutants = flag.Int("mutants", 3000, "how many damaged notices to try in each of the tests that do so")

type sample struct {
	name string
	text []byte
}

// validSamples returns the fixtures that are valid by the schema of their version.
func validSamples(t testing.TB) []sample {
	t.Helper()
	out := samplesIn(t, filepath.Join("testdata", "valid"))
	if len(out) < 5 {
		t.Fatalf("only %d fixtures in testdata/valid", len(out))
	}
	return out
}

// corpusSamples returns the published notices, real and odd, or skips.
func corpusSamples(t testing.TB) []sample {
	t.Helper()
	return append(samplesIn(t, testbed.Corpus(t, "voevent")), samplesIn(t, testbed.Corpus(t, "voevent-synthetic"))...)
}

func samplesIn(t testing.TB, dir string) []sample {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, sample{filepath.Base(path), text})
	}
	return out
}

// schemaErrors returns what the engine, less its own quirks, and the explainer hold against a document.
func schemaErrors(d *xmltree.Document) []Finding {
	c := &checker{e: &Event{doc: d}, d: d}
	c.schema()
	var out []Finding
	for _, p := range c.out {
		if p.Severity == Error {
			out = append(out, p.Finding)
		}
	}
	return out
}

func TestTheRecogniserKnowsOrdinaryNotices(t *testing.T) {
	for _, s := range validSamples(t) {
		d, err := xmltree.Parse(s.text, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		want := s.name != "burst-1.1.xml" // STC coordinates are the engine's
		if got := surelyValid(d); got != want {
			t.Errorf("%s: surelyValid = %v, want %v", s.name, got, want)
		}
		if fs := schemaErrors(d); len(fs) > 0 {
			t.Errorf("%s: %v", s.name, fs)
		}
	}
}

// What the recogniser passes, the schema passes. The other direction may fail, but for ordinary notices it should not.
func checkRecogniser(t *testing.T, text []byte, name string) (recognised, valid bool) {
	t.Helper()
	d, err := xmltree.Parse(text, xmltree.Limits{})
	if err != nil || d.Local(d.Root()) != "VOEvent" {
		return false, false
	}
	fs := schemaErrors(d)
	recognised, valid = surelyValid(d), len(fs) == 0
	if recognised && !valid {
		t.Errorf("the recogniser passes %s, the schema does not: %+v\n%s", name, fs[0], text)
	}
	return recognised, valid
}

func TestWhatTheRecogniserPassesIsValid(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2031))
	samples := validSamples(t)
	n, recognised, valid := *mutants, 0, 0
	for i := range n {
		s := samples[i%len(samples)]
		text, edit := mutate.Edit(s.text, rng)
		r, v := checkRecogniser(t, text, s.name+": "+edit)
		if r {
			recognised++
		}
		if v {
			valid++
		}
	}
	t.Logf("of %d mutants %d are valid, %d of them recognised", n, valid, recognised)
	if recognised == 0 || valid == n {
		t.Errorf("of %d mutants %d valid, %d recognised: this proves nothing", n, valid, recognised)
	}
}

func TestWhatTheRecogniserPassesInTheCorpusIsValid(t *testing.T) {
	samples := corpusSamples(t)
	recognised, valid := 0, 0
	for _, s := range samples {
		r, v := checkRecogniser(t, s.text, s.name)
		if r {
			recognised++
		}
		if v {
			valid++
		}
		if v && !r {
			t.Logf("valid, but left to the engine: %s", s.name)
		}
	}
	t.Logf("of %d documents %d are valid, %d of them recognised", len(samples), valid, recognised)
	if recognised*10 < valid*9 {
		t.Errorf("only %d of %d valid documents are recognised", recognised, valid)
	}
	if testing.Short() {
		return
	}
	rng := rand.New(rand.NewPCG(2, 2031))
	for i := range *mutants {
		s := samples[i%len(samples)]
		if len(s.text) > 20000 {
			continue
		}
		text, edit := mutate.Edit(s.text, rng)
		checkRecogniser(t, text, s.name+": "+edit)
	}
}

// The explainer must not hold anything against a valid document, and must find something in nearly every invalid one.
func TestTheExplainerAgreesWithTheEngine(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 2031))
	samples := validSamples(t)
	invalid, unexplained := 0, 0
	for i := range *mutants {
		s := samples[i%len(samples)]
		text, edit := mutate.Edit(s.text, rng)
		d, err := xmltree.Parse(text, xmltree.Limits{})
		if err != nil || roots[d.Space(d.Root())] == nil || d.Local(d.Root()) != "VOEvent" {
			continue
		}
		errs, _ := standing(d, engines[d.Space(d.Root())].judge(d))
		var faults []fault
		stricter := true
		w := walker{d: d, root: formOf(d), explain: func(f fault) {
			faults = append(faults, f)
			stricter = stricter && stricterThanEngine(f)
		}}
		w.element(d.Root(), w.root)
		switch {
		case len(errs) == 0 && !stricter && !w.unsure:
			t.Errorf("%s: %s: the explainer finds %+v in a valid document\n%s", s.name, edit, faults, text)
		case len(errs) > 0:
			invalid++
			if len(faults) == 0 && !w.unsure {
				unexplained++
				t.Logf("%s: %s: unexplained: %v", s.name, edit, errs[0])
			}
		}
	}
	t.Logf("%d invalid mutants, %d of them unexplained", invalid, unexplained)
	if unexplained*200 > invalid {
		t.Errorf("%d of %d invalid mutants are not explained", unexplained, invalid)
	}
}

func BenchmarkValidate(b *testing.B) {
	for _, s := range benchSamples(b) {
		b.Run(fmt.Sprintf("%s/%d", s.name, len(s.text)), func(b *testing.B) {
			e, err := Parse(s.text)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(s.text)))
			b.ReportAllocs()
			for b.Loop() {
				if !Valid(Validate(e)) {
					b.Fatal("invalid")
				}
			}
		})
	}
}

func BenchmarkValidateEngine(b *testing.B) {
	for _, s := range benchSamples(b) {
		b.Run(fmt.Sprintf("%s/%d", s.name, len(s.text)), func(b *testing.B) {
			e, err := Parse(s.text)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(s.text)))
			b.ReportAllocs()
			for b.Loop() {
				if errs := engines[e.Namespace].judge(e.doc); len(errs) > 0 {
					b.Fatal(errs[0])
				}
			}
		})
	}
}

// benchSamples are an ordinary notice and one of the size of Swift's, grown from it.
func benchSamples(b *testing.B) []sample {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "valid", "burst-2.0.xml"))
	if err != nil {
		b.Fatal(err)
	}
	var params bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&params, "<Param name=\"Reading_%d\" value=\"%d.25\" unit=\"ct\" ucd=\"phot.count\"/>\n    ", i, i)
	}
	large := bytes.Replace(text, []byte("<Param name=\"Serial\""), append(params.Bytes(), "<Param name=\"Serial\""...), 1)
	return []sample{{"ordinary", text}, {"large", large}}
}
