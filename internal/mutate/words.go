package mutate

import "strings"

// elementNames are names of VOEvent 1.1 to 2.1 and of the parts of STC they use, and some that nobody knows.
var elementNames = strings.Fields(`VOEvent Who What WhereWhen How Why Citations Description Reference
AuthorIVORN Date Author title shortName logoURL contactName contactEmail contactPhone contributor Contributor
Param Group Table Field Data TR TD Value
ObsDataLocation ObservatoryLocation ObservationLocation AstroCoordSystem AstroCoords TimeFrame SpaceFrame
Time TimeInstant TimeInterval ISOTime ISOTimeStart ISOTimeStop TimeOffset TimeScale Error PositionName
Position2D Position3D Name Name1 Name2 Name3 Value2 Value3 C1 C2 C3 Error2Radius Error2 Error3
ReferencePosition SpaceRefFrame CoordFlavor Concept Inference EventIVORN
Timescale JDTime MJDTime Position1D Velocity2D Spectral Redshift Size Resolution ICRS FK5 GEOCENTER TOPOCENTER SPHERICAL
Extension Signature param datatype value`)

var attributeNames = strings.Fields(`version ivorn role name ucd value unit units dataType datatype utype type id
coord_system_id uri url meaning mimetype importance expires probability relation cite format altIdentifier pos_unit
idref frame_id time_unit xml:lang xml:space`)

// texts stand for values: numbers in all forms, times, words of the enumerations, URIs, and what is nearly one of these.
var texts = []string{
	"", " ", "0", "1", "-1", "+1", "1.", ".5", "1e3", "1E-3", "1e", "1e400", "INF", "-INF", "+INF", "NaN", "inf", "nan", "-0", "0x10", "1,5", "1 2",
	" 1.5 ", "\t2\n", "1.5\u00a0", "1_000", "0.5", "1.0", "1.0000001", "-0.0", "--1", "Infinity", "9999999999999999999999", "١",
	"2024-01-12T09:03:04", "2024-01-12T09:03:04Z", "2024-01-12T09:03:04.123456789+00:00", "2024-1-12T09:03:04", "2024-01-12",
	"2024-01-12T24:00:00", "2024-01-12T24:00:01", "2024-02-30T00:00:00", "2023-02-29T00:00:00", "2024-02-29T00:00:00Z",
	"2024-01-12T09:03:60", "2016-12-31T23:59:60", "2024-01-12 09:03:04", " 2024-01-12T09:03:04 ", "2024-01-12T09:03:04+0000",
	"2024-01-12T09:03:04+14:00", "2024-01-12T09:03:04+14:01", "2024-01-12T09:03:04-13:60", "-0001-01-01T00:00:00", "0000-01-01T00:00:00", "12024-01-12T09:03:04",
	"02024-01-12T09:03:04", "2024-01-12T09:03:04.", "2024-01-12t09:03:04z", "2024-13-01T00:00:00",
	"observation", "prediction", "utility", "test", "Observation", " test", "observe", "ack",
	"string", "float", "int", "bool", "double", "followup", "supersedes", "retraction", "supercedes", "retraction ",
	"UTC-FK5-GEO", "UTC-ICRS-TOPO", "GPS-FK5-GEO", "TDB-ICRS-BARY", "UTC-GEOD-TOPO", "FK5-UTC-GEO", " UTC-FK5-GEO", "utc-fk5-geo",
	"2.0", "2.1", "1.1", " 2.0 ", "2.00", "2",
	"ivo://org.example/stream#1", "ivo://org.example/stream?1", "ivo://a", "a#b#c", "http://example.org/a b", "http://[::1", "http://example.org/%zz", "%", "::", "a:b:c", "http://",
	"http://example.org:port/", "\u00e9", "|", "{x}", "^", "`", "\\", "//", "http://example.org/?a=b&c=d", "mailto:a@example.org", "#", "##", "ivo://x/y#\u2603", "http://a b/",
	"deg", "deg-deg", "s", "GEOLUN", "LIGO Virgo", "1abc", "a:b", "-a", "Contact Person", "ContactPerson", "Researcher", "simple", "North",
}

var namespaces = []string{
	"http://www.ivoa.net/xml/VOEvent/v2.0", "http://www.ivoa.net/xml/VOEvent/v2.1", "http://www.ivoa.net/xml/VOEvent/v1.1",
	"http://www.ivoa.net/xml/VOEvent/v1.0", "https://www.ivoa.net/xml/VOEvent/v2.0", "http://www.ivoa.net/xml/VOEvent/v2.0/",
	"http://www.ivoa.net/xml/STC/stc-v1.30.xsd", "http://www.w3.org/1999/xlink", "http://www.w3.org/2001/XMLSchema-instance", "urn:example:x",
}

// foreignAttributes come with what they need to be well-formed.
var foreignAttributes = []string{
	`xmlns:x="urn:example:x" x:y="1"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="false"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="maybe"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:a a.xsd"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:noNamespaceSchemaLocation="a.xsd"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:unknown="1"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:d="http://www.w3.org/2001/XMLSchema" i:type="d:string"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:d="http://www.w3.org/2001/XMLSchema" i:type="d:int"`,
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="nothing"`,
	`xmlns:l="http://www.w3.org/1999/xlink" l:href="http://example.org/"`,
	`xmlns:l="http://www.w3.org/1999/xlink" l:type="simple"`,
	`xmlns:l="http://www.w3.org/1999/xlink" l:type="none"`,
	`xmlns:l="http://www.w3.org/1999/xlink" l:title="x"`,
	`xmlns:unused="urn:example:x"`,
	`xml:base="http://example.org/"`,
}
