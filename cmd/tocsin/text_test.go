package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tocsin/voevent"
)

func TestMoments(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ in, want string }{
		{"2026-11-21T10:15:00Z", "2026-11-21T10:15:00Z"},
		{"2026-11-21T10:15:00.5+01:00", "2026-11-21T09:15:00.5Z"},
		{"2026-11-21T10:15:00", "2026-11-21T10:15:00Z"},
		{"2026-11-21 10:15", "2026-11-21T10:15:00Z"},
		{"2026-11-20", "2026-11-20T00:00:00Z"},
		{"90m", "2026-11-21T10:30:00Z"},
		{"1.5h ago", "2026-11-21T10:30:00Z"},
		{"3d", "2026-11-18T12:00:00Z"},
		{"1w", "2026-11-14T12:00:00Z"},
		{"yesterday", ""},
		{"", ""},
		{"-2h", ""},
		{"-2d", ""},
		{"NaNd", ""},
		{"1e9d", ""},
		{"d", ""},
	} {
		var m moment
		err := m.UnmarshalText([]byte(c.in))
		if c.want == "" {
			if err == nil {
				t.Errorf("%q was taken for %v", c.in, m.before(now))
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if got := m.before(now).Format(time.RFC3339Nano); got != c.want || !m.given() {
			t.Errorf("%q is %s, want %s", c.in, got, c.want)
		}
	}
	if (moment{}).given() || !(moment{}).before(now).IsZero() {
		t.Error("a moment that was not given must be zero")
	}
}

// Nothing a peer writes moves the cursor, rings the bell, or turns the text around.
func TestPrintableIsSafeForTerminals(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                   "plain",
		"two\nlines\r\tand a tab": "two lines  and a tab",
		"\x1b[2Jgone":             "?[2Jgone",
		"a\u202eb":                "a?b",
		"\xff\xfe":                "??",
		"Dec +25°18'49\" ±3.0'":   "Dec +25°18'49\" ±3.0'",
		strings.Repeat("é", 30):   strings.Repeat("é", 20) + "...",
		"as written \uFFFD":       "as written \uFFFD",
	} {
		if got := printable(in, 20); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		out := printable(in, 50)
		if !utf8.ValidString(out) || utf8.RuneCountInString(out) > 53 {
			t.Fatalf("%q became %q", in, out)
		}
		for _, r := range out {
			if !unicode.IsPrint(r) && r != utf8.RuneError {
				t.Fatalf("%q became %q with %U", in, out, r)
			}
		}
	})
}

func TestSavedNamesAreSafe(t *testing.T) {
	sum := sha256.Sum256([]byte("x"))
	for in, want := range map[string]string{
		"ivo://nasa.gsfc.gcn/SWIFT#BAT_1-2": "nasa.gsfc.gcn_SWIFT_BAT_1-2-",
		"ivo://a.b/../../etc/passwd":        "a.b_.._.._etc_passwd-",
		"../../x":                           "_.._x-",
		"":                                  "notice-",
		"-rf":                               "rf-",
		"ivo://" + strings.Repeat("a", 500): strings.Repeat("a", 120) + "-",
	} {
		if got := safeName(in, sum); !strings.HasPrefix(got, want) || len(got) != len(want)+16 {
			t.Errorf("%q is saved as %q, want %q and 16 digits", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := safeName(rapid.String().Draw(t, "ivorn"), sum)
		if name != filepath.Base(name) || name == "." || name == ".." || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || len(name) > 255 {
			t.Fatalf("%q", name)
		}
	})
}

func TestSaveNeverOverwritesNorLeavesHalves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	s, err := newSaver(dir)
	if err != nil {
		t.Fatal(err)
	}
	one := sha256.Sum256([]byte("one"))
	path, err := s.save("ivo://a.b/c#1", one, []byte("one"), ".xml")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.save("ivo://a.b/c#1", one, []byte("other"), ".xml"); err != nil || again != path {
		t.Fatalf("%q, %v", again, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "one" {
		t.Fatalf("%q, %v", b, err)
	}
	two := sha256.Sum256([]byte("two"))
	if other, err := s.save("ivo://a.b/c#1", two, []byte("two"), ".xml"); err != nil || other == path {
		t.Fatalf("another notice of the same IVORN went to %q (%v)", other, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(dir, "taken"), []byte("x"), 0o644); err == nil {
		t.Fatal("a folder was overwritten")
	}
	left, err := filepath.Glob(filepath.Join(dir, ".tocsin-*"))
	if err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v (%v)", left, err)
	}
}

func TestFigures(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 3 << 40: "3.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 340 * time.Millisecond: "0.3s", 42 * time.Second: "42s", 130 * time.Second: "2m 10s",
		3*time.Hour + 5*time.Minute: "3h 5m", 76 * time.Hour: "3d 4h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

func TestProgressIsOnlyForTerminals(t *testing.T) {
	var b bytes.Buffer
	for _, tty := range []bool{false, true} {
		b.Reset()
		p := (&terminal{stderr: &b, progress: tty}).newProgress("checked", 200)
		p.start = p.start.Add(-time.Minute)
		for range 100 {
			p.step()
			p.last = time.Time{}
		}
		p.clear()
		if tty != strings.Contains(b.String(), "checked [===============               ]  50 %, 100 of 200") {
			t.Errorf("terminal %t: %q", tty, b.String())
		}
		if tty && !strings.HasSuffix(b.String(), "\r\x1b[K") {
			t.Errorf("the bar is left behind: %q", b.String())
		}
	}
}

// What the program authors itself is a notice without a fault, whatever its name.
func TestTestNoticesAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~é]{0,40}`).Draw(t, "text")
		e, err := voevent.Parse(testNotice("ivo://observatory.example/tocsin", text, time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if fs := voevent.Validate(e); len(fs) > 0 {
			t.Fatalf("%+v", fs)
		}
		if e.Role != voevent.Test || e.Stream() != "observatory.example/tocsin" {
			t.Fatalf("%s %s", e.Role, e.Stream())
		}
	})
	now := time.Now()
	if bytes.Equal(testNotice("ivo://a.b/c", "", now), testNotice("ivo://a.b/c", "", now)) {
		t.Error("two test notices of one moment are the same notice")
	}
}
