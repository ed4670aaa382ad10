package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each program takes a lock while it runs; with a limit of two a third one would find no lock free.
func TestExecutorKeepsItsLimit(t *testing.T) {
	dir := t.TempDir()
	program := script(t, `if mkdir "$1/a" 2>/dev/null; then l=a; elif mkdir "$1/b" 2>/dev/null; then l=b; else echo x >> "$1/over"; exit 1; fi
cat >> "$1/out"; sleep 0.02; rmdir "$1/$l"`)
	x, err := newExecutor(program+" "+dir, 2, 20*time.Second, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		if err := x.start(t.Context(), fmt.Appendf(nil, "notice %d\n", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	x.wait()
	if _, err := os.Stat(filepath.Join(dir, "over")); err == nil {
		t.Error("more than two programs ran at once")
	}
	out, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil || strings.Count(string(out), "notice ") != 12 {
		t.Errorf("%v: %q", err, out)
	}
}

func TestExecutorEndsWhatTakesTooLong(t *testing.T) {
	var log bytes.Buffer
	x, err := newExecutor(script(t, "exec sleep 600"), 1, 50*time.Millisecond, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := x.start(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	// The place is taken: a second one waits for it, and no longer than its caller wants.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := 0; ; i++ {
		err := x.start(ctx, nil, nil)
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil || i > 100 {
			t.Fatalf("a start without a place: %v", err)
		}
	}
	x.wait()
	if !strings.Contains(log.String(), "took too long") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestExecutorTellsWhatAFailedProgramSaid(t *testing.T) {
	var log bytes.Buffer
	x, err := newExecutor(script(t, `echo "dome is shut" >&2; exit 3`), 1, time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := x.start(t.Context(), []byte("never read"), nil); err != nil {
		t.Fatal(err)
	}
	x.wait()
	if !strings.Contains(log.String(), "dome is shut") || !strings.Contains(log.String(), "exit status 3") {
		t.Errorf("the log says %q", log.String())
	}
	for _, bad := range []string{"", "   ", "/no/such/program", "tocsin-no-such-program"} {
		if _, err := newExecutor(bad, 1, time.Minute, nil); err == nil {
			t.Errorf("%q was taken for a program", bad)
		}
	}
}
