package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, h http.Handler, path string, header ...string) (int, http.Header, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, w.Header(), string(body)
}

func options() Options {
	pages := map[string]string{
		"ivorn":  "# The name <is> odd\n\nFirst & `a<b`\nforemost.\n\n- one\n  more\n- two\n\n## Example\n\n```xml\n<VOEvent>\n\n  - x\n</VOEvent>\n```\n\n    indented <b>\n\nLast `odd. **Strong**.\n",
		"schema": "# Not by the schema\n\nText.",
	}
	return Options{
		Page:    func(code string) (string, bool) { p, ok := pages[code]; return p, ok },
		Codes:   []string{"schema", "ivorn"},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
		Version: "1.2.3",
	}
}

func TestRoutes(t *testing.T) {
	h := NewHandler(options())
	for _, c := range []struct {
		name, path string
		header     []string
		status     int
		want       []string
	}{
		{"alive", "/healthz", nil, 200, []string{"ok\n"}},
		{"ready without a question to ask", "/readyz", nil, 200, []string{"ready\n"}},
		{"metrics", "/metrics", nil, 200, []string{"up 1\n"}},
		{"index names the version", "/", nil, 200, []string{"1.2.3", "/findings"}},
		{"list in the order given", "/findings", nil, 200, []string{"<!doctype html>", `<a href="/findings/schema">`, `<a href="/findings/ivorn">`}},
		{"list as text", "/findings?format=text", nil, 200, []string{"schema\tNot by the schema\nivorn\tThe name <is> odd\n"}},
		{"finding is escaped", "/findings/ivorn", nil, 200, []string{
			"<title>The name &lt;is&gt; odd", "<h1>The name &lt;is&gt; odd</h1>", "<p>First &amp; <code>a&lt;b</code> foremost.</p>",
			"<ul>\n<li>one more</li>\n<li>two</li>\n</ul>\n<h2>Example</h2>", "<pre>&lt;VOEvent&gt;\n\n  - x\n&lt;/VOEvent&gt;</pre>",
			"<pre>indented &lt;b&gt;</pre>", "<p>Last `odd. <strong>Strong</strong>.</p>",
		}},
		{"finding as text", "/findings/ivorn", []string{"Accept", "text/plain"}, 200, []string{"# The name <is> odd\n\nFirst & `a<b`"}},
		{"unknown finding", "/findings/nothing", nil, 404, []string{"/findings lists them"}},
		{"unknown path", "/admin", nil, 404, nil},
		{"escape attempt in the code", "/findings/%3Cscript%3E", nil, 404, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, header, body := get(t, h, c.path, c.header...)
			if status != c.status {
				t.Fatalf("status %d, want %d; body %q", status, c.status, body)
			}
			at := 0
			for _, w := range c.want {
				i := strings.Index(body[at:], w)
				if i < 0 {
					t.Fatalf("%q is not (in this order) in %q", w, body)
				}
				at += i
			}
			if header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("protective headers are missing: %v", header)
			}
		})
	}
}

func TestNotReadySaysWhy(t *testing.T) {
	o := options()
	o.Ready = func(ctx context.Context) error {
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > readyTimeout {
			t.Error("the question for readiness has no deadline")
		}
		return errors.New("journal: no space left on device")
	}
	status, _, body := get(t, NewHandler(o), "/readyz")
	if status != 503 || body != "not ready: journal: no space left on device\n" {
		t.Fatalf("%d %q", status, body)
	}
	if status, _, _ := get(t, NewHandler(o), "/healthz"); status != 200 {
		t.Fatalf("a program that is not ready is not dead: /healthz answered %d", status)
	}
}

func TestPanicEndsOnlyItsRequest(t *testing.T) {
	o := options()
	o.Page = func(string) (string, bool) { panic("bug") }
	h := NewHandler(o)
	if status, _, body := get(t, h, "/findings/x"); status != 500 || strings.Contains(body, "bug") {
		t.Fatalf("%d %q", status, body)
	}
	if status, _, _ := get(t, h, "/healthz"); status != 200 {
		t.Fatal("the handler did not survive")
	}
}

func TestOnlyGet(t *testing.T) {
	w := httptest.NewRecorder()
	NewHandler(options()).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/readyz", strings.NewReader("x")))
	if w.Code != http.StatusMethodNotAllowed {
		t.Fatalf("POST answered %d", w.Code)
	}
}

func TestServerHasLimits(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), nil)
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Fatalf("a limit is missing: %+v", s)
	}
}
