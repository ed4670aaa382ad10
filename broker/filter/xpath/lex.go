package xpath

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokName             // a name or the wildcard * where a node test or function is expected
	tokAxis             // a name before ::
	tokString           // text holds what is between the quotes
	tokNumber           // text holds the digits
	tokSymbol           // operators and punctuation, also and, or, div, mod
)

type token struct {
	kind tokenKind
	text string
	at   int
}

func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end"
	case tokString:
		return "the string " + `"` + t.text + `"`
	}
	return `"` + t.text + `"`
}

func (t token) is(symbol string) bool { return t.kind == tokSymbol && t.text == symbol }

var doubleSymbols = []string{"//", "<=", ">=", "!=", "::", ".."}

// lex splits an expression by the rules of XPath 1.0 §3.7: whether * and names such as "and" are operators depends on the
// token before them.
func lex(s string) []token {
	var out []token
	emit := func(kind tokenKind, from, to int) int {
		out = append(out, token{kind, s[from:to], from})
		return to
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case isSpace(c):
			i++
		case c == '"' || c == '\'':
			n := strings.IndexByte(s[i+1:], c)
			if n < 0 {
				fail(i, "the string that begins here has no end")
			}
			out = append(out, token{tokString, s[i+1 : i+1+n], i})
			i += n + 2
		case isDigit(c) || c == '.' && i+1 < len(s) && isDigit(s[i+1]):
			i = emit(tokNumber, i, scanNumber(s, i))
		case c == '*':
			kind := tokName
			if operatorMayFollow(out) {
				kind = tokSymbol
			}
			i = emit(kind, i, i+1)
		case strings.IndexByte("/<>!:.", c) >= 0:
			n := 1
			if i+1 < len(s) && slices.Contains(doubleSymbols, s[i:i+2]) {
				n = 2
			}
			if c == '!' && n == 1 {
				fail(i, `"!" is no operator; write not(...) or !=`)
			}
			i = emit(tokSymbol, i, i+n)
		case c == '&':
			fail(i, `"&" is no operator; write and`)
		case strings.IndexByte("()[]@,|+-=$", c) >= 0:
			if c == '|' && i+1 < len(s) && s[i+1] == '|' {
				fail(i, `"||" is no operator; write or`)
			}
			n := 1
			if c == '=' && i+1 < len(s) && s[i+1] == '=' {
				fail(i, `"==" is no operator; write =`)
			}
			i = emit(tokSymbol, i, i+n)
		default:
			n := scanName(s[i:])
			if n == 0 {
				r, _ := utf8.DecodeRuneInString(s[i:])
				fail(i, "%q has no meaning in XPath", r)
			}
			kind := tokName
			if operatorMayFollow(out) {
				switch s[i : i+n] {
				case "and", "or", "div", "mod":
					kind = tokSymbol
				default:
					fail(i, "%q is not expected here; an operator is", s[i:i+n])
				}
			} else if strings.HasPrefix(strings.TrimLeft(s[i+n:], " \t\r\n"), "::") {
				kind = tokAxis
			}
			i = emit(kind, i, i+n)
		}
	}
	return append(out, token{tokEnd, "", len(s)})
}

func operatorMayFollow(before []token) bool {
	if len(before) == 0 {
		return false
	}
	t := before[len(before)-1]
	if t.kind != tokSymbol {
		return t.kind != tokAxis
	}
	return t.text == ")" || t.text == "]" || t.text == "." || t.text == ".."
}

// scanNumber returns the end of the number at i. As in libxml2 it may have an exponent.
func scanNumber(s string, i int) int {
	digits := func() {
		for i < len(s) && isDigit(s[i]) {
			i++
		}
	}
	digits()
	if i < len(s) && s[i] == '.' {
		i++
		digits()
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			i = j
			digits()
		}
	}
	return i
}

// scanName returns the length of the name without colon at the start of s. It takes every letter of Unicode.
func scanName(s string) int {
	for i, r := range s {
		start := r == '_' || unicode.IsLetter(r)
		if !start && (i == 0 || r != '-' && r != '.' && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) && r != 0xB7) {
			return i
		}
		if r == utf8.RuneError {
			return i
		}
	}
	return len(s)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
