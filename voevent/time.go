package voevent

import (
	"math"
	"strings"
	"time"
)

// Time returns when it happened, in UTC, if the notice says so: ISOTime of the ObservationLocation or, where that is absent,
// the beginning of the interval. A time that is none, such as 2012-10--9T00:00:00, gives false.
//
// The time scale is the one the coordinate system names, UTC if it names none. Times in TAI, TT, TDB and GPS are converted
// to UTC, TDB with the two largest terms of its difference to TT, so to better than 0.1 ms; before 1972, when leap seconds
// began, they give false, and so do other scales. The reference position is left as it is: a time at the barycentre of the
// solar system, as Gaia gives it, may be eight minutes off the time at which the light passed the Earth.
// A time within a leap second is returned as the same fraction of the second after it, as POSIX clocks have it.
func (e *Event) Time() (time.Time, bool) {
	l := &e.WhereWhen().Observation
	if l.Time == nil {
		return time.Time{}, false
	}
	text := l.Time.ISO
	if text == "" {
		text = l.Time.Start
	}
	t, ok := parseTime(text)
	if !ok {
		return time.Time{}, false
	}
	return toUTC(t, l.timeScale())
}

// AuthorTime returns when the author wrote the notice: Who/Date, which is UTC unless it says otherwise.
func (e *Event) AuthorTime() (time.Time, bool) { return parseTime(e.Who().Date) }

// parseTime reads YYYY-MM-DDThh:mm:ss with any number of decimals, of which nine count, and with Z, +hh:mm, +hhmm, +hh or
// nothing behind it. Second 60 is taken in the last minute of a UTC day, where leap seconds are.
func parseTime(s string) (time.Time, bool) {
	s = trim(s)
	const layout = "dddd-dd-ddTdd:dd:dd"
	if len(s) < len(layout) || !hasLayout(s[:len(layout)], layout) {
		return time.Time{}, false
	}
	year, month, day := digits(s[0:4]), digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	nano, rest, ok := fraction(s[len(layout):])
	if !ok {
		return time.Time{}, false
	}
	offset, ok := zone(rest)
	if !ok || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	if day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, min(second, 59), nano, time.UTC).Add(-offset)
	if second == 60 {
		if t.Hour() != 23 || t.Minute() != 59 {
			return time.Time{}, false
		}
		t = t.Add(time.Second)
	}
	return t, true
}

// hasLayout compares s with a layout in which d stands for a digit.
func hasLayout(s, layout string) bool {
	for i := range len(s) {
		if layout[i] == 'd' && (s[i] < '0' || s[i] > '9') || layout[i] != 'd' && s[i] != layout[i] {
			return false
		}
	}
	return len(s) == len(layout)
}

func digits(s string) (n int) {
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// fraction reads the decimals of a second, if there are any.
func fraction(s string) (nano int, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	i, scale := 1, 100_000_000
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		nano += int(s[i]-'0') * scale
		scale /= 10
	}
	return nano, s[i:], i > 1
}

// zone reads what follows the seconds.
func zone(s string) (offset time.Duration, ok bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	sign := time.Duration(1)
	switch s[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	s = s[1:]
	var hour, minute int
	switch {
	case hasLayout(s, "dd:dd"):
		hour, minute = digits(s[:2]), digits(s[3:])
	case len(s) == 4 && hasLayout(s, "dddd"):
		hour, minute = digits(s[:2]), digits(s[2:])
	case len(s) == 2 && hasLayout(s, "dd"):
		hour = digits(s)
	default:
		return 0, false
	}
	return sign * (time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute), hour <= 14 && minute <= 59
}

// scale is a scale of time.
type scale int

const (
	scaleUTC scale = iota
	scaleTAI
	scaleTT
	scaleTDB
	scaleGPS
	scaleOther
)

// timeScale returns the scale that the coordinate system names.
func (l *Location) timeScale() scale {
	for _, id := range [...]string{l.CoordSystemID, l.CoordSystem, l.TimeScale} {
		for part := range strings.SplitSeq(strings.ToUpper(id), "-") {
			switch part {
			case "UTC":
				return scaleUTC
			case "TAI", "IAT":
				return scaleTAI
			case "TT", "TDT", "ET":
				return scaleTT
			case "TDB":
				return scaleTDB
			case "GPS":
				return scaleGPS
			case "TCB", "TCG", "TEB", "LST", "UT1", "LOCAL":
				return scaleOther
			}
		}
	}
	return scaleUTC
}

const (
	ttMinusTAI  = 32_184 * time.Millisecond
	taiMinusGPS = 19 * time.Second
)

// toUTC converts a reading of a clock of that scale.
func toUTC(t time.Time, s scale) (time.Time, bool) {
	switch s {
	case scaleUTC:
		return t, true
	case scaleTAI:
	case scaleTT:
		t = t.Add(-ttMinusTAI)
	case scaleTDB:
		t = t.Add(-tdbMinusTT(t) - ttMinusTAI)
	case scaleGPS:
		t = t.Add(taiMinusGPS)
	default:
		return time.Time{}, false
	}
	return taiToUTC(t)
}

// tdbMinusTT is good to about 30 microseconds, and rounded so as to look no better. Explanatory Supplement to the Astronomical Almanac, 1992, eq. 2.222-1.
func tdbMinusTT(t time.Time) time.Duration {
	j2000 := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	days := float64(t.Unix()-j2000.Unix()) / 86400
	anomaly := (357.53 + 0.9856003*days) * math.Pi / 180
	jupiter := (246.11 + 0.90251792*days) * math.Pi / 180
	seconds := 0.001657*math.Sin(anomaly) + 0.000022*math.Sin(jupiter)
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Microsecond)
}

// leaps are the days on whose first moment TAI-UTC, 10 s since 1972, grew by one second. IERS Bulletin C; there is no leap
// second to come as of 2026.
var leaps = [...]time.Time{
	day(1972, 7), day(1973, 1), day(1974, 1), day(1975, 1), day(1976, 1), day(1977, 1), day(1978, 1), day(1979, 1), day(1980, 1),
	day(1981, 7), day(1982, 7), day(1983, 7), day(1985, 7), day(1988, 1), day(1990, 1), day(1991, 1), day(1992, 7), day(1993, 7),
	day(1994, 7), day(1996, 1), day(1997, 7), day(1999, 1), day(2006, 1), day(2009, 1), day(2012, 7), day(2015, 7), day(2017, 1),
}

func day(year int, month time.Month) time.Time {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// taiToUTC converts a reading of TAI.
func taiToUTC(tai time.Time) (time.Time, bool) {
	const before = 10 * time.Second // TAI-UTC at the beginning of 1972
	for i := len(leaps) - 1; i >= 0; i-- {
		offset := before + time.Duration(i+1)*time.Second
		if utc := tai.Add(-offset); !utc.Before(leaps[i]) {
			return utc, true
		}
	}
	utc := tai.Add(-before)
	return utc, !utc.Before(day(1972, 1))
}
