//go:build interop

package interop

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/program"
)

// The clients in testdata are stand-ins for the two families of VTP subscribers that cannot be installed here (the common
// Python client and GCN's C demo): written from their documented behaviour, in their languages, with nothing of Tocsin's.

// A foreign is a running foreign client.
type foreign struct {
	lines *bufio.Scanner
	cmd   *exec.Cmd
}

func run(t *testing.T, name string, args ...string) *foreign {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &foreign{lines: bufio.NewScanner(out), cmd: cmd}
}

func (f *foreign) line(t *testing.T) string {
	t.Helper()
	if !f.lines.Scan() {
		t.Fatalf("the client ended: %v", f.cmd.Wait())
	}
	return f.lines.Text()
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: this check is left out", name)
	}
	return path
}

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "tocsin/cmd/tocsin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return path
}

func TestForeignAuthorsAndSubscribers(t *testing.T) {
	python, cc := tool(t, "python3"), tool(t, "cc")
	const count = 20
	dir := t.TempDir()
	listener := filepath.Join(dir, "listener")
	if out, err := exec.CommandContext(t.Context(), cc, "-O1", "-Wall", "-o", listener, "testdata/listener.c").CombinedOutput(); err != nil {
		t.Fatalf("compiling the C client: %v\n%s", err, out)
	}
	b, err := program.Start(program.Options{Path: build(t), Data: filepath.Join(dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})

	py := run(t, python, "testdata/listener.py", fmt.Sprint(b.Feed), fmt.Sprint(count))
	if got := py.line(t); got != "connected" {
		t.Fatalf("the Python client says %q", got)
	}
	if got := py.line(t); got != "transport authenticate" {
		t.Fatalf("the Python client says %q", got)
	}
	c := run(t, listener, fmt.Sprint(b.Feed), fmt.Sprint(count))
	if got := c.line(t); got != "acknowledged something without an IVORN" {
		t.Fatalf("the C client says %q", got)
	}

	args := []string{"testdata/author.py", fmt.Sprint(b.Author)}
	var want []string
	for i := range count {
		notice := fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://org.example/foreign#%d" role="test" version="2.0"/>
`, i)
		file := filepath.Join(dir, fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(file, notice, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
		want = append(want, fmt.Sprintf("notice ivo://org.example/foreign#%d %x", i, sha256.Sum256(notice)))
	}
	author := run(t, python, args...)
	for range count {
		if got := author.line(t); got != "ack" {
			t.Fatalf("the Python author was answered %q", got)
		}
	}
	for _, w := range want {
		if got := py.line(t); got != w {
			t.Errorf("the Python client says %q, not %q", got, w)
		}
		if got, want := c.line(t), strings.Join(strings.Fields(w)[:2], " "); got != want {
			t.Errorf("the C client says %q, not %q", got, want)
		}
	}
	for name, f := range map[string]*foreign{"Python author": author, "Python subscriber": py, "C subscriber": c} {
		if err := f.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
