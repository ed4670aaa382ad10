package sky

import "math"

// MaxOrder is the deepest HEALPix order. Its pixels are 0.4 milliarcseconds wide and their numbers fill 62 bits.
const MaxOrder = 29

// facePixels is the number of order 29 pixels in one of the twelve base pixels.
const facePixels = uint64(1) << (2 * MaxOrder)

// Pixel returns the number of the HEALPix pixel of the given order that holds p, in the NESTED scheme
// (Górski et al. 2005, ApJ 622, 759, §4 and §5). Orders outside 0 to MaxOrder are taken as the nearest of these, and
// coordinates out of range are brought into it (a NaN counts as 0). The parent of a pixel is always pixel>>2:
// every order is cut from the order 29 number, which scaling by powers of two makes exact.
func Pixel(order int, p Point) uint64 {
	return pixel29(p) >> (2 * (MaxOrder - clampOrder(order)))
}

// Center returns the middle of a pixel. Numbers beyond the last pixel of the order are taken as the last.
func Center(order int, pix uint64) Point {
	order = clampOrder(order)
	if last := uint64(12)<<(2*order) - 1; pix > last {
		pix = last
	}
	side := int64(1) << order
	face := pix >> (2 * order)
	inFace := pix & (1<<(2*order) - 1)
	ix, iy := gather(inFace), gather(inFace>>1)
	ring := faceRing[face]<<order - ix - iy - 1 // 1 at the north pole, 4·side-1 at the south pole

	var dec float64
	quarter := side // pixels of this ring in a quarter turn
	switch {
	case ring < side:
		quarter = ring
		dec = 90 - capColatitude(ring, side)
	case ring > 3*side:
		quarter = 4*side - ring
		dec = capColatitude(quarter, side) - 90
	default:
		dec = math.Asin(float64(2*side-ring)*2/(3*float64(side))) * deg
	}
	step := facePhi[face]*quarter + ix - iy
	if step < 0 {
		step += 8 * quarter
	}
	return Point{RADeg: 45 * float64(step) / float64(quarter), DecDeg: dec}
}

// capColatitude returns the distance in degrees from the pole of ring i of a polar cap. In terms of the half angle the
// ring's height 1-z = i²/3side² needs no subtraction, so no digits are lost near the pole.
func capColatitude(i, side int64) float64 {
	return 2 * math.Asin(float64(i)/(float64(side)*math.Sqrt(6))) * deg
}

// The ring and the eighth of a turn of the southern corner of each base pixel.
var (
	faceRing = [12]int64{2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4}
	facePhi  = [12]int64{1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7}
)

func clampOrder(order int) int { return max(0, min(order, MaxOrder)) }

func pixel29(p Point) uint64 {
	const (
		side = int64(1) << MaxOrder
		fs   = float64(side)
	)
	turn := math.Mod(p.RADeg, 360) / 90 // quarter turns, wanted in [0,4)
	if turn < 0 {
		turn += 4
	}
	if !(turn >= 0 && turn < 4) { // NaN, or a tiny negative that rounded up to 4
		turn = 0
	}
	dec := max(-90, min(p.DecDeg, 90))
	if dec != dec {
		dec = 0
	}
	z := math.Sin(dec * rad)
	za := math.Abs(z)
	if za <= 2.0/3.0 {
		up, down := fs*(0.5+turn), fs*(z*0.75)
		jp, jm := int64(up-down), int64(up+down) // rising and falling edge lines
		fp, fm := jp>>MaxOrder, jm>>MaxOrder
		var face int64
		switch {
		case fp == fm:
			face = fp | 4
		case fp < fm:
			face = fp & 3 // 4 is 0 a turn later, which rounding brings just before 24h
		default:
			face = fm&3 + 8
		}
		return scatter(jm&(side-1)) | scatter(side-1-jp&(side-1))<<1 | uint64(face)<<(2*MaxOrder)
	}
	quarter := int64(turn)
	part := turn - float64(quarter)
	// sqrt(3(1-za)), by the half angle for the same reason as in capColatitude.
	tmp := fs * math.Sqrt(6) * math.Sin((90-math.Abs(dec))/2*rad)
	jp := min(int64(part*tmp), side-1)
	jm := min(int64((1-part)*tmp), side-1)
	if z >= 0 {
		return scatter(side-1-jm) | scatter(side-1-jp)<<1 | uint64(quarter)<<(2*MaxOrder)
	}
	return scatter(jp) | scatter(jm)<<1 | uint64(quarter+8)<<(2*MaxOrder)
}

// scatter puts the low 32 bits of v on the even bits of the result.
func scatter(v int64) uint64 {
	x := uint64(v) & 0xffffffff
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

// gather undoes scatter; the odd bits are ignored.
func gather(x uint64) int64 {
	x &= 0x5555555555555555
	x = (x | x>>1) & 0x3333333333333333
	x = (x | x>>2) & 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return int64((x | x>>16) & 0x00000000ffffffff)
}
