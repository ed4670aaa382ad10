package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tocsin/internal/testbed"
)

var (
	link     = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)
	makeTask = regexp.MustCompile("(?m)`?\\bmake ([a-z]+)\\b")
	target   = regexp.MustCompile(`(?m)^([a-z]+):.*## `)
)

// TestDocumentsPointToWhatExists follows every relative link of the documents, and looks up every make target that
// they name.
func TestDocumentsPointToWhatExists(t *testing.T) {
	root := testbed.Root(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	links := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "data") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "/") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
			}
		}
		for _, m := range makeTask.FindAllStringSubmatch(codeOf(string(b)), -1) {
			if !targets[m[1]] {
				t.Errorf("%s names `make %s`, which the Makefile does not have", name, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if links < 15 || len(targets) < 10 {
		t.Fatalf("only %d links and %d targets found: this test looks at the wrong thing", links, len(targets))
	}
}

// codeOf leaves of a document what stands between backquotes or is indented as code: prose may well "make notices".
func codeOf(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "    ") {
			b.WriteString(line)
			continue
		}
		for i, part := range strings.Split(line, "`") {
			if i%2 == 1 {
				b.WriteString(part + "\n")
			}
		}
	}
	return b.String()
}

// TestFilesStaySmall keeps every file readable in one go.
func TestFilesStaySmall(t *testing.T) {
	const most = 500
	root := testbed.Root(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := strings.Count(string(b), "\n"); n > most {
			name, _ := filepath.Rel(root, path)
			t.Errorf("%s has %d lines: more than %d are hard to read; divide it by what its parts know", name, n, most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
