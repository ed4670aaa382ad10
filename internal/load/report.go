package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A result is what one load did.
type result struct {
	count   int
	elapsed time.Duration
	took    []time.Duration
}

func (r *result) add(o result) {
	r.count += o.count
	r.took = append(r.took, o.took...)
}

func (r *result) perSecond() float64 { return float64(r.count) / r.elapsed.Seconds() }

// quantile of the durations, 0..1; it sorts them.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

// A figure is a value with its unit, as benchstat reads them.
type figure struct {
	value float64
	unit  string
}

// line prints a figure line in the format of Go benchmarks, so that benchstat compares runs.
func line(w io.Writer, name string, n int, figures ...figure) {
	var b strings.Builder
	fmt.Fprintf(&b, "Benchmark%s\t%d", name, n)
	for _, f := range figures {
		fmt.Fprintf(&b, "\t%.4g %s", f.value, f.unit)
	}
	fmt.Fprintln(w, b.String())
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
