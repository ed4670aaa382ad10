// Package testbed gives tests what they share: where the published test data lie, and nothing that the program itself uses.
package testbed

import (
	"os"
	"path/filepath"
	"testing"
)

// Corpus returns the folder of published test data with that name, such as "voevent" or "voevent-synthetic". The data
// belong to their authors and are no part of this project; where they are absent the test is skipped and says so.
func Corpus(t testing.TB, name string) string {
	t.Helper()
	return shared(t, filepath.Join("corpus", name))
}

// Schemas returns the folder of the published XSDs, which serve as oracles. Where they are absent the test is skipped.
func Schemas(t testing.TB) string {
	t.Helper()
	return shared(t, "schemas")
}

// Root returns the folder of the module.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("testbed: no go.mod above the working directory")
		}
		dir = up
	}
}

func shared(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(Root(t)), "shared", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the published test data are not beside this checkout (../shared/%s): this check is left out", filepath.ToSlash(name))
	}
	return dir
}
