package sky

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseRA reads a right ascension and returns degrees in [0,360). A single number is degrees (74.7412); three
// (or two) numbers are hours, minutes and seconds (04:58:57.9, 04h58m57.9s, "4 58 57.9"); 4.98h is hours; with d, deg or °
// instead of h the first number is degrees.
func ParseRA(s string) (float64, error) {
	a, err := parseSexagesimal(s)
	if err != nil {
		return 0, fmt.Errorf("sky: right ascension %q: %w; write degrees (74.7412) or hours (04h58m57.9s)", s, err)
	}
	v := a.value
	if a.hours || (a.unit == 0 && a.fields > 1) {
		v *= 15
	}
	if a.negative && v != 0 || v > 360 {
		return 0, fmt.Errorf("sky: right ascension %q lies outside 0 to 360 degrees (0 to 24 hours)", s)
	}
	if v == 360 {
		v = 0
	}
	return v, nil
}

// ParseDec reads a declination and returns degrees. A single number is degrees (-25.3137); three (or two) numbers
// are degrees, arcminutes and arcseconds (-25:18:49, -25d18m49s, -25°18'49").
func ParseDec(s string) (float64, error) {
	a, err := parseSexagesimal(s)
	if err == nil && a.hours {
		err = errors.New("a declination is not written in hours")
	}
	if err != nil {
		return 0, fmt.Errorf("sky: declination %q: %w; write degrees (-25.3137) or -25d18m49s", s, err)
	}
	if a.value > 90 {
		return 0, fmt.Errorf("sky: declination %q lies outside -90 to +90 degrees", s)
	}
	if a.negative {
		return -a.value, nil
	}
	return a.value, nil
}

// ParsePoint reads "RA,DEC" in the forms of ParseRA and ParseDec.
func ParsePoint(s string) (Point, error) {
	parts := strings.Split(s, ",")
	if len(parts) != 2 {
		return Point{}, fmt.Errorf("sky: position %q: want RA,DEC (two parts with a comma between them), got %d", s, len(parts))
	}
	return parsePoint(parts[0], parts[1])
}

// ParseCircle reads "RA,DEC,R" in the forms of ParseRA, ParseDec and ParseAngle: 74.74,25.31,5 or
// 04h58m57.9s,+25d18m49s,3'.
func ParseCircle(s string) (Circle, error) {
	parts := strings.Split(s, ",")
	if len(parts) != 3 {
		return Circle{}, fmt.Errorf("sky: circle %q: want RA,DEC,RADIUS (three parts with commas between them, decimals with a point), got %d", s, len(parts))
	}
	p, err := parsePoint(parts[0], parts[1])
	if err != nil {
		return Circle{}, err
	}
	r, err := ParseAngle(parts[2])
	if err != nil {
		return Circle{}, err
	}
	if r > 180 {
		return Circle{}, fmt.Errorf("sky: radius %q is larger than 180 degrees", parts[2])
	}
	return Circle{Center: p, RadiusDeg: r}, nil
}

func parsePoint(ra, dec string) (p Point, err error) {
	if p.RADeg, err = ParseRA(ra); err != nil {
		return Point{}, err
	}
	if p.DecDeg, err = ParseDec(dec); err != nil {
		return Point{}, err
	}
	return p, nil
}

// angleUnits lists the spellings of units that ParseAngle takes, with the number of them in a degree. Longer spellings
// come before those they end in.
var angleUnits = []struct {
	suffix    string
	perDegree float64
}{
	{"arcminutes", 60},
	{"arcminute", 60},
	{"arcmin", 60},
	{"arcm", 60},
	{"arcseconds", 3600},
	{"arcsecond", 3600},
	{"arcsec", 3600},
	{"arcs", 3600},
	{"degrees", 1},
	{"degree", 1},
	{"deg", 1},
	{"d", 1},
	{"°", 1},
	{"''", 3600},
	{"″", 3600},
	{`"`, 3600},
	{"'", 60},
	{"′", 60},
}

// ParseAngle reads an angle that is not negative, such as a radius, and returns degrees. Without a unit it is degrees;
// known units are deg, d, °, arcmin, ', arcsec and ".
func ParseAngle(s string) (float64, error) {
	text, perDegree := strings.ToLower(strings.TrimSpace(s)), 1.0
	for _, u := range angleUnits {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			text, perDegree = strings.TrimSpace(rest), u.perDegree
			break
		}
	}
	v, err := parseDecimal(text)
	if err != nil {
		return 0, fmt.Errorf("sky: angle %q: %w; write degrees (5 or 0.5) or a unit (3', 30arcsec)", s, err)
	}
	return v / perDegree, nil
}

// sexagesimal is a number in one to three fields, as its size in units of the first.
type sexagesimal struct {
	negative bool
	value    float64
	fields   int
	hours    bool // the first field was marked h
	unit     byte // mark of the first field: h, d, or 0 for none
}

// fieldMarks gives, for each field, the marks that may end it, each with what it stands for.
var fieldMarks = [3]map[string]byte{
	{"h": 'h', "d": 'd', "°": 'd', "deg": 'd'},
	{"m": 'm', "'": 'm', "′": 'm'},
	{"s": 's', `"`: 's', "″": 's', "''": 's'},
}

func parseSexagesimal(s string) (a sexagesimal, err error) {
	text := strings.ToLower(strings.TrimSpace(s))
	if text == "" {
		return a, errors.New("it is empty")
	}
	for _, minus := range []string{"-", "−", "–"} {
		if rest, ok := strings.CutPrefix(text, minus); ok {
			text, a.negative = rest, true
			break
		}
	}
	if !a.negative {
		text = strings.TrimPrefix(text, "+")
	}
	scale, fractional := 1.0, false
	for text = strings.TrimSpace(text); text != ""; {
		if a.fields == 3 {
			return a, fmt.Errorf("nothing may follow the seconds, found %q", text)
		}
		if fractional {
			return a, errors.New("only the last number may have decimals")
		}
		n := 0
		for n < len(text) && (text[n] >= '0' && text[n] <= '9' || text[n] == '.' ||
			a.fields == 0 && exponentAt(text, n)) {
			n++
		}
		v, err := parseDecimal(text[:n])
		if n == 0 {
			return a, fmt.Errorf("expected a number at %q", text)
		}
		if err != nil {
			return a, err
		}
		if a.fields > 0 && v >= 60 {
			return a, fmt.Errorf("%s is too many minutes or seconds (must be below 60)", text[:n])
		}
		fractional = strings.ContainsAny(text[:n], ".e")
		a.value += v / scale
		scale *= 60
		mark, rest, err := cutMark(text[n:], a.fields)
		if err != nil {
			return a, err
		}
		if a.fields == 0 {
			a.unit, a.hours = mark, mark == 'h'
		}
		a.fields++
		text = rest
	}
	if a.fields == 0 {
		return a, errors.New("it holds no number")
	}
	return a, nil
}

// exponentAt reports whether the byte at n belongs to an exponent such as e-05, which programs write for small numbers.
func exponentAt(text string, n int) bool {
	if n == 0 {
		return false
	}
	switch text[n] {
	case 'e':
		return n+1 < len(text) && (text[n+1] == '-' || text[n+1] == '+' || text[n+1] >= '0' && text[n+1] <= '9')
	case '-', '+':
		return text[n-1] == 'e'
	}
	return false
}

// cutMark takes the mark or separator that ends a field off the front of text. A colon must be followed by another field.
func cutMark(text string, field int) (mark byte, rest string, err error) {
	rest = strings.TrimSpace(text)
	if r, ok := strings.CutPrefix(rest, ":"); ok {
		if r = strings.TrimSpace(r); r == "" {
			return 0, "", errors.New("nothing follows the colon")
		}
		return 0, r, nil
	}
	longest := ""
	for m := range fieldMarks[field] {
		if strings.HasPrefix(rest, m) && len(m) > len(longest) {
			longest = m
		}
	}
	if longest != "" {
		return fieldMarks[field][longest], strings.TrimSpace(rest[len(longest):]), nil
	}
	if rest != "" && len(rest) == len(text) {
		return 0, "", fmt.Errorf("%q is not understood", rest)
	}
	return 0, rest, nil
}

// parseDecimal is strconv.ParseFloat without its hexadecimal, infinite and underscored forms, and without a sign.
func parseDecimal(s string) (float64, error) {
	if s == "" {
		return 0, errors.New("expected a number")
	}
	if s[0] == '-' {
		return 0, errors.New("it is negative")
	}
	for _, c := range s {
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != '-' && c != '+' {
			return 0, fmt.Errorf("%q is not a number", s)
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return v, nil
}
