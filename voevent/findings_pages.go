package voevent

// FindingCodes returns every code a Finding can have, sorted.
func FindingCodes() []string { panic("voevent: FindingCodes is being written") }

// FindingPage returns the page about a code in Markdown: what is wrong, why it matters, an example and how to mend it.
func FindingPage(code string) (string, bool) { panic("voevent: FindingPage is being written") }
