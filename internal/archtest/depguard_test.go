package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/internal/testbed"
)

// TestLinterRulesBite copies the linter's configuration beside small packages that break each rule, and demands that
// the linter says so. It needs the linter in .tools (make lint puts it there) and is left out without it.
func TestLinterRulesBite(t *testing.T) {
	root := testbed.Root(t)
	linter := filepath.Join(root, ".tools", "golangci-lint")
	if _, err := os.Stat(linter); err != nil {
		t.Skip("the linter is not in .tools: make lint installs it")
	}
	if testing.Short() {
		t.Skip("runs the linter: left out with -short")
	}
	breaches := []struct{ file, source, want string }{
		{"sky/bad.go", `package sky; import _ "tocsin/voevent"`, "floor-0-sky"},
		{"voevent/bad.go", `package voevent; import _ "tocsin/broker"`, "floor-1-voevent"},
		{"voevent/net.go", `package voevent; import _ "net"`, "voevent does no I/O"},
		{"voevent/xmltree/bad.go", `package xmltree; import _ "os"`, "floor-1-voevent"},
		{"journal/bad.go", `package journal; import _ "tocsin/voevent"`, "floor-2-journal"},
		{"broker/bad.go", `package broker; import _ "tocsin/vtp"`, "floor-3-broker"},
		{"broker/filter/bad.go", `package filter; import _ "database/sql"`, "floor-3-broker"},
		{"vtp/bad.go", `package vtp; import _ "tocsin/broker"`, "floor-4-vtp"},
		{"vtp/journal.go", `package vtp; import _ "tocsin/journal"`, "floor-4-vtp"},
		{"rest/bad.go", `package rest; import _ "tocsin/journal"`, "floor-4-rest"},
		{"cmd/tocsin/main.go", `package main; import _ "log"; func main() {}`, "log with slog"},
	}
	config, err := os.ReadFile(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	for _, b := range breaches {
		t.Run(b.file, func(t *testing.T) {
			files := map[string]string{".golangci.yml": string(config), "go.mod": "module tocsin\n\ngo 1.26\n", b.file: b.source + "\n"}
			// What the breach imports must exist; packages without imports make no cycles.
			for _, p := range []string{"sky", "voevent", "journal", "broker", "vtp"} {
				if filepath.Dir(b.file) != p {
					files[p+"/"+p+".go"] = "package " + p + "\n"
				}
			}
			out, err := lint(t, linter, cache, files)
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, b.file+":") && strings.Contains(line, b.want) && strings.Contains(line, "depguard") {
					return
				}
			}
			t.Errorf("%s breaks the rule %q and the linter does not say so (%v):\n%s", b.source, b.want, err, out)
		})
	}
}

// lint runs depguard over a module made of files.
func lint(t *testing.T, linter, cache string, files map[string]string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), linter, "run", "--enable-only", "depguard", "--allow-parallel-runners", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOLANGCI_LINT_CACHE="+cache, "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestLinterAcceptsTheHouse makes sure that the rules do not bite everything: the imports that the floors allow pass.
func TestLinterAcceptsTheHouse(t *testing.T) {
	root := testbed.Root(t)
	linter := filepath.Join(root, ".tools", "golangci-lint")
	if _, err := os.Stat(linter); err != nil || testing.Short() {
		t.Skip("the linter is not in .tools (make lint installs it), or -short")
	}
	config, err := os.ReadFile(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := lint(t, linter, t.TempDir(), map[string]string{
		".golangci.yml": string(config), "go.mod": "module tocsin\n\ngo 1.26\n",
		"sky/sky.go": "package sky\n\nimport _ \"math\"\n", "voevent/v.go": "package voevent\n\nimport _ \"tocsin/sky\"\n",
		"journal/j.go": "package journal\n\nimport _ \"os\"\n", "broker/b.go": "package broker\n\nimport (\n\t_ \"tocsin/journal\"\n\t_ \"tocsin/voevent\"\n)\n",
		"vtp/v.go": "package vtp\n\nimport _ \"tocsin/voevent\"\n",
	})
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
}
