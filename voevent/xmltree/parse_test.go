package xmltree_test

import (
	"errors"
	"strings"
	"testing"

	"tocsin/voevent/xmltree"
)

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	const ns = ` xmlns:p="urn:p"`
	for name, doc := range map[string]string{
		"no declaration":                `<a/>`,
		"declaration":                   `<?xml version="1.0"?><a/>`,
		"declaration with everything":   "<?xml version = '1.0'\n encoding = 'utf-8' standalone='yes' ?>\n<a/>",
		"version 1.1":                   `<?xml version="1.1"?><a/>`,
		"byte order mark":               "\ufeff<?xml version='1.0' encoding='UTF-8'?><a/>",
		"comments around the root":      `<!-- a - b --><a/><!--c-->`,
		"instructions around the root":  `<?x?><?y z?><a/><?z ?>`,
		"white space around the root":   " \n<a/>\t\r\n",
		"trailing NUL":                  "<a/>\n\x00\x00",
		"trailing NUL and white space":  "<a/>\x00\n\x00",
		"white space in tags":           "<a\n b = 'c'\t></a >",
		"prefixes":                      `<p:a` + ns + ` p:b="1" b="2"/>`,
		"declaration after its use":     `<p:a p:b="" xmlns:p="urn:p"/>`,
		"default namespace undone":      `<a xmlns="urn:a"><b xmlns=""/></a>`,
		"prefix xml":                    `<a xml:lang="en"/>`,
		"prefix xml declared":           `<a xmlns:xml="http://www.w3.org/XML/1998/namespace"/>`,
		"prefix declared anew":          `<p:a` + ns + `><p:a xmlns:p="urn:q"/></p:a>`,
		"the five entities":             `<a b="&lt;&gt;&amp;&quot;&apos;">&lt;&gt;&amp;&quot;&apos;</a>`,
		"character references":          `<a>&#65;&#x41;&#x10FFFF;&#9;&#000000000065;</a>`,
		"quotes within quotes":          `<a b='"' c="'"/>`,
		"greater-than in a value":       `<a b=">"/>`,
		"CDATA":                         `<a><![CDATA[<&]]]]><![CDATA[>]]></a>`,
		"names beyond ASCII":            `<é:ü xmlns:é="urn:e" ñ·="1"/>`,
		"characters beyond ASCII":       "<a>\u00e9\u4e2d\U0001F52D\ufffd\ue000\u0085</a>",
		"DEL":                           "<a>\x7f</a>",
		"brackets in text":              `<a>]] ]></a>`,
		"instruction within an element": `<a><?xml-stylesheet href="x"?></a>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := xmltree.Parse([]byte(doc), xmltree.Limits{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const wf = xmltree.CodeNotWellFormed
	for name, c := range map[string]struct{ doc, code string }{
		"nothing":                               {``, wf},
		"white space":                           {" \n", wf},
		"text":                                  {`hello`, wf},
		"text before the declaration":           {"x<?xml version='1.0'?><a/>", wf},
		"newline before the declaration":        {"\n<?xml version='1.0'?><a/>", wf},
		"two declarations":                      {"<?xml version='1.0'?><?xml version='1.0'?><a/>", wf},
		"declaration without version":           {"<?xml encoding='UTF-8'?><a/>", wf},
		"declaration in another order":          {"<?xml encoding='UTF-8' version='1.0'?><a/>", wf},
		"version 2":                             {"<?xml version='2.0'?><a/>", wf},
		"standalone maybe":                      {"<?xml version='1.0' standalone='maybe'?><a/>", wf},
		"declaration without end":               {"<?xml version='1.0'><a/>", wf},
		"declaration without spaces":            {"<?xml version='1.0'encoding='UTF-8'?><a/>", wf},
		"unknown encoding":                      {"<?xml version='1.0' encoding='windows-1252'?><a/>", xmltree.CodeEncoding},
		"UTF-8 declared UTF-16":                 {"<?xml version='1.0' encoding='UTF-16'?><a/>", xmltree.CodeEncoding},
		"byte order mark, declared Latin-1":     {"\ufeff<?xml version='1.0' encoding='ISO-8859-1'?><a/>", xmltree.CodeEncoding},
		"US-ASCII with more":                    {"<?xml version='1.0' encoding='US-ASCII'?><a>é</a>", wf},
		"UTF-32":                                {"\xff\xfe\x00\x00<\x00\x00\x00", xmltree.CodeEncoding},
		"half a UTF-16 character":               {"\xff\xfe<\x00a\x00/\x00>\x00\x00", wf},
		"lone surrogate":                        {"\xff\xfe<\x00a\x00>\x00\x00\xd8<\x00", wf},
		"document type":                         {`<!DOCTYPE a><a/>`, xmltree.CodeDoctype},
		"document type with entities":           {`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, xmltree.CodeDoctype},
		"document type after a comment":         {`<!-- --><!DOCTYPE a SYSTEM "http://example.org/"><a/>`, xmltree.CodeDoctype},
		"entity declaration":                    {`<a><!ENTITY b "c"></a>`, wf},
		"undeclared entity":                     {`<a>&nbsp;</a>`, wf},
		"undeclared entity in a value":          {`<a b="&nbsp;"/>`, wf},
		"bare ampersand":                        {`<a>a & b</a>`, wf},
		"ampersand at the end":                  {`<a>&`, wf},
		"reference to NUL":                      {`<a>&#0;</a>`, wf},
		"reference to a control character":      {`<a>&#27;</a>`, wf},
		"reference to a surrogate":              {`<a>&#xD800;</a>`, wf},
		"reference to a noncharacter":           {`<a>&#xFFFF;</a>`, wf},
		"reference beyond Unicode":              {`<a>&#x110000;</a>`, wf},
		"reference without digits":              {`<a>&#;</a>`, wf},
		"reference with X":                      {`<a>&#X41;</a>`, wf},
		"duplicate attribute":                   {`<a role="test" role="observation"/>`, wf},
		"duplicate by namespace":                {`<a xmlns:p="urn:x" xmlns:q="urn:x" p:b="1" q:b="2"/>`, wf},
		"duplicate declaration":                 {`<a xmlns:p="urn:x" xmlns:p="urn:y"/>`, wf},
		"duplicate default declaration":         {`<a xmlns="urn:x" xmlns="urn:y"/>`, wf},
		"undeclared prefix of an element":       {`<p:a/>`, wf},
		"undeclared prefix of an attribute":     {`<a p:b=""/>`, wf},
		"prefix out of scope":                   {`<a><b xmlns:p="urn:p"/><p:c/></a>`, wf},
		"prefix bound to nothing":               {`<a xmlns:p=""/>`, wf},
		"prefix xmlns declared":                 {`<a xmlns:xmlns="urn:x"/>`, wf},
		"prefix xml bound elsewhere":            {`<a xmlns:xml="urn:x"/>`, wf},
		"prefix bound to the xml namespace":     {`<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`, wf},
		"default bound to the xml namespace":    {`<a xmlns="http://www.w3.org/XML/1998/namespace"/>`, wf},
		"bound to the xmlns namespace":          {`<a xmlns:p="http://www.w3.org/2000/xmlns/"/>`, wf},
		"element with prefix xmlns":             {`<xmlns:a/>`, wf},
		"two colons":                            {`<a:b:c xmlns:a="urn:a"/>`, wf},
		"colon at the beginning":                {`<:a/>`, wf},
		"colon at the end":                      {`<a: xmlns:a="urn:a"/>`, wf},
		"name beginning with a digit":           {`<1/>`, wf},
		"no name":                               {`< a/>`, wf},
		"attribute without value":               {`<a b/>`, wf},
		"attribute without quotes":              {`<a b=c/>`, wf},
		"attributes without space":              {`<a b="1"c="2"/>`, wf},
		"less-than in a value":                  {`<a b="<"/>`, wf},
		"value without end":                     {`<a b="c/>`, wf},
		"tag without end":                       {`<a `, wf},
		"wrong end tag":                         {`<a></b>`, wf},
		"longer end tag":                        {`<a></ab>`, wf},
		"other prefix in the end tag":           {`<p:a xmlns:p="urn:x" xmlns:q="urn:x"></q:a>`, wf},
		"end tag with attribute":                {`<a></a b="c">`, wf},
		"no end tag":                            {`<a>`, wf},
		"end tag first":                         {`</a>`, wf},
		"two roots":                             {`<a/><a/>`, wf},
		"text after the root":                   {`<a/>x`, wf},
		"text after NUL":                        {"<a/>\x00<a/>", wf},
		"CDATA after the root":                  {`<a/><![CDATA[]]>`, wf},
		"reference after the root":              {`<a/>&#32;`, wf},
		"NUL in text":                           {"<a>\x00</a>", wf},
		"NUL in a value":                        {"<a b='\x00'/>", wf},
		"NUL in a tag":                          {"<a \x00/>", wf},
		"NUL in a comment":                      {"<a><!--\x00--></a>", wf},
		"escape in text":                        {"<a>\x1b[2J</a>", wf},
		"escape in CDATA":                       {"<a><![CDATA[\x1b]]></a>", wf},
		"escape in an instruction":              {"<a><?b \x1b?></a>", wf},
		"escape after a reference":              {"<a b='&amp;\x1b'>&amp;\x1b</a>", wf},
		"noncharacter":                          {"<a>\uffff</a>", wf},
		"not UTF-8":                             {"<a>\xe9</a>", wf},
		"overlong UTF-8":                        {"<a>\xc0\xaf</a>", wf},
		"surrogate in UTF-8":                    {"<a>\xed\xa0\x80</a>", wf},
		"CDATA end in text":                     {`<a>]]></a>`, wf},
		"CDATA end after a reference":           {`<a>&amp;]]></a>`, wf},
		"CDATA without end":                     {`<a><![CDATA[</a>`, wf},
		"comment with two hyphens":              {`<a><!-- -- --></a>`, wf},
		"comment ended by three hyphens":        {`<a><!-- ---></a>`, wf},
		"comment without end":                   {`<a><!-- </a>`, wf},
		"instruction named xml":                 {`<a><?XML x?></a>`, wf},
		"instruction without name":              {`<a><? x?></a>`, wf},
		"instruction with a colon":              {`<a><?p:x y?></a>`, wf},
		"instruction without end":               {`<a><?x </a>`, wf},
		"EBCDIC":                                {"\x4c\x6f\xa7\x94", xmltree.CodeEncoding},
		"noncharacter in UTF-16":                {"\xff\xfe<\x00a\x00>\x00\xff\xff<\x00/\x00a\x00>\x00", wf},
		"UTF-16 declared in the other order":    {"\xff\xfe" + wide("<?xml version='1.0' encoding='UTF-16BE'?><a/>"), xmltree.CodeEncoding},
		"UTF-16 declared UTF-8":                 {"\xff\xfe" + wide("<?xml version='1.0' encoding='UTF-8'?><a/>"), xmltree.CodeEncoding},
		"impossible name of an encoding":        {"<?xml version='1.0' encoding='8bit'?><a/>", wf},
		"no name of an encoding":                {"<?xml version='1.0' encoding=''?><a/>", wf},
		"declaration with a name but no value":  {"<?xml version?><a/>", wf},
		"declaration without quotes":            {"<?xml version=1.0?><a/>", wf},
		"declaration with a value without end":  {"<?xml version='1.0?><a/>", wf},
		"encoding without a value":              {"<?xml version='1.0' encoding?><a/>", wf},
		"standalone without a value":            {"<?xml version='1.0' standalone?><a/>", wf},
		"something else in the declaration":     {"<?xml version='1.0' x='y'?><a/>", wf},
		"document type after the root":          {`<a/><!DOCTYPE a>`, xmltree.CodeDoctype},
		"instruction named xml after the root":  {`<a/><?xml version="1.0"?>`, wf},
		"less-than in a value with a reference": {`<a b="&amp;<"/>`, wf},
		"wrong reference after a right one":     {`<a b="&amp;&x;"/>`, wf},
		"value with a reference without end":    {`<a b="&amp;`, wf},
		"text without end":                      {`<a>text`, wf},
		"text with a reference without end":     {`<a>&amp;text`, wf},
		"reference with other digits":           {`<a>&#12a;&#xag;</a>`, wf},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := xmltree.Parse([]byte(c.doc), xmltree.Limits{})
			if err == nil {
				t.Fatalf("accepted; the root is %q", d.Local(d.Root()))
			}
			se, ok := errors.AsType[*xmltree.SyntaxError](err)
			if !ok {
				t.Fatalf("the error is a %T", err)
			}
			if se.Code != c.code {
				t.Errorf("code %q, want %q (%s)", se.Code, c.code, se.Text)
			}
			if se.Text == "" || strings.ContainsAny(err.Error(), "\x00\x1b\n") {
				t.Errorf("the text is not fit to be shown: %q", err)
			}
		})
	}
}

// wide writes ASCII as UTF-16LE.
func wide(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.Write([]byte{s[i], 0})
	}
	return b.String()
}

func TestParseHoldsItsLimits(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	attributes := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(" a" + strings.Repeat("x", i) + `=""`)
		}
		return "<a" + b.String() + "/>"
	}
	small := xmltree.Limits{Bytes: 1000, Depth: 4, Nodes: 7, Attributes: 3, NameBytes: 10}
	for name, c := range map[string]struct{ just, over string }{
		"bytes":              {"<a/>" + strings.Repeat(" ", 996), "<a/>" + strings.Repeat(" ", 997)},
		"depth":              {nested(4), nested(5)},
		"elements":           {"<a><b/><b/><b/><b/><b/><b/></a>", "<a><b/><b/><b/><b/><b/><b/><b/></a>"},
		"elements and texts": {"<a>x<b/>x<b/>x<b/></a>", "<a>x<b/>x<b/>x<b/>x</a>"},
		"attributes":         {attributes(3), attributes(4)},
		"declarations":       {`<a xmlns:a="a" b="" xmlns="c"/>`, `<a xmlns:a="a" b="" xmlns="c" d=""/>`},
		"declarations in scope": {
			`<a xmlns:a="a"><a xmlns:b="b"><a xmlns:c="c"/></a><b xmlns:d="d"/></a>`,
			`<a xmlns:a="a"><a xmlns:b="b"><a xmlns:c="c"><a xmlns:d="d"/></a></a></a>`,
		},
		"name of an element":    {"<abcdefghij/>", "<abcdefghijk/>"},
		"name of an attribute":  {"<a abcdefghij=''/>", "<a abcdefghijk=''/>"},
		"name with its prefix":  {"<abcd:efghi xmlns:abcd='x'/>", "<abcd:efghij xmlns:abcd='x'/>"},
		"name beyond ASCII":     {"<ééééé/>", "<éééééé/>"},
		"name of a declaration": {"<a xmlns:abcd='x'/>", "<a xmlns:abcde='x'/>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := xmltree.Parse([]byte(c.just), small); err != nil {
				t.Errorf("within the limit: %v", err)
			}
			_, err := xmltree.Parse([]byte(c.over), small)
			if se, ok := errors.AsType[*xmltree.SyntaxError](err); !ok || se.Code != xmltree.CodeOversize {
				t.Errorf("beyond the limit: %v", err)
			}
		})
	}
}

func TestParseUsesTheDefaultLimits(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"depth": strings.Repeat("<a>", 100_000),
		"nodes": "<a>" + strings.Repeat("<a/>", 60_000) + "</a>",
		"bytes": "<a>" + strings.Repeat(" ", 1<<20) + "</a>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := xmltree.Parse([]byte(doc), xmltree.Limits{})
			if se, ok := errors.AsType[*xmltree.SyntaxError](err); !ok || se.Code != xmltree.CodeOversize {
				t.Error(err)
			}
		})
	}
}

func TestSyntaxErrorNamesThePlace(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string][2]int{
		"x":                            {1, 1},
		"<a>\n  <b></c>":               {2, 6},
		"<a>\r\n\r\n é&x;":             {3, 3},
		"<a>\r\r<":                     {3, 2},
		"<a b='1' b='2'/>":             {1, 10},
		"\ufeff<a>&#xFFFE;":            {1, 4},
		"<a>\n\xe9</a>":                {2, 1},
		"\xff\xfe<\x00a\x00 \x00<\x00": {1, 4},
	} {
		_, err := xmltree.Parse([]byte(doc), xmltree.Limits{})
		se, ok := errors.AsType[*xmltree.SyntaxError](err)
		if !ok {
			t.Fatalf("%q: %v", doc, err)
		}
		if got := [2]int{se.Line, se.Column}; got != want {
			t.Errorf("%q: at %v, want %v (%s)", doc, got, want, se.Text)
		}
	}
}
