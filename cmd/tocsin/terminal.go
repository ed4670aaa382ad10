package main

import (
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// terminal is where a command reads and writes, and what it may do there.
type terminal struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	colours        bool // stdout shows colours
	progress       bool // stderr is a terminal: a line may be rewritten
	inputTTY       bool // stdin is a terminal: nothing waits there to be read
}

// newTerminal looks at the files. Colours need a terminal that is not dumb, and NO_COLOR (no-color.org) switches them
// off.
func newTerminal(stdin, stdout, stderr *os.File) *terminal {
	able := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &terminal{
		stdin: stdin, stdout: stdout, stderr: stderr,
		colours:  able && isTTY(stdout),
		progress: isTTY(stderr),
		inputTTY: isTTY(stdin),
	}
}

func isTTY(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull && !isDevNull(info)
}

func isDevNull(info os.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

type colour string

const (
	bold   colour = "1"
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
)

// paint puts text in a colour when the output shows colours.
func (t *terminal) paint(c colour, text string) string {
	if !t.colours || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// printable makes text from the network safe for a terminal: control characters, also those of Unicode that change
// the direction of writing, and broken UTF-8 become ?, line ends become blanks, and what is longer than limit
// characters is cut.
func printable(s string, limit int) string {
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n >= limit {
			b.WriteString("...")
			break
		}
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			r = ' '
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			r = '?'
		case !unicode.IsPrint(r):
			r = '?'
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
