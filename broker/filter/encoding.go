package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// specPlain and conePlain have the fields of their types without the methods.
type (
	specPlain Spec
	conePlain Cone
)

var (
	specKeys = []string{"streams", "roles", "cones", "min_importance", "cel", "xpath"}
	coneKeys = []string{"ra_deg", "dec_deg", "radius_deg"}
)

// ParseJSON reads one Spec and nothing else. Unknown and repeated keys are errors, because a misspelt condition would
// otherwise ask nothing.
func ParseJSON(b []byte) (Spec, error) {
	var s Spec
	if err := json.Unmarshal(b, &s); err != nil {
		return Spec{}, wrapDecode(err)
	}
	return s, nil
}

// ParseYAML reads one Spec and nothing else, as strictly as ParseJSON. An empty document is the zero Spec.
func ParseYAML(b []byte) (Spec, error) {
	var s Spec
	d := yaml.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return Spec{}, wrapDecode(err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Spec{}, refuse("document", "only one document is expected")
	}
	return s, nil
}

func wrapDecode(err error) error {
	if fe := (*Error)(nil); errors.As(err, &fe) {
		return fe
	}
	return fmt.Errorf("filter: %w", err)
}

// UnmarshalJSON reads the strict form wherever a Spec is part of something larger.
func (s *Spec) UnmarshalJSON(b []byte) error {
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		return nil
	}
	if err := checkKeysJSON("filter", b, specKeys); err != nil {
		return err
	}
	var p specPlain
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = Spec(p)
	return nil
}

// UnmarshalYAML reads the strict form wherever a Spec is part of something larger.
func (s *Spec) UnmarshalYAML(n *yaml.Node) error {
	if err := checkKeysYAML("filter", n, specKeys); err != nil {
		return err
	}
	var p specPlain
	if err := n.Decode(&p); err != nil {
		return err
	}
	*s = Spec(p)
	return nil
}

// UnmarshalJSON reads an object with all three keys, or the text that ParseCone takes.
func (c *Cone) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		return c.parse(text)
	}
	if err := checkKeysJSON("cones", b, coneKeys); err != nil {
		return err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		return err
	}
	for _, k := range coneKeys {
		if v, ok := keys[k]; !ok || string(v) == "null" {
			return refuse("cones", "%s is missing", k)
		}
	}
	return json.Unmarshal(b, (*conePlain)(c))
}

// UnmarshalYAML reads a mapping with all three keys, or the text that ParseCone takes.
func (c *Cone) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return c.parse(n.Value)
	}
	if err := checkKeysYAML("cones", n, coneKeys); err != nil {
		return err
	}
	if n.Kind == yaml.MappingNode {
		for _, k := range coneKeys {
			if !slices.ContainsFunc(n.Content, func(m *yaml.Node) bool { return m.Value == k }) {
				return refuse("cones", "%s is missing", k)
			}
		}
	}
	return n.Decode((*conePlain)(c))
}

func (c *Cone) parse(text string) error {
	v, err := ParseCone(text)
	if err != nil {
		return refuse("cones", "%s", strings.TrimPrefix(err.Error(), "sky: "))
	}
	*c = v
	return nil
}

// checkKeysJSON looks at the outermost object only; its members check themselves. Package json would take keys in any case
// of letters and the last of several.
func checkKeysJSON(field string, b []byte, known []string) error {
	d := json.NewDecoder(bytes.NewReader(b))
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return refuse(field, "an object is expected, with any of %s", strings.Join(known, ", "))
	}
	var seen []string
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if err := checkKey(field, key, known, seen); err != nil {
			return err
		}
		seen = append(seen, key)
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
	}
	return nil
}

func checkKeysYAML(field string, n *yaml.Node, known []string) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return refuse(field, "line %d: a mapping is expected, with any of %s", n.Line, strings.Join(known, ", "))
	}
	var seen []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if err := checkKey(field, key, known, seen); err != nil {
			return refuse(field, "line %d: %s", n.Content[i].Line, err.Text)
		}
		seen = append(seen, key)
	}
	return nil
}

func checkKey(field, key string, known, seen []string) *Error {
	if !slices.Contains(known, key) {
		return refuse(field, "%q is not known; known are %s", key, strings.Join(known, ", "))
	}
	if slices.Contains(seen, key) {
		return refuse(field, "%q occurs twice", key)
	}
	return nil
}
