package voevent

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// matches tells whether s is a literal of the simple type v.
func matches(v value, s string) bool {
	switch v {
	case anyText:
		return true
	case floatValue:
		return isFloat(collapseSpace(s))
	case unitValue:
		return isUnitInterval(collapseSpace(s))
	case dateTimeValue:
		return isDateTime(collapseSpace(s))
	case uriValue:
		return isURI(collapseSpace(s))
	case idValue:
		return isID(collapseSpace(s))
	case version11:
		return collapseSpace(s) == "1.1"
	case version20:
		return collapseSpace(s) == "2.0"
	case version21:
		return collapseSpace(s) == "2.1"
	case citeToken:
		s = collapseSpace(s)
	}
	switch v {
	case roleWord:
		return Role(s).Known()
	case dataTypeWord:
		return s == "float" || s == "string" || s == "int"
	case citeWord, citeToken:
		return s == "followup" || s == "supersedes" || s == "retraction"
	}
	return slices.Contains(vocabulary[v], s)
}

// collapseSpace does the white-space normalisation of most simple types: outer white space off, inner runs to one space.
// XSD 1.0 part 2 §4.3.6.
func collapseSpace(s string) string {
	clean := s == "" || (s[0] > ' ' && s[len(s)-1] > ' ')
	for i := 0; clean && i < len(s); i++ {
		if s[i] <= ' ' && (s[i] != ' ' || s[i+1] <= ' ') {
			clean = false
		}
	}
	if clean {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }), " ")
}

func countDigits(s string) int {
	i := 0
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

// isFloat knows the literals of xs:float. XSD 1.0 part 2 §3.2.4.
func isFloat(s string) bool {
	switch s {
	case "INF", "-INF", "NaN":
		return true
	}
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	n := countDigits(s)
	s = s[n:]
	if s != "" && s[0] == '.' {
		m := countDigits(s[1:])
		n += m
		s = s[1+m:]
	}
	if n == 0 {
		return false
	}
	if s == "" {
		return true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && countDigits(s) == len(s)
}

// isUnitInterval knows the literals of xs:float from 0 to 1.
func isUnitInterval(s string) bool {
	if !isFloat(s) {
		return false
	}
	f, err := strconv.ParseFloat(s, 32)
	if err != nil && !math.IsInf(f, 0) {
		return false
	}
	return f >= 0 && f <= 1 // false for NaN
}

// isDateTime knows the literals of xs:dateTime. XSD 1.0 part 2 §3.2.7. Year 0000 does not exist there, and there are no
// leap seconds.
func isDateTime(s string) bool {
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	n := countDigits(s)
	if n < 4 || (n > 4 && s[0] == '0') || strings.Trim(s[:n], "0") == "" {
		return false
	}
	year, _ := strconv.Atoi(s[n-4 : n]) // enough to know leap years by
	s = s[n:]
	if len(s) < len("-01-02T03:04:05") || s[0] != '-' || s[3] != '-' || s[6] != 'T' || s[9] != ':' || s[12] != ':' {
		return false
	}
	month, ok1 := twoDigits(s[1:])
	day, ok2 := twoDigits(s[4:])
	hour, ok3 := twoDigits(s[7:])
	minute, ok4 := twoDigits(s[10:])
	second, ok5 := twoDigits(s[13:])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || minute > 59 || second > 59 {
		return false
	}
	s = s[15:]
	zero := true
	if s != "" && s[0] == '.' {
		n := countDigits(s[1:])
		if n == 0 {
			return false
		}
		zero = strings.Trim(s[1:1+n], "0") == ""
		s = s[1+n:]
	}
	if hour > 24 || (hour == 24 && (minute != 0 || second != 0 || !zero)) {
		return false
	}
	return isZone(s)
}

func isZone(s string) bool {
	if s == "" || s == "Z" {
		return true
	}
	if len(s) != len("+01:00") || (s[0] != '+' && s[0] != '-') || s[3] != ':' {
		return false
	}
	h, ok1 := twoDigits(s[1:])
	m, ok2 := twoDigits(s[4:])
	return ok1 && ok2 && m <= 59 && (h < 14 || (h == 14 && m == 0))
}

func twoDigits(s string) (int, bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// isID knows names without a colon, as xs:ID wants them: a letter or underscore first.
func isID(s string) bool {
	for i, r := range s {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z' || r == '_' || r >= utf8.RuneSelf && unicode.IsLetter(r)
		inner := r >= '0' && r <= '9' || r == '-' || r == '.' || r >= utf8.RuneSelf && (unicode.IsDigit(r) || unicode.IsMark(r))
		if !letter && (i == 0 || !inner) {
			return false
		}
	}
	return s != ""
}

// isURI knows the literals of xs:anyURI: URI references of RFC 3986 in which characters that a URI would have to escape
// may stand unescaped. XSD 1.0 part 2 §3.2.17. It follows libxml2, whose verdicts VOEvent brokers have always had; the
// schema engine is stricter here ("http://") and laxer there ("http://host:port").
func isURI(s string) bool {
	if isPlainURI(s) {
		return true
	}
	if !utf8.ValidString(s) {
		return false
	}
	// A scheme, if what precedes the first of ":/?#" is followed by ":".
	if i := strings.IndexAny(s, ":/?#"); i >= 0 && s[i] == ':' {
		if isScheme(s[:i]) && isHierarchy(s[i+1:]) {
			return true
		}
		return false // a relative reference has no ":" in its first segment
	}
	return isHierarchy(s)
}

// isPlainURI knows the forms that nearly all URIs have, such as ivo://a.b/c#d, in one pass. False means nothing.
func isPlainURI(s string) bool {
	i := 0
	for i < len(s) && s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' {
		i++
	}
	if i == 0 || len(s) < i+4 || s[i:i+3] != "://" {
		return false
	}
	for i += 3; i < len(s) && plainURI[s[i]] == 1; i++ { // the authority
	}
	if i < len(s) && s[i] != '/' && s[i] != '?' && s[i] != '#' {
		return false
	}
	fragment := false
	for ; i < len(s); i++ {
		if plainURI[s[i]] == 0 {
			if s[i] != '#' || fragment {
				return false
			}
			fragment = true
		}
	}
	return true
}

// plainURI marks the characters that may stand in an authority (1) and those that may stand behind it besides (2).
var plainURI = func() (t [256]byte) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z', c == '.', c == '-', c == '_', c == '~':
			t[c] = 1
		case c < 128 && strings.IndexByte("/?:@!$&'()*+,;=", byte(c)) >= 0:
			t[c] = 2
		}
	}
	return t
}()

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		inner := c-'0' <= 9 || c == '+' || c == '-' || c == '.'
		if !letter && (i == 0 || !inner) {
			return false
		}
	}
	return s != ""
}

// isHierarchy checks what follows the scheme: authority, path, query, fragment.
func isHierarchy(s string) bool {
	if strings.HasPrefix(s, "//") {
		end := strings.IndexAny(s[2:], "/?#")
		authority := s[2:]
		if end >= 0 {
			authority = s[2 : 2+end]
			s = s[2+end:]
		} else {
			s = ""
		}
		if !isAuthority(authority) {
			return false
		}
	}
	var fragment string
	if i := strings.IndexByte(s, '#'); i >= 0 {
		s, fragment = s[:i], s[i+1:]
	}
	return uriChars(s, "/?:@") && uriChars(fragment, "/?:@[]")
}

func isAuthority(s string) bool {
	if i := strings.IndexByte(s, '@'); i >= 0 {
		if !uriChars(s[:i], ":") {
			return false
		}
		s = s[i+1:]
	}
	if strings.HasPrefix(s, "[") {
		i := strings.IndexByte(s, ']')
		if i < 0 {
			return false
		}
		s = s[i+1:]
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		if !uriChars(s[:i], "") {
			return false
		}
		s = s[i:]
	} else {
		return uriChars(s, "")
	}
	if s == "" {
		return true
	}
	return s[0] == ':' && len(s) > 1 && countDigits(s[1:]) == len(s)-1
}

// uriChars checks that s holds only unreserved characters, sub-delimiters, percent escapes, those of more, and characters
// that xs:anyURI lets stand for their escapes.
func uriChars(s, more string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
			i += 2
		case '#', '[', ']', ':', '@', '/', '?':
			if strings.IndexByte(more, c) < 0 {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool { return c-'0' <= 9 || (c|0x20 >= 'a' && c|0x20 <= 'f') }
