package sky

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestSeparationOfKnownPairs(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b Point
		want float64
	}{
		{"same point", Point{10, 20}, Point{10, 20}, 0},
		{"poles", Point{0, 90}, Point{123, -90}, 180},
		{"antipodes", Point{10, 30}, Point{190, -30}, 180},
		{"across 0h", Point{359.5, 0}, Point{0.5, 0}, 1},
		{"right ascension 360 is 0", Point{360, 12}, Point{0, 12}, 0},
		{"quarter", Point{0, 0}, Point{90, 0}, 90},
		{"a milliarcsecond", Point{10, 0}, Point{10, 1 / 3.6e6}, 1 / 3.6e6},
		{"over the pole", Point{0, 89}, Point{180, 89}, 2},
		// Meeus, Astronomical Algorithms, example 17.a: Arcturus and Spica.
		{"Arcturus and Spica", Point{213.9154, 19.1825}, Point{201.2983, -11.1614}, 32.7930},
	} {
		if got := Separation(c.a, c.b); math.Abs(got-c.want) > 5e-5*min(1, c.want)+1e-13 {
			t.Errorf("%s: %.12f°, want %.12f°", c.name, got, c.want)
		}
	}
}

func TestSeparationIsADistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawPoint(t), drawPoint(t), drawPoint(t)
		ab, ba := Separation(a, b), Separation(b, a)
		if math.Abs(ab-ba) > 1e-12 || ab < 0 || ab > 180 {
			t.Fatalf("%v to %v: %v there, %v back", a, b, ab, ba)
		}
		if ab > Separation(a, c)+Separation(c, b)+1e-10 {
			t.Fatalf("the way from %v to %v over %v is shorter", a, b, c)
		}
	})
}

func TestOverlapIsContainmentInTheWidenedCircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, e := rapid.Float64Range(0, 90).Draw(t, "r"), rapid.Float64Range(0, 90).Draw(t, "e")
		a, p := drawPoint(t), drawPoint(t)
		wide := Circle{a, r + e}
		if got, want := (Circle{a, r}).Overlaps(Circle{p, e}), wide.Contains(p); got != want {
			t.Fatalf("overlap %v, containment %v", got, want)
		}
		if (Circle{a, r}).Contains(p) != (Separation(a, p) <= r) {
			t.Fatal("the short cut by declination changes the answer")
		}
	})
}

func TestValid(t *testing.T) {
	for _, p := range []Point{{0, 0}, {360, 90}, {359.999, -90}} {
		if !p.Valid() {
			t.Errorf("%+v is refused", p)
		}
	}
	for _, p := range []Point{{-0.1, 0}, {360.1, 0}, {0, 90.1}, {0, -90.1}, {math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}} {
		if p.Valid() {
			t.Errorf("%+v is taken", p)
		}
	}
}

func BenchmarkSeparation(b *testing.B) {
	p, q := Point{74.7412, 25.3137}, Point{75, 26}
	for b.Loop() {
		Separation(p, q)
	}
}
