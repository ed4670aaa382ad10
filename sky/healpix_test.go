package sky

import (
	"math"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// ringCenter gives the centre of a pixel of the RING scheme by equations 4 to 9 of Górski et al. 2005: a second way to
// the same points, which shares no code with the NESTED one.
func ringCenter(side, p int) Point {
	var z, phi float64
	caps, total := 2*side*(side-1), 12*side*side
	capPoint := func(p int) (float64, float64) {
		ph := float64(p+1) / 2
		i := int(math.Sqrt(ph - math.Sqrt(math.Floor(ph))))
		j := p + 1 - 2*i*i - 2*i
		i++
		if j < 1 { // the index formula counts rings from their last pixel
			i--
			j = p + 1 - 2*i*(i-1)
		}
		return 1 - float64(i*i)/float64(3*side*side), math.Pi / (2 * float64(i)) * (float64(j) - 0.5)
	}
	switch {
	case p < caps:
		z, phi = capPoint(p)
	case p < total-caps:
		q := p - caps
		i, j := q/(4*side)+side, q%(4*side)+1
		s := float64((i - side + 1) % 2)
		z = 4.0/3 - 2*float64(i)/float64(3*side)
		phi = math.Pi / (2 * float64(side)) * (float64(j) - s/2)
	default:
		z, phi = capPoint(total - 1 - p)
		z, phi = -z, 2*math.Pi-phi
	}
	return Point{RADeg: phi * deg, DecDeg: math.Asin(z) * deg}
}

func TestPixelAgreesWithPublishedRingToNestTables(t *testing.T) {
	// From the documentation of healpy: ring2nest(16, 1504), ring2nest(2, 0..9), ring2nest([1, 2, 4, 8], 11).
	for _, c := range []struct {
		order, ring int
		nest        uint64
	}{
		{4, 1504, 1130},
		{1, 0, 3},
		{1, 1, 7},
		{1, 2, 11},
		{1, 3, 15},
		{1, 4, 2},
		{1, 5, 1},
		{1, 6, 6},
		{1, 7, 5},
		{1, 8, 10},
		{1, 9, 9},
		{0, 11, 11},
		{1, 11, 13},
		{2, 11, 61},
		{3, 11, 253},
	} {
		p := ringCenter(1<<c.order, c.ring)
		if got := Pixel(c.order, p); got != c.nest {
			t.Errorf("order %d: the centre of ring pixel %d (%v) is in nested pixel %d, want %d", c.order, c.ring, p, got, c.nest)
		}
	}
}

func TestRingCentersAreExactlyTheNestedCenters(t *testing.T) {
	for order := range 6 {
		side := 1 << order
		seen := make([]bool, 12*side*side)
		for ring := range seen {
			want := ringCenter(side, ring)
			pix := Pixel(order, want)
			if seen[pix] {
				t.Fatalf("order %d: two ring pixels fall into nested pixel %d", order, pix)
			}
			seen[pix] = true
			if d := Separation(Center(order, pix), want); d > 1e-7 { // the ring formulas lose digits near the poles
				t.Fatalf("order %d: the centre of pixel %d is %g° from that of ring pixel %d", order, pix, d, ring)
			}
		}
	}
}

// Corners where the base pixels meet, exactly representable: a wrong choice here would be a pixel off by a face.
func TestPixelAtThePolesAndTheWrapOfRightAscension(t *testing.T) {
	last := uint64(1)<<(2*MaxOrder) - 1
	for _, c := range []struct {
		name string
		p    Point
		face uint64
		in   uint64 // number inside the face at order 29
	}{
		{"north pole", Point{0, 90}, 0, last},
		{"north pole, other right ascension", Point{200, 90}, 2, last},
		{"south pole", Point{0, -90}, 8, 0},
		{"south pole, other right ascension", Point{359, -90}, 11, 0},
	} {
		got := Pixel(MaxOrder, c.p)
		if got>>(2*MaxOrder) != c.face || got&last != c.in {
			t.Errorf("%s: face %d, number %d; want %d, %d", c.name, got>>(2*MaxOrder), got&last, c.face, c.in)
		}
	}
	for _, dec := range []float64{-90, -80, -41.8, 0, 10, 41.8, 89.9999999, 90} {
		zero := Pixel(MaxOrder, Point{0, dec})
		for _, ra := range []float64{360, 720, -360, math.NaN(), -1e-300} {
			if got := Pixel(MaxOrder, Point{ra, dec}); got != zero {
				t.Errorf("RA %v Dec %v is in pixel %d, RA 0 in %d", ra, dec, got, zero)
			}
		}
	}
	// The last right ascension before 24h at the latitude where four base pixels meet: the sum rounds to a full turn.
	for _, dec := range []float64{41.810314895778596, -41.810314895778596} {
		p := Point{359.99999999999994, dec}
		if d := Separation(p, Center(MaxOrder, Pixel(MaxOrder, p))); d > pixelReach[MaxOrder] {
			t.Errorf("%v is %g° from the centre of its pixel", p, d)
		}
	}
	if got := Pixel(-5, Point{45, 45}); got != 0 {
		t.Errorf("order below 0: pixel %d, want that of order 0", got)
	}
	if got, want := Pixel(99, Point{45, 45}), Pixel(MaxOrder, Point{45, 45}); got != want {
		t.Errorf("order above the deepest: pixel %d, want %d", got, want)
	}
	if got, want := Center(0, 99), Center(0, 11); got != want {
		t.Errorf("pixel beyond the last: %v, want %v", got, want)
	}
}

func TestEveryPixelHoldsItsCenterAndCentersAreSpreadEvenly(t *testing.T) {
	for order := range 7 {
		var x, y, z float64
		n := uint64(12) << (2 * order)
		for pix := range n {
			c := Center(order, pix)
			if !c.Valid() || Pixel(order, c) != pix {
				t.Fatalf("order %d: centre %v of pixel %d is in pixel %d", order, c, pix, Pixel(order, c))
			}
			sin, cos := math.Sincos(c.DecDeg * rad)
			sinRA, cosRA := math.Sincos(c.RADeg * rad)
			x, y, z = x+cos*cosRA, y+cos*sinRA, z+sin
		}
		if off := math.Sqrt(x*x+y*y+z*z) / float64(n); off > 1e-12 {
			t.Errorf("order %d: the mean of all centres is %g from the middle of the sphere", order, off)
		}
	}
}

// Pixels have one area, so each must catch its share of points spread evenly over the sphere (a Fibonacci lattice).
func TestPixelsHaveEqualArea(t *testing.T) {
	const order, n = 3, 768 * 400
	var count [12 << (2 * order)]int
	for i := range n {
		z := 1 - (2*float64(i)+1)/n
		ra := math.Mod(float64(i)*(math.Sqrt(5)-1)/2, 1) * 360
		count[Pixel(order, Point{ra, math.Asin(z) * deg})]++
	}
	if low, high := slices.Min(count[:]), slices.Max(count[:]); low < 380 || high > 420 {
		t.Errorf("of %d even points pixels hold %d to %d, want close to 400", n, low, high)
	}
}

func drawPoint(t *rapid.T) Point {
	p := Point{
		RADeg:  rapid.Float64Range(0, 360).Draw(t, "ra"),
		DecDeg: math.Asin(rapid.Float64Range(-1, 1).Draw(t, "z")) * deg,
	}
	if rapid.IntRange(0, 3).Draw(t, "special") == 0 {
		p.RADeg = rapid.SampledFrom([]float64{0, 45, 90, 135, 180, 270, 360, math.Nextafter(90, 0), math.Nextafter(360, 0), 1e-12}).Draw(t, "ra*")
		p.DecDeg = rapid.SampledFrom([]float64{
			-90, 90, 0, math.Asin(2.0/3) * deg, -math.Asin(2.0/3) * deg,
			89.9999999999, -89.9999999, math.Nextafter(90, 0), 1e-13,
		}).Draw(t, "dec*")
	}
	return p
}

func TestPixelsNest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPoint(t)
		for order := range MaxOrder {
			if parent, child := Pixel(order, p), Pixel(order+1, p); parent != child>>2 {
				t.Fatalf("%v: pixel %d at order %d, %d at order %d", p, parent, order, child, order+1)
			}
		}
	})
}

func TestCenterIsInItsPixelAndPointsAreNearTheirCenter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.IntRange(0, MaxOrder).Draw(t, "order")
		pix := rapid.Uint64Range(0, uint64(12)<<(2*order)-1).Draw(t, "pix")
		if back := Pixel(order, Center(order, pix)); order <= 26 && back != pix {
			t.Fatalf("order %d: the centre of %d is in %d", order, pix, back)
		}
		p := drawPoint(t)
		if d := Separation(p, Center(order, Pixel(order, p))); d > pixelReach[order] {
			t.Fatalf("order %d: %v is %g° from the centre of its pixel, more than %g°", order, p, d, pixelReach[order])
		}
	})
}

func TestScatterAndGatherAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := int64(rapid.Uint32().Draw(t, "v"))
		s := scatter(v)
		if gather(s) != v || bits.OnesCount64(s) != bits.OnesCount64(uint64(v)) || s&0xaaaaaaaaaaaaaaaa != 0 {
			t.Fatalf("%x scatters to %x, which gathers to %x", v, s, gather(s))
		}
	})
}

func BenchmarkPixel(b *testing.B) {
	p := Point{74.7412, 25.3137}
	for b.Loop() {
		Pixel(MaxOrder, p)
	}
}
