package voevent_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tocsin/internal/testbed"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var mappingSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	f, err := os.Open(schemaFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:tocsin:schema:voevent-json:1", doc); err != nil {
		return nil, err
	}
	return c.Compile("urn:tocsin:schema:voevent-json:1")
})

var schemaFile string

// matchesSchema checks a text against schemas/voevent.schema.json.
func matchesSchema(t testing.TB, js []byte) {
	t.Helper()
	schemaFile = filepath.Join(testbed.Root(t), "schemas", "voevent.schema.json")
	s, err := mappingSchema()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(js))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, js)
	}
}

func TestSchemaRefusesWhatFromJSONRefuses(t *testing.T) {
	matchesSchema(t, []byte(`{"voevent":"2.0","ivorn":"a"}`))
	s, err := mappingSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, js := range []string{
		`{"voevent":"2.0"}`, `{"voevent":"2.0","ivorn":1}`, `{"voevent":"2.0","ivorn":"a","colour":"red"}`,
		`{"voevent":"2.0","ivorn":"a","what":{"order":"X"}}`, `{"voevent":"2.0","ivorn":"a","how":[{}]}`,
		`{"voevent":"2.0","ivorn":"a","xml":{"extra":[{"path":"/VOEvent"}]}}`,
	} {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(js)))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("accepted %s", js)
		}
	}
}
