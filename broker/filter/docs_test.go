package filter

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tocsin/internal/testbed"

	"cel.dev/cel-go/common/types"
)

// The examples that users copy from the page must be filters.
func TestTheExamplesOfTheDocumentationCompile(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testbed.Root(t), "docs", "FILTERS.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	examples := 0
	for _, m := range regexp.MustCompile("(?s)```(\\w*)\n(.*?)```").FindAllStringSubmatch(page, -1) {
		specs := []Spec{}
		switch {
		case m[1] == "yaml":
			s, err := ParseYAML([]byte(m[2]))
			if err != nil {
				t.Errorf("%s: %v", m[2], err)
			}
			specs = append(specs, s)
		case strings.HasPrefix(m[2], "/"):
			for line := range strings.Lines(m[2]) {
				specs = append(specs, Spec{XPath: []string{strings.TrimSpace(line)}})
			}
		}
		for _, s := range specs {
			examples++
			if f, err := Compile(s, Limits{}); err != nil || f.Everything() {
				t.Errorf("%+v: %v", s, err)
			}
		}
	}
	if examples < 10 {
		t.Errorf("only %d examples found", examples)
	}
	l := DefaultLimits
	for _, row := range []string{
		fmt.Sprintf("| stream patterns, cones | %d, %s |", l.Streams, thousands(l.Cones)),
		fmt.Sprintf("| %d, each up to %s bytes |", l.Expressions, thousands(l.ExpressionBytes)),
		fmt.Sprintf("| %d |", l.XPathDepth),
		fmt.Sprintf("| %s steps:", thousands(l.XPathSteps)),
		fmt.Sprintf("| %s units of", thousands(int(l.CELCost))),
		fmt.Sprintf("| %d KiB;", regexText>>10),
		fmt.Sprintf("| %d ms |", l.Time.Milliseconds()),
	} {
		if !strings.Contains(page, row) {
			t.Errorf("the page does not say %q", row)
		}
	}
	env, err := celEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range env.Variables() {
		if v.Type().Kind() == types.TypeKind {
			continue
		}
		if !strings.Contains(page, "`"+v.Name()+"`") {
			t.Errorf("the page does not tell of the variable %s", v.Name())
		}
	}
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
