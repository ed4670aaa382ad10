package voevent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"tocsin/voevent/xmltree"
)

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

// ToJSON writes a notice in the loss-less JSON mapping of docs/VOEVENT-JSON.md. Every notice that Parse accepts can be
// written; what the mapping has no place for is kept under "xml".
func ToJSON(e *Event, o JSONOptions) ([]byte, error) {
	j := jsonEncoder{doc: e.Doc(), numbers: o.Numbers}
	j.buf = append(make([]byte, 0, 2*len(e.Raw())), '{')
	j.root()
	j.xml()
	if armor, ok := signature(e.Doc().Trailer()); ok {
		j.key("signature")
		j.buf = append(j.buf, '{')
		j.member("form", signatureForm)
		j.member("armor", armor)
		j.buf = append(j.buf, '}')
	}
	if o.Summary {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(e.Summary()); err != nil {
			return nil, fmt.Errorf("voevent: summary of %s: %w", e.IVORN, err)
		}
		j.key("summary")
		j.buf = append(j.buf, bytes.TrimSpace(b.Bytes())...)
	}
	if o.Raw {
		j.key("raw")
		j.buf = append(j.buf, '"')
		j.buf = base64.StdEncoding.AppendEncode(j.buf, e.Raw())
		j.buf = append(j.buf, '"')
	}
	j.buf = append(j.buf, '}')
	if o.Indent == "" {
		return j.buf, nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, j.buf, "", o.Indent); err != nil {
		return nil, fmt.Errorf("voevent: indenting %s: %w", e.IVORN, err)
	}
	return b.Bytes(), nil
}

// FromJSON writes the XML document that a JSON text in the mapping of docs/VOEVENT-JSON.md stands for, UTF-8. An error is a
// *JSONError. The result is well-formed; whether it is a valid notice is for Parse and Validate to say.
func FromJSON(b []byte) (xml []byte, err error) {
	v, err := parseJSON(b)
	if err != nil {
		return nil, err
	}
	var d jsonDecoder
	if m := v.get("raw"); m != nil {
		d.path.member("raw")
		return d.raw(m, v.get("ivorn"))
	}
	root, err := d.event(v)
	if err != nil {
		return nil, err
	}
	comment := ""
	if m := v.get("signature"); m != nil {
		d.path = append(d.path[:0], jsonStep{key: "signature"})
		if comment, err = d.signature(m); err != nil {
			return nil, err
		}
	}
	w := xmlWriter{buf: make([]byte, 0, len(b)+len(b)/4)}
	w.buf = append(w.buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"...)
	if err := w.element(root, "", "\n"); err != nil {
		return nil, err
	}
	w.buf = append(append(w.buf, '\n'), comment...)
	// What is promised is checked: an attribute named twice by two prefixes, for instance, shows only here.
	if _, err := xmltree.Parse(w.buf, fragmentLimits); err != nil {
		return nil, &JSONError{Text: "the notice cannot be written as XML: " + syntaxText(err)}
	}
	return w.buf, nil
}
