package voevent_test

import (
	"testing"

	"tocsin/voevent"
)

func TestParseIVORN(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		stream, key, local string
		separator          byte
		malformed          bool
	}{
		"ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-2":             {"nasa.gsfc.gcn/SWIFT", "nasa.gsfc.gcn/swift", "BAT_GRB_Pos_1-2", '#', false},
		"ivo://org.example/a/b?x":                               {"org.example/a/b", "org.example/a/b", "x", '?', false},
		"ivo://org.example/a?b#c":                               {"org.example/a", "org.example/a", "b#c", '?', true},
		"IVO://Org.Example/Str":                                 {"org.example/Str", "org.example/str", "", 0, false},
		"ivo://org.example#1":                                   {"org.example", "org.example", "1", '#', false},
		"ivo://org.example/#1":                                  {"org.example", "org.example", "1", '#', false},
		"ivo://ca.chimenet.frb/FRB-#2022-03-20-10:00:28.9UTC+0": {"ca.chimenet.frb/FRB-", "ca.chimenet.frb/frb-", "2022-03-20-10:00:28.9UTC+0", '#', false},
		"ivo://psws.irap/VOEvent/T_17_34_45::v1.0#x":            {"psws.irap/VOEvent/T_17_34_45::v1.0", "psws.irap/voevent/t_17_34_45::v1.0", "x", '#', true},
		" ivo://org.example/a#1\n":                              {"org.example/a", "org.example/a", "1", '#', false},
		"ivo://org.example/a#":                                  {"org.example/a", "org.example/a", "", '#', false},
		"ivo://org.example/a#1#2":                               {"org.example/a", "org.example/a", "1#2", '#', true},
		"ivo://org.example/a#1 2":                               {"org.example/a", "org.example/a", "1 2", '#', true},
		"ivo://org.example/a#é":                                 {"org.example/a", "org.example/a", "é", '#', true},
		"ivo://org.example/a b#1":                               {"org.example/a b", "org.example/a b", "1", '#', true},
		"ivo://org.example/a//b#1":                              {"org.example/a//b", "org.example/a//b", "1", '#', true},
		"ivo://org.example/a/#1":                                {"org.example/a/", "org.example/a/", "1", '#', true},
		"ivo://org.example/a/../b#1":                            {"org.example/a/../b", "org.example/a/../b", "1", '#', true},
		"ivo://org.example/./b#1":                               {"org.example/./b", "org.example/./b", "1", '#', true},
		"ivo://ab/c#1":                                          {"ab/c", "ab/c", "1", '#', true},
		"ivo://.ab/c#1":                                         {".ab/c", ".ab/c", "1", '#', true},
		"ivo:///c#1":                                            {"/c", "/c", "1", '#', true},
		"http://org.example/a#1":                                {"org.example/a", "org.example/a", "1", '#', true},
		"org.example/a#1":                                       {"org.example/a", "org.example/a", "1", '#', true},
		"":                                                      {"", "", "", 0, true},
	} {
		v, err := voevent.ParseIVORN(text)
		if (err != nil) != want.malformed {
			t.Errorf("%q: %v", text, err)
		}
		if v.String() != text || v.Stream() != want.stream || v.Key() != want.key || v.Local() != want.local || v.Separator() != want.separator {
			t.Errorf("%q: %q %q %q %q", text, v.Stream(), v.Key(), v.Local(), v.Separator())
		}
	}
}

func TestIVORNsAreComparedAsTheStandardSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"ivo://org.example/a#x", "IVO://ORG.Example/A#x", true},
		{"ivo://org.example/a#x", "ivo://org.example/a#X", false},
		{"ivo://org.example/a#x", "ivo://org.example/a?x", false},
		{"ivo://org.example/a#x", "ivo://org.example/b#x", false},
		{"ivo://org.example/a", "ivo://org.example/a#", false},
	} {
		a, _ := voevent.ParseIVORN(c.a)
		b, _ := voevent.ParseIVORN(c.b)
		if a.Same(b) != c.same || b.Same(a) != c.same {
			t.Errorf("%s and %s: same is %v", c.a, c.b, !c.same)
		}
	}
}
