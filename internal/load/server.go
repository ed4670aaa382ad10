package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A server is a broker in a process of its own.
type server struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	author int
	feed   int
	http   int
	ready  time.Duration // from the start of the process to the first good answer of /readyz
	exited chan struct{}
}

// startServer starts the program on the data folder and waits until it is ready.
func startServer(program, data string) (*server, error) {
	s := &server{exited: make(chan struct{})}
	addresses := filepath.Join(data, "addresses.json")
	if err := os.Remove(addresses); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	s.cmd = exec.Command(program, "serve", "--data", data,
		"--listen", "vtp-author://127.0.0.1:0", "--listen", "vtp-feed://127.0.0.1:0", "--listen", "http://127.0.0.1:0")
	s.cmd.Stderr = &s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	for time.Since(begin) < time.Minute {
		select {
		case <-s.exited:
			return nil, fmt.Errorf("the broker ended at its start: %s", s.stderr.String())
		case <-time.After(2 * time.Millisecond):
		}
		if s.http == 0 && s.readAddresses(addresses) != nil {
			continue
		}
		if s.isReady() {
			s.ready = time.Since(begin)
			return s, nil
		}
	}
	_ = s.kill()
	return nil, fmt.Errorf("the broker was not ready within a minute: %s", s.stderr.String())
}

func (s *server) readAddresses(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var listed struct {
		Listeners []struct {
			Kind    string `json:"kind"`
			Address string `json:"address"`
		} `json:"listeners"`
	}
	if err := json.Unmarshal(b, &listed); err != nil {
		return err
	}
	for _, l := range listed.Listeners {
		_, port, err := net.SplitHostPort(l.Address)
		if err != nil {
			continue
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			continue
		}
		switch l.Kind {
		case "vtp-author":
			s.author = n
		case "vtp-feed":
			s.feed = n
		case "http":
			s.http = n
		}
	}
	if s.author == 0 || s.feed == 0 || s.http == 0 {
		return errors.New("not all listeners are named")
	}
	return nil
}

func (s *server) isReady() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", s.http), nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// kill is the kill -9 of the promises.
func (s *server) kill() error {
	err := s.cmd.Process.Kill()
	<-s.exited
	return err
}

// stop asks the broker to end and waits for it.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop broker: %w", err)
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(30 * time.Second):
		_ = s.kill()
		return errors.New("the broker did not end within 30 s of SIGTERM")
	}
}

// cpu is the processor time that the broker has used.
func (s *server) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// Fields 14 and 15 of the line, counted from the state, which follows the name in brackets.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	var ticks int64
	for _, field := range f[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}

// resident is the broker's memory in bytes.
func (s *server) resident() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
