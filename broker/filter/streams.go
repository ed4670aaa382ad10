package filter

import (
	"fmt"
	"strings"
)

// Streams are compiled stream patterns on their own, with the meaning they have in Spec.Streams, for rules that are not
// about a parsed notice.
type Streams struct{ globs []glob }

// CompileStreams compiles patterns. The error is an *Error.
func CompileStreams(patterns []string) (*Streams, error) {
	s := &Streams{globs: make([]glob, 0, len(patterns))}
	for i, p := range patterns {
		g, problem := compileGlob(p)
		if problem != "" {
			return nil, refuse(fmt.Sprintf("streams[%d]", i), "%s", problem)
		}
		s.globs = append(s.globs, g)
	}
	return s, nil
}

// Match reports whether one of the patterns matches the stream, without regard to case.
func (s *Streams) Match(stream string) bool {
	authority, resource, _ := strings.Cut(stream, "/")
	authority = strings.ToLower(authority)
	for i := range s.globs {
		if s.globs[i].match(authority, resource) {
			return true
		}
	}
	return false
}
