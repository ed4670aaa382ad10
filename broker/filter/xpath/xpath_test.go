package xpath

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/testbed"
	"tocsin/voevent/xmltree"
)

// notice is a shortened GCN notice with all that the expressions below ask for.
const notice = `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent ivorn="ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_655721-214" role="observation" version="2.0"
  xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.ivoa.net/xml/VOEvent/v2.0 http://www.ivoa.net/xml/VOEvent/VOEvent-v2.0.xsd">
  <Who>
    <AuthorIVORN>ivo://nasa.gsfc.tan/gcn</AuthorIVORN>
    <Author><shortName>VO-GCN</shortName><contactName>Scott  Barthelmy</contactName></Author>
    <Date>2015-09-17T22:51:00</Date>
  </Who>
  <What>
    <Param name="Packet_Type" value="61"/>
    <Param name="Pkt_Ser_Num" value="1"/>
    <Param name="TrigID" value="655721" ucd="meta.id"/>
    <Param name="Burst_Inten" value="1632" unit="cts" ucd="phot.count"/>
    <Param name="Integ_Time" value=" 1.024 " unit="sec"/>
    <Param name="Exponent" value="1e3"/>
    <Group name="Solution_Status" type="flags">
      <Param name="Point_Source" value="true"/>
      <Param name="Def_NOT_a_GRB" value="false"/>
      <Param name="Sun_Distance" value="92.5"/>
    </Group>
    <Group name="Misc_Flags"><Param name="Values_Out_of_Range" value="false"/></Group>
    <Description xml:lang="en-GB">A <![CDATA[position & more]]> of Swift, naïve.</Description>
  </What>
  <WhereWhen><ObsDataLocation><ObservationLocation><AstroCoords coord_system_id="UTC-FK5-GEO">
    <Time unit="s"><TimeInstant><ISOTime>2015-09-17T22:50:38.55</ISOTime></TimeInstant></Time>
    <Position2D unit="deg"><Name1>RA</Name1><Name2>Dec</Name2><Value2><C1>74.7412</C1><C2>25.3137</C2></Value2><Error2Radius>0.0500</Error2Radius></Position2D>
  </AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>
  <Why importance="0.95"><Inference probability="0.9"><Name>GRB</Name></Inference></Why>
  <Empty/>
</voe:VOEvent>
`

// answers are what libxml2 gives for boolean(EXPRESSION) on the notice above; TestAnswersAreThoseOfLibxml2 asks it.
var answers = []struct {
	expression string
	want       bool
}{
	{`//Param[@name="Packet_Type" and @value="61"]`, true},
	{`//Param[@name="Packet_Type" and @value="62"]`, false},
	{`/*[local-name()="VOEvent" and @role!="test"]`, true},
	{`//Param[@name="Burst_Inten"]/@value > 100`, true},
	{`100 < //Param[@name="Burst_Inten"]/@value`, true},
	{`1e4<//Param[@name="Burst_Inten"]/@value`, false},
	{`"61" = //Param/@value`, true},
	{`61=//Param/@value`, true},
	{`//Param/@value = 61.0`, true},
	{`//Param/@value = "61.0"`, false},
	{`not("")`, true},
	{`not(0)`, true},
	{`not(//Foo)`, true},
	{`not(//Param)`, false},
	{`string-length()`, true},
	{`string-length("naïve") = 5`, true},
	{`number()`, false},
	{`string()`, true},
	{`string(/*/Empty)`, false},
	{`string(//Param[1]/@name) = "Packet_Type"`, true},
	{`//Param[last()]/@name = "Values_Out_of_Range"`, true},
	{`//Param[last()]/@name = "Exponent"`, true},
	{`//Param[last()]/@name = "TrigID"`, false},
	{`(//Param)[last()]/@name = "Exponent"`, false},
	{`(//Param)[last()]/@name = "Values_Out_of_Range"`, true},
	{`(//Param)[position()=last()-1]/@name = "Sun_Distance"`, true},
	{`//Param[position()=2]/@name = "Pkt_Ser_Num"`, true},
	{`//Param[2]/@name = "Def_NOT_a_GRB"`, true},
	{`/descendant::Param[7]/@name = "Point_Source"`, true},
	{`//Param[7]`, false},
	{`//What/Param[2]/@name = "Pkt_Ser_Num"`, true},
	{`//Param[@unit][@ucd]/@name = "Burst_Inten"`, true},
	{`//Param[@unit][2]/@name = "Integ_Time"`, true},
	{`//Param[2][@unit]`, false},
	{`//Param[position() mod 2 = 1][last()]/@name = "Integ_Time"`, true},
	{`//Param["a"]`, true},
	{`//Param[""]`, false},
	{`//Param[1.5]`, false},
	{`//Param[number("x")]`, false},
	{`count(//Param) = 10`, true},
	{`count(//Param | //Param[@unit] | //Group) = 12`, true},
	{`count(//Param/..) = 3`, true},
	{`count(//Param/ancestor::*) = 4`, true},
	{`count(//*/descendant::Param) = 10`, true},
	{`count(//C1/preceding::Param) = 10`, true},
	{`count(//Group/preceding-sibling::*) = 7`, true},
	{`count(//@*) > 20`, true},
	{`count(//@*/..) = count(//*[@*])`, true},
	{`count(/ | //node()) = count(//node()) + 1`, true},
	{`starts-with(/*/@ivorn, "ivo://nasa")`, true},
	{`starts-with(/*/@ivorn, //Who/AuthorIVORN)`, false},
	{`contains(//Who/Author/contactName, "Scott")`, true},
	{`contains("x", "")`, true},
	{`contains("", "x")`, false},
	{`substring-before(/*/@ivorn, "#") = "ivo://nasa.gsfc.gcn/SWIFT"`, true},
	{`substring-after(/*/@ivorn, "#BAT") = "_GRB_Pos_655721-214"`, true},
	{`substring-after("abc", "x")`, false},
	{`substring-after("abc", "") = "abc"`, true},
	{`substring-before("abc", "")`, false},
	{`substring("12345", 1.5, 2.6) = "234"`, true},
	{`substring("12345", 0, 3) = "12"`, true},
	{`substring("12345", 0 div 0, 3)`, false},
	{`substring("12345", 1, 0 div 0)`, false},
	{`substring("12345", -42, 1 div 0) = "12345"`, true},
	{`substring("12345", -1 div 0, 1 div 0)`, false},
	{`substring("naïve", 3, 1) = "ï"`, true},
	{`substring("12345", 2) = "2345"`, true},
	{`substring("12345", 9)`, false},
	{`translate(/*/@role, "observatin", "OBSERVATIN") = "OBSERVATION"`, true},
	{`translate("--aaa--", "abc-", "ABC") = "AAA"`, true},
	{`translate("aa", "aa", "bc") = "bb"`, true},
	{`normalize-space(//contactName) = "Scott Barthelmy"`, true},
	{`normalize-space(//Who/Date) = //Who/Date`, true},
	{`concat(//C1, ",", //C2) = "74.7412,25.3137"`, true},
	{`//C1 > 0 and //C2 < 90`, true},
	{`//C1[. > 74 and . < 75]`, true},
	{`sum(//C1 | //C2) > 100`, true},
	{`sum(//C1 | //C1) < 80`, true},
	{`sum(//Param/@value)`, false},
	{`sum(//Foo) = 0`, true},
	{`//Value2[C1 > 70 and C1 < 80]`, true},
	{`//Position2D[Error2Radius < 0.1]`, true},
	{`//Error2Radius = 0.05`, true},
	{`//Error2Radius = "0.05"`, false},
	{`//Group[@name="Solution_Status"]/Param[@name="Point_Source"]/@value = "true"`, true},
	{`//Group[Param/@name="Point_Source"]/@type = "flags"`, true},
	{`//Group[count(Param) > 2]`, true},
	{`//Group[not(@type)]/@name = "Misc_Flags"`, true},
	{`//Why/@importance >= 0.95`, true},
	{`//Why[Inference[@probability > 0.5]/Name = "GRB"]`, true},
	{`floor(//C1) mod 2`, false},
	{`round(2.5) = 3`, true},
	{`round(-2.5) = -2`, true},
	{`round(-0.2) = 0`, true},
	{`1 div round(-0.2) < 0`, true},
	{`ceiling(1.2) = 2`, true},
	{`round(//Foo) = 0`, false},
	{`-1 < 0`, true},
	{`--1 = 1`, true},
	{`-//C1 < 0`, true},
	{`2 + 3 * 4 - 1 = 13`, true},
	{`7 div 2 = 3.5`, true},
	{`-7 mod 2 = -1`, true},
	{`5 mod 0 = 5 mod 0`, false},
	{`1 div 0 > 1e308`, true},
	{`1 < 2 = true()`, true},
	{`3 > 2 > 1`, false},
	{`1 = 1 = 1`, true},
	{`1 or 0 and 0`, true},
	{`//Param[@name=//Param[3]/@name]/@value = 655721`, true},
	{`//@role = "observation"`, true},
	{`/*/@role`, true},
	{`/VOEvent`, false},
	{`//What`, true},
	{`//*[name()="voe:VOEvent"]`, true},
	{`/*[namespace-uri()="http://www.ivoa.net/xml/VOEvent/v2.0"]`, true},
	{`name(/*) = "voe:VOEvent"`, true},
	{`name(//@*[namespace-uri()!=""]) = "xsi:schemaLocation"`, true},
	{`local-name(//Group[1]) = "Group"`, true},
	{`local-name(//Foo) = ""`, true},
	{`local-name(/) = ""`, true},
	{`//@schemaLocation`, false},
	{`//@*[local-name()="schemaLocation"]`, true},
	{`//Sun_Distance | //Param[@name="Sun_Distance"]`, true},
	{`//Param/ancestor::*[local-name()="VOEvent"]/@role="observation"`, true},
	{`//Param[@name="Point_Source"]/ancestor::*[1]/@name = "Solution_Status"`, true},
	{`//Param[@name="Point_Source"]/ancestor-or-self::*[1]/@name = "Point_Source"`, true},
	{`//Group[2]/preceding-sibling::*[1]/@name = "Solution_Status"`, true},
	{`//Group/preceding-sibling::Param[1]/@name = "Exponent"`, true},
	{`//Group/following-sibling::Group/@name = "Misc_Flags"`, true},
	{`//Group/following::C1`, true},
	{`//C1/following::Group`, false},
	{`//What/@name/following::C1`, false},
	{`//Group/@name/following::Param[1]/@name = "Values_Out_of_Range"`, true},
	{`//Group/@name/preceding::Param[1]/@name = "Exponent"`, true},
	{`//C1/ancestor::Position2D[@unit="deg"]`, true},
	{`//Param/parent::*[@name="Misc_Flags"]`, true},
	{`//text()[contains(., "Swift")]`, true},
	{`//text()[contains(., "position & more")]`, true},
	{`//comment()`, false},
	{`//processing-instruction()`, false},
	{`//processing-instruction("x")`, false},
	{`//node()[self::Param]`, true},
	{`//self::Param`, true},
	{`self::node()`, true},
	{`self::*`, false},
	{`.`, true},
	{`..`, false},
	{`/..`, false},
	{`/`, true},
	{`/.`, true},
	{`//..`, true},
	{`./*/@role`, true},
	{`.//Param`, true},
	{`*/What`, true},
	{`child::*/child::What/child::Param/attribute::name = "TrigID"`, true},
	{`//What/child::*[3]/@name = "TrigID"`, true},
	{`//What//Param[@name='Point_Source']`, true},
	{`//Description[lang("en")]`, true},
	{`//Description[lang("EN-gb")]`, true},
	{`//Description[lang("e")]`, false},
	{`//Param[lang("en")]`, false},
	{`1 = true()`, true},
	{`"" = false()`, true},
	{`true() = //Param`, true},
	{`//Foo = false()`, true},
	{`//Param != true()`, false},
	{`//Foo < true()`, true},
	{`"a" < "b"`, false},
	{`"1" < "2"`, true},
	{`//Param/@value != //Param/@value`, true},
	{`//Foo/@value != //Param/@value`, false},
	{`//Foo = //Foo`, false},
	{`//C1 > //C2`, true},
	{`//C1 < //C2`, false},
	{`//Param[@name="Exponent"]/@value = 1000`, true},
	{`number("1e3") = 1000`, true},
	{`number("+1") = 1`, false},
	{`number(" 1 ") = 1`, true},
	{`number("0x10") = 16`, false},
	{`number("Infinity") > 1`, false},
	{`number("1.") = 1`, true},
	{`number(".5") = 0.5`, true},
	{`number(".")`, false},
	{`number("1 2") = 1`, false},
	{`number(true()) = 1`, true},
	{`string(1 div 0) = "Infinity"`, true},
	{`string(-1 div 0) = "-Infinity"`, true},
	{`string(0 div 0) = "NaN"`, true},
	{`string(-0) = "0"`, true},
	{`string(1000000) = "1000000"`, true},
	{`string(0.1) = "0.1"`, true},
	{`string(true()) = "true"`, true},
	{`boolean("false")`, true},
	{`//Param [ @name = "TrigID" ] / @value`, true},
	{`//Param[@name and(@value)]`, true},
	{`//Param[@value*2=122]`, true},
	{`//*[@*]`, true},
	{`(//Group|//What)[1]/Param[1]/@name = "Packet_Type"`, true},
	{`(//Group)[1]/Param[3]/@name = "Sun_Distance"`, true},
	{`(//Group)//Param[@name="Sun_Distance"]`, true},
	{`((//Param))[3]/@name = "TrigID"`, true},
	{`string-length(string(//Param[@name="Integ_Time"]/@value)) = 7`, true},
}

func parse(t testing.TB, text string) *xmltree.Document {
	t.Helper()
	d, err := xmltree.Parse([]byte(text), xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func evaluate(d *xmltree.Document, text string) (bool, error) {
	x, err := Compile(text, Limits{Depth: 8})
	if err != nil {
		return false, err
	}
	return x.Bool(d, &Budget{Steps: 100_000})
}

func TestAnswers(t *testing.T) {
	d := parse(t, notice)
	for _, a := range answers {
		if got, err := evaluate(d, a.expression); err != nil || got != a.want {
			t.Errorf("%s: %v, %v; want %v", a.expression, got, err, a.want)
		}
	}
}

// askLibxml2 puts all questions to one process of xmllint.
func askLibxml2(t *testing.T, file string, expressions []string) []string {
	t.Helper()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed (package libxml2-utils)")
	}
	var script strings.Builder
	for _, x := range expressions {
		script.WriteString("xpath boolean(" + x + ")\n")
	}
	script.WriteString("quit\n")
	c := exec.CommandContext(t.Context(), program, "--shell", file)
	c.Stdin = strings.NewReader(script.String())
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		if _, v, ok := strings.Cut(line, "Object is a Boolean : "); ok {
			got = append(got, strings.TrimSpace(v))
		}
	}
	if len(got) != len(expressions) {
		t.Fatalf("%d answers to %d questions:\n%s", len(got), len(expressions), out)
	}
	return got
}

func TestAnswersAreThoseOfLibxml2(t *testing.T) {
	var expressions []string
	for _, a := range answers {
		expressions = append(expressions, a.expression)
	}
	file := filepath.Join(t.TempDir(), "notice.xml")
	if err := os.WriteFile(file, []byte(notice), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, got := range askLibxml2(t, file, expressions) {
		if (got == "true") != answers[i].want {
			t.Errorf("%s: libxml2 says %s, the table %v", answers[i].expression, got, answers[i].want)
		}
	}
}

// The same expressions over real notices, which have other things in other places.
func TestAnswersAboutRealNoticesAreThoseOfLibxml2(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testbed.Corpus(t, "voevent"), "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	var expressions []string
	for _, a := range answers {
		expressions = append(expressions, a.expression)
	}
	asked := 0
	for i := 0; i < len(files); i += 1 + len(files)/20 {
		raw, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		d, err := xmltree.Parse(raw, xmltree.Limits{})
		if err != nil || strings.Contains(string(raw), "<?xml-") || strings.Contains(string(raw), "<!--") {
			continue // comments and instructions are not in the tree
		}
		asked++
		for j, want := range askLibxml2(t, files[i], expressions) {
			if got, err := evaluate(d, expressions[j]); err != nil || got != (want == "true") {
				t.Errorf("%s: %s: %v, %v; libxml2 says %s", filepath.Base(files[i]), expressions[j], got, err, want)
			}
		}
	}
	if asked < 5 {
		t.Errorf("only %d notices could be asked about", asked)
	}
}

func TestRefusals(t *testing.T) {
	for text, reason := range map[string]string{
		"":                         "the end",
		"//":                       "a name is expected",
		"//Param[":                 "a name is expected",
		"//Param[@name='x]":        "no end",
		"//Param]":                 "not expected",
		"//voe:VOEvent":            "prefix",
		"//@xsi:schemaLocation":    "prefix",
		"//voe:*":                  "prefix",
		"$x > 1":                   "variables",
		"id('x')":                  "no document type",
		"matches(//Param, 'x')":    "no function matches()",
		"lower-case('X')":          "no function",
		"contains('x')":            "2 arguments",
		"concat('x')":              "2 or more",
		"substring('x')":           "2 or 3",
		"true(1)":                  "no arguments",
		"not()":                    "1 argument",
		"count(1)":                 "takes a node-set",
		"sum('x')":                 "takes a node-set",
		"1 | //Param":              "joins node-sets",
		"//Param | 1":              "joins node-sets",
		"'x'[1]":                   "follow a node-set",
		"1/x":                      "follow a node-set",
		"//Param == 1":             "write =",
		"//Param && 1":             "write and",
		"//Param || 1":             "write or",
		"!//Param":                 "write not",
		"namespace::*":             "not an axis",
		"//Param/namespace::*":     "not an axis",
		"foo::x":                   "not an axis",
		"//Param and":              "a name is expected",
		"//Param foo":              "operator is",
		"1 2":                      "not expected",
		"//Param[#]":               "no meaning",
		"//Param[@]":               "a name is expected",
		"//Param/..[1]":            "not expected",
		"\xff":                     "no meaning",
		"foo(":                     "no function",
		"(1":                       `")" is expected`,
		"text(1)":                  `")" is expected`,
		strings.Repeat("(", 200):   "nested too deeply",
		strings.Repeat("[", 5):     "a name is expected",
		strings.Repeat("a[", 9):    "within each other",
		strings.Repeat("not(", 9):  "within each other",
		strings.Repeat("a ", 3000): "more than the 4096",
	} {
		_, err := Compile(text, Limits{Bytes: 4096, Depth: 8})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%.40q: %v; want an error with %q", text, err, reason)
		}
	}
}

// The expression that stops a Comet broker for minutes, and others like it.
var bombs = []string{
	`//*[count(//*[count(//*[count(//*[count(//*)>9999])>9999])>9999])>9999]`,
	`count(//*[count(//*[count(//*)>0])>0])`,
	`//node()/following::node()/preceding::node()/following::node()/preceding::node()[false()]`,
	`count(//*/ancestor::*/descendant::*/ancestor::*/descendant::*/following::*/preceding::*) < 0`,
	`//*[//*[//*[//*[//*[//*[. = "x"]]]]]]`,
	`//@*[. = //@*[. = //@*[. = //@*]/../@x]/../@x]`,
	`string-length(concat(/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/,/)) < //*[string-length(concat(/,/,/,/,/,/,/)) < 0]`,
	`//*[//*/text() != //*/text()][//*/text() = //*/@nothing][false()]`,
}

func large() string {
	return "<VOEvent>" + strings.Repeat(`<What a="1"><Param name="x" value="y">text</Param></What>`, 5000) + "</VOEvent>"
}

func TestBombsEndWithinTheirBudget(t *testing.T) {
	d := parse(t, large())
	for _, text := range bombs {
		x, err := Compile(text, Limits{Depth: 8})
		if err != nil {
			t.Fatal(err)
		}
		b := &Budget{Steps: 100_000}
		if got, err := x.Bool(d, b); got || !errors.Is(err, ErrSteps) || b.Steps != 0 {
			t.Errorf("%s: %v, %v with %d steps left; want to run out of steps", text, got, err, b.Steps)
		}
		if got, err := x.Bool(d, &Budget{Steps: 1 << 60, Deadline: time.Now().Add(-time.Second)}); got || !errors.Is(err, ErrTime) {
			t.Errorf("%s: %v, %v; want to run out of time", text, got, err)
		}
	}
}

func TestOneExpressionServesManyGoroutines(t *testing.T) {
	d := parse(t, notice)
	var all []*Expr
	for _, a := range answers {
		x, err := Compile(a.expression, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	done := make(chan bool)
	for range 4 {
		go func() {
			defer func() { done <- true }()
			for range 20 {
				for i, x := range all {
					if got, err := x.Bool(d, &Budget{Steps: 10_000}); got != answers[i].want || err != nil {
						t.Errorf("%s: %v, %v", x, got, err)
					}
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
}

func FuzzXPath(f *testing.F) {
	for _, a := range answers {
		f.Add(a.expression)
	}
	for _, b := range bombs {
		f.Add(b)
	}
	d := parse(f, notice)
	f.Fuzz(func(t *testing.T, text string) {
		x, err := Compile(text, Limits{Bytes: 4096, Depth: 8})
		if err != nil {
			if se := (*SyntaxError)(nil); !errors.As(err, &se) {
				t.Fatalf("%q: %T", text, err)
			}
			return
		}
		b := &Budget{Steps: 50_000}
		got, err := x.Bool(d, b)
		if err != nil && got {
			t.Fatalf("%q: true with %v", text, err)
		}
		again, err2 := x.Bool(d, &Budget{Steps: 50_000})
		if got != again || (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %v, %v and then %v, %v", text, got, err, again, err2)
		}
	})
}

func BenchmarkBool(b *testing.B) {
	d := parse(b, notice)
	for _, text := range []string{
		`//Param[@name="TrigID"]`,
		`//Param[@name="Nothing"]`,
		`//Param[@name="Burst_Inten" and @value > 600]`,
		`/*[local-name()="VOEvent" and @role!="test"]`,
		`//Group[@name="Solution_Status"]/Param[@name="Point_Source" and @value="true"]`,
		`count(//Param[@value > 100]) > 2`,
		`//C1 > 70 and //C1 < 80`,
	} {
		x, err := Compile(text, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Bool(d, &Budget{Steps: 100_000}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBomb(b *testing.B) {
	d := parse(b, notice)
	x, err := Compile(bombs[0], Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if got, err := x.Bool(d, &Budget{Steps: 100_000}); got || err == nil {
			b.Fatal("it did not run out of steps")
		}
	}
}
