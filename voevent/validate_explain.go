package voevent

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/schemas"
	"tocsin/voevent/xmltree"

	"github.com/jacoelho/xsd/xsderrors"
)

// schema lets the schema engine judge the document and explains its verdict.
func (c *checker) schema() {
	root := c.d.Root()
	if c.d.Local(root) != "VOEvent" || roots[c.d.Space(root)] == nil {
		c.badRoot()
		c.explain(func(fault) bool { return true })
		return
	}
	all := engines[c.d.Space(root)].judge(c.d)
	errs, unresolved := standing(c.d, all)
	for _, x := range unresolved {
		c.unresolved(x)
	}
	before := len(c.out)
	if len(errs) == 0 {
		c.explain(stricterThanEngine)
	} else {
		c.explain(func(fault) bool { return true })
	}
	if c.d.Space(root) == schemas.VOEvent11NS {
		c.stc()
	}
	c.translate(errs, len(c.out) > before)
}

// explain walks the document and adds a finding for each fault that is wanted.
func (c *checker) explain(wanted func(fault) bool) {
	w := walker{d: c.d, root: formOf(c.d)}
	w.explain = func(f fault) {
		if wanted(f) {
			c.explainFault(f)
		}
	}
	w.element(c.d.Root(), w.root)
}

// stricterThanEngine knows the faults that the engine lets pass although the schemas forbid them, or libxml2 takes them to:
// some forms of URIs and names, leap seconds, and white space where nothing may stand.
func stricterThanEngine(f fault) bool {
	return f.kind == badContent || (f.kind == badValue && (f.value == uriValue || f.value == dateTimeValue || f.value == idValue))
}

func (c *checker) badRoot() {
	root := c.d.Root()
	switch ns := c.d.Space(root); {
	case ns == "":
		c.add("no-namespace", root, nil, "The root element is in no namespace. It should be in %q.", schemas.VOEvent20NS)
	case strings.HasPrefix(ns, "https:") && roots["http:"+strings.TrimPrefix(ns, "https:")] != nil:
		c.add("https-namespace", root, nil, "The namespace is written %q. It must begin with http:, even though web pages today begin with https:; it is a name, not an address.", ns)
	case c.d.Local(root) != "VOEvent" && roots[ns] != nil:
		c.add("unknown-element", root, nil, "The root element is called %s. It must be called VOEvent.", c.d.Local(root))
	default:
		c.add("unknown-namespace", root, nil, "The namespace %q is none of VOEvent 1.1, 2.0 or 2.1. That of 2.0 is %q.", ns, schemas.VOEvent20NS)
	}
}

func (c *checker) explainFault(f fault) {
	name := c.label(f.node)
	switch f.kind {
	case badText:
		c.strayText(f)
	case badContent:
		c.add("not-empty", f.node, nil, "%s must be empty: no text, no element, not even white space between its tags.", name)
	case badElement:
		c.badElement(f)
	case badAttribute:
		c.badAttribute(f)
	case badValue:
		c.badValue(f)
	case badOrder:
		c.add("wrong-order", f.node, nil, "%s comes too late: in %s the order must be %s.", name, c.label(c.d.Parent(f.node)), kidNames(f.form))
	case repeated:
		c.repeated(f)
	case missingElement:
		if f.name == "Error2Radius" {
			c.add("error-radius-missing", f.node, nil, "%s has no Error2Radius. VOEvent 2.0 requires one, in the unit of the position.", name)
			return
		}
		c.add("missing-element", f.node, nil, "%s has no %s, which must be there.", name, f.name)
	case missingAttribute:
		if f.name == "version" {
			c.add("version-mismatch", f.node, nil, "%s has no attribute version. The namespace says it should be %q.", name, c.versionByNamespace())
			return
		}
		c.add("missing-attribute", f.node, nil, "%s has no attribute %s, which must be there.", name, f.name)
	case missingContent:
		c.add("empty-element", f.node, nil, "%s is empty. It must hold at least one of %s, or be left out.", name, kidNames(f.form))
	case repeatedID:
		c.add("id-repeated", f.node, f.attr, "The id %q is used twice in this notice. An id must be unique.", f.attr.Value)
	}
}

func (c *checker) strayText(f fault) {
	parent := c.d.Parent(f.node)
	offset := c.d.Offset(f.node)
	for offset < c.d.End(f.node)-1 && c.d.Source()[offset] <= ' ' {
		offset++
	}
	c.addAt("text-in-element-only", parent, offset, "", fmt.Sprintf("%s holds the text %s directly. Only elements may stand there (%s).",
		c.label(parent), sayText(c.d.Text(f.node)), kidNames(f.form)))
}

func (c *checker) repeated(f fault) {
	parent := c.label(c.d.Parent(f.node))
	if f.form.model == inOrder {
		for _, k := range f.form.kids {
			if k.name != f.name && k.slot == f.form.slotOf(f.name) {
				c.add("repeated-element", f.node, nil, "%s may hold one of %s and %s, not both and none of them twice.", parent, f.name, k.name)
				return
			}
		}
	}
	c.add("repeated-element", f.node, nil, "%s holds more than one %s. One is allowed.", parent, f.name)
}

func (f *form) slotOf(name string) uint8 {
	if i := f.find(name, 0); i >= 0 {
		return f.kids[i].slot
	}
	return 0
}

func (c *checker) badElement(f fault) {
	local, space := c.d.Local(f.node), c.d.Space(f.node)
	parent := c.d.Parent(f.node)
	where := c.label(parent)
	known := f.form.find(local, 0) >= 0
	switch {
	case known && space != "" && space == c.d.Space(c.d.Root()) && f.form.kids[f.form.find(local, 0)].space == "":
		if !c.qualified {
			c.qualified = true
			c.add("children-qualified", f.node, nil, "%s is in the namespace of VOEvent. Only the root element may be; all others must be in no namespace. Give the root a prefix (<voe:VOEvent xmlns:voe=...>) and the others none.", local)
		}
	case known && f.form.kids[f.form.find(local, 0)].space == schemas.STC130NS:
		c.add("stc-namespace-missing", f.node, nil, "In VOEvent 1.1 %s must be in the namespace %q, with all that is in it.", local, schemas.STC130NS)
	case local == "Group" && c.d.Local(parent) == "Group":
		c.add("group-in-group", f.node, nil, "%s is inside %s. Groups cannot be nested: put them one after the other.", c.label(f.node), where)
	case space != "":
		c.add("foreign-element", f.node, nil, "%s holds the element %s of the namespace %q. Elements of other languages have no place in a VOEvent.", where, local, space)
	case f.form.model == wordsOnly:
		c.add("element-in-text", f.node, nil, "%s should hold text only, but holds the element %s. Write <, > and & as &lt;, &gt; and &amp; if they are part of the text.", where, local)
	case isKnownElement(local):
		c.add("misplaced-element", f.node, nil, "%s is not allowed in %s. Allowed there: %s.", c.label(f.node), where, kidNames(f.form))
	default:
		guess := closestWord(local, elementNamesOf(f.form))
		if guess != "" {
			guess = " Is " + guess + " meant?"
		}
		c.add("unknown-element", f.node, nil, "VOEvent has no element %s.%s Allowed in %s: %s.", local, guess, where, kidNames(f.form))
	}
}

func (c *checker) badAttribute(f fault) {
	name := c.label(f.node)
	a := f.attr
	switch {
	case a.Prefix != "":
		c.add("foreign-attribute", f.node, a, "%s has the attribute %s:%s. Attributes of other languages are not allowed in a VOEvent.", name, a.Prefix, a.Local)
	case a.Local == "datatype" && f.form.attribute("dataType"):
		c.add("datatype-lowercase", f.node, a, "%s has the attribute datatype. It is written dataType, with a capital T.", name)
	case a.Local == "units" && f.form.attribute("unit"):
		c.add("units-for-unit", f.node, a, "%s has the attribute units. It is called unit.", name)
	default:
		guess := ""
		if g := closestWord(a.Local, attributeNamesOf(f.form)); g != "" {
			guess = " Is " + g + " meant?"
		}
		allowed := "It has no attributes."
		if names := attributeNamesOf(f.form); len(names) > 0 {
			allowed = "Allowed: " + strings.Join(names, ", ") + "."
		}
		c.add("unknown-attribute", f.node, a, "%s has the attribute %s, which VOEvent does not know there.%s %s", name, a.Local, guess, allowed)
	}
}

func (f *form) attribute(name string) bool {
	return slices.ContainsFunc(f.attrs, func(a attribute) bool { return a.name == name })
}

// badValue explains a literal that is none of its type.
func (c *checker) badValue(f fault) {
	what, got := c.label(f.node), c.d.Value(f.node)
	if f.attr != nil {
		got = f.attr.Value
		what += " has " + f.attr.Local + "=" + sayText(got)
	} else {
		what += " is " + sayText(got)
	}
	switch f.value {
	case floatValue:
		c.add("not-a-number", f.node, f.attr, "%s, which is not a number. Write one such as 12.5, -3 or 1.2e-7, without unit.", what)
	case unitValue:
		c.add("probability-range", f.node, f.attr, "%s. A probability is a number from 0 to 1.", what)
	case dateTimeValue:
		c.add("bad-date", f.node, f.attr, "%s, which is not a date and time such as 2024-01-12T09:03:04.25 or 2024-01-12T09:03:04Z.", what)
	case uriValue:
		c.add("bad-uri", f.node, f.attr, "%s, which is not a URI.", what)
	case idValue:
		c.add("bad-id", f.node, f.attr, "%s, which cannot be an id: it must begin with a letter and hold no space and no colon.", what)
	case roleWord:
		c.add("role-unknown", f.node, f.attr, "%s: allowed are %s.", what, sayList(vocabulary[f.value]))
	case dataTypeWord:
		c.add("datatype-unknown", f.node, f.attr, "%s: allowed are %s.", what, sayList(vocabulary[f.value]))
	case citeWord, citeToken:
		code := "cite-unknown"
		if closestWord(got, vocabulary[citeWord]) != "" {
			code = "cite-misspelt"
		}
		c.add(code, f.node, f.attr, "%s: allowed are %s.", what, sayList(vocabulary[f.value]))
	case systemName:
		c.add("coord-system-unknown", f.node, f.attr, "%s, which is not on VOEvent 2.0's list of coordinate systems: %s.", what, sayList(vocabulary[f.value]))
	case contributorWord:
		c.add("contributor-role-unknown", f.node, f.attr, "%s: allowed are %s.", what, sayList(vocabulary[f.value]))
	case version11, version20, version21:
		c.add("version-mismatch", f.node, f.attr, "%s, but the namespace is that of version %s.", what, c.versionByNamespace())
	}
}

func (c *checker) versionByNamespace() string {
	switch c.d.Space(c.d.Root()) {
	case schemas.VOEvent11NS:
		return "1.1"
	case schemas.VOEvent21NS:
		return "2.1"
	}
	return "2.0"
}

// label names an element for a person: by its name attribute where it has one.
func (c *checker) label(n xmltree.Node) string {
	local := c.d.Local(n)
	switch local {
	case "Param", "Group", "Table", "Field":
		if name, ok := c.d.Attr(n, "name"); ok && name != "" {
			return local + " " + sayText(name)
		}
	}
	return local
}

// sayText shows a text of the notice, cut when it is long.
func sayText(s string) string {
	const most = 60
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

func sayList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func kidNames(f *form) string { return strings.Join(elementNamesOf(f), ", ") }

func elementNamesOf(f *form) []string {
	out := make([]string, len(f.kids))
	for i := range f.kids {
		out[i] = f.kids[i].name
	}
	return out
}

func attributeNamesOf(f *form) []string {
	out := make([]string, len(f.attrs))
	for i := range f.attrs {
		out[i] = f.attrs[i].name
	}
	return out
}

// translate puts the engine's own words into findings: those about STC coordinates, which the explainer does not know, and
// all of them when it found nothing.
func (c *checker) translate(errs []*xsderrors.Error, explained bool) {
	for _, x := range errs {
		if explained && !strings.Contains(x.Path, "/ObsDataLocation") {
			continue
		}
		if c.full(Error) {
			return
		}
		message := strings.TrimPrefix(x.Message, "invalid simple content: ")
		f := Finding{
			Code: codeSchema, Severity: Error, Line: x.Line, Column: x.Column, Path: x.Path, Link: "/findings/schema",
			Message: fmt.Sprintf("The schema of VOEvent %s does not allow this in %s: %s.", c.versionByNamespace(), lastStep(x.Path), message),
		}
		c.out = append(c.out, placed{f, c.offsetOf(x.Line, x.Column)})
	}
}

func lastStep(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 && i+1 < len(path) {
		return path[i+1:]
	}
	return "the root element"
}

// unresolved warns of an STC reference to a coordinate system that the notice does not define.
func (c *checker) unresolved(x *xsderrors.Error) {
	if c.full(Warning) {
		return
	}
	c.out = append(c.out, placed{Finding{
		Code: "reference-unresolved", Severity: Warning, Line: x.Line, Column: x.Column, Path: x.Path, Link: "/findings/reference-unresolved",
		Message: fmt.Sprintf("%s refers to the id %s, which no element of this notice has.", lastStep(x.Path), strings.TrimPrefix(x.Message, "IDREF does not resolve: ")),
	}, c.offsetOf(x.Line, x.Column)})
}

// offsetOf returns about where a line and column are; good enough to sort by.
func (c *checker) offsetOf(line, column int) int {
	src := c.d.Source()
	at := 0
	for range line - 1 {
		i := slices.Index(src[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	return min(at+column-1, len(src))
}

// stc checks what the engine overlooks in a 1.1 notice: it has types of its own for XLink attributes, another idea of URIs
// (see standing), knows leap seconds, and allows white space in empty elements.
func (c *checker) stc() {
	var walk func(n xmltree.Node)
	walk = func(n xmltree.Node) {
		as := c.d.Attrs(n)
		for i := range as {
			if words := xlinkWords[as[i].Local]; as[i].Space == xlinkNS && words != nil && !slices.Contains(words, collapseSpace(as[i].Value)) {
				c.add("xlink-value", n, &as[i], "%s has %s:%s=%s: allowed are %s.", c.label(n), as[i].Prefix, as[i].Local, sayText(as[i].Value), sayList(words))
			}
			if as[i].Space == xlinkNS && slices.Contains(xlinkURIs, as[i].Local) && !matches(uriValue, as[i].Value) {
				c.badValue(fault{kind: badValue, node: n, attr: &as[i], value: uriValue})
			}
		}
		if c.d.Space(n) == schemas.STC130NS && slices.Contains(stcEmpty, c.d.Local(n)) && c.d.FirstChild(n) != xmltree.None {
			c.explainFault(fault{kind: badContent, node: n})
		}
		if c.d.Local(n) == "ISOTime" && c.d.Space(n) == schemas.STC130NS && strings.Contains(c.d.Value(n), ":60") {
			c.badValue(fault{kind: badValue, node: n, value: dateTimeValue})
		}
		for k := c.d.FirstElement(n); k != xmltree.None; k = c.d.NextElement(k) {
			walk(k)
		}
	}
	walk(c.d.Root())
}

const xlinkNS = "http://www.w3.org/1999/xlink"

// stcEmpty are the STC elements that carry attributes only.
var stcEmpty = []string{"SPHERICAL", "CARTESIAN", "UNITSPHERE", "POLAR", "CYLINDRICAL", "STRING", "HEALPIX"}

// xlinkURIs are the XLink attributes whose value is a URI.
var xlinkURIs = []string{"href", "role", "arcrole"}

var xlinkWords = map[string][]string{
	"type":    {"simple", "extended", "locator", "arc", "resource", "title"},
	"show":    {"new", "replace", "embed", "other", "none"},
	"actuate": {"onLoad", "onRequest", "other", "none"},
}

var knownElements = func() map[string]bool {
	out := map[string]bool{}
	var walk func(f *form)
	seen := map[*form]bool{}
	walk = func(f *form) {
		if seen[f] {
			return
		}
		seen[f] = true
		for _, k := range f.kids {
			out[k.name] = true
			walk(k.form)
		}
	}
	for _, f := range roots {
		walk(f)
	}
	return out
}()

func isKnownElement(name string) bool { return knownElements[name] }

// closestWord returns the word that s is most likely a slip for, "" when none is near.
func closestWord(s string, words []string) string {
	best, at := "", 3
	if len(s) <= 4 {
		at = 2
	}
	if len(s) > 40 {
		return ""
	}
	for _, w := range words {
		if d := slips(strings.ToLower(s), strings.ToLower(w)); d < at && w != s {
			best, at = w, d
		}
	}
	return best
}

// slips counts the letters to add, drop or change to make a into b.
func slips(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
