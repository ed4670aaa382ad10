package voevent

import "tocsin/voevent/xmltree"

// Reference points to something outside the notice. Nothing in this program ever fetches it.
type Reference struct {
	URI, Type, MimeType, Meaning string
}

// Who says who is responsible for a notice.
type Who struct {
	Node         xmltree.Node // None when there is no such element
	AuthorIVORN  string
	Date         string // as written
	Author       *Author
	Descriptions []string
	References   []Reference
}

// Author is how to reach the author. Of repeated elements the first counts.
type Author struct {
	Node                                                               xmltree.Node
	Title, ShortName, LogoURL, ContactName, ContactEmail, ContactPhone string
	Contributors                                                       []Contributor
}

// Contributor is somebody who took part; the attributes are those of version 2.1.
type Contributor struct {
	Name, IVORN, AltIdentifier, Role string
}

// What holds the measurements.
type What struct {
	Node         xmltree.Node
	Params       []Param // those outside Groups and Tables
	Groups       []Group
	Tables       []Table
	Descriptions []string
	References   []Reference
}

// Param is one named value. Value is the attribute value where there is one, else the text of the element Value.
type Param struct {
	Node                                    xmltree.Node
	Name, Value, Unit, UCD, DataType, UType string
	HasValue                                bool // false when neither the attribute nor the element is there
	Descriptions                            []string
	References                              []Reference
}

// Group is a named set of Params.
type Group struct {
	Node         xmltree.Node
	Name, Type   string
	Params       []Param
	Descriptions []string
	References   []Reference
}

// Table is a table of texts; rows may be shorter or longer than Fields.
type Table struct {
	Node         xmltree.Node
	Name, Type   string
	Params       []Param
	Fields       []Field
	Rows         [][]string
	Descriptions []string
	References   []Reference
}

// Field describes one column of a Table.
type Field struct {
	Node                             xmltree.Node
	Name, UCD, Unit, DataType, UType string
	Descriptions                     []string
	References                       []Reference
}

// WhereWhen says where and when it happened. Numbers are kept as written; Event.Position and Event.Time understand them.
type WhereWhen struct {
	Node         xmltree.Node
	ID           string
	Observatory  Location // from where it was seen
	Observation  Location // where on the sky and when
	Descriptions []string
	References   []Reference
}

// Location is an ObservatoryLocation or an ObservationLocation.
type Location struct {
	Node          xmltree.Node
	ID            string
	CoordSystem   string // AstroCoordSystem/@id
	CoordSystemID string // AstroCoords/@coord_system_id
	TimeScale     string // AstroCoordSystem/TimeFrame/TimeScale, version 2.1
	SpaceRefFrame string // AstroCoordSystem/SpaceFrame/SpaceRefFrame, version 2.1
	Time          *Time
	Position2D    *Position2D
	Position3D    *Position3D
}

// Time is a time as written.
type Time struct {
	Node                                   xmltree.Node
	Unit                                   string // of Error
	ISO, Offset, Scale, Start, Stop, Error string
}

// Position2D is a direction as written.
type Position2D struct {
	Node                            xmltree.Node
	Unit, PositionName              string
	Name1, Name2, C1, C2            string
	C1Unit, C2Unit                  string // pos_unit, where C1 and C2 have their own
	ErrorRadius, Error2C1, Error2C2 string
	ErrorRadiusUnit                 string // pos_unit of Error2Radius
}

// Position3D is a place as written.
type Position3D struct {
	Node                xmltree.Node
	Unit                string
	Name1, Name2, Name3 string
	C1, C2, C3          string
}

// How says how it was seen.
type How struct {
	Node         xmltree.Node
	Descriptions []string
	References   []Reference
}

// Why says what it may be.
type Why struct {
	Node                xmltree.Node
	Importance, Expires string // as written
	Names, Concepts     []string
	Inferences          []Inference
	Descriptions        []string
	References          []Reference
}

// Inference is one guess at what it may be.
type Inference struct {
	Node                  xmltree.Node
	Probability, Relation string // as written
	Names, Concepts       []string
	Descriptions          []string
	References            []Reference
}

// Citation names another notice and says what this one means to it. VOEvent 2.0 §3.6.
type Citation struct {
	Node  xmltree.Node
	IVORN string
	Cite  string // followup, supersedes, retraction; as written, "" when absent
}
