package filter

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/voevent"
)

// real is located with as many Params as a real Swift notice has: 6 kB.
func real(b *testing.B) *voevent.Event {
	b.Helper()
	var params strings.Builder
	for i := range 60 {
		fmt.Fprintf(&params, "    <Param name=\"Some_Parameter_%d\" value=\"%d\" unit=\"cts\" ucd=\"phot.count\"/>\n", i, i*37)
	}
	e := event(b, strings.Replace(located, "<Group name=", params.String()+"<Group name=", 1))
	e.Summary() // as the broker has done for every notice by the time it is matched
	return e
}

func BenchmarkMatch(b *testing.B) {
	e := real(b)
	for _, c := range []struct {
		name string
		spec Spec
	}{
		{"everything", Spec{}},
		{"stream-exact", Spec{Streams: []string{"nasa.gsfc.gcn/swift"}}},
		{"stream-star", Spec{Streams: []string{"nasa.gsfc.gcn/*"}}},
		{"stream-general", Spec{Streams: []string{"**.gcn/*if*"}}},
		{"role", Spec{Roles: []string{"observation"}}},
		{"cone-near", Spec{Cones: []Cone{{75, 25, 5}}}},
		{"cone-far", Spec{Cones: []Cone{{75, -60, 5}}}},
		{"importance", Spec{MinImportance: new(0.5)}},
		{"cel-role", Spec{CEL: `role == "observation"`}},
		{"cel-param", Spec{CEL: `role == "observation" && num(params.Burst_Inten) > 1000.0`}},
		{"cel-position", Spec{CEL: `has_position && separation(ra_deg, dec_deg, 75.0, 25.0) < 5.0`}},
		{"cel-loop", Spec{CEL: `params.exists(k, k == "TrigID")`}},
		{"xpath-param", Spec{XPath: []string{`//Param[@name="TrigID"]`}}},
		{"xpath-last-param", Spec{XPath: []string{`//Param[@name="skymap_fits" and contains(@value, "fits")]`}}},
		{"xpath-root", Spec{XPath: []string{`/*[local-name()="VOEvent" and @role!="test"]`}}},
		{"all", Spec{
			Streams: []string{"nasa.gsfc.gcn/*"}, Roles: []string{"observation"}, Cones: []Cone{{75, 25, 5}}, MinImportance: new(0.5),
			CEL: `num(params.Burst_Inten) > 1000.0`, XPath: []string{`//Param[@name="TrigID"]`},
		}},
	} {
		f := compile(b, c.spec)
		if !f.Match(e) && c.name != "cone-far" {
			b.Fatal(c.name, f.Explain(e))
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Match(e)
			}
		})
	}
}

// BenchmarkHostile is what the worst expressions cost before a limit ends them.
func BenchmarkHostile(b *testing.B) {
	e := hostile(b)
	for i, s := range hostileSpecs {
		f := compile(b, s)
		b.Run(fmt.Sprint(i), func(b *testing.B) {
			for b.Loop() {
				f.Match(e)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, s := range []Spec{
		{Streams: []string{"nasa.gsfc.gcn/*"}},
		{CEL: `role == "observation" && num(params.Burst_Inten) > 1000.0`},
		{XPath: []string{`//Param[@name="Burst_Inten" and @value > 600]`}},
	} {
		b.Run(strings.Trim(fmt.Sprint(s.Streams, s.CEL, s.XPath), "[] "), func(b *testing.B) {
			for b.Loop() {
				compile(b, s)
			}
		})
	}
}
