package mutate

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

const sample = `<?xml version="1.0"?>
<v:VOEvent xmlns:v="urn:v" ivorn="ivo://a.b/c#d" role='test'><!-- <x> --><Who><Date>now</Date></Who><What><Param name="a>b" value="1"/><Param name="c"/></What></v:VOEvent>`

func TestPageFindsElementsAndAttributes(t *testing.T) {
	p := parse([]byte(sample))
	var names []string
	for _, e := range p.elems {
		names = append(names, e.name)
	}
	want := []string{"v:VOEvent", "Who", "Date", "What", "Param", "Param"}
	if len(names) != len(want) {
		t.Fatalf("elements %v, want %v", names, want)
	}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("element %d is %s, want %s", i, names[i], want[i])
		}
	}
	a := p.elems[4].attrs
	if len(a) != 2 || a[0].name != "name" || string(p.src[a[0].valFrom:a[0].valTo]) != "a>b" {
		t.Errorf("attributes of Param: %+v", a)
	}
	if got := string(p.src[p.elems[1].from:p.elems[1].to]); got != "<Who><Date>now</Date></Who>" {
		t.Errorf("Who spans %q", got)
	}
}

func TestEqualSeedsGiveEqualMutantsAndTheDocumentStays(t *testing.T) {
	doc := []byte(sample)
	a, b := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
	kinds := map[string]int{}
	for range 2000 {
		x, edit := Edit(doc, a)
		y, _ := Edit(doc, b)
		if !bytes.Equal(x, y) {
			t.Fatal("equal seeds, different mutants")
		}
		if edit == "none" {
			t.Fatal("no edit found for the sample")
		}
		kinds[edit]++
		if string(doc) != sample {
			t.Fatal("Edit changed the document it was given")
		}
	}
	for _, e := range edits {
		if kinds[e.name] == 0 {
			t.Errorf("edit %q never happened", e.name)
		}
	}
}

func TestADocumentWithoutElementsIsCopied(t *testing.T) {
	out, edit := Edit([]byte("nothing"), rand.New(rand.NewPCG(1, 1)))
	if edit != "none" || string(out) != "nothing" {
		t.Fatalf("Edit = %q, %q", out, edit)
	}
}
