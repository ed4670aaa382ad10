package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress draws a bar on a terminal while long work goes on; elsewhere it draws nothing. It is used by one goroutine.
type progress struct {
	w     io.Writer // nil: draw nothing
	what  string
	total int64 // 0: not known
	done  int64
	start time.Time
	last  time.Time
	drawn bool
}

const (
	progressAfter = 500 * time.Millisecond // short work shows no bar at all
	progressEvery = 100 * time.Millisecond
	progressWidth = 30
)

func (t *terminal) newProgress(what string, total int64) *progress {
	p := &progress{what: what, total: total, start: time.Now()}
	if t.progress {
		p.w = t.stderr
	}
	return p
}

// step counts one more piece of work as done.
func (p *progress) step() {
	p.done++
	if p.w == nil {
		return
	}
	now := time.Now()
	if now.Sub(p.start) < progressAfter || now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	p.draw(now.Sub(p.start))
}

// clear removes the bar, so that other lines can be written; the next step draws it again.
func (p *progress) clear() {
	if p.w != nil && p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *progress) draw(d time.Duration) {
	rate := float64(p.done) / d.Seconds()
	line := fmt.Sprintf("%s %d, %.0f/s", p.what, p.done, rate)
	if p.total > 0 {
		part := min(float64(p.done)/float64(p.total), 1)
		full := int(part * progressWidth)
		line = fmt.Sprintf("%s [%s%s] %3.0f %%, %d of %d, %.0f/s", p.what,
			strings.Repeat("=", full), strings.Repeat(" ", progressWidth-full), part*100, p.done, p.total, rate)
		if rate > 0 && p.done < p.total {
			line += ", " + (time.Duration(float64(p.total-p.done)/rate) * time.Second).String() + " left"
		}
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	p.drawn = true
}
