package voevent

import "tocsin/schemas"

// A form describes what may stand in one kind of element: the same language as the XSDs in package schemas, in tables
// that the recogniser walks. The XSDs have the last word; see recognise.go.
type form struct {
	model model
	value value // of the text, for model words
	attrs []attribute
	kids  []kid
	some  bool // at least one child is required
}

type model uint8

const (
	wordsOnly model = iota // text only
	emptyOnly              // neither text nor elements, not even white space
	anyOrder               // the kids in any order
	inOrder                // the kids by rising slot
	openModel              // VOEvent 1.1 leaves it open
	elsewhere              // described by another schema: only the engine knows
)

// A kid is one kind of child. Those of model inOrder with equal slots are alternatives.
type kid struct {
	name  string
	form  *form
	slot  uint8
	once  bool // at most one of its slot (inOrder) or name (anyOrder)
	must  bool // at least one
	space string
}

type attribute struct {
	name  string
	value value
	must  bool
}

// A value is a simple type.
type value uint8

const (
	anyText value = iota
	floatValue
	unitValue
	dateTimeValue
	uriValue
	idValue
	roleWord
	dataTypeWord
	citeWord
	citeToken
	systemName
	contributorWord
	version11
	version20
	version21
)

// vocabulary holds the closed lists.
var vocabulary = map[value][]string{
	roleWord:     {"observation", "prediction", "utility", "test"},
	dataTypeWord: {"string", "float", "int"},
	citeWord:     {"followup", "supersedes", "retraction"},
	citeToken:    {"followup", "supersedes", "retraction"},
	systemName: {
		"UTC-FK5-GEO", "UTC-ICRS-GEO", "UTC-FK5-TOPO", "UTC-ICRS-TOPO", "UTC-GEOD-TOPO", "TDB-ICRS-BARY", "TDB-FK5-BARY",
		"TT-ICRS-TOPO", "TT-FK5-TOPO", "TT-ICRS-GEO", "TT-FK5-GEO", "GPS-ICRS-TOPO", "GPS-FK5-TOPO", "GPS-ICRS-GEO",
	},
	contributorWord: {
		"ContactPerson", "DataCollector", "DataCurator", "DataManager", "Distributor", "Editor", "HostingInstitution", "Other",
		"Producer", "ProjectLeader", "ProjectManager", "ProjectMember", "RegistrationAgency", "RegistrationAuthority",
		"RelatedPerson", "ResearchGroup", "Researcher", "RightsHolder", "Sponsor", "Supervisor", "WorkPackageLeader",
	},
}

// roots holds the form of the root element by namespace.
var roots = map[string]*form{
	schemas.VOEvent20NS: form20(),
	schemas.VOEvent21NS: form21(),
	schemas.VOEvent11NS: form11(),
}

var (
	textForm   = &form{model: wordsOnly}
	momentForm = &form{model: wordsOnly, value: dateTimeValue}
	numberForm = &form{model: wordsOnly, value: floatValue}
	linkForm   = &form{model: wordsOnly, value: uriValue}
)

// oneKid and manyKids make kids that may be absent.
func oneKid(name string, f *form) kid   { return kid{name: name, form: f, once: true} }
func manyKids(name string, f *form) kid { return kid{name: name, form: f} }

func (k kid) required() kid     { k.must = true; return k }
func (k kid) at(slot uint8) kid { k.slot = slot; return k }

func plainAttrs(names ...string) []attribute {
	out := make([]attribute, len(names))
	for i, name := range names {
		out[i] = attribute{name: name}
	}
	return out
}

// common20 is what 2.0 and 2.1 share.
type common20 struct {
	reference, how, what, why, citations *form
}

func parts20() common20 {
	reference := &form{model: emptyOnly, attrs: []attribute{
		{name: "uri", value: uriValue, must: true}, {name: "type"}, {name: "meaning", value: uriValue}, {name: "mimetype"},
	}}
	remarks := []kid{manyKids("Description", textForm), manyKids("Reference", reference)}
	quantity := append(plainAttrs("name", "ucd", "unit", "utype"), attribute{name: "dataType", value: dataTypeWord})
	param := &form{model: anyOrder, attrs: append([]attribute{{name: "name"}, {name: "value"}}, quantity[1:]...), kids: append([]kid{manyKids("Value", textForm)}, remarks...)}
	group := &form{model: anyOrder, attrs: plainAttrs("name", "type"), kids: append([]kid{manyKids("Param", param)}, remarks...)}
	field := &form{model: anyOrder, attrs: quantity, kids: remarks}
	row := &form{model: anyOrder, some: true, kids: []kid{manyKids("TD", textForm)}}
	data := &form{model: anyOrder, some: true, kids: []kid{manyKids("TR", row)}}
	table := &form{model: anyOrder, attrs: plainAttrs("name", "type"), kids: append([]kid{manyKids("Field", field), manyKids("Data", data), manyKids("Param", param)}, remarks...)}
	inference := &form{
		model: anyOrder, some: true, attrs: []attribute{{name: "probability", value: unitValue}, {name: "relation"}},
		kids: append([]kid{manyKids("Concept", textForm), manyKids("Name", textForm)}, remarks...),
	}
	cited := &form{model: wordsOnly, attrs: []attribute{{name: "cite", value: citeWord}}}
	return common20{
		reference: reference,
		how:       &form{model: anyOrder, some: true, kids: remarks},
		what:      &form{model: anyOrder, kids: append([]kid{manyKids("Param", param), manyKids("Group", group), manyKids("Table", table)}, remarks...)},
		why: &form{
			model: anyOrder, some: true, attrs: []attribute{{name: "importance", value: floatValue}, {name: "expires", value: dateTimeValue}},
			kids: append([]kid{manyKids("Inference", inference), manyKids("Concept", textForm), manyKids("Name", textForm)}, remarks...),
		},
		citations: &form{model: inOrder, kids: []kid{manyKids("EventIVORN", cited).required(), oneKid("Description", textForm).at(1)}},
	}
}

func authorDetails(logo *form) []kid {
	return []kid{
		manyKids("shortName", textForm), manyKids("contactName", textForm), manyKids("contactPhone", textForm), manyKids("contactEmail", textForm),
		manyKids("title", textForm), manyKids("logoURL", logo), manyKids("contributor", textForm),
	}
}

func root20(version value, c common20, author, system, coords *form) *form {
	who := &form{model: anyOrder, kids: []kid{
		oneKid("AuthorIVORN", linkForm), oneKid("Author", author), oneKid("Date", momentForm), oneKid("Description", textForm), oneKid("Reference", c.reference),
	}}
	observatory := &form{model: anyOrder, attrs: plainAttrs("id"), kids: []kid{oneKid("AstroCoordSystem", system), oneKid("AstroCoords", coords)}}
	observation := &form{model: anyOrder, kids: []kid{oneKid("AstroCoordSystem", system).required(), oneKid("AstroCoords", coords).required()}}
	location := &form{model: anyOrder, kids: []kid{
		oneKid("ObservatoryLocation", observatory).required(), oneKid("ObservationLocation", observation).required(),
	}}
	whereWhen := &form{model: anyOrder, attrs: []attribute{{name: "id", value: idValue}}, kids: []kid{
		manyKids("ObsDataLocation", location), manyKids("Description", textForm), manyKids("Reference", c.reference),
	}}
	return &form{
		model: anyOrder,
		attrs: []attribute{{name: "ivorn", value: uriValue, must: true}, {name: "role", value: roleWord}, {name: "version", value: version, must: true}},
		kids: []kid{
			oneKid("Who", who), oneKid("What", c.what), oneKid("WhereWhen", whereWhen), oneKid("How", c.how), oneKid("Why", c.why),
			oneKid("Citations", c.citations), oneKid("Description", textForm), oneKid("Reference", c.reference),
		},
	}
}

func form20() *form {
	unit := plainAttrs("unit")
	instant := &form{model: anyOrder, kids: []kid{manyKids("ISOTime", textForm), manyKids("TimeOffset", numberForm), manyKids("TimeScale", textForm)}}
	time := &form{model: anyOrder, attrs: unit, kids: []kid{manyKids("TimeInstant", instant), manyKids("Error", numberForm)}}
	c1, c2, c3 := oneKid("C1", numberForm).required(), oneKid("C2", numberForm).required(), oneKid("C3", numberForm).required()
	value2 := &form{model: anyOrder, kids: []kid{c1, c2}}
	value3 := &form{model: anyOrder, kids: []kid{c1, c2, c3}}
	position2 := &form{model: anyOrder, attrs: unit, kids: []kid{
		oneKid("Name1", textForm), oneKid("Name2", textForm), oneKid("Value2", value2).required(), oneKid("Error2Radius", numberForm).required(),
	}}
	position3 := &form{model: anyOrder, attrs: unit, kids: []kid{
		oneKid("Name1", textForm), oneKid("Name2", textForm), oneKid("Name3", textForm), oneKid("Value3", value3).required(),
	}}
	coords := &form{model: anyOrder, attrs: []attribute{{name: "coord_system_id", value: systemName}}, kids: []kid{
		oneKid("Time", time), oneKid("Position2D", position2), oneKid("Position3D", position3),
	}}
	system := &form{model: emptyOnly, attrs: []attribute{{name: "id", value: systemName}}}
	author := &form{model: anyOrder, some: true, kids: authorDetails(linkForm)}
	return root20(version20, parts20(), author, system, coords)
}

func form21() *form {
	unit := plainAttrs("unit")
	instant := &form{model: inOrder, kids: []kid{oneKid("ISOTime", textForm), oneKid("TimeOffset", numberForm).at(1), oneKid("TimeScale", textForm).at(2)}}
	interval := &form{model: inOrder, kids: []kid{oneKid("ISOTimeStart", textForm), oneKid("ISOTimeStop", textForm).at(1)}}
	time := &form{model: inOrder, attrs: unit, kids: []kid{oneKid("TimeInstant", instant), oneKid("TimeInterval", interval), oneKid("Error", numberForm).at(1)}}
	axis := &form{model: wordsOnly, value: floatValue, attrs: plainAttrs("ucd", "pos_unit")}
	c1, c2, c3 := oneKid("C1", axis), oneKid("C2", axis), oneKid("C3", axis)
	value2 := &form{model: anyOrder, kids: []kid{c1.required(), c2.required()}}
	value3 := &form{model: anyOrder, kids: []kid{c1.required(), c2.required(), c3.required()}}
	error2 := &form{model: anyOrder, kids: []kid{c1, c2}}
	error3 := &form{model: anyOrder, kids: []kid{c1, c2, c3}}
	position2 := &form{model: anyOrder, attrs: unit, kids: []kid{
		oneKid("Name1", textForm), oneKid("Name2", textForm), oneKid("Value2", value2).required(), oneKid("Error2Radius", axis), oneKid("Error2", error2),
	}}
	position3 := &form{model: anyOrder, attrs: unit, kids: []kid{
		oneKid("Name1", textForm), oneKid("Name2", textForm), oneKid("Name3", textForm), oneKid("Value3", value3).required(), oneKid("Error3", error3),
	}}
	coords := &form{model: inOrder, attrs: plainAttrs("coord_system_id"), kids: []kid{
		oneKid("Time", time), oneKid("PositionName", textForm).at(1), oneKid("Position2D", position2).at(2), oneKid("Position3D", position3).at(3),
	}}
	ids := []attribute{{name: "id", value: idValue}}
	timeFrame := &form{model: inOrder, attrs: ids, kids: []kid{oneKid("Name", textForm), oneKid("ReferencePosition", textForm).at(1), oneKid("TimeScale", textForm).at(2)}}
	spaceFrame := &form{model: inOrder, attrs: ids, kids: []kid{
		oneKid("Name", textForm), oneKid("SpaceRefFrame", textForm).at(1), oneKid("CoordFlavor", textForm).at(2), oneKid("ReferencePosition", textForm).at(3),
	}}
	system := &form{model: inOrder, attrs: ids, kids: []kid{oneKid("TimeFrame", timeFrame), oneKid("SpaceFrame", spaceFrame).at(1)}}
	contributor := &form{model: wordsOnly, attrs: []attribute{
		{name: "role", value: contributorWord}, {name: "ivorn", value: uriValue}, {name: "altIdentifier", value: uriValue},
	}}
	author := &form{model: anyOrder, some: true, kids: append(authorDetails(linkForm), manyKids("Contributor", contributor))}
	return root20(version21, parts20(), author, system, coords)
}

func form11() *form {
	open := &form{model: openModel}
	remark := &form{model: wordsOnly, attrs: plainAttrs("format")}
	reference := &form{model: emptyOnly, attrs: []attribute{{name: "uri", value: uriValue, must: true}, {name: "type"}, {name: "name"}}}
	remarks := []kid{manyKids("Description", remark), manyKids("Reference", open)}
	author := &form{model: anyOrder, some: true, kids: authorDetails(textForm)}
	who := &form{model: anyOrder, some: true, kids: append([]kid{manyKids("AuthorIVORN", linkForm), manyKids("Author", author), manyKids("Date", momentForm)}, remarks...)}
	what := &form{model: anyOrder, some: true, kids: append([]kid{manyKids("Param", open), manyKids("Group", open)}, remarks...)}
	location := oneKid("ObsDataLocation", &form{model: elsewhere})
	location.space = schemas.STC130NS
	whereWhen := &form{model: anyOrder, kids: []kid{location, oneKid("Description", remark), oneKid("Reference", open)}}
	why := &form{
		model: anyOrder, some: true, attrs: []attribute{{name: "importance", value: floatValue}, {name: "expires", value: dateTimeValue}},
		kids: append([]kid{manyKids("Inference", open), manyKids("Concept", textForm), manyKids("Name", textForm)}, remarks...),
	}
	cited := &form{model: wordsOnly, value: uriValue, attrs: []attribute{{name: "cite", value: citeToken, must: true}}}
	citations := &form{model: anyOrder, some: true, kids: append([]kid{manyKids("EventIVORN", cited)}, remarks...)}
	how := &form{model: anyOrder, some: true, kids: remarks}
	return &form{
		model: anyOrder,
		attrs: []attribute{{name: "ivorn", value: uriValue, must: true}, {name: "role"}, {name: "version", value: version11, must: true}},
		kids: []kid{
			oneKid("Who", who), oneKid("What", what), oneKid("WhereWhen", whereWhen), oneKid("How", how), oneKid("Why", why),
			oneKid("Citations", citations), oneKid("Description", remark), oneKid("Reference", reference),
		},
	}
}
