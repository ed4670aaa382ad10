package sky

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func covered(rs []Range, pix uint64) bool {
	for _, r := range rs {
		if r.Contains(pix) {
			return true
		}
	}
	return false
}

// offset walks a distance from p in a direction, both in degrees.
func offset(p Point, distance, bearing float64) Point {
	sinD, cosD := math.Sincos(distance * rad)
	sinP, cosP := math.Sincos(p.DecDeg * rad)
	sinB, cosB := math.Sincos(bearing * rad)
	dec := math.Asin(max(-1, min(sinP*cosD+cosP*sinD*cosB, 1)))
	ra := p.RADeg + math.Atan2(sinB*sinD*cosP, cosD-sinP*math.Sin(dec))*deg
	if ra = math.Mod(ra, 360); ra < 0 {
		ra += 360
	}
	return Point{ra, dec * deg}
}

func TestCoverHoldsEveryPointOfTheCircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Circle{Center: drawPoint(t), RadiusDeg: math.Pow(10, rapid.Float64Range(-9, math.Log10(180)).Draw(t, "lg r"))}
		rs := Cover(c, rapid.IntRange(0, MaxOrder).Draw(t, "order"))
		for i, r := range rs {
			if r.From >= r.To || r.To > 12*facePixels || i > 0 && r.From <= rs[i-1].To {
				t.Fatalf("range %d of %v is empty, out of bounds, unsorted or touches the one before", i, rs)
			}
		}
		for range 20 {
			p := offset(c.Center, c.RadiusDeg*rapid.SampledFrom([]float64{0, 0.3, 0.99, 1 - 1e-9, 1}).Draw(t, "part"),
				rapid.Float64Range(0, 360).Draw(t, "bearing"))
			if c.Contains(p) && !covered(rs, Pixel(MaxOrder, p)) {
				t.Fatalf("%v lies in %v, but not in its cover", p, c)
			}
		}
	})
}

func TestCoverStaysNearTheCircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Circle{Center: drawPoint(t), RadiusDeg: rapid.Float64Range(0.01, 90).Draw(t, "r")}
		order := rapid.IntRange(0, 12).Draw(t, "order")
		rs := Cover(c, order)
		used := 0
		for ; used < order; used++ { // the order used is the finest that any range is aligned to
			aligned := true
			for _, r := range rs {
				mask := uint64(1)<<(2*(MaxOrder-used)) - 1
				aligned = aligned && r.From&mask == 0 && r.To&mask == 0
			}
			if aligned {
				break
			}
		}
		p := offset(c.Center, c.RadiusDeg+2*pixelReach[used]+1e-6, rapid.Float64Range(0, 360).Draw(t, "bearing"))
		if Separation(c.Center, p) > c.RadiusDeg+2*pixelReach[used] && covered(rs, Pixel(MaxOrder, p)) {
			t.Fatalf("%v is more than two pixels of order %d outside %v, but in its cover", p, used, c)
		}
	})
}

func TestCoverAgreesWithBruteForce(t *testing.T) {
	const order = 5
	for _, c := range []Circle{
		{Point{0, 0}, 5}, {Point{359.9, 10}, 3}, {Point{100, 90}, 8}, {Point{10, -89}, 12}, {Point{200, 41.81}, 1}, {Point{50, -30}, 120},
	} {
		rs := Cover(c, order)
		var area uint64
		for _, r := range rs {
			area += r.To - r.From
		}
		for pix := range uint64(12) << (2 * order) {
			center, in := Center(order, pix), covered(rs, pix<<(2*(MaxOrder-order)))
			if c.Contains(center) && !in {
				t.Errorf("%v: pixel %d has its centre in the circle and is not covered", c, pix)
			}
			if in && Separation(center, c.Center) > c.RadiusDeg+pixelReach[order] {
				t.Errorf("%v: pixel %d cannot reach the circle and is covered", c, pix)
			}
		}
		want := (1 - math.Cos(c.RadiusDeg*rad)) / 2
		rim := math.Sin(c.RadiusDeg*rad) * pixelReach[order] * rad // half the area of a belt two reaches wide
		if got := float64(area) / float64(12*facePixels); got < want || got > want+2*rim+4*pixelReach[order]*pixelReach[order]*rad*rad {
			t.Errorf("%v: the cover has %.5f of the sky, the circle %.5f", c, got, want)
		}
	}
}

func TestCoverOfExtremes(t *testing.T) {
	whole := []Range{{0, 12 * facePixels}}
	for _, order := range []int{-1, 0, 5, 29, 40} {
		if got := Cover(Circle{Point{10, 10}, 180}, order); fmt.Sprint(got) != fmt.Sprint(whole) {
			t.Errorf("order %d: the whole sky is %v", order, got)
		}
	}
	p := Point{74.7412, 25.3137}
	if rs := Cover(Circle{Center: p}, 29); !covered(rs, Pixel(29, p)) || len(rs) > 9 {
		t.Errorf("the cover of a point is %v", rs)
	}
	for _, c := range []Circle{{Point{10, 91}, 1}, {Point{10, 10}, -1}, {Point{10, 10}, math.NaN()}, {Point{math.NaN(), 0}, 1}, {p, 181}} {
		if rs := Cover(c, 5); rs != nil {
			t.Errorf("the invalid circle %+v has the cover %v", c, rs)
		}
	}
}

func BenchmarkCover(b *testing.B) {
	for _, r := range []float64{1e-6, 0.05, 5, 60} {
		b.Run(fmt.Sprintf("radius=%g", r), func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(Cover(Circle{Point{74.7412, 25.3137}, r}, MaxOrder))
			}
			b.ReportMetric(float64(n), "ranges")
		})
	}
}

// BenchmarkCoverBruteForce is what the hierarchy of pixels saves: the same question to every pixel of order 8.
func BenchmarkCoverBruteForce(b *testing.B) {
	c := Circle{Point{74.7412, 25.3137}, 5}
	b.Run("hierarchy", func(b *testing.B) {
		for b.Loop() {
			Cover(c, 8)
		}
	})
	b.Run("every-pixel", func(b *testing.B) {
		for b.Loop() {
			var out []Range
			for pix := range uint64(12) << 16 {
				if Separation(c.Center, Center(8, pix)) <= c.RadiusDeg+pixelReach[8] {
					out = append(out, pixelRange(8, pix))
				}
			}
			merge(out)
		}
	})
}
