//go:build interop

package interop

import (
	"bytes"
	"errors"
	"regexp"
	"strings"

	"tocsin/schemas"
	"tocsin/voevent"
)

var openExponent = regexp.MustCompile(`[>"'][\s]*[+-]?[0-9.]+[eE][+-]?\s*[<"']`)

// differsByDesign says why Tocsin's verdict on a notice is another than xmllint's, on purpose; "" when there is no reason.
// It knows each reason narrowly, so that a new disagreement is not taken for an old one. This is the whole list.
func differsByDesign(d document, want verdict, err error) string {
	var parse *voevent.ParseError
	switch {
	case want.kind == valid && errors.As(err, &parse):
		switch {
		case parse.Code == voevent.CodeDoctype:
			return "refused: a document type declaration"
		case parse.Code == voevent.CodeIVORN:
			return "refused: an empty ivorn, which the schema takes for a URI"
		case parse.Code == voevent.CodeOversize:
			return "refused: beyond the limits of depth and size"
		case want.namespaces:
			return "refused: an undefined prefix, of which libxml2 only complains"
		}
	case want.kind == valid && err != nil && openExponent.Match(d.text):
		return "refused: a number that ends in e, which libxml2 takes for one"
	case d.schema == schemas.Transport11 && (err == nil || strings.HasSuffix(err.Error(), "invalid anyURI")) && bytes.Contains(d.text, []byte("://")):
		return "Transport: the bare engine's idea of URIs; Tocsin checks with this schema only what it sends itself"
	case want.kind == invalid && err == nil:
		switch {
		case strings.Contains(want.text, "Character content") && bytes.Contains(d.text, []byte("<![CDATA[")):
			return "accepted: CDATA of white space or nothing between elements, which libxml2 refuses"
		case strings.Contains(want.text, "': '") && strings.Contains(want.text, "'xs:dateTime'"):
			return "accepted: white space around a dateTime, which libxml2 refuses (Tocsin warns of it)"
		}
	}
	return ""
}
