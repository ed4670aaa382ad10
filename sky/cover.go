package sky

import (
	"cmp"
	"math"
	"slices"
)

// A Range is a run of HEALPix pixels of order 29: From is in it, To is not. Storing a point as Pixel(MaxOrder, p) and
// a region as ranges makes "is it inside?" a comparison of integers, which an ordinary database index can answer.
type Range struct {
	From, To uint64
}

// Contains reports whether the order 29 pixel pix lies in the range.
func (r Range) Contains(pix uint64) bool { return pix >= r.From && pix < r.To }

// coverBudget bounds the pixels on the rim of a circle that Cover refines further. With it a cover follows the rim to
// about a hundredth of the radius, and the work for a circle of any size and depth stays below a few milliseconds.
const coverBudget = 1024

// Cover returns ranges of order 29 pixels that together hold every point of the circle, sorted, not touching each
// other. The cover is inclusive: it never misses a point of the circle, but reaches beyond the rim by up to two
// pixels of the finest order used. That order is maxOrder, or less where following the rim that finely would take
// more than some thousand pixels. An invalid circle has no cover.
func Cover(c Circle, maxOrder int) []Range {
	if !c.Valid() {
		return nil
	}
	maxOrder = clampOrder(maxOrder)
	var inside []Range
	rim := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	for order := 0; ; order++ {
		var still []uint64
		reach := pixelReach[order]
		for _, pix := range rim {
			switch d := Separation(c.Center, Center(order, pix)); {
			case d > c.RadiusDeg+reach:
			case d+reach <= c.RadiusDeg:
				inside = append(inside, pixelRange(order, pix))
			default:
				still = append(still, pix)
			}
		}
		if order == maxOrder || len(still) > coverBudget {
			for _, pix := range still {
				inside = append(inside, pixelRange(order, pix))
			}
			return merge(inside)
		}
		rim = rim[:0]
		for _, pix := range still {
			rim = append(rim, pix<<2, pix<<2|1, pix<<2|2, pix<<2|3)
		}
	}
}

func pixelRange(order int, pix uint64) Range {
	shift := 2 * (MaxOrder - order)
	return Range{From: pix << shift, To: (pix + 1) << shift}
}

// merge sorts disjoint ranges and joins those that touch.
func merge(rs []Range) []Range {
	slices.SortFunc(rs, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && out[n-1].To >= r.From {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

// pixelReach is, for each order, the greatest distance in degrees from a pixel's centre to a point of that pixel,
// attained by the corner at the pole end of the equatorial belt, plus a margin far above any rounding
// (0.04 microarcseconds and a billionth of the reach).
var pixelReach = func() (reach [MaxOrder + 1]float64) {
	for order := range reach {
		side := float64(int64(1) << order)
		belt := Point{RADeg: 45 / side, DecDeg: math.Asin(2.0/3.0) * deg}
		t := 1 - 1/side
		corner := Point{DecDeg: 90 - 2*math.Asin(t/math.Sqrt(6))*deg}
		reach[order] = Separation(belt, corner)*(1+1e-9) + 1e-11
	}
	return reach
}()
