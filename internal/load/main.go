// Command load measures a running Tocsin from outside, over its wire protocols, and prints figures as Go benchmarks do,
// so that benchstat compares them. Beside each rate stands the client's own ceiling: what it reaches on this machine in
// the same run against a server that does nothing. It talks to loopback only, to a broker that it starts and stops itself.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"tocsin/internal/program"
)

// noticeBytes is the size of a real Swift BAT notice.
const noticeBytes = 6300

// A bench is one run of the load client.
type bench struct {
	program  string
	duration time.Duration
	kills    int
	notices  int
}

// scenarios in the order in which they run.
var scenarios = []struct {
	name string
	what string
	run  func(*bench) error
}{
	{"authors", "authors that open a connection per notice, 8 at once", (*bench).authors},
	{"kept", "authors on kept connections, 64 notices in flight", (*bench).kept},
	{"fanout", "500 acknowledging subscribers, while a second author sends 2,000 notices/s", (*bench).fanOut},
	{"latency", "author's write to subscriber's read at 10/s, 1 and 500 subscribers", (*bench).latency},
	{"idle", "memory of 5,000 idle subscribers", (*bench).idle},
	{"start", "start-up on a journal of 1 million notices", (*bench).start},
	{"kill", "kill -9 under load, again and again", (*bench).kill},
}

func main() {
	b := &bench{}
	var only string
	var count int
	names := make([]string, 0, len(scenarios))
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	flag.StringVar(&b.program, "program", "bin/tocsin", "the broker's program")
	flag.StringVar(&only, "only", "", "scenarios to run, separated by commas, of "+strings.Join(names, ", "))
	flag.DurationVar(&b.duration, "duration", 8*time.Second, "how long each load lasts")
	flag.IntVar(&b.kills, "kills", 100, "how often the kill scenario kills the broker")
	flag.IntVar(&b.notices, "notices", 1_000_000, "how many notices the start scenario's journal holds")
	flag.IntVar(&count, "count", 1, "how often to run the scenarios")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "load: no arguments, only flags; see -help")
		os.Exit(2)
	}
	var err error
	if b.program, err = filepath.Abs(b.program); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	fmt.Printf("goos: %s\ngoarch: %s\npkg: tocsin/internal/load\n", runtime.GOOS, runtime.GOARCH)
	failed := false
	for range count {
		for _, s := range scenarios {
			if only != "" && !slices.Contains(strings.Split(only, ","), s.name) {
				continue
			}
			fmt.Fprintf(os.Stderr, "load: %s: %s\n", s.name, s.what)
			if err := s.run(b); err != nil {
				fmt.Fprintf(os.Stderr, "load: %s: %v\n", s.name, err)
				failed = true
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}

// withServer runs f against a fresh broker on an empty data folder.
func (b *bench) withServer(f func(*program.Broker) error) error {
	data, err := os.MkdirTemp("", "tocsin-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	s, err := program.Start(program.Options{Path: b.program, Data: data})
	if err != nil {
		return err
	}
	if err := f(s); err != nil {
		_ = s.Kill()
		return fmt.Errorf("%w\nthe broker said: %s", err, tail(s.Log()))
	}
	return s.Stop()
}

// tail is the end of a text.
func tail(text string) string { return text[max(0, len(text)-2000):] }
