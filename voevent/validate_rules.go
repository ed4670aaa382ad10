package voevent

import (
	"strings"

	"tocsin/voevent/xmltree"
)

// rules checks what the text of the standard asks for and no schema enforces, and what readers are known to stumble over.
// It runs for every notice, so it walks the tree by hand and builds nothing.
func (c *checker) rules() {
	c.stage = len(c.out)
	c.envelope()
	c.identity()
	root, whereWhen, who := c.d.Root(), xmltree.None, false
	for n := c.d.FirstElement(root); n != xmltree.None; n = c.d.NextElement(n) {
		switch c.d.Local(n) {
		case "Who":
			who = true
			c.who(n)
		case "What":
			c.what(n)
		case "WhereWhen":
			whereWhen = n
		case "Why":
			c.why(n)
		case "Citations":
			c.citations(n)
		}
	}
	if whereWhen != xmltree.None {
		c.whereWhen(whereWhen) // after What, which may say that the position is none
	}
	if !who {
		c.add("author-missing", root, nil, "The notice has no Who: nothing says who its author is.")
		c.add("date-missing", root, nil, "The notice has no Who: nothing says when it was written.")
	}
}

// envelope looks at what surrounds the root element.
func (c *checker) envelope() {
	raw := c.e.raw
	root := c.d.Root()
	if len(raw) > 0 && raw[len(raw)-1] == 0 && c.d.Encoding() == "UTF-8" {
		c.add("trailing-nul", root, nil, "NUL bytes follow the document. It seems that the string's end mark was sent along.")
	}
	if enc := c.d.Encoding(); enc != "UTF-8" && enc != "US-ASCII" {
		c.add("encoding-unusual", root, nil, "The notice is encoded in %s. That is legal XML, but many readers know UTF-8 only.", enc)
	}
}

func (c *checker) identity() {
	e, root := c.e, c.d.Root()
	if e.IVORNErr != nil {
		c.add("ivorn-malformed", root, c.attr(root, "ivorn"), "The ivorn %s is malformed: %s.", sayText(e.IVORN.String()), ruleBroken(e.IVORNErr))
	} else if e.IVORN.Local() == "" {
		c.add("ivorn-no-local", root, c.attr(root, "ivorn"), "The ivorn %s names a stream, not a notice: it lacks a local part behind # (or ?).", sayText(e.IVORN.String()))
	}
	if _, ok := c.d.Attr(root, "role"); !ok {
		c.add("role-missing", root, nil, "The notice has no role. It then counts as an observation, but some brokers (Comet) drop it without a word.")
	}
}

// ruleBroken says what an IVORN error says, without the name of the package.
func ruleBroken(err error) string { return strings.TrimPrefix(err.Error(), "voevent: ") }

func (c *checker) attr(n xmltree.Node, name string) *xmltree.Attr {
	as := c.d.Attrs(n)
	for i := range as {
		if as[i].Prefix == "" && as[i].Local == name {
			return &as[i]
		}
	}
	return nil
}

func (c *checker) who(who xmltree.Node) {
	if c.d.Child(who, "AuthorIVORN") == xmltree.None && c.d.Child(who, "Author") == xmltree.None {
		c.add("author-missing", who, nil, "Who has neither AuthorIVORN nor Author: nothing says who the author is.")
	}
	date := c.d.Child(who, "Date")
	if date == xmltree.None {
		c.add("date-missing", who, nil, "Who has no Date: nothing says when the notice was written.")
		return
	}
	if s := c.d.Value(date); s != "" && (s[0] <= ' ' || s[len(s)-1] <= ' ') {
		c.add("date-white-space", date, nil, "White space surrounds the Date. That is valid, but brokers built on libxml2 (Comet) refuse it.")
	}
}

func (c *checker) what(what xmltree.Node) {
	var params, groups nameSet
	for n := c.d.FirstElement(what); n != xmltree.None; n = c.d.NextElement(n) {
		switch c.d.Local(n) {
		case "Param":
			if name, value := c.param(n, &params, "outside of Groups"); marksFiller(name, value) {
				c.unavailable = true
			}
		case "Group":
			c.group(n, &groups)
		case "Table":
			c.table(n)
		}
	}
}

func (c *checker) group(group xmltree.Node, groups *nameSet) {
	if name, _ := c.d.Attr(group, "name"); name != "" {
		if !groups.add(name) {
			c.add("group-duplicate", group, nil, "There is more than one Group called %s. Readers that look for it by name find one of them.", sayText(name))
		}
	}
	var params nameSet
	for n := c.d.FirstElement(group); n != xmltree.None; n = c.d.NextElement(n) {
		if c.d.Local(n) == "Param" {
			c.param(n, &params, "in its Group")
		}
	}
}

func (c *checker) table(table xmltree.Node) {
	var params nameSet
	fields := 0
	for n := c.d.FirstElement(table); n != xmltree.None; n = c.d.NextElement(n) {
		switch c.d.Local(n) {
		case "Param":
			c.param(n, &params, "in its Table")
		case "Field":
			fields++
		}
	}
	for data := c.d.FirstElement(table); data != xmltree.None; data = c.d.NextElement(data) {
		if c.d.Local(data) != "Data" {
			continue
		}
		for row := c.d.FirstElement(data); row != xmltree.None; row = c.d.NextElement(row) {
			cells := 0
			for n := c.d.FirstElement(row); n != xmltree.None; n = c.d.NextElement(n) {
				cells++
			}
			if cells != fields {
				c.add("table-ragged", row, nil, "This row of %s has %d cells, but the table has %d Fields.", c.label(table), cells, fields)
			}
		}
	}
}

// param returns the name and the value of the Param.
func (c *checker) param(param xmltree.Node, seen *nameSet, scope string) (name, value string) {
	var dataType string
	hasValue := false
	as := c.d.Attrs(param)
	for i := range as {
		if as[i].Prefix != "" {
			continue
		}
		switch as[i].Local {
		case "name":
			name = as[i].Value
		case "value":
			value, hasValue = as[i].Value, true
		case "dataType":
			dataType = as[i].Value
		}
	}
	if name == "" {
		c.add("param-no-name", param, nil, "A Param has no name. Nobody can tell what its value means.")
	} else if !seen.add(name) {
		c.add("param-duplicate", param, nil, "There is more than one Param called %s %s. Most readers see only one of them.", sayText(name), scope)
	}
	if element := c.d.Child(param, "Value"); element != xmltree.None {
		if hasValue {
			c.add("value-twice", param, nil, "%s has an attribute value and an element Value. The attribute counts.", c.label(param))
		} else {
			value, hasValue = c.d.Value(element), true
		}
	}
	if !hasValue {
		return name, ""
	}
	switch dataType {
	case "float":
		if !isFloat(collapseSpace(value)) {
			c.add("value-not-of-datatype", param, nil, "%s says it is a float, but its value is %s.", c.label(param), sayText(value))
		}
	case "int":
		if !isInteger(collapseSpace(value)) {
			c.add("value-not-of-datatype", param, nil, "%s says it is an int, but its value is %s.", c.label(param), sayText(value))
		}
	}
	return name, value
}

func isInteger(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	return s != "" && countDigits(s) == len(s)
}

func (c *checker) whereWhen(whereWhen xmltree.Node) {
	location := c.d.Child(c.d.Child(whereWhen, "ObsDataLocation"), "ObservationLocation")
	if location == xmltree.None {
		return
	}
	system, coords := c.d.Child(location, "AstroCoordSystem"), c.d.Child(location, "AstroCoords")
	if coords == xmltree.None {
		return
	}
	defined, ok1 := c.d.Attr(system, "id")
	used, ok2 := c.d.Attr(coords, "coord_system_id")
	if ok1 && ok2 && defined != used {
		c.add("coord-system-mismatch", coords, nil, "The coordinate system is %s, but the coordinates refer to %s. Readers cannot tell which one holds.", sayText(defined), sayText(used))
	}
	instant := c.d.Child(c.d.Child(coords, "Time"), "TimeInstant")
	if iso := c.d.Child(instant, "ISOTime"); iso != xmltree.None && !isReadable(c.d.Value(iso)) {
		c.add("isotime-unreadable", iso, nil, "ISOTime is %s, which is not a date and time such as 2024-01-12T09:03:04.25. The notice has no event time for its readers.", sayText(c.d.Value(iso)))
	}
	if p := c.d.Child(coords, "Position2D"); p != xmltree.None {
		c.position(p)
	}
}

func isReadable(time string) bool {
	_, ok := parseTime(time)
	return ok
}

func (c *checker) position(p xmltree.Node) {
	values := c.d.Child(p, "Value2")
	lon, ok1 := c.number(c.d.Child(values, "C1"))
	lat, ok2 := c.number(c.d.Child(values, "C2"))
	radius := c.d.Child(p, "Error2Radius")
	if r, ok := c.number(radius); ok && r < 0 {
		c.add("error-radius-negative", radius, nil, "The error radius is %s. A radius cannot be negative; readers take the position as one of unknown accuracy.", sayText(c.d.Value(radius)))
	}
	if !ok1 || !ok2 {
		return
	}
	unit, _ := c.d.Attr(p, "unit")
	degrees := unit == "deg" || unit == "deg-deg" || unit == ""
	switch {
	case degrees && (lat < -90 || lat > 90 || lon < -360 || lon > 360):
		c.add("position-out-of-range", p, nil, "The position %s, %s is not on the sky: the second coordinate runs from -90 to 90, the first from 0 to 360.",
			c.d.Value(c.d.Child(values, "C1")), c.d.Value(c.d.Child(values, "C2")))
	case lon == 0 && lat == 0 || c.unavailable:
		if _, ok := c.e.Position(); !ok {
			c.add("position-filler", p, nil, "The position %s, %s is a filler: the notice says, or lets see, that there is none. Readers that do not know would look there. Leave Position2D out instead.",
				c.d.Value(c.d.Child(values, "C1")), c.d.Value(c.d.Child(values, "C2")))
		}
	}
}

// marksFiller tells whether a Param is one of those by which GCN says that the coordinates mean nothing.
func marksFiller(name, value string) bool {
	switch name {
	case "Coords_String":
		return strings.HasPrefix(trim(value), "unavailable")
	case "Coords_Type":
		return trim(value) == "0"
	}
	return false
}

func (c *checker) number(n xmltree.Node) (float64, bool) {
	if n == xmltree.None {
		return 0, false
	}
	return number(c.d.Value(n))
}

func (c *checker) why(why xmltree.Node) {
	s, ok := c.d.Attr(why, "importance")
	if !ok {
		return
	}
	if f, ok := number(s); ok && (f < 0 || f > 1) {
		c.add("importance-range", why, c.attr(why, "importance"), "The importance is %s. It should be from 0 (none) to 1 (greatest).", sayText(s))
	}
}

func (c *checker) citations(citations xmltree.Node) {
	for n := c.d.FirstElement(citations); n != xmltree.None; n = c.d.NextElement(n) {
		if c.d.Local(n) != "EventIVORN" {
			continue
		}
		cited := collapseSpace(c.d.Value(n))
		switch {
		case cited == "":
			c.add("citation-empty", n, nil, "A citation names no notice. Readers leave it out.")
		case cited == c.e.IVORN.String():
			c.add("citation-self", n, nil, "The notice cites itself.")
		}
		if _, ok := c.d.Attr(n, "cite"); !ok {
			c.add("cite-missing", n, nil, "The citation of %s does not say what it means: cite must be followup, supersedes or retraction.", sayText(cited))
		}
	}
}

// nameSet is a set of names that allocates only when it holds many.
type nameSet struct {
	slots [128]string
	n     int
	more  map[string]struct{}
}

// add puts a name in and tells whether it was not there.
func (s *nameSet) add(name string) bool {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	i := h
	for range len(s.slots) {
		i = (i + 1) % uint32(len(s.slots))
		if s.slots[i] == name {
			return false
		}
		if s.slots[i] == "" {
			if s.n == len(s.slots)*3/4 {
				break
			}
			s.slots[i] = name
			s.n++
			return true
		}
	}
	if _, ok := s.more[name]; ok {
		return false
	}
	if s.more == nil {
		s.more = make(map[string]struct{})
	}
	s.more[name] = struct{}{}
	return true
}
