package voevent

// JSONOptions says how ToJSON writes. The zero value writes one line holding the mapping and nothing derived.
type JSONOptions struct {
	// Indent is repeated once per level of nesting, two spaces for instance. When empty the result is one line.
	Indent string
	// Summary adds the derived block "summary", which names things as GCN's unified schema does. FromJSON ignores it.
	Summary bool
	// Numbers adds "number" to every Param whose value is a decimal number. FromJSON ignores it.
	Numbers bool
	// Raw adds the notice as it arrived, as base64. FromJSON then returns just these bytes.
	Raw bool
}

// JSONError says what is wrong with a JSON text and where.
type JSONError struct {
	// Pointer leads to the field, RFC 6901: "/what/params/2/value". It is empty when the text as a whole is meant.
	Pointer string
	// Text is one sentence for the person who wrote the JSON.
	Text string
}

// Error implements error.
func (e *JSONError) Error() string {
	if e.Pointer == "" {
		return "voevent: JSON: " + e.Text
	}
	return "voevent: JSON: " + e.Pointer + ": " + e.Text
}

// ToJSON writes a notice in the loss-less JSON mapping of docs/VOEVENT-JSON.md.
func ToJSON(e *Event, o JSONOptions) ([]byte, error) { panic("voevent: ToJSON is being written") }

// FromJSON writes the XML document that a JSON text in the mapping of docs/VOEVENT-JSON.md stands for, UTF-8. An error is a
// *JSONError. The result is well-formed; whether it is a valid notice is for Parse and Validate to say.
func FromJSON(b []byte) (xml []byte, err error) { panic("voevent: FromJSON is being written") }
