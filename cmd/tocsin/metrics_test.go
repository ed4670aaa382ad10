package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"tocsin/internal/testbed"
)

// TestDashboardAndAlertsNameMetricsThatExist reads every expression of the dashboard and of the alert rules, and
// demands that a running broker knows the metrics they name.
func TestDashboardAndAlertsNameMetricsThatExist(t *testing.T) {
	known := describedMetrics(t)
	root := testbed.Root(t)

	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	readInto(t, filepath.Join(root, "docs/prometheus/alerts.yml"), yaml.Unmarshal, &rules)
	var exprs []string
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("alert %s does not say what it means", r.Alert)
			}
			exprs = append(exprs, r.Expr)
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	readInto(t, filepath.Join(root, "docs/grafana/tocsin.json"), json.Unmarshal, &board)
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	if len(exprs) < 40 {
		t.Fatalf("only %d expressions found: this test looks at the wrong thing", len(exprs))
	}

	name := regexp.MustCompile(`\b(tocsin|process|go)_[a-z0-9_]+`)
	for _, e := range exprs {
		names := name.FindAllString(e, -1)
		if len(names) == 0 && !strings.HasPrefix(e, "up{") {
			t.Errorf("%q names no metric", e)
		}
		for _, n := range names {
			base := n
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if !known[n] && !known[base] {
				t.Errorf("%q names %s, which no part of the program registers", e, n)
			}
		}
	}
}

// describedMetrics gives the names that the registry of a started broker describes, whether or not they have a value
// yet.
func describedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	c := defaultConfig()
	c.Data = t.TempDir()
	c.Listeners = nil
	s, err := startServer(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	ch := make(chan *prometheus.Desc)
	go func() {
		defer close(ch)
		s.registry.Describe(ch)
	}()
	// Go's own collector describes its metrics only by collecting them.
	out := map[string]bool{}
	for d := range ch {
		if m := fqName.FindStringSubmatch(d.String()); m != nil {
			out[m[1]] = true
		}
	}
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		out[f.GetName()] = true
	}
	return out
}

var fqName = regexp.MustCompile(`fqName: "([^"]+)"`)

func readInto(t *testing.T, file string, unmarshal func([]byte, any) error, v any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
