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
	Time          *Time
	Position2D    *Position2D
	Position3D    *Position3D
}

// Time is a time as written.
type Time struct {
	Node                                   xmltree.Node
	Unit                                   string
	ISO, Offset, Scale, Start, Stop, Error string
}

// Position2D is a direction as written.
type Position2D struct {
	Node                            xmltree.Node
	Unit, PositionName              string
	Name1, Name2, C1, C2            string
	ErrorRadius, Error2C1, Error2C2 string
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

// Who returns the part; its Node is None when the notice has none. Never nil, as with all parts.
func (e *Event) Who() *Who { panic("voevent: being written") }

// What returns the part.
func (e *Event) What() *What { panic("voevent: being written") }

// WhereWhen returns the part.
func (e *Event) WhereWhen() *WhereWhen { panic("voevent: being written") }

// How returns the part.
func (e *Event) How() *How { panic("voevent: being written") }

// Why returns the part.
func (e *Event) Why() *Why { panic("voevent: being written") }

// Citations returns what the notice cites, in the order written, empty citations left out.
func (e *Event) Citations() []Citation { panic("voevent: being written") }

// Description returns the text of the notice's own Description.
func (e *Event) Description() string { panic("voevent: being written") }

// Param returns the first Param of that name that is in no Group and no Table.
func (e *Event) Param(name string) (Param, bool) { panic("voevent: being written") }

// GroupParam returns the first Param of that name in a Group of that name.
func (e *Event) GroupParam(group, name string) (Param, bool) { panic("voevent: being written") }
