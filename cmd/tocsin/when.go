package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a point in time on the command line: an RFC 3339 time, a date, or how long ago (90m, 2h, 3d, 1w). Times
// without a zone are UTC. The zero moment was not given.
type moment struct {
	at  time.Time
	ago time.Duration // counts back from the moment of use when at is zero
}

// UnmarshalText reads the forms above.
func (m *moment) UnmarshalText(b []byte) error {
	s := strings.TrimSpace(string(b))
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			*m = moment{at: t.UTC()}
			return nil
		}
	}
	d, err := parseAgo(strings.TrimSpace(strings.TrimSuffix(s, "ago")))
	if err != nil {
		return fmt.Errorf("%q is no time: give 2026-11-21T10:15:00Z, 2026-11-21, or how long ago: 90m, 2h, 3d, 1w", s)
	}
	*m = moment{ago: d}
	return nil
}

func parseAgo(s string) (time.Duration, error) {
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if s != "" {
		if u, ok := unit[s[len(s)-1]]; ok {
			n, err := strconv.ParseFloat(s[:len(s)-1], 64)
			if err != nil || !(n >= 0 && n < 36525) {
				return 0, fmt.Errorf("%q is no duration", s)
			}
			return time.Duration(n * float64(u)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = fmt.Errorf("%q is negative", s)
	}
	return d, err
}

// given says whether the moment stood on the command line.
func (m moment) given() bool { return !m.at.IsZero() || m.ago > 0 }

// before gives the moment as a time, for durations counted back from now.
func (m moment) before(now time.Time) time.Time {
	if m.at.IsZero() && m.ago > 0 {
		return now.Add(-m.ago)
	}
	return m.at
}
