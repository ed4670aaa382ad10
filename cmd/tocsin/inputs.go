package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxInputBytes bounds one file, and one line of a file of JSON lines: the greatest notice the broker can be told to
// take, with room for its JSON form.
const maxInputBytes = 64 << 20

// input is one notice read from somewhere.
type input struct {
	Name string // file, or standard input; with :LINE for JSON lines
	Raw  []byte // XML as the author wrote it, or the JSON form of a notice
	JSON bool
}

// eachInput calls fn for every notice in the files, folders (with their subfolders, in the order of their names) and
// standard input ("-", or no argument at all). A file that begins with { holds JSON: one document, or one notice a
// line as `replay` and `listen --json` write them; a line's "raw" wins over the rest. Files named .xml, .voevent, .json
// and .jsonl are taken from folders; a file named on the command line is always taken. An error of fn ends the walk.
func eachInput(t *terminal, args []string, fn func(input) error) error {
	if len(args) == 0 {
		if t.inputTTY {
			return errors.New("give files, folders, or - to read from standard input")
		}
		args = []string{"-"}
	}
	for _, a := range args {
		if a == "-" {
			if err := splitInput("standard input", t.stdin, fn); err != nil {
				return err
			}
			continue
		}
		info, err := os.Stat(a)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			if err := readInput(a, fn); err != nil {
				return err
			}
			continue
		}
		files, err := filesIn(a)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := readInput(f, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// countInputs guesses how many notices the arguments hold, for a progress bar: files count as one; 0 means unknown.
func countInputs(args []string) int64 {
	var n int64
	for _, a := range args {
		info, err := os.Stat(a)
		if a == "-" || err != nil {
			return 0
		}
		if !info.IsDir() {
			n++
			continue
		}
		files, err := filesIn(a)
		if err != nil {
			return 0
		}
		n += int64(len(files))
	}
	return n
}

func filesIn(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		ext := strings.ToLower(filepath.Ext(path))
		if d.Type().IsRegular() && slices.Contains([]string{".xml", ".voevent", ".json", ".jsonl"}, ext) {
			out = append(out, path)
		}
		return nil
	})
	return out, err
}

func readInput(path string, fn func(input) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return splitInput(path, f, fn)
}

// splitInput divides what r holds into notices.
func splitInput(name string, r io.Reader, fn func(input) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	if !startsJSON(br) {
		raw, err := readLimited(br, name)
		if err != nil {
			return err
		}
		return fn(input{Name: name, Raw: raw})
	}
	// One document over several lines, or a document a line: a decoder reads both, and stops at the end of each.
	limit := &limitedReader{r: br, left: maxInputBytes}
	dec := json.NewDecoder(limit)
	for n := 1; ; n++ {
		var doc json.RawMessage
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: JSON document %d: %w", name, n, err)
		}
		limit.left = maxInputBytes
		in := input{Name: name, Raw: doc, JSON: true}
		if n > 1 || dec.More() {
			in.Name = fmt.Sprintf("%s:%d", name, n)
		}
		raw, ok, err := rawOf(doc)
		if err != nil {
			return fmt.Errorf("%s: %w", in.Name, err)
		}
		if ok {
			in.Raw, in.JSON = raw, false
		}
		if err := fn(in); err != nil {
			return err
		}
	}
}

// startsJSON says whether the first byte that is no white space is a {.
func startsJSON(br *bufio.Reader) bool {
	for n := 1; n <= 4096; n++ {
		b, err := br.Peek(n)
		if len(b) < n || err != nil {
			return false
		}
		switch b[n-1] {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return true
		}
		return false
	}
	return false
}

// rawOf gives the bytes of a notice that a JSON line carries: as text under "raw", or as base64 under "raw_base64".
func rawOf(doc json.RawMessage) ([]byte, bool, error) {
	var line struct {
		Raw       *string `json:"raw"`
		RawBase64 []byte  `json:"raw_base64"`
	}
	// A notice's own JSON form may hold "raw" as base64: see VOEvent's mapping. A text that begins with no < is that.
	if err := json.Unmarshal(doc, &line); err != nil {
		return nil, false, err
	}
	switch {
	case len(line.RawBase64) > 0:
		return line.RawBase64, true, nil
	case line.Raw != nil && strings.HasPrefix(strings.TrimLeft(*line.Raw, "\ufeff \t\r\n"), "<"):
		return []byte(*line.Raw), true, nil
	}
	return nil, false, nil
}

func readLimited(r io.Reader, name string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxInputBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(raw) > maxInputBytes {
		return nil, fmt.Errorf("%s: %w", name, errTooLong)
	}
	return raw, nil
}

var errTooLong = fmt.Errorf("longer than %d MiB: this is no notice", maxInputBytes>>20)

// limitedReader fails where io.LimitedReader would end, so that what is cut off is not taken for whole.
type limitedReader struct {
	r    io.Reader
	left int64
}

// Read reads at most what is left.
func (l *limitedReader) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	return n, err
}
