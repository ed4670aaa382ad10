package main

import (
	"slices"
	"strings"
	"testing"

	"tocsin/broker"
	"tocsin/voevent"
)

// Whatever code the program shows to a person, it can explain.
func TestEveryCodeHasAPage(t *testing.T) {
	codes := findingCodes()
	for _, want := range []string{
		voevent.CodeNotWellFormed, voevent.CodeDoctype, voevent.CodeEncoding, voevent.CodeOversize, voevent.CodeNotVOEvent, voevent.CodeIVORN,
		"json", broker.ReasonUnauthorized, broker.ReasonRate, broker.ReasonInternal, broker.ReasonSchema,
	} {
		if !slices.Contains(codes, want) {
			t.Errorf("%s is not listed", want)
		}
	}
	seen := map[string]bool{}
	for _, code := range codes {
		if seen[code] {
			t.Errorf("%s is listed twice", code)
		}
		seen[code] = true
		page, ok := findingPage(code)
		if !ok {
			t.Errorf("%s has no page", code)
			continue
		}
		for _, part := range []string{"# " + pageTitle(page), "`" + code + "`", "**What is wrong.**", "**Why it matters.**", "**Example.**", "**How to mend it.**"} {
			if !strings.Contains(page, part) {
				t.Errorf("%s: the page lacks %q", code, part)
			}
		}
	}
	if _, ok := findingPage("What cannot be read, and what is refused for other reasons"); ok {
		t.Error("the file's own heading became a page")
	}
}
