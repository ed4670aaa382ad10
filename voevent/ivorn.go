package voevent

// IVORN is the name of a notice: ivo://authority/resource#local, or ?local as VOEvent 2.1 prefers.
type IVORN struct {
	text                       string
	authority, resource, local string
}

// ParseIVORN reads a name. With an error, which says what rule the name breaks, the IVORN still holds what could be read.
func ParseIVORN(s string) (IVORN, error) { panic("voevent: being written") }

// String returns the name as written.
func (v IVORN) String() string { return v.text }

// Authority returns the naming authority in lower case.
func (v IVORN) Authority() string { return v.authority }

// Resource returns the path within the authority as written, without a leading slash.
func (v IVORN) Resource() string { return v.resource }

// Local returns what follows the first '#' or '?'.
func (v IVORN) Local() string { return v.local }

// Stream returns "authority/resource", the authority in lower case.
func (v IVORN) Stream() string { return v.authority + "/" + v.resource }

// Key returns the stream in lower case, for comparing.
func (v IVORN) Key() string { panic("voevent: being written") }
