package sky

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{FormatRA(74.7412), "04h58m57.9s"},
		{FormatRA(0), "00h00m00.0s"},
		{FormatRA(360), "00h00m00.0s"},
		{FormatRA(359.99999), "00h00m00.0s"},
		{FormatRA(-15), "23h00m00.0s"},
		{FormatRA(math.NaN()), "?"},
		{FormatDec(25.3137), `+25°18'49"`},
		{FormatDec(-0.0003), `-00°00'01"`},
		{FormatDec(-0.0001), `+00°00'00"`},
		{FormatDec(-89.99999), `-90°00'00"`},
		{FormatDec(math.Inf(1)), "?"},
		{FormatAngle(0.05), "3.0'"},
		{FormatAngle(2.5), "2.5°"},
		{FormatAngle(0.9999), "1.0°"},
		{FormatAngle(1.4 / 3600), `1.4"`},
		{FormatAngle(59.96 / 3600), "1.0'"},
		{FormatAngle(0), `0.0"`},
		{FormatAngle(0.0004 / 3600), `0.000"`},
		{FormatAngle(0.012 / 3600), `0.012"`},
		{FormatAngle(math.NaN()), "?"},
		{Circle{Point{74.7412, 25.3137}, 0.05}.String(), `04h58m57.9s +25°18'49" ± 3.0'`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestParseRA(t *testing.T) {
	for text, want := range map[string]float64{
		"74.7412": 74.7412, "0": 0, "360": 0, "+10": 10, " 10 ": 10, "1e-05": 1e-5, "1.5E+1": 15,
		"04h58m57.9s": 74.74125, "04:58:57.9": 74.74125, "4 58 57.9": 74.74125, "04h58m": 74.5, "04:58": 74.5,
		"4.5h": 67.5, "23h59m59.9s": 359.9995833333333, "24h": 0,
		"74d44m28s": 74.74111111111111, `74°44'28"`: 74.74111111111111, "74.5d": 74.5, "74.5 deg": 74.5, "04H58M57.9S": 74.74125,
	} {
		if got, err := ParseRA(text); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for text, reason := range map[string]string{
		"": "empty", "-10": "outside", "361": "outside", "25h": "outside", "4:60:00": "too many", "4:58:": "follows the colon",
		"4:58:57:1": "", "nan": "expected a number", "inf": "expected a number", "0x10": "not understood", "4.5:30": "only the last", "abc": "expected a number",
		"4h58m57.9sx": "nothing may follow", "1..2": "not a number", "1e999": "not a number", "-": "no number", "+": "no number", "4h -5m": "expected a number",
		"4m": "not understood",
	} {
		if got, err := ParseRA(text); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v, %v; want an error with %q", text, got, err, reason)
		}
	}
}

func TestParseDec(t *testing.T) {
	for text, want := range map[string]float64{
		"-25.3137": -25.3137, "+90": 90, "-90": -90, "-00:00:30": -30.0 / 3600, "-25:18:49": -25.313611111111111,
		`-25°18'49"`: -25.313611111111111, "−25d18m49s": -25.313611111111111, "+25 18 49": 25.313611111111111, "25°18′49″": 25.313611111111111,
		"- 25 18": -25.3, "25d18m49''": 25.313611111111111,
	} {
		if got, err := ParseDec(text); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for text, reason := range map[string]string{
		"91": "outside", "-90:00:01": "outside", "4h": "hours", "": "empty", "25°60'": "too many", "--5": "expected a number", "NaN": "expected a number",
	} {
		if got, err := ParseDec(text); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v, %v; want an error with %q", text, got, err, reason)
		}
	}
}

func TestParseCircle(t *testing.T) {
	want := Circle{Point{74.74125, 25.313611111111111}, 0.05}
	for _, text := range []string{
		"74.74125,25.31361111111111,0.05", "04h58m57.9s,+25d18m49s,3'", "04:58:57.9, +25:18:49, 3 arcmin", `04h58m57.9s,+25°18'49",180"`, "4 58 57.9,25 18 49,0.05deg",
	} {
		got, err := ParseCircle(text)
		if err != nil || Separation(got.Center, want.Center) > 1e-9 || math.Abs(got.RadiusDeg-want.RadiusDeg) > 1e-12 {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for text, reason := range map[string]string{
		"1,2": "three parts", "1,2,3,4": "three parts", "": "three parts", "1,2,-3": "negative", "1,2,200": "larger than 180", "1,2,x": "not a number",
		"400,2,3": "right ascension", "1,99,3": "declination", "1,2,": "number", "1,2,inf": "not a number",
	} {
		if got, err := ParseCircle(text); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v, %v; want an error with %q", text, got, err, reason)
		}
	}
	if p, err := ParsePoint("10.5,-20"); err != nil || p != (Point{10.5, -20}) {
		t.Errorf("point: %v, %v", p, err)
	}
	if _, err := ParsePoint("10.5"); err == nil {
		t.Error("half a point is taken")
	}
}

func TestWhatIsFormattedIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPoint(t)
		back, err := ParsePoint(FormatRA(p.RADeg) + "," + FormatDec(p.DecDeg))
		if err != nil || Separation(p, back) > 1.0/3600 {
			t.Fatalf("%v is read as %v, %v", p, back, err)
		}
	})
}

func FuzzParseCircle(f *testing.F) {
	for _, s := range []string{"1,2,3", "04h58m57.9s,+25d18m49s,3'", "a,b,c", ":,:,:", "1e5,−1°,\"", "359.9999999999999999,90,180"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseCircle(s); err == nil && !c.Valid() {
			t.Errorf("%q gives the invalid circle %+v", s, c)
		}
	})
}
