package voevent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/voevent"
)

func TestSummaries(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/summary/*.xml")
	if err != nil || len(names) < 9 {
		t.Fatalf("%d fixtures, %v", len(names), err)
	}
	names = append(names, "testdata/swift-bat-pos.xml")
	for _, name := range names {
		base := filepath.Base(name)
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := parse(t, string(raw)).Summary()
			got, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/summary/"+strings.TrimSuffix(base, ".xml")+".golden", []byte(voevent.Line(s)+"\n"+string(got)+"\n"))
		})
	}
}

func TestLineCannotSteerATerminal(t *testing.T) {
	t.Parallel()
	e := parse(t, "<VOEvent ivorn=\"ivo://org.example/a&#10;b\u009b31m\u202e#1\" role=\"x&#9;\"/>")
	line := voevent.Line(e.Summary())
	if strings.ContainsAny(line, "\n\t\u009b\u202e") || !strings.Contains(line, "org.example/a") || !strings.Contains(line, "[INVALID]") {
		t.Errorf("%q", line)
	}
}

func TestAlertTypeIsTheStrongestCitation(t *testing.T) {
	t.Parallel()
	for cites, want := range map[string]string{
		"": "initial", "followup": "subsequent", "supersedes": "update", "retraction": "retraction", "supercedes": "initial",
		"supersedes followup": "update", "followup supersedes": "update", "retraction followup": "retraction", "followup retraction": "retraction",
	} {
		var b strings.Builder
		for c := range strings.FieldsSeq(cites) {
			b.WriteString(`<EventIVORN cite="` + c + `">ivo://org.example/s#0</EventIVORN>`)
		}
		if got := parse(t, notice("<Citations>"+b.String()+"</Citations>")).Summary().AlertType; got != want {
			t.Errorf("%q: %s, want %s", cites, got, want)
		}
	}
}

func TestGCNTypesAreNamedInGCNsStreamsOnly(t *testing.T) {
	t.Parallel()
	for ivorn, want := range map[string]string{
		"ivo://nasa.gsfc.gcn/SWIFT#1": "LVC_RETRACTION", "ivo://gwnet/LVC#1": "LVC_RETRACTION", "ivo://org.example/own#1": "",
	} {
		e := parse(t, `<VOEvent ivorn="`+ivorn+`"><What><Param name="Packet_Type" value=" 164 "/></What></VOEvent>`)
		s := e.Summary()
		if s.NoticeType != want || s.PacketType == nil || *s.PacketType != 164 || (s.AlertType == "retraction") != (want != "") {
			t.Errorf("%s: %+v", ivorn, s)
		}
	}
	for n, want := range map[int]string{-1: "", 0: "", 61: "SWIFT_BAT_GRB_POS_ACK", 147: "", 219: "SVOM_RETRACTION", 576: "", 1 << 30: ""} {
		if got := voevent.GCNType(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
