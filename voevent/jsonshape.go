package voevent

import "tocsin/voevent/xmltree"

// The mapping between XML and JSON is one table, read in both directions, so that they cannot disagree. What the table has
// no place for goes to "xml"/"extra" with its path: see jsonextra.go.

// jsonForm says what an element becomes.
type jsonForm uint8

const (
	formText   jsonForm = iota // a JSON string
	formNumber                 // a JSON number where the text is a JSON number literal, else a string
	formObject                 // an object
	formFold                   // nothing of its own: its members become members of the object around it
	formItems                  // an array of objects with one member each, so that order is kept
	formRows                   // an array of arrays of strings
)

// jsonAttr is a known attribute.
type jsonAttr struct {
	local, key    string
	space, prefix string // of attributes that are in a namespace
	number        bool   // as formNumber
	merged        bool   // may be spoken for by coord_system, see locationShape
}

func (a *jsonAttr) is(x xmltree.Attr) bool {
	return a.local == x.Local && a.space == x.Space && a.prefix == x.Prefix
}

// jsonChild is a known child element.
type jsonChild struct {
	local, key string
	token      string // its name in "order" or "child_order"
	form       jsonForm
	many       bool // an array; without it a second element of the name goes to "extra"
	always     bool // an array even when empty, because it says that the folded element is there
	shape      *jsonShape
	attrs      []jsonAttr // of texts and numbers: written as neighbours
}

// jsonShape is what an element may hold. Attributes and children stand in the order they are written.
type jsonShape struct {
	attrs    []jsonAttr
	text     string // the member for the element's own text; "" when it holds elements only
	children []jsonChild
	runs     bool // the order of children is a run-length string, "order", else an array, "child_order"
	items    bool // the children are in one array, "items", whose elements have one member each
}

// child returns the index of the child of that name, -1 when there is none.
func (s *jsonShape) child(local string) int {
	for i := range s.children {
		if s.children[i].local == local {
			return i
		}
	}
	return -1
}

func isKnown(known []jsonAttr, x xmltree.Attr) bool {
	for i := range known {
		if known[i].is(x) {
			return true
		}
	}
	return false
}

// keys returns the members an object of the shape may have, for messages.
func (s *jsonShape) keys() []string {
	var ks []string
	for _, a := range s.attrs {
		ks = append(ks, a.key)
	}
	if s.text != "" {
		ks = append(ks, s.text)
	}
	if s.items {
		return append(ks, "items")
	}
	for i := range s.children {
		c := &s.children[i]
		if c.form == formFold {
			ks = append(ks, c.shape.keys()...)
			continue
		}
		ks = append(ks, c.key)
		for _, a := range c.attrs {
			ks = append(ks, a.key)
		}
	}
	return ks
}

// members returns the keys and what else an object of the shape may have.
func (s *jsonShape) members() []string {
	all := append(s.keys(), "attributes")
	switch {
	case len(s.children) == 0 || s.items:
	case s.runs:
		all = append(all, "order")
	default:
		all = append(all, "child_order")
	}
	switch s {
	case paramShape:
		all = append(all, "value_element", "number")
	case locationShape:
		all = append(all, "coord_system")
	}
	return all
}

var referenceShape = &jsonShape{attrs: []jsonAttr{
	{local: "uri", key: "uri"},
	{local: "type", key: "type"},
	{local: "mimetype", key: "mimetype"},
	{local: "meaning", key: "meaning"},
	{local: "name", key: "name"}, // 1.1
}}

// descriptionsOf and referencesOf are the two children nearly every element may have any number of.
func descriptionsOf(token string) jsonChild {
	return jsonChild{local: "Description", key: "descriptions", token: token, form: formText, many: true}
}

func referencesOf(token string) jsonChild {
	return jsonChild{local: "Reference", key: "references", token: token, form: formObject, many: true, shape: referenceShape}
}

func textChild(local, key string) jsonChild {
	return jsonChild{local: local, key: key, token: key, form: formText}
}

// VOEvent 2.0 §3.2, 2.1 §3.2.
var whoShape = &jsonShape{children: []jsonChild{
	textChild("AuthorIVORN", "author_ivorn"),
	textChild("Date", "date"),
	textChild("Description", "description"),
	{local: "Reference", key: "reference", token: "reference", form: formObject, shape: referenceShape},
	{local: "Author", key: "author", token: "author", form: formItems, shape: authorShape},
}}

var authorShape = &jsonShape{children: []jsonChild{
	textChild("title", "title"),
	textChild("shortName", "short_name"),
	textChild("logoURL", "logo_url"),
	textChild("contactName", "contact_name"),
	textChild("contactEmail", "contact_email"),
	textChild("contactPhone", "contact_phone"),
	textChild("contributor", "contributor"),
	{local: "Contributor", key: "contributors", token: "contributors", form: formObject, many: true, shape: &jsonShape{
		text: "name",
		attrs: []jsonAttr{
			{local: "ivorn", key: "ivorn"},
			{local: "altIdentifier", key: "alt_identifier"},
			{local: "role", key: "role"},
		},
	}},
}}

// paramShape is handled apart where its value is concerned: the attribute value and the element Value are one member.
var paramShape = &jsonShape{
	runs: true,
	attrs: []jsonAttr{
		{local: "name", key: "name"},
		{local: "value", key: "value"},
		{local: "unit", key: "unit"},
		{local: "ucd", key: "ucd"},
		{local: "dataType", key: "data_type"},
		{local: "utype", key: "utype"},
	},
	children: []jsonChild{
		descriptionsOf("D"),
		referencesOf("R"),
		{local: "Value", key: "overridden_value", token: "V", form: formText},
	},
}

var fieldShape = &jsonShape{
	runs: true,
	attrs: []jsonAttr{
		{local: "name", key: "name"},
		{local: "unit", key: "unit"},
		{local: "ucd", key: "ucd"},
		{local: "dataType", key: "data_type"},
		{local: "utype", key: "utype"},
	},
	children: []jsonChild{descriptionsOf("D"), referencesOf("R")},
}

var groupShape = &jsonShape{
	runs:  true,
	attrs: []jsonAttr{{local: "name", key: "name"}, {local: "type", key: "type"}},
	children: []jsonChild{
		{local: "Param", key: "params", token: "P", form: formObject, many: true, shape: paramShape},
		descriptionsOf("D"),
		referencesOf("R"),
	},
}

var tableShape = &jsonShape{
	runs:  true,
	attrs: []jsonAttr{{local: "name", key: "name"}, {local: "type", key: "type"}},
	children: []jsonChild{
		descriptionsOf("D"),
		referencesOf("R"),
		{local: "Param", key: "params", token: "P", form: formObject, many: true, shape: paramShape},
		{local: "Field", key: "fields", token: "F", form: formObject, many: true, shape: fieldShape},
		{local: "Data", key: "rows", token: "Data", form: formRows, shape: dataShape},
	},
}

var (
	dataShape = &jsonShape{children: []jsonChild{{local: "TR", token: "TR", form: formItems, many: true, shape: rowShape}}}
	rowShape  = &jsonShape{children: []jsonChild{{local: "TD", token: "TD", form: formText, many: true}}}
)

// VOEvent 2.0 §3.3.
var whatShape = &jsonShape{
	runs: true,
	children: []jsonChild{
		{local: "Param", key: "params", token: "P", form: formObject, many: true, shape: paramShape},
		{local: "Group", key: "groups", token: "G", form: formObject, many: true, shape: groupShape},
		{local: "Table", key: "tables", token: "T", form: formObject, many: true, shape: tableShape},
		descriptionsOf("D"),
		referencesOf("R"),
	},
}

// coordinate is a number with the attributes 2.1 and STC give it.
func coordinate(local, key string) jsonChild {
	return jsonChild{local: local, key: key, token: key, form: formNumber, attrs: []jsonAttr{
		{local: "ucd", key: key + "_ucd"},
		{local: "pos_unit", key: key + "_pos_unit"},
	}}
}

func foldOf(local, token string, s *jsonShape) jsonChild {
	return jsonChild{local: local, token: token, form: formFold, shape: s}
}

var position2DShape = &jsonShape{
	attrs: []jsonAttr{{local: "unit", key: "unit"}},
	children: []jsonChild{
		textChild("Name1", "name1"),
		textChild("Name2", "name2"),
		foldOf("Value2", "value2", &jsonShape{children: []jsonChild{coordinate("C1", "c1"), coordinate("C2", "c2")}}),
		coordinate("Error2Radius", "error_radius"),
		foldOf("Error2", "error2", &jsonShape{children: []jsonChild{coordinate("C1", "error1"), coordinate("C2", "error2")}}),
	},
}

var position3DShape = &jsonShape{
	attrs: []jsonAttr{{local: "unit", key: "unit"}},
	children: []jsonChild{
		textChild("Name1", "name1"),
		textChild("Name2", "name2"),
		textChild("Name3", "name3"),
		foldOf("Value3", "value3", &jsonShape{children: []jsonChild{
			coordinate("C1", "c1"), coordinate("C2", "c2"), coordinate("C3", "c3"),
		}}),
		foldOf("Error3", "error3", &jsonShape{children: []jsonChild{
			coordinate("C1", "error1"), coordinate("C2", "error2"), coordinate("C3", "error3"),
		}}),
	},
}

var timeShape = &jsonShape{
	attrs: []jsonAttr{{local: "unit", key: "unit"}},
	children: []jsonChild{
		foldOf("TimeInstant", "time_instant", &jsonShape{children: []jsonChild{
			textChild("ISOTime", "iso"),
			{local: "TimeOffset", key: "offset", token: "offset", form: formNumber},
			textChild("TimeScale", "scale"),
		}}),
		foldOf("TimeInterval", "time_interval", &jsonShape{children: []jsonChild{
			textChild("ISOTimeStart", "start"),
			textChild("ISOTimeStop", "stop"),
		}}),
		{local: "Error", key: "error", token: "error", form: formNumber},
	},
}

var timeFrameShape = &jsonShape{
	attrs: []jsonAttr{{local: "id", key: "id"}},
	children: []jsonChild{
		textChild("Name", "name"),
		textChild("ReferencePosition", "reference_position"),
		textChild("TimeScale", "time_scale"),
	},
}

var spaceFrameShape = &jsonShape{
	attrs: []jsonAttr{{local: "id", key: "id"}},
	children: []jsonChild{
		textChild("Name", "name"),
		textChild("SpaceRefFrame", "space_ref_frame"),
		textChild("CoordFlavor", "coord_flavor"),
		textChild("ReferencePosition", "reference_position"),
	},
}

// locationShape is an ObservatoryLocation or an ObservationLocation. Where AstroCoordSystem/@id and
// AstroCoords/@coord_system_id are both there and equal, as in nearly every notice, one member speaks for both:
// coord_system.
var locationShape = &jsonShape{
	attrs: []jsonAttr{{local: "id", key: "id"}},
	children: []jsonChild{
		foldOf("AstroCoordSystem", "astro_coord_system", &jsonShape{
			attrs: []jsonAttr{{local: "id", key: "astro_coord_system_id", merged: true}},
			children: []jsonChild{
				{local: "TimeFrame", key: "time_frame", token: "time_frame", form: formObject, shape: timeFrameShape},
				{local: "SpaceFrame", key: "space_frame", token: "space_frame", form: formObject, shape: spaceFrameShape},
			},
		}),
		foldOf("AstroCoords", "astro_coords", &jsonShape{
			attrs: []jsonAttr{{local: "coord_system_id", key: "astro_coords_coord_system_id", merged: true}},
			children: []jsonChild{
				{local: "Time", key: "time", token: "time", form: formObject, shape: timeShape},
				textChild("PositionName", "position_name"),
				{local: "Position2D", key: "position", token: "position", form: formObject, shape: position2DShape},
				{local: "Position3D", key: "position_3d", token: "position_3d", form: formObject, shape: position3DShape},
			},
		}),
	},
}

// VOEvent 2.0 §3.4.
var whereWhenShape = &jsonShape{
	attrs: []jsonAttr{{local: "id", key: "id"}},
	children: []jsonChild{
		foldOf("ObsDataLocation", "obs_data_location", &jsonShape{children: []jsonChild{
			{local: "ObservatoryLocation", key: "observatory", token: "observatory", form: formObject, shape: locationShape},
			{local: "ObservationLocation", key: "event", token: "event", form: formObject, shape: locationShape},
		}}),
		descriptionsOf("description"),
		referencesOf("reference"),
	},
}

// VOEvent 2.0 §3.5.
var howShape = &jsonShape{children: []jsonChild{
	textChild("Description", "description"),
	{local: "Reference", key: "reference", token: "reference", form: formObject, shape: referenceShape},
}}

var whyShape = &jsonShape{
	items: true,
	attrs: []jsonAttr{{local: "importance", key: "importance", number: true}, {local: "expires", key: "expires"}},
	children: []jsonChild{
		textChild("Name", "name"),
		textChild("Concept", "concept"),
		{local: "Inference", key: "inference", token: "inference", form: formObject, shape: inferenceShape},
		textChild("Description", "description"),
		{local: "Reference", key: "reference", token: "reference", form: formObject, shape: referenceShape},
	},
}

var inferenceShape = &jsonShape{
	items: true,
	attrs: []jsonAttr{{local: "probability", key: "probability", number: true}, {local: "relation", key: "relation"}},
	children: []jsonChild{
		textChild("Name", "name"),
		textChild("Concept", "concept"),
		textChild("Description", "description"),
		{local: "Reference", key: "reference", token: "reference", form: formObject, shape: referenceShape},
	},
}

// VOEvent 2.0 §3.6 and §3.7; its attributes are handled apart.
var rootShape = &jsonShape{children: []jsonChild{
	{local: "Who", key: "who", token: "who", form: formObject, shape: whoShape},
	{local: "What", key: "what", token: "what", form: formObject, shape: whatShape},
	{local: "WhereWhen", key: "where_when", token: "where_when", form: formObject, shape: whereWhenShape},
	{local: "How", key: "how", token: "how", form: formItems, shape: howShape},
	{local: "Why", key: "why", token: "why", form: formObject, shape: whyShape},
	foldOf("Citations", "citations", &jsonShape{children: []jsonChild{
		{local: "EventIVORN", key: "citations", token: "citations", form: formObject, many: true, always: true, shape: &jsonShape{
			text:  "ivorn",
			attrs: []jsonAttr{{local: "cite", key: "cite"}},
		}},
		textChild("Description", "citations_description"),
	}}),
	textChild("Description", "description"),
	{local: "Reference", key: "reference", token: "reference", form: formObject, shape: referenceShape},
}}
