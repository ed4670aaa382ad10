package main

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"tocsin/voevent"
)

//go:embed pages.md
var ownPages string

// pages are the pages of pages.md by their codes, and the codes in the order of the file.
var pages = sync.OnceValues(func() (byCode map[string]string, codes []string) {
	byCode = map[string]string{}
	for section := range strings.SplitSeq(ownPages, "\n## ") {
		heading, body, _ := strings.Cut(section, "\n")
		code, title, ok := strings.Cut(heading, ": ")
		if !ok || strings.HasPrefix(heading, "#") {
			continue
		}
		byCode[code] = "# " + title + "\n\n`" + code + "`: the notice is not taken\n" + body
		codes = append(codes, code)
	}
	return byCode, codes
})

// findingPage gives the page about a code: of a finding, of a text that cannot be read as a notice, or of a refusal
// that is not about the notice.
func findingPage(code string) (string, bool) {
	if page, ok := voevent.FindingPage(code); ok {
		return page, true
	}
	byCode, _ := pages()
	page, ok := byCode[code]
	return page, ok
}

// findingCodes lists all codes that have a page: first what keeps a text from being a notice at all, then the
// findings.
func findingCodes() []string {
	_, codes := pages()
	return slices.Concat(codes, voevent.FindingCodes())
}
