package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/testbed"
)

// pkg is what `go list -deps -json` tells about a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
	Name       string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard,Name"}, args...)...)
	cmd.Dir = testbed.Root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// floor gives the floor of a package of ours, counted from the ground, by the first part of its path. What lies in
// internal, docs (tests only) and cmd sees everything; nobody but tests and each other sees internal.
var floor = map[string]int{
	"schemas": 0, "sky": 0,
	"voevent": 1,
	"journal": 2,
	"broker":  3,
	"vtp":     4, "rest": 4,
	"cmd": 5, "internal": 5, "docs": 5,
}

func house(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "tocsin/")
	first, _, _ := strings.Cut(rest, "/")
	return first, ok
}

// TestImportsGoDownward checks every direct import between packages of the module.
func TestImportsGoDownward(t *testing.T) {
	seen := 0
	for _, p := range list(t, "./...") {
		from, ok := house(p.ImportPath)
		if !ok {
			t.Errorf("%s lies outside the house: a new top-level folder needs an ADR and a floor here", p.ImportPath)
			continue
		}
		above, known := floor[from]
		if !known {
			t.Errorf("%s has no floor: give %q one here and in .golangci.yml", p.ImportPath, from)
			continue
		}
		for _, i := range p.Imports {
			to, ours := house(i)
			if !ours || to == from {
				continue
			}
			seen++
			switch below := floor[to]; {
			case to == "internal" && from != "cmd":
				t.Errorf("%s imports %s: the program uses nothing of internal", p.ImportPath, i)
			case from == "internal":
			case below >= above:
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go strictly downward", p.ImportPath, above, i, below)
			}
		}
	}
	if seen < 5 {
		t.Fatalf("only %d imports between our packages were found: this test looks at the wrong thing", seen)
	}
}

// TestNobodyDependsOnWhatItMustNotKnow checks direct and indirect dependencies, each with its reason.
func TestNobodyDependsOnWhatItMustNotKnow(t *testing.T) {
	rules := []struct {
		who    string
		never  []string // packages, or prefixes that end in /
		reason string
	}{
		{"tocsin/sky", []string{"net", "os/exec", "tocsin/"}, "sky only computes"},
		{"tocsin/voevent", []string{"net", "net/http", "os/exec", "log/slog", "go.etcd.io/", "github.com/prometheus/", "tocsin/journal", "tocsin/broker"}, "voevent does no input or output"},
		{"tocsin/voevent/xmltree", []string{"net", "net/http", "os/exec", "encoding/xml"}, "the scanner stands alone"},
		{"tocsin/journal", []string{"tocsin/", "net", "net/http"}, "the journal carries bytes, it does not read them"},
		{"tocsin/broker", []string{"tocsin/store", "github.com/jackc/", "database/sql", "tocsin/vtp", "tocsin/rest", "tocsin/cmd/"}, "alerts live without PostgreSQL, and the broker knows no protocol"},
		{"tocsin/broker/filter", []string{"tocsin/journal", "net/http"}, "a filter looks at a notice and at nothing else"},
		{"tocsin/vtp", []string{"tocsin/broker", "tocsin/broker/filter", "tocsin/journal", "tocsin/store", "go.etcd.io/"}, "a protocol declares the interfaces it needs"},
		{"tocsin/rest", []string{"tocsin/vtp", "tocsin/journal", "go.etcd.io/"}, "protocols do not touch the journal, nor each other"},
		{"tocsin/cmd/tocsin", []string{"testing", "github.com/google/go-cmp/", "pgregory.net/", "go.uber.org/goleak", "tocsin/internal/"}, "the program carries no test code"},
	}
	for _, r := range rules {
		t.Run(r.who, func(t *testing.T) {
			pkgs := list(t, "./"+strings.TrimPrefix(r.who, "tocsin/"))
			if len(pkgs) != 1 {
				t.Fatalf("%d packages, want one", len(pkgs))
			}
			if len(pkgs[0].Deps) == 0 {
				t.Fatal("no dependencies at all: this test looks at the wrong thing")
			}
			for _, d := range pkgs[0].Deps {
				if strings.HasPrefix(d, r.who+"/") {
					continue // its own subfolders
				}
				if slices.ContainsFunc(r.never, func(n string) bool { return d == n || (strings.HasSuffix(n, "/") && strings.HasPrefix(d, n)) }) {
					t.Errorf("%s depends on %s: %s", r.who, d, r.reason)
				}
			}
		})
	}
}

// TestNamesThatSayNothing keeps packages from becoming drawers.
func TestNamesThatSayNothing(t *testing.T) {
	for _, p := range list(t, "./...") {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "manager", "types", "models", "misc"}, p.Name) {
			t.Errorf("%s: a package is named after what it knows", p.ImportPath)
		}
	}
}
