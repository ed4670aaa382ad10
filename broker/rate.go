package broker

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// RateLimit bounds the submissions of each source (its identity, or else its
// address without the port). Above it submissions are refused as Busy with
// reason rate.
type RateLimit struct {
	// PerSecond is the sustained rate; no limit when zero.
	PerSecond float64 `yaml:"per_second" json:"per_second"`
	// Burst is how many may come at once; one second's worth when zero.
	Burst int `yaml:"burst" json:"burst"`
	// Sources bounds how many sources are remembered, 16,384 when zero.
	Sources int `yaml:"sources" json:"sources"`
}

// throttle keeps a token bucket for each source. It remembers the sources of
// two generations: when the younger one is full the older one is forgotten, so
// the memory is bounded and who comes regularly stays known.
type throttle struct {
	limit rate.Limit
	burst int
	most  int // of one generation

	mu    sync.Mutex
	young map[string]*rate.Limiter
	old   map[string]*rate.Limiter
}

// newThrottle gives nil when there is no limit.
func newThrottle(l RateLimit) *throttle {
	if l.PerSecond <= 0 {
		return nil
	}
	if l.Burst <= 0 {
		l.Burst = int(math.Ceil(l.PerSecond))
	}
	if l.Sources <= 0 {
		l.Sources = 16384
	}
	return &throttle{limit: rate.Limit(l.PerSecond), burst: l.Burst, most: max(l.Sources/2, 1), young: make(map[string]*rate.Limiter)}
}

// allow takes a token of the source, if it has one.
func (t *throttle) allow(s Source, now time.Time) bool {
	if t == nil {
		return true
	}
	key := "@" + s.host()
	if s.Identity != "" {
		key = s.Identity
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.young[key]
	if !ok {
		if l, ok = t.old[key]; !ok {
			l = rate.NewLimiter(t.limit, t.burst)
		}
		if len(t.young) >= t.most {
			t.old, t.young = t.young, make(map[string]*rate.Limiter)
		}
		t.young[key] = l
	}
	return l.AllowN(now, 1)
}
