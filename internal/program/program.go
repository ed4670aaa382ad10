// Package program starts the broker as a process of its own, for the load client and for tests that kill it.
package program

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
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Broker is the program in a process of its own, with a listener of each kind on loopback ports that the system chose.
type Broker struct {
	Author int           // port of the author listener
	Feed   int           // port of the subscribers' listener
	HTTP   int           // port of the HTTP listener
	Ready  time.Duration // from the start of the process to the first good answer of /readyz

	cmd    *exec.Cmd
	ports  map[string]int // by the name of the listener
	log    logTail
	exited chan struct{}
}

// Options say how to start the program.
type Options struct {
	Path string   // the program
	Data string   // its data folder
	Args []string // further arguments of `tocsin serve`
}

// A logTail keeps the end of what a process writes.
type logTail struct {
	mu  sync.Mutex
	buf []byte
}

// Write never fails.
func (t *logTail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if len(t.buf) > 64<<10 {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-32<<10:]...)
	}
	return len(b), nil
}

// Port is the port of the listener with that name; 0 when there is none.
func (s *Broker) Port(name string) int { return s.ports[name] }

// Log is the end of what the broker wrote to its log.
func (s *Broker) Log() string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return string(s.log.buf)
}

// Start starts the program on the data folder and waits until it is ready.
func Start(o Options) (*Broker, error) {
	s := &Broker{exited: make(chan struct{})}
	addresses := filepath.Join(o.Data, "addresses.json")
	if err := os.Remove(addresses); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	args := append([]string{
		"serve", "--data", o.Data,
		"--listen", "vtp-author://127.0.0.1:0", "--listen", "vtp-feed://127.0.0.1:0", "--listen", "http://127.0.0.1:0",
	}, o.Args...)
	s.cmd = exec.Command(o.Path, args...)
	s.cmd.Stderr = &s.log
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
			return nil, fmt.Errorf("the broker ended at its start: %s", s.Log())
		case <-time.After(2 * time.Millisecond):
		}
		if s.HTTP == 0 && s.readAddresses(addresses) != nil {
			continue
		}
		if s.isReady() {
			s.Ready = time.Since(begin)
			return s, nil
		}
	}
	_ = s.Kill()
	return nil, fmt.Errorf("the broker was not ready within a minute: %s", s.Log())
}

func (s *Broker) readAddresses(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var listed struct {
		Listeners []struct {
			Name    string `json:"name"`
			Kind    string `json:"kind"`
			Address string `json:"address"`
		} `json:"listeners"`
	}
	if err := json.Unmarshal(b, &listed); err != nil {
		return err
	}
	ports := make(map[string]int, len(listed.Listeners))
	for _, l := range listed.Listeners {
		_, port, err := net.SplitHostPort(l.Address)
		if err != nil {
			continue
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			continue
		}
		ports[l.Name] = n
		for kind, port := range map[string]*int{"vtp-author": &s.Author, "vtp-feed": &s.Feed, "http": &s.HTTP} {
			if l.Kind == kind && *port == 0 {
				*port = n
			}
		}
	}
	if s.Author == 0 || s.Feed == 0 || s.HTTP == 0 {
		return errors.New("not all listeners are named")
	}
	s.ports = ports
	return nil
}

func (s *Broker) isReady() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", s.HTTP), nil)
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

// Kill is the kill -9 of the promises.
func (s *Broker) Kill() error {
	err := s.cmd.Process.Kill()
	<-s.exited
	return err
}

// Stop asks the broker to end and waits for it.
func (s *Broker) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop broker: %w", err)
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(30 * time.Second):
		_ = s.Kill()
		return errors.New("the broker did not end within 30 s of SIGTERM")
	}
}

// CPU is the processor time that the broker has used.
func (s *Broker) CPU() time.Duration {
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

// Resident is the broker's memory in bytes.
func (s *Broker) Resident() int64 {
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

// LimitFileBytes sets how large a file the broker may write from now on, which is how a test fills its disk without one;
// negative is no limit.
func (s *Broker) LimitFileBytes(n int64) error {
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if n >= 0 {
		limit.Cur = uint64(n)
	}
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		return fmt.Errorf("limit the broker's files: %w", err)
	}
	return nil
}
