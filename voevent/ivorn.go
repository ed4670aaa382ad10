package voevent

import (
	"errors"
	"fmt"
	"strings"
)

// IVORN is the name of a notice: ivo://authority/resource#local, or ?local as VOEvent 2.1 prefers. What precedes the first
// '#' or '?' names the stream. Scheme, authority and resource are compared without regard to case, the local part with
// it. IVOA Identifiers 2.0 §2 and §4.1.
type IVORN struct {
	text                       string
	authority, resource, local string
	separator                  byte // '#', '?' or 0
}

const scheme = "ivo://"

// errIVORN is what ParseIVORN reports, with the rule that is broken.
var errIVORN = errors.New("voevent: malformed IVORN")

// ParseIVORN reads a name. With an error, which says what rule the name breaks, the IVORN still holds what could be read:
// notices with such names exist and are told apart by them all the same. White space around the name does not count.
func ParseIVORN(s string) (IVORN, error) {
	v := IVORN{text: s}
	rest := strings.Trim(s, " \t\r\n")
	bare := rest
	if hasScheme := len(rest) >= len(scheme) && strings.EqualFold(rest[:len(scheme)], scheme); hasScheme {
		bare = rest[len(scheme):]
	} else if _, after, ok := strings.Cut(rest, "://"); ok {
		bare = after
	}
	if i := strings.IndexAny(bare, "#?"); i >= 0 {
		v.separator, v.local = bare[i], bare[i+1:]
		bare = bare[:i]
	}
	v.authority, v.resource, _ = strings.Cut(bare, "/")
	v.authority = strings.ToLower(v.authority)
	if reason := v.broken(rest); reason != "" {
		return v, fmt.Errorf("%w: %s", errIVORN, reason)
	}
	return v, nil
}

// broken says which rule the name breaks, "" for none. The text is the name without white space around it.
func (v IVORN) broken(text string) string {
	if text == "" {
		return "it is empty"
	}
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return "it does not begin with ivo://"
	}
	switch {
	case len(v.authority) < 3:
		return "the authority has fewer than three characters"
	case !isAlphanumeric(v.authority[0]):
		return "the authority does not begin with a letter or a digit"
	}
	if c := firstNotIn(v.authority, isUnreserved); c != "" {
		return "the authority may not hold " + c
	}
	if c := firstNotIn(v.resource, func(c byte) bool { return c == '/' || isUnreserved(c) }); c != "" {
		return "the resource may not hold " + c
	}
	if v.resource != "" {
		for segment := range strings.SplitSeq(v.resource, "/") {
			switch segment {
			case "":
				return "the resource has an empty segment"
			case ".", "..":
				return "the resource has a segment " + segment
			}
		}
	}
	if c := firstNotIn(v.local, isLocal); c != "" {
		return "the local part may not hold " + c
	}
	return ""
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isUnreserved is what the authority and the segments of the resource are made of. Identifiers 2.0 §2.3.
func isUnreserved(c byte) bool { return isAlphanumeric(c) || strings.IndexByte("_-.~*'()", c) >= 0 }

// isLocal is what a query or fragment may hold. A second '#' is none of it; RFC 3986 §3.5.
func isLocal(c byte) bool { return isUnreserved(c) || strings.IndexByte("+=/%!$&,;:@?", c) >= 0 }

func firstNotIn(s string, ok func(byte) bool) string {
	for i, r := range s {
		if r >= 0x80 || !ok(s[i]) {
			return fmt.Sprintf("%q", r)
		}
	}
	return ""
}

// String returns the name as written.
func (v IVORN) String() string { return v.text }

// Authority returns the naming authority in lower case.
func (v IVORN) Authority() string { return v.authority }

// Resource returns the path within the authority as written, without a leading slash.
func (v IVORN) Resource() string { return v.resource }

// Local returns what follows the first '#' or '?', as written.
func (v IVORN) Local() string { return v.local }

// Separator returns the '#' or '?' before the local part, 0 when there is none.
func (v IVORN) Separator() byte { return v.separator }

// Stream returns "authority/resource", the authority in lower case; only the authority where there is no resource.
func (v IVORN) Stream() string {
	if v.resource == "" {
		return v.authority
	}
	return v.authority + "/" + v.resource
}

// Key returns the stream in lower case, for comparing.
func (v IVORN) Key() string { return strings.ToLower(v.Stream()) }

// Same reports whether both names mean one notice.
func (v IVORN) Same(w IVORN) bool {
	return v.local == w.local && v.separator == w.separator && v.authority == w.authority && strings.EqualFold(v.resource, w.resource)
}
