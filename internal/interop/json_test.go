//go:build interop

package interop

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"tocsin/internal/testbed"
	"tocsin/voevent"
)

// TestJSONMappingKeepsTheCanonicalForm lets libxml2 write the canonical form of each notice as it came and as it comes back
// from JSON. They may differ in comments, processing instructions, and white space between tags.
func TestJSONMappingKeepsTheCanonicalForm(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint (Debian package libxml2-utils) is not installed: this check is left out")
	}
	dirs := []string{filepath.Join(testbed.Root(t), "voevent", "testdata")}
	for _, corpus := range []string{"voevent", "voevent-synthetic", "gcn"} {
		t.Run(corpus, func(t *testing.T) { dirs = append(dirs, testbed.Corpus(t, corpus)) })
	}
	compared := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
				return err
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			e, err := voevent.Parse(raw)
			if err != nil {
				return nil // no notice
			}
			js, err := voevent.ToJSON(e, voevent.JSONOptions{})
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			back, err := voevent.FromJSON(js)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			compared++
			if want, got := canonicalForm(t, xmllint, raw), canonicalForm(t, xmllint, back); !bytes.Equal(want, got) {
				t.Errorf("%s:\nwant %s\ngot  %s", path, want, got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d notices compared", compared)
	if compared < 4 {
		t.Errorf("only %d notices compared", compared)
	}
}

var (
	commentsAndPIs = regexp.MustCompile(`(?s)<!--.*?-->|<\?.*?\?>`)
	betweenTags    = regexp.MustCompile(`>[ \t\n]+<`)
)

// canonicalForm is Canonical XML 1.1 as xmllint writes it, less what the mapping does not keep.
func canonicalForm(t *testing.T, xmllint string, raw []byte) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "notice.xml")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(context.Background(), xmllint, "--nonet", "--c14n11", file)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, stderr.Bytes(), raw)
	}
	out = commentsAndPIs.ReplaceAll(out, nil)
	return bytes.TrimSpace(betweenTags.ReplaceAll(out, []byte("><")))
}
