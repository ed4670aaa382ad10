package voevent_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/voevent"
)

// where returns a notice whose coordinates are within AstroCoords of a coordinate system, with some Params.
func where(system, params, coords string) string {
	return notice("<What>" + params + `</What><WhereWhen><ObsDataLocation><ObservatoryLocation id="x"><AstroCoordSystem id="UTC-GEOD-TOPO"/>` +
		`<AstroCoords coord_system_id="UTC-GEOD-TOPO"><Position2D unit="deg"><Value2><C1>9</C1><C2>9</C2></Value2></Position2D></AstroCoords></ObservatoryLocation>` +
		`<ObservationLocation><AstroCoordSystem id="` + system + `"/><AstroCoords coord_system_id="` + system + `">` + coords +
		`</AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>`)
}

func position(unit, c1, c2, radius string) string {
	return `<Position2D unit="` + unit + `"><Name1>RA</Name1><Name2>Dec</Name2><Value2><C1>` + c1 + `</C1><C2>` + c2 + `</C2></Value2><Error2Radius>` + radius + `</Error2Radius></Position2D>`
}

func TestPosition(t *testing.T) {
	t.Parallel()
	type want struct{ ra, dec, err float64 }
	none := want{ra: -1}
	const fk5 = "UTC-FK5-GEO"
	for name, c := range map[string]struct {
		doc  string
		want want
	}{
		"with a radius":                      {where(fk5, "", position("deg", "74.7412", "25.3137", "0.05")), want{74.7412, 25.3137, 0.05}},
		"white space and signs":              {where(fk5, "", position("deg", " +74.5\n", "\t-25.25 ", " 1e-1 ")), want{74.5, -25.25, 0.1}},
		"ICRS":                               {where("UTC-ICRS-TOPO", "", position("deg", "1", "2", "3")), want{1, 2, 3}},
		"parts of the system mixed up":       {where("FK5-UTC-GEO", "", position("deg", "1", "2", "3")), want{1, 2, 3}},
		"system in small letters":            {where("utc-fk5-geo", "", position("deg", "1", "2", "3")), want{1, 2, 3}},
		"no unit":                            {where(fk5, "", position("", "1", "2", "3")), want{1, 2, 3}},
		"radius 0 is no radius":              {where(fk5, "", position("deg", "1", "2", "0.0000")), want{1, 2, 0}},
		"negative radius is no radius":       {where(fk5, "", position("deg", "1", "2", "-1.0000")), want{1, 2, 0}},
		"radius that is no number":           {where(fk5, "", position("deg", "1", "2", "NaN")), want{1, 2, 0}},
		"hexadecimal is no number":           {where(fk5, "", position("deg", "0x1p3", "2", "1")), none},
		"RA 360 is 0":                        {where(fk5, "", position("deg", "360", "2", "1")), want{0, 2, 1}},
		"negative zero":                      {where(fk5, "", position("deg", "1", "-0.0", "1")), want{1, 0, 1}},
		"a source at 0, 0":                   {where(fk5, "", position("deg", "0", "0", "0.5")), want{0, 0, 0.5}},
		"filler without radius":              {where(fk5, "", position("deg", "0.0", "0.0", "0")), none},
		"filler by Coords_String":            {where(fk5, `<Param name="Coords_String" value="unavailable/inappropriate"/>`, position("deg", "0", "0", "5")), none},
		"filler by Coords_String, not 0":     {where(fk5, `<Param name="Coords_String" value="unavailable/inappropriate"/>`, position("deg", "-1", "-1", "-1")), none},
		"filler by Coords_Type":              {where(fk5, `<Param name="Coords_Type" value="0"/>`, position("deg", "1", "2", "5")), none},
		"Coords_Type of a source":            {where(fk5, `<Param name="Coords_Type" value="1"/><Param name="Coords_String" value="source_object"/>`, position("deg", "1", "2", "5")), want{1, 2, 5}},
		"Coords_Type in a Group":             {where(fk5, `<Group><Param name="Coords_Type" value="0"/></Group>`, position("deg", "1", "2", "5")), want{1, 2, 5}},
		"the whole sky":                      {where(fk5, "", position("deg", "0", "0", "360.0000")), none},
		"RA beyond 360":                      {where(fk5, "", position("deg", "361", "2", "5")), none},
		"negative RA":                        {where(fk5, "", position("deg", "-1", "2", "5")), none},
		"Dec beyond 90":                      {where(fk5, "", position("deg", "1", "-90.5", "5")), none},
		"infinite":                           {where(fk5, "", position("deg", "Inf", "2", "5")), none},
		"text":                               {where(fk5, "", position("deg", "12h", "2", "5")), none},
		"empty":                              {where(fk5, "", position("deg", "", "", "")), none},
		"radians":                            {where(fk5, "", position("rad", "1", "0.2", "0.1")), none},
		"hours":                              {where(fk5, "", position("hour deg", "1", "2", "1")), none},
		"geodetic":                           {where("UTC-GEOD-TOPO", "", position("deg", "1", "2", "5")), none},
		"solar":                              {where("UTC-HPC-TOPO", "", strings.ReplaceAll(position("deg", "1", "2", "5"), "<Name1>RA</Name1>", "")), none},
		"FK4":                                {where("UTC-FK4-TOPO", "", position("deg", "1", "2", "5")), none},
		"unknown system that says RA":        {where("mine", "", position("deg", "1", "2", "5")), want{1, 2, 5}},
		"unknown system that does not":       {where("mine", "", strings.ReplaceAll(position("deg", "1", "2", "5"), "RA", "X")), none},
		"no system at all":                   {where("", "", strings.ReplaceAll(position("deg", "1", "2", "5"), "<Name1>RA</Name1>", "")), want{1, 2, 5}},
		"no radius element":                  {where(fk5, "", `<Position2D unit="deg"><Value2><C1>1</C1><C2>2</C2></Value2></Position2D>`), want{1, 2, 0}},
		"2.1 Error2":                         {where(fk5, "", `<Position2D unit="deg"><Value2><C1>1</C1><C2>2</C2></Value2><Error2><C1>0.1</C1><C2>0.3</C2></Error2></Position2D>`), want{1, 2, 0.3}},
		"radius in arcminutes":               {where(fk5, "", `<Position2D unit="deg"><Value2><C1>1</C1><C2>2</C2></Value2><Error2Radius pos_unit="arcmin">30</Error2Radius></Position2D>`), want{1, 2, 0.5}},
		"radius in an unknown unit":          {where(fk5, "", `<Position2D unit="deg"><Value2><C1>1</C1><C2>2</C2></Value2><Error2Radius pos_unit="px">30</Error2Radius></Position2D>`), want{1, 2, 0}},
		"coordinate with a unit of its own":  {where(fk5, "", `<Position2D unit="deg"><Value2><C1 pos_unit="h">1</C1><C2>2</C2></Value2></Position2D>`), none},
		"Position3D":                         {where("UTC-ICRS-GEO", "", `<Position3D unit="deg-deg-pc"><Value3><C1>1</C1><C2>2</C2><C3>40</C3></Value3></Position3D>`), want{1, 2, 0}},
		"Position3D in kilometres":           {where("UTC-ICRS-GEO", "", `<Position3D unit="km"><Value3><C1>1</C1><C2>2</C2><C3>40</C3></Value3></Position3D>`), none},
		"Position3D without a unit":          {where("UTC-ICRS-GEO", "", `<Position3D><Value3><C1>1</C1><C2>2</C2><C3>40</C3></Value3></Position3D>`), none},
		"only a time":                        {where(fk5, "", `<Time/>`), none},
		"only the observatory has a place":   {notice(`<WhereWhen><ObsDataLocation><ObservatoryLocation><AstroCoords coord_system_id="UTC-FK5-GEO">` + position("deg", "1", "2", "5") + `</AstroCoords></ObservatoryLocation></ObsDataLocation></WhereWhen>`), none},
		"frame of version 2.1":               {notice(`<WhereWhen><ObsDataLocation><ObservationLocation><AstroCoordSystem id="s"><SpaceFrame><SpaceRefFrame>ICRS</SpaceRefFrame></SpaceFrame></AstroCoordSystem><AstroCoords coord_system_id="s">` + strings.ReplaceAll(position("deg", "1", "2", "5"), "RA", "X") + `</AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>`), want{1, 2, 5}},
		"draft form with numbers as text":    {notice(`<WhereWhen><RA units="deg">1.5</RA><Dec units="deg">-2.5</Dec><Equinox>J2000.0</Equinox></WhereWhen>`), want{1.5, -2.5, 0}},
		"draft form of an old equinox":       {notice(`<WhereWhen><RA units="deg">1.5</RA><Dec units="deg">-2.5</Dec><Equinox value="1950.0"/></WhereWhen>`), none},
		"draft form in hours":                {notice(`<WhereWhen><RA units="hms">1 2 3</RA><Dec units="dms">1 2 3</Dec></WhereWhen>`), none},
		"several locations: the first one":   {notice(`<WhereWhen><ObsDataLocation><ObservationLocation><AstroCoords coord_system_id="UTC-FK5-GEO">` + position("deg", "1", "2", "5") + position("deg", "3", "4", "5") + `</AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>`), want{1, 2, 5}},
		"elements in the default namespace":  {strings.ReplaceAll(strings.ReplaceAll(where(fk5, "", position("deg", "1", "2", "5")), "v:VOEvent", "VOEvent"), "xmlns:v", "xmlns"), want{1, 2, 5}},
		"Coords_String counts where it says": {where(fk5, `<Param name="Coords_String"><Value> unavailable </Value></Param>`, position("deg", "1", "2", "5")), none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, ok := parse(t, c.doc).Position()
			if c.want == none {
				if ok {
					t.Errorf("there should be no position: %+v", p)
				}
				return
			}
			got := want{p.RADeg, p.DecDeg, p.ErrorDeg}
			if !ok || got != c.want || p.HasError != (c.want.err > 0) || math.Signbit(p.DecDeg) && p.DecDeg == 0 {
				t.Errorf("%+v, %v; want %+v", p, ok, c.want)
			}
		})
	}
}

func TestPositionKeepsWhatIsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ra := rapid.StringMatching(`([0-9]{1,2}|[12][0-9]{2}|3[0-5][0-9])\.[0-9]{1,12}`).Draw(t, "ra")
		dec := rapid.StringMatching(`[+-]?[0-8]?[0-9]\.[0-9]{1,12}`).Draw(t, "dec")
		e, err := voevent.Parse([]byte(where("UTC-FK5-GEO", "", position("deg", ra, dec, "0.125"))))
		if err != nil {
			t.Fatal(err)
		}
		p, ok := e.Position()
		if !ok || !p.Valid() || !p.HasError || p.ErrorDeg != 0.125 || p.CoordSystem != "UTC-FK5-GEO" {
			t.Fatalf("%s %s: %+v, %v", ra, dec, p, ok)
		}
	})
}

func TestTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2025-11-21T12:34:56.78":         "2025-11-21T12:34:56.78Z",
		"2025-11-21T12:34:56":            "2025-11-21T12:34:56Z",
		" 2025-11-21T12:34:56Z\n":        "2025-11-21T12:34:56Z",
		"2025-11-21T12:34:56.123456789Z": "2025-11-21T12:34:56.123456789Z",
		"2025-11-21T12:34:56.1234567899": "2025-11-21T12:34:56.123456789Z",
		"2025-11-21T12:34:56+00:00":      "2025-11-21T12:34:56Z",
		"2025-11-21T00:34:56.5+01:30":    "2025-11-20T23:04:56.5Z",
		"2025-11-21T12:34:56-0800":       "2025-11-21T20:34:56Z",
		"2025-11-21T12:34:56+01":         "2025-11-21T11:34:56Z",
		"2016-12-31T23:59:60":            "2017-01-01T00:00:00Z",
		"2016-12-31T23:59:60.25Z":        "2017-01-01T00:00:00.25Z",
		"2017-01-01T00:59:60+01:00":      "2017-01-01T00:00:00Z",
		"2024-02-29T00:00:00":            "2024-02-29T00:00:00Z",
		"0001-01-01T00:00:00":            "0001-01-01T00:00:00Z",
		"2025-02-29T00:00:00":            "",
		"2012-10--9T00:00:00.00":         "",
		"2024-01-12T569:03:04.96":        "",
		"2006-06-3T23:02:23+0000":        "",
		"2025-13-01T00:00:00":            "",
		"2025-00-01T00:00:00":            "",
		"2025-01-00T00:00:00":            "",
		"2025-01-01T24:00:00":            "",
		"2025-01-01T00:60:00":            "",
		"2025-01-01T00:00:60":            "",
		"2025-01-01T00:00:61":            "",
		"2025-01-01T00:00:00.":           "",
		"2025-01-01T00:00:00x":           "",
		"2025-01-01T00:00:00+1":          "",
		"2025-01-01T00:00:00+15:00":      "",
		"2025-01-01T00:00:00 +00:00":     "",
		"2025-01-01":                     "",
		"2025-01-01 00:00:00":            "",
		"25-01-01T00:00:00":              "",
		"[YYYY-MM-DDThh:mm:ss.ssssss]":   "",
		"٢٠٢٥-01-01T00:00:00":            "",
		"":                               "",
	} {
		got := ""
		if v, ok := parse(t, where("UTC-FK5-GEO", "", "<Time><TimeInstant><ISOTime>"+text+"</ISOTime></TimeInstant></Time>")).Time(); ok {
			got = v.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		author := ""
		if v, ok := parse(t, notice("<Who><Date>"+text+"</Date></Who>")).AuthorTime(); ok {
			author = v.Format(time.RFC3339Nano)
		}
		if author != want {
			t.Errorf("author's %q: %q, want %q", text, author, want)
		}
	}
}

func TestTimeScales(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ system, text, want string }{
		{"UTC-FK5-GEO", "2016-01-16T07:52:27", "2016-01-16T07:52:27.000000Z"},
		{"FK5-UTC-GEO", "2016-01-16T07:52:27", "2016-01-16T07:52:27.000000Z"},
		{"", "2016-01-16T07:52:27", "2016-01-16T07:52:27.000000Z"},
		{"TAI-ICRS-GEO", "2016-01-16T07:52:27", "2016-01-16T07:51:51.000000Z"},
		{"TT-ICRS-GEO", "2016-01-16T07:52:27", "2016-01-16T07:51:18.816000Z"},
		{"GPS-ICRS-GEO", "2016-01-16T07:52:27", "2016-01-16T07:52:10.000000Z"},
		// Around a leap second: 2017 began at TAI 00:00:37, the second before it, 23:59:60, at 00:00:36.
		{"TAI-ICRS-GEO", "2017-01-01T00:00:35.5", "2016-12-31T23:59:59.500000Z"},
		{"TAI-ICRS-GEO", "2017-01-01T00:00:36.5", "2017-01-01T00:00:00.500000Z"},
		{"TAI-ICRS-GEO", "2017-01-01T00:00:37.5", "2017-01-01T00:00:00.500000Z"},
		{"GPS-FK5-TOPO", "1980-01-06T00:00:00", "1980-01-06T00:00:00.000000Z"},
		{"TAI-ICRS-GEO", "1972-01-01T00:00:10", "1972-01-01T00:00:00.000000Z"},
		{"TAI-ICRS-GEO", "1972-01-01T00:00:09", ""},
		{"TCB-ICRS-BARY", "2016-01-16T07:52:27", ""},
		{"LST-FK5-TOPO", "2016-01-16T07:52:27", ""},
	} {
		got := ""
		if v, ok := parse(t, where(c.system, "", "<Time><TimeInstant><ISOTime>"+c.text+"</ISOTime></TimeInstant></Time>")).Time(); ok {
			got = v.Format("2006-01-02T15:04:05.000000Z")
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.system, c.text, got, c.want)
		}
	}
}

// TestBarycentricTime holds the conversion against the value that SOFA's test suite has for its function dtdb, which
// evaluates 787 terms: TDB - TT is -1.2804 ms at JD 2448939.623.
func TestBarycentricTime(t *testing.T) {
	t.Parallel()
	e := parse(t, where("TDB-ICRS-BARY", "", "<Time><TimeInstant><ISOTime>1992-11-13T02:57:07.2</ISOTime></TimeInstant></Time>"))
	got, ok := e.Time()
	const tdbMinusUTC = -1280*time.Microsecond + 32184*time.Millisecond + 27*time.Second
	want := time.Date(1992, 11, 13, 2, 57, 7, 200_000_000, time.UTC).Add(-tdbMinusUTC)
	if !ok || got.Sub(want).Abs() > 50*time.Microsecond {
		t.Errorf("%v, %v; want %v", got, ok, want)
	}
}

func TestTimeOfAnInterval(t *testing.T) {
	t.Parallel()
	e := parse(t, where("UTC-FK5-GEO", "", "<Time><TimeInterval><ISOTimeStart>2025-01-01T00:00:00</ISOTimeStart><ISOTimeStop>2025-01-02T00:00:00</ISOTimeStop></TimeInterval></Time>"))
	if v, ok := e.Time(); !ok || !v.Equal(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", v, ok)
	}
	if w := e.WhereWhen().Observation.Time; w.Stop != "2025-01-02T00:00:00" {
		t.Errorf("%+v", w)
	}
}
