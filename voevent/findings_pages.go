package voevent

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
)

// codes holds the severity of every finding.
var codes = map[string]Severity{
	"author-missing":           Warning,
	"bad-date":                 Error,
	"bad-id":                   Error,
	"bad-uri":                  Error,
	"children-qualified":       Error,
	"citation-empty":           Warning,
	"citation-self":            Warning,
	"cite-missing":             Warning,
	"cite-misspelt":            Error,
	"cite-unknown":             Error,
	"contributor-role-unknown": Error,
	"coord-system-mismatch":    Warning,
	"coord-system-unknown":     Error,
	"datatype-lowercase":       Error,
	"datatype-unknown":         Error,
	"date-missing":             Warning,
	"date-white-space":         Warning,
	"element-in-text":          Error,
	"empty-element":            Error,
	"encoding-unusual":         Warning,
	"error-radius-missing":     Error,
	"error-radius-negative":    Warning,
	"foreign-attribute":        Error,
	"foreign-element":          Error,
	"group-duplicate":          Warning,
	"group-in-group":           Error,
	"https-namespace":          Error,
	"id-repeated":              Error,
	"importance-range":         Warning,
	"isotime-unreadable":       Warning,
	"ivorn-malformed":          Error,
	"ivorn-no-local":           Warning,
	"misplaced-element":        Error,
	"missing-attribute":        Error,
	"missing-element":          Error,
	"more-findings":            Warning,
	"no-namespace":             Error,
	"not-a-number":             Error,
	"not-empty":                Error,
	"param-duplicate":          Warning,
	"param-no-name":            Warning,
	"position-filler":          Warning,
	"position-out-of-range":    Warning,
	"probability-range":        Error,
	"reference-unresolved":     Warning,
	"repeated-element":         Error,
	"role-missing":             Warning,
	"role-unknown":             Error,
	"schema":                   Error,
	"stc-namespace-missing":    Error,
	"table-ragged":             Warning,
	"text-in-element-only":     Error,
	"trailing-nul":             Warning,
	"units-for-unit":           Error,
	"unknown-attribute":        Error,
	"unknown-element":          Error,
	"unknown-namespace":        Error,
	"value-not-of-datatype":    Warning,
	"value-twice":              Warning,
	"version-mismatch":         Error,
	"wrong-order":              Error,
	"xlink-value":              Error,
}

// FindingCodes returns every code a Finding can have, sorted.
func FindingCodes() []string { return slices.Sorted(maps.Keys(codes)) }

// FindingPage returns the page about a code in Markdown: what is wrong, why it matters, an example, and how to mend it.
// The second result is false for a code that no finding has.
func FindingPage(code string) (string, bool) {
	severity, ok := codes[code]
	if !ok {
		return "", false
	}
	title, body, ok := findingSection(code)
	if !ok {
		return "", false
	}
	return "# " + title + "\n\n`" + code + "`, " + weight(severity) + "\n\n" + body, true
}

func weight(s Severity) string {
	if s == Error {
		return "an error: the notice is invalid"
	}
	return "a warning: the notice is valid all the same"
}

//go:embed findings.md
var findingPages string

// findingSection cuts the section of one code out of findings.md, where it begins with "## code: title".
func findingSection(code string) (title, body string, ok bool) {
	_, rest, ok := strings.Cut(findingPages, "\n## "+code+": ")
	if !ok {
		return "", "", false
	}
	title, rest, _ = strings.Cut(rest, "\n")
	body, _, _ = strings.Cut(rest, "\n## ")
	return title, strings.TrimSpace(body) + "\n", true
}
