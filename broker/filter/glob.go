package filter

import "strings"

// A glob is a compiled stream pattern, in lower case. Most patterns are a literal or a literal with a star behind it, and
// these need no search.
type glob struct {
	kind    globKind
	literal string // whole for exact, what precedes the star for prefix and segment
	pattern string
}

type globKind uint8

const (
	globExact   globKind = iota
	globAny              // **
	globPrefix           // literal**
	globSegment          // literal*
	globGeneral
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
	g := glob{kind: globGeneral, pattern: p}
	head, isAny := strings.CutSuffix(p, "**")
	if !isAny {
		head = strings.TrimSuffix(p, "*")
	}
	if strings.Contains(head, "*") {
		return g, ""
	}
	g.literal = head
	switch {
	case isAny && head == "":
		g.kind = globAny
	case isAny:
		g.kind = globPrefix
	case head != p:
		g.kind = globSegment
	default:
		g.kind = globExact
	}
	return g, ""
}

// match expects the stream in lower case.
func (g *glob) match(stream string) bool {
	stream = strings.TrimSuffix(stream, "/")
	switch g.kind {
	case globExact:
		return stream == g.literal
	case globAny:
		return true
	case globPrefix:
		return strings.HasPrefix(stream, g.literal)
	case globSegment:
		return strings.HasPrefix(stream, g.literal) && strings.IndexByte(stream[len(g.literal):], '/') < 0
	default:
		return globMatch(g.pattern, stream)
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
