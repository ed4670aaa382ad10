// Package spec_test keeps index.txt true: what it refers to must be there.
package spec_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// requirement is one entry of the index.
type requirement struct {
	line   int
	status string
	what   string
	refs   []string
	note   string
}

var heading = regexp.MustCompile(`^(yes|partial|no) (MUST|SHOULD|MAY) ([^:]+): (.+)$`)

func index(t *testing.T) (all []requirement, sections []string) {
	t.Helper()
	text, err := os.ReadFile("index.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "= "):
			sections = append(sections, line[2:])
		case strings.HasPrefix(line, "\tnote: ") && len(all) > 0:
			all[len(all)-1].note = strings.TrimPrefix(line, "\tnote: ")
		case strings.HasPrefix(line, "\t") && len(all) > 0:
			all[len(all)-1].refs = append(all[len(all)-1].refs, line[1:])
		default:
			m := heading.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("index.txt:%d: neither a requirement nor a reference: %q", i+1, line)
				continue
			}
			all = append(all, requirement{line: i + 1, status: m[1], what: m[3] + ": " + m[4]})
		}
	}
	return all, sections
}

func TestReferencesExist(t *testing.T) {
	all, sections := index(t)
	if len(sections) != 2 || len(all) < 50 {
		t.Errorf("%d sections with %d requirements: has something been lost?", len(sections), len(all))
	}
	read := make(map[string]string)
	for _, r := range all {
		for _, ref := range r.refs {
			path, name, named := strings.Cut(ref, "#")
			text, ok := read[path]
			if !ok {
				b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
				if err != nil {
					t.Errorf("index.txt:%d: %s: %v", r.line, r.what, err)
					continue
				}
				text = string(b)
				read[path] = text
			}
			if named && !occurs(text, name) {
				t.Errorf("index.txt:%d: %s: %q does not occur in %s", r.line, r.what, name, path)
			}
		}
	}
}

// occurs looks for an identifier as a whole word, and for anything else as it is.
func occurs(text, name string) bool {
	if regexp.MustCompile(`^\w+$`).MatchString(name) {
		return regexp.MustCompile(`\b` + name + `\b`).MatchString(text)
	}
	return name != "" && strings.Contains(text, name)
}

func TestStatusesAreEarned(t *testing.T) {
	all, _ := index(t)
	seen := make(map[string]int)
	for _, r := range all {
		if first, ok := seen[r.what]; ok {
			t.Errorf("index.txt:%d: %s: already on line %d", r.line, r.what, first)
		}
		seen[r.what] = r.line
		code, tests := 0, 0
		for _, ref := range r.refs {
			path, _, _ := strings.Cut(ref, "#")
			if strings.HasSuffix(path, "_test.go") {
				tests++
			} else {
				code++
			}
		}
		switch r.status {
		case "yes":
			if tests == 0 || code+tests < 2 {
				t.Errorf("index.txt:%d: %s: yes needs a test and one more reference", r.line, r.what)
			}
		case "partial":
			if code+tests == 0 || r.note == "" {
				t.Errorf("index.txt:%d: %s: partial needs a reference, and a note on what is missing", r.line, r.what)
			}
		case "no":
			if r.note == "" {
				t.Errorf("index.txt:%d: %s: no needs a note that says why", r.line, r.what)
			}
		}
	}
}
