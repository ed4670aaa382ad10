// Package schemas holds the XML Schemas that Tocsin checks notices and Transport messages with.
//
// They are this project's own descriptions of the languages that the IVOA standards define. Their verdicts equal those of
// the published schemas: make interop compares the two on real notices and on thousands of damaged ones, with another
// validator as the judge.
package schemas

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed *.xsd
var files embed.FS

// The schemas that describe a whole document. What they include or import lies beside them in FS.
const (
	VOEvent11   = "VOEvent-1.1.xsd"
	VOEvent20   = "VOEvent-2.0.xsd"
	VOEvent21   = "VOEvent-2.1.xsd"
	Transport11 = "Transport-1.1.xsd"
)

// The target namespaces of those schemas.
const (
	VOEvent11NS   = "http://www.ivoa.net/xml/VOEvent/v1.1"
	VOEvent20NS   = "http://www.ivoa.net/xml/VOEvent/v2.0"
	VOEvent21NS   = "http://www.ivoa.net/xml/VOEvent/v2.1"
	STC130NS      = "http://www.ivoa.net/xml/STC/stc-v1.30.xsd"
	Transport11NS = "http://www.telescope-networks.org/xml/Transport/v1.1"
)

// FS returns the schema files.
func FS() fs.FS { return files }

// Read returns the text of one schema file, in UTF-8.
func Read(name string) ([]byte, error) {
	b, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	return b, nil
}
