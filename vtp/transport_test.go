package vtp

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tocsin/internal/testbed"
	"tocsin/voevent/xmltree"
)

var update = flag.Bool("update", false, "write the golden files anew")

// messages are Transport messages as peers of all kinds send them.
var messages = map[string]struct {
	xml  string
	want Transport
}{
	"comet's greeting": {
		"<?xml version='1.0' encoding='UTF-8'?>\n<trn:Transport xmlns:trn=\"http://www.telescope-networks.org/xml/Transport/v1.1\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" version=\"1.0\" xsi:schemaLocation=\"http://telescope-networks.org/schema/Transport/v1.1 http://www.telescope-networks.org/schema/Transport-v1.1.xsd\" role=\"authenticate\">\n  <Origin>ivo://example.comet/broker</Origin>\n  <TimeStamp>2026-11-21T08:17:44Z</TimeStamp>\n</trn:Transport>\n",
		Transport{Role: "authenticate", Namespace: "http://www.telescope-networks.org/xml/Transport/v1.1", Origin: "ivo://example.comet/broker", TimeStamp: "2026-11-21T08:17:44Z"},
	},
	"comet's filters": {
		`<trn:Transport role="authenticate" version="1.0" xmlns:trn="http://www.telescope-networks.org/xml/Transport/v1.1"><Origin>ivo://b</Origin><Response>ivo://s</Response><TimeStamp>t</TimeStamp><Meta><Param name="xpath-filter" value="//Param[@name=&quot;SC_Lat&quot; and @value&gt;600]"/><Param name="xpath-filter" value="true()"/></Meta></trn:Transport>`,
		Transport{Role: "authenticate", Namespace: "http://www.telescope-networks.org/xml/Transport/v1.1", Origin: "ivo://b", Response: "ivo://s", TimeStamp: "t", Filters: []string{`//Param[@name="SC_Lat" and @value>600]`, "true()"}},
	},
	"comet's old filters": {
		`<trn:Transport role="authenticate" version="1.0" xmlns:trn="http://www.telescope-networks.org/xml/Transport/v1.1"><Origin>ivo://b</Origin><Meta><filter type="xpath">/*[local-name()="VOEvent"]</filter><filter type="regex">x</filter></Meta></trn:Transport>`,
		Transport{Role: "authenticate", Namespace: "http://www.telescope-networks.org/xml/Transport/v1.1", Origin: "ivo://b", Filters: []string{`/*[local-name()="VOEvent"]`}},
	},
	"pygcn's ack in local time": {
		`<?xml version='1.0' encoding='UTF-8'?><trn:Transport role="ack" version="1.0" xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"><Origin>ivo://nasa.gsfc.gcn/SWIFT#1</Origin><Response>ivo://python_voeventclient/anonymous</Response><TimeStamp>2026-11-21T09:17:44.123456</TimeStamp></trn:Transport>`,
		Transport{Role: "ack", Namespace: DefaultNamespace, Origin: "ivo://nasa.gsfc.gcn/SWIFT#1", Response: "ivo://python_voeventclient/anonymous", TimeStamp: "2026-11-21T09:17:44.123456"},
	},
	"a C client's ack of nothing": {
		"<?xml version = '1.0' encoding = 'UTF-8'?>\n<trn:Transport role='ack' version='1.0' xmlns:trn='http://telescope-networks.org/schema/Transport/v1.1'>\n<Origin></Origin><Response>ivo://gcn_client</Response><TimeStamp>20YY-11-21T09:17:44</TimeStamp><Meta><Param name=\"IPAddr\" value=\"1.2.3.4\"></Param><Param name='Contact' value='me'/><Result>Message received.</Result></Meta></trn:Transport>",
		Transport{Role: "ack", Namespace: DefaultNamespace, Response: "ivo://gcn_client", TimeStamp: "20YY-11-21T09:17:44", Params: []Param{{"IPAddr", "1.2.3.4"}, {"Contact", "me"}}, Result: "Message received."},
	},
	"dakota's namespace": {
		`<t:Transport role="iamalive" version="1.0" xmlns:t="http://telescope-networks.org/xml/Transport/v1.1"><Origin>o</Origin></t:Transport>`,
		Transport{Role: "iamalive", Namespace: "http://telescope-networks.org/xml/Transport/v1.1", Origin: "o"},
	},
	"the standard's schema, without a namespace": {
		`<Transport role="nak" version="2.0"><Origin>o</Origin><Response>r</Response><TimeStamp>t</TimeStamp><Meta><Result> no &amp; never </Result></Meta></Transport>`,
		Transport{Role: "nak", Origin: "o", Response: "r", TimeStamp: "t", Result: "no & never"},
	},
	"estar's namespace, as default": {
		`<Transport xmlns="http://www.telescope-networks.org/xml/Transport/v0.1" role="iamalive"><TimeStamp/><Origin>o</Origin></Transport>`,
		Transport{Role: "iamalive", Namespace: "http://www.telescope-networks.org/xml/Transport/v0.1", Origin: "o"},
	},
	"qualified children, comments, the wrong order": {
		`<!-- x --><q:Transport role="ack" xmlns:q="http://www.telescope-networks.org/xml/Transport/v2.0"><q:Meta><q:Result>r</q:Result></q:Meta><!-- y --><q:TimeStamp>t</q:TimeStamp><Other><Origin>no</Origin></Other><q:Origin><![CDATA[ivo://a?b&c]]></q:Origin></q:Transport>`,
		Transport{Role: "ack", Namespace: "http://www.telescope-networks.org/xml/Transport/v2.0", Origin: "ivo://a?b&c", TimeStamp: "t", Result: "r"},
	},
	"a byte order mark": {
		"\xEF\xBB\xBF<Transport role=\"ack\"><Origin>ivo://ö</Origin></Transport>\r\n",
		Transport{Role: "ack", Origin: "ivo://ö"},
	},
	"estar's keep-alive in the shape of a notice": {
		`<VOEvent role="iamalive" ivorn="ivo://estar.ex/aa#1"><Origin>o</Origin></VOEvent>`,
		Transport{Role: "iamalive", Origin: "o"},
	},
	"an ack in the shape of a notice": {
		`<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="ack" ivorn="ivo://example/exciting_events#126" />`,
		Transport{Role: "ack", Namespace: "http://www.ivoa.net/xml/VOEvent/v2.0", Origin: "ivo://example/exciting_events#126"},
	},
}

func TestParseTransportTakesWhatPeersSend(t *testing.T) {
	for name, m := range messages {
		t.Run(name, func(t *testing.T) {
			got, err := ParseTransport([]byte(m.xml))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(m.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseTransportRefusesWhatIsNoTransportMessage(t *testing.T) {
	for name, xml := range map[string]string{
		"nothing":            "",
		"no XML":             "hello",
		"cut off":            `<Transport role="ack"><Origin>o</Origin>`,
		"two roots":          `<Transport role="ack"/><Transport role="ack"/>`,
		"no role":            `<Transport><Origin>o</Origin></Transport>`,
		"unknown role":       `<Transport role="authresponse"><Origin>o</Origin></Transport>`,
		"undefined prefix":   `<trn:Transport role="ack"><Origin>o</Origin></trn:Transport>`,
		"duplicate role":     `<Transport role="ack" role="nak"><Origin>o</Origin></Transport>`,
		"mismatched end tag": `<Transport role="ack"><Origin>o</Response></Transport>`,
		"a document type":    `<!DOCTYPE Transport [<!ENTITY a "b">]><Transport role="ack"><Origin>&a;</Origin></Transport>`,
		"a notice":           `<voe:VOEvent role="test" xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://a/b#c" version="2.0"/>`,
	} {
		if got, err := ParseTransport([]byte(xml)); err == nil {
			t.Errorf("%s: taken for %+v", name, got)
		}
	}
}

// The fast scan may give up whenever it likes, but what it reads the strict parser must read the same.
func agree(t interface{ Errorf(string, ...any) }, xml string) {
	fast, ok := scanTransport(xml)
	if !ok {
		return
	}
	strict, err := readTransport([]byte(xml))
	if err != nil {
		t.Errorf("scanned, but %v:\n%q", err, xml)
		return
	}
	if d := cmp.Diff(strict, fast, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("strict parser and scan differ:\n%s\n%q", d, xml)
	}
}

func TestScanReadsWhatTheStrictParserReads(t *testing.T) {
	for _, m := range messages {
		agree(t, m.xml)
	}
	fragments := []string{
		"<", ">", "/", "\"", "'", "=", "&", ";", "&amp;", "&#10;", "]]>", "]", " ", "\n", "\r", "\t", "\x00", "é", "<!--", "-->", "<![CDATA[",
		"xmlns:trn=\"\"", "xmlns:xml=\"a\"", " xmlns:a='http://www.w3.org/2000/xmlns/'", " a:role='ack'", " role='ack'", " trn:role='nak'", "Origin", "<Origin>",
		"</Origin>", "<Meta>", "</Meta>", "<Param ", "/>", "<Result>", "</Result>", ":", "<?xml version=\"1.0\"?>", "trn:", "xsi:", "version='1.0'", "<filter type=\"xpath\">",
	}
	seeds := make([]string, 0, len(messages)+1)
	for _, m := range messages {
		seeds = append(seeds, m.xml)
	}
	ours := Transport{Role: RoleNak, Origin: "ivo://a/b#c", Response: "ivo://r", Result: "no", Params: []Param{{"reason", "schema"}}}
	seeds = append(seeds, string(ours.Append(nil)))
	rapid.Check(t, func(t *rapid.T) {
		xml := rapid.SampledFrom(seeds).Draw(t, "message")
		for range rapid.IntRange(0, 3).Draw(t, "edits") {
			at := rapid.IntRange(0, len(xml)).Draw(t, "at")
			end := min(len(xml), at+rapid.IntRange(0, 12).Draw(t, "cut"))
			xml = xml[:at] + rapid.SampledFrom(fragments).Draw(t, "put") + xml[end:]
		}
		agree(t, xml)
	})
}

func TestScanKnowsTheUsualMessages(t *testing.T) {
	scanned := 0
	for name, m := range messages {
		if _, ok := scanTransport(m.xml); ok {
			scanned++
		} else if strings.Contains(name, "comet's greeting") || strings.Contains(name, "'s ack") {
			t.Errorf("%s: left to the slow parser", name)
		}
	}
	if scanned == 0 {
		t.Error("nothing is scanned")
	}
}

func TestTransportIsReadBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab&<>\"'] #:/é\t\n\r\u2028😀")), 0, 20, -1)
		clean := rapid.Map(text, trimXML)
		want := Transport{
			Role:      rapid.SampledFrom([]string{RoleAck, RoleNak, RoleAlive, RoleAuthenticate}).Draw(t, "role"),
			Namespace: rapid.SampledFrom([]string{DefaultNamespace, "urn:a&b"}).Draw(t, "namespace"),
			Origin:    clean.Draw(t, "origin"), Response: clean.Draw(t, "response"),
			TimeStamp: "2026-11-21T08:17:44Z", Result: clean.Draw(t, "result"),
			Filters: rapid.SliceOfN(clean, 0, 3).Draw(t, "filters"),
		}
		for _, v := range rapid.SliceOfN(text, 0, 3).Draw(t, "params") {
			want.Params = append(want.Params, Param{"p" + v, v})
		}
		got, err := ParseTransport(want.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func TestWhatXMLCannotHoldIsReplaced(t *testing.T) {
	m := Transport{Role: RoleNak, Origin: "a\x00\xff\ufffeb", TimeStamp: "t", Result: strings.Repeat("é", maxResult)}
	xml := m.Append(nil)
	if !utf8.Valid(xml) {
		t.Error("not UTF-8")
	}
	got, err := ParseTransport(xml)
	if err != nil {
		t.Fatal(err)
	}
	if got.Origin != "a\uFFFD\uFFFD\uFFFDb" {
		t.Errorf("Origin %q", got.Origin)
	}
	if len(got.Result) > maxResult || !strings.HasSuffix(got.Result, "é…") {
		t.Errorf("a text of %d bytes that ends in %q", len(got.Result), got.Result[len(got.Result)-8:])
	}
}

func TestTransportMessagesLookLikeTheExamplesOfTheStandard(t *testing.T) {
	stamp := "2026-11-21T08:17:44Z"
	for name, m := range map[string]Transport{
		"iamalive":     {Role: RoleAlive, Origin: "ivo://observatory.org/broker", TimeStamp: stamp},
		"ack":          {Role: RoleAck, Origin: "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-0", Response: "ivo://observatory.org/broker", TimeStamp: stamp, Result: "already accepted"},
		"nak":          {Role: RoleNak, Origin: "ivo://a/b#<c>", Response: "ivo://observatory.org/broker", TimeStamp: stamp, Params: []Param{{"reason", "schema"}}, Result: "line 3: \"What\" & 'Who'"},
		"authenticate": {Role: RoleAuthenticate, Namespace: "http://www.telescope-networks.org/xml/Transport/v1.1", Origin: "ivo://b", Response: "ivo://s", TimeStamp: stamp, Filters: []string{`//Param[@name="x"]`}, Params: []Param{{"since", stamp}}},
	} {
		got := m.Append(nil)
		file := filepath.Join("testdata", name+".xml")
		if *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestTimesAreWrittenInUTC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 250000000000).Draw(t, "seconds"), 5).In(time.FixedZone("", 3600))
		if got, want := string(appendUTC(nil, at)), at.UTC().Format("2006-01-02T15:04:05Z"); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

func TestWishes(t *testing.T) {
	m := Transport{Filters: []string{"a", "b"}, Params: []Param{{"since", " 2026-04-06T12:00:00+02:00 "}, {"subscription", "me"}, {"other", "x"}}}
	got, err := m.wishes()
	want := Wishes{XPath: []string{"a", "b"}, Since: time.Date(2026, 4, 6, 10, 0, 0, 0, time.UTC), Subscription: "me"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, p := range []Param{{"resume", ""}, {"resume", "yes"}, {"resume", " no "}} {
		m = Transport{Params: []Param{p}}
		if got, err := m.wishes(); err != nil || got.NoResume != (p.Value == " no ") {
			t.Errorf("resume=%q: %+v, %v", p.Value, got, err)
		}
	}
	for _, p := range []Param{{"since", "yesterday"}, {"resume", "perhaps"}} {
		m = Transport{Params: []Param{p}}
		if _, err := m.wishes(); err == nil {
			t.Errorf("%s=%q is passed over", p.Name, p.Value)
		}
	}
}

func TestKindOf(t *testing.T) {
	for xml, want := range map[string]Kind{
		"": KindUnknown, "x": KindUnknown, "<": KindUnknown, "<a": KindUnknown, "<a/>": KindUnknown,
		`<voe:VOEvent role="test">`: KindVOEvent,
		`<VOEvent>`:                 KindVOEvent,
		`<VOEvent role='strange'>`:  KindVOEvent,
		`<VOEvent role='iamalive'>`: KindTransport,
		`<Transport role='ack'>`:    KindTransport,
		`<Transport>`:               KindTransport,
		`<other role = 'utility' >`: KindVOEvent,
		"\xEF\xBB\xBF<?xml version='1.0'?>\n<!-- role='ack' --><v:VOEvent a='>' role='observation'/>": KindVOEvent,
		`<!DOCTYPE a><VOEvent/>`: KindUnknown,
		`<!-- never closed`:      KindUnknown,
		"\xFE\xFF\x00<\x00V\x00O\x00E\x00v\x00e\x00n\x00t\x00/\x00>": KindVOEvent,
		"\xFE\xFF\x00<": KindUnknown,
	} {
		if got := KindOf([]byte(xml)); got != want {
			t.Errorf("%q: %d, want %d", xml, got, want)
		}
	}
}

func TestKindOfRealNotices(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testbed.Corpus(t, "voevent"), "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := xmltree.Parse(raw, xmltree.Limits{})
		if err != nil {
			continue // Whoever takes it in will say why it is not to be read.
		}
		want := KindVOEvent
		if role, _ := d.Attr(d.Root(), "role"); transportRole(role) {
			want = KindTransport
		}
		if got := KindOf(raw); got != want {
			t.Errorf("%s: %d, want %d", filepath.Base(f), got, want)
		}
		from, to, ok := elementRange(raw)
		if wantFrom, wantTo := d.RootRange(); !ok || from != wantFrom || to != wantTo {
			t.Errorf("%s: the element is %d:%d, want %d:%d", filepath.Base(f), from, to, wantFrom, wantTo)
		}
	}
}

func TestElementRange(t *testing.T) {
	const element = `<v:VOEvent ivorn="x"><!-- > --></v:VOEvent>`
	for _, s := range []string{
		element, "\n" + element + "\n\x00", "\xEF\xBB\xBF<?xml version='1.0'?><!-- <a> -->" + element,
		element + "\n<!-- signature -->\n<!-- another --> ", element + "<?pi a?><!-- b -->",
	} {
		from, to, ok := elementRange([]byte(s))
		if !ok || s[from:to] != element {
			t.Errorf("%q: %v %d:%d", s, ok, from, to)
		}
	}
	if _, _, ok := elementRange([]byte("nothing")); ok {
		t.Error("an element in nothing")
	}
}

func FuzzTransport(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m.xml))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		agree(t, string(raw))
		KindOf(raw)
		ivornOf(raw)
		elementRange(raw)
		m, err := ParseTransport(raw)
		if err != nil {
			return
		}
		again, err := ParseTransport(m.Append(nil))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if again.Role != m.Role || shownText(again.Origin) != shownText(m.Origin) {
			t.Errorf("%+v became %+v", m, again)
		}
	})
}

// shownText is what can be kept of a text in XML.
func shownText(s string) string {
	return trimXML(strings.ToValidUTF8(s, "\uFFFD"))
}

func BenchmarkParseAck(b *testing.B) {
	raw := []byte(messages["pygcn's ack in local time"].xml)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseTransport(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAckStrictly(b *testing.B) {
	raw := []byte(messages["pygcn's ack in local time"].xml)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readTransport(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAck(b *testing.B) {
	m := Transport{Role: RoleAck, Origin: "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_532871-729", Response: "ivo://observatory.org/broker"}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendTransport(buf[:0], &m)
	}
}

func BenchmarkKindOf(b *testing.B) {
	raw := []byte(`<?xml version="1.0" encoding="UTF-8"?><voe:VOEvent ivorn="ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_532871-729" role="observation" version="2.0" xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.ivoa.net/xml/VOEvent/v2.0 http://www.ivoa.net/xml/VOEvent/VOEvent-v2.0.xsd"><Who/></voe:VOEvent>`)
	for b.Loop() {
		KindOf(raw)
	}
}
