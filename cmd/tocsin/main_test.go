package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the golden parts of the scripts")

func TestMain(m *testing.M) {
	testscript.Main(leakFree{m}, map[string]func(){
		"tocsin": func() { os.Exit(run(context.Background(), os.Args[1:], newTerminal(os.Stdin, os.Stdout, os.Stderr))) },
	})
}

// leakFree runs the tests and fails when goroutines are left over.
type leakFree struct{ m *testing.M }

// Run implements testscript.TestingM.
func (l leakFree) Run() int {
	code := l.m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines are left over: %v\n", err)
			code = 1
		}
	}
	return code
}

// TestScripts runs the commands as a person would: testdata/script holds one story per file.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			// The notices of docs/examples, which the README names.
			files, err := filepath.Glob("../../docs/examples/*.xml")
			if err != nil {
				return err
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, filepath.Base(f)), b, 0o644); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await,
			"ports": ports,
		},
	})
}

const awaitAtMost = 30 * time.Second

// await waits until a file exists and, when more words are given, holds each of them: await FILE [TEXT...]. Programs
// in the background write into files, since the script sees their output only at their end.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: await FILE [TEXT...]")
	}
	path := ts.MkAbs(args[0])
	deadline := time.Now().Add(awaitAtMost)
	for {
		b, err := os.ReadFile(path)
		if err == nil && holdsAll(string(b), args[1:]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not hold %q after %v; it holds: %q (%v)", args[0], args[1:], awaitAtMost, b, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func holdsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// ports waits for the broker on a data folder and sets AUTHOR, FEED and HTTP to the addresses of its first listener of
// each kind: ports DATA.
func ports(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ports DATA")
	}
	dir := ts.MkAbs(args[0])
	deadline := time.Now().Add(awaitAtMost)
	for {
		a, err := readAddresses(dir)
		if err == nil {
			names := map[string]string{"vtp-author": "AUTHOR", "vtp-feed": "FEED", "http": "HTTP"}
			for _, l := range a.Listeners {
				if v := names[l.Kind]; v != "" {
					ts.Setenv(v, l.Address)
					delete(names, l.Kind)
				}
			}
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no broker on %s after %v: %v", args[0], awaitAtMost, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
