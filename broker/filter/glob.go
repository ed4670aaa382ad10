package filter

import "strings"

// A glob is a compiled stream pattern. Most are a literal, or a literal with a star behind it, and name the authority; these
// need no search and no copy of the stream in lower case.
type glob struct {
	kind      globKind
	authority string // in lower case, as IVORN.Authority is
	literal   string // what the resource must be (exact) or begin with, in lower case
	pattern   string // all of it, for the search
}

type globKind uint8

const (
	globExact   globKind = iota
	globAny              // **
	globPrefix           // authority/literal**
	globSegment          // authority/literal*
	globSearch           // all others
)

func compileGlob(pattern string) (glob, string) {
	p := strings.ToLower(strings.TrimSpace(pattern))
	p = strings.TrimPrefix(p, "ivo://")
	switch {
	case p == "":
		return glob{}, "the pattern is empty; use ** for every stream"
	case strings.ContainsAny(p, "#?"):
		return glob{}, "a stream ends before the first # or ?; write what precedes it, such as nasa.gsfc.gcn/SWIFT"
	case strings.ContainsAny(p, " \t\r\n"):
		return glob{}, "a stream holds no white space"
	}
	p = strings.TrimSuffix(p, "/")
	for strings.Contains(p, "***") {
		p = strings.ReplaceAll(p, "***", "**")
	}
	g := glob{kind: globSearch, pattern: p}
	if p == "**" {
		g.kind = globAny
		return g, ""
	}
	authority, rest, slash := strings.Cut(p, "/")
	literal := strings.TrimRight(rest, "*")
	if strings.Contains(authority, "*") || strings.Contains(literal, "*") {
		return g, ""
	}
	g.authority, g.literal = authority, literal
	switch {
	case rest == literal:
		g.kind = globExact
	case slash && strings.HasSuffix(rest, "**"):
		g.kind = globPrefix
	case slash:
		g.kind = globSegment
	}
	return g, ""
}

// match reports whether a stream, given as the two parts of its IVORN, is meant.
func (g *glob) match(authority, resource string) bool {
	resource = strings.TrimSuffix(resource, "/")
	switch g.kind {
	case globAny:
		return true
	case globSearch:
		stream := authority
		if resource != "" {
			stream += "/" + strings.ToLower(resource)
		}
		return globMatch(g.pattern, stream)
	}
	if authority != g.authority || len(resource) < len(g.literal) || !strings.EqualFold(resource[:len(g.literal)], g.literal) {
		return false
	}
	switch rest := resource[len(g.literal):]; g.kind {
	case globExact:
		return rest == ""
	case globSegment:
		return resource != "" && strings.IndexByte(rest, '/') < 0
	default:
		return resource != ""
	}
}

// globMatch goes back only to the last star of each kind, so its time grows with the product of both lengths at worst. That is
// enough: a later star can take whatever an earlier one of its kind could, since a `*` stops at the slash both must meet.
func globMatch(p, s string) bool {
	const none = -1
	i, j := 0, 0
	star, starAt := none, 0   // where to go on behind the last *, and what it has taken so far
	stars, starsAt := none, 0 // the same for the last **
	for {
		switch {
		case i+1 < len(p) && p[i] == '*' && p[i+1] == '*':
			i += 2
			stars, starsAt, star = i, j, none
			continue
		case i < len(p) && p[i] == '*':
			i++
			star, starAt = i, j
			continue
		case i == len(p) && j == len(s):
			return true
		case i < len(p) && j < len(s) && p[i] == s[j]:
			i++
			j++
			continue
		}
		switch {
		case star != none && starAt < len(s) && s[starAt] != '/':
			starAt++
			i, j = star, starAt
		case stars != none && starsAt < len(s):
			starsAt++
			i, j, star = stars, starsAt, none
		default:
			return false
		}
	}
}
