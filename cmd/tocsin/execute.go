package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// executor runs a program for each notice: the XML on its standard input, the rest in TOCSIN_ variables of its
// environment, no shell, nothing of the notice among its arguments. At most limit of them run at once; a further notice
// waits for a place.
type executor struct {
	program []string
	timeout time.Duration
	log     *slog.Logger
	places  chan struct{}
	running sync.WaitGroup
}

// newExecutor finds the program. Words after the first are its arguments, unless the whole text names a file.
func newExecutor(command string, limit int, timeout time.Duration, log *slog.Logger) (*executor, error) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return nil, fmt.Errorf("--exec: no program given")
	}
	if info, err := os.Stat(command); err == nil && info.Mode().IsRegular() {
		words = []string{command}
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return nil, fmt.Errorf("--exec: %w", err)
	}
	words[0] = path
	return &executor{program: words, timeout: timeout, log: log, places: make(chan struct{}, max(limit, 1))}, nil
}

// start runs the program with the notice as soon as there is a place for it, and does not wait for its end.
func (x *executor) start(ctx context.Context, raw []byte, env []string) error {
	select {
	case x.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	// A program that has begun may finish when the listener ends; its own time limit bounds it.
	run, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.timeout)
	cmd := exec.CommandContext(run, x.program[0], x.program[1:]...)
	cmd.Stdin = bytes.NewReader(raw)
	cmd.Env = append(os.Environ(), env...)
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	// Grandchildren that keep the output open must not keep the place.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		<-x.places
		return fmt.Errorf("--exec: %w", err)
	}
	x.running.Go(func() {
		defer func() { <-x.places }()
		defer cancel()
		begin := time.Now()
		err := cmd.Wait()
		switch {
		case run.Err() != nil:
			x.log.Warn("program ended: it took too long", "program", x.program[0], "limit_s", x.timeout.Seconds())
		case err != nil:
			x.log.Warn("program failed", "program", x.program[0], "error", err, "output", out.String())
		default:
			x.log.Debug("program ran", "program", x.program[0], "duration_s", time.Since(begin).Seconds(), "output", out.String())
		}
	})
	return nil
}

// wait returns when no program runs any more.
func (x *executor) wait() { x.running.Wait() }

// tail keeps the last bytes written to it. One goroutine of exec.Cmd uses it, and it is read after that has ended.
type tail struct{ b []byte }

const tailBytes = 4 << 10

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailBytes {
		t.b = append(t.b[:0], t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	return strings.TrimSpace(string(t.b[max(0, len(t.b)-tailBytes):]))
}
