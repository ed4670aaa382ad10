package sky

import (
	"fmt"
	"math"
)

// FormatRA writes a right ascension in hours to a tenth of a second of time, such as 04h58m57.9s. Values that are
// not finite give "?".
func FormatRA(raDeg float64) string {
	if math.IsNaN(raDeg) || math.IsInf(raDeg, 0) {
		return "?"
	}
	turn := math.Mod(raDeg, 360)
	if turn < 0 {
		turn += 360
	}
	tenths := int64(math.Round(turn*2400)) % 864000 // a day has 864,000 tenths of a second
	return fmt.Sprintf("%02dh%02dm%02d.%ds", tenths/36000, tenths/600%60, tenths/10%60, tenths%10)
}

// FormatDec writes a declination to an arcsecond, such as +25°18'49". Values that are not finite give "?".
func FormatDec(decDeg float64) string {
	if math.IsNaN(decDeg) || math.IsInf(decDeg, 0) {
		return "?"
	}
	sign := '+'
	seconds := int64(math.Round(decDeg * 3600))
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	return fmt.Sprintf(`%c%02d°%02d'%02d"`, sign, seconds/3600, seconds/60%60, seconds%60)
}

// FormatAngle writes a small angle, such as a radius or an error, with one decimal in the largest of degrees,
// arcminutes and arcseconds that makes it at least 1: 2.5°, 3.0', 1.4". Below 0.1 arcseconds it gives three decimals.
// Values that are not finite give "?".
func FormatAngle(angleDeg float64) string {
	if math.IsNaN(angleDeg) || math.IsInf(angleDeg, 0) {
		return "?"
	}
	switch a := math.Abs(angleDeg); {
	case a >= 59.95/60:
		return fmt.Sprintf("%.1f°", angleDeg)
	case a >= 59.95/3600:
		return fmt.Sprintf("%.1f'", angleDeg*60)
	case a >= 0.095/3600 || a == 0:
		return fmt.Sprintf(`%.1f"`, angleDeg*3600)
	default:
		return fmt.Sprintf(`%.3f"`, angleDeg*3600)
	}
}
