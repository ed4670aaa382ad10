package main

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// printConfig writes c as YAML with the doc of every field above it. Reading the output again gives c.
func printConfig(w io.Writer, c Config) error {
	var n yaml.Node
	if err := n.Encode(c); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	comment(&n, reflect.TypeFor[Config](), map[reflect.Type]bool{})
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&n); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	// An empty line between the top-level fields makes the file readable.
	text := b.String()
	var out strings.Builder
	out.WriteString("# Configuration of Tocsin, for tocsin serve --config FILE. A field that is left out has its default; a list replaces\n" +
		"# the default list; unknown fields are errors. docs/RUNNING.md has examples.\n\n")
	previous := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# ") && previous != "" && !strings.HasPrefix(previous, "# ") && previous != "\n" {
			out.WriteByte('\n')
		}
		out.WriteString(line)
		previous = line
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// comment puts the doc tags of t's fields above the keys of n. The fields of a list's elements are documented once, at
// the first element that has them.
func comment(n *yaml.Node, t reflect.Type, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, c := range n.Content {
			comment(c, t.Elem(), seen)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		first := !seen[t]
		seen[t] = true
		for i := 0; i+1 < len(n.Content); i += 2 {
			f, ok := fieldByKey(t, n.Content[i].Value)
			if !ok {
				continue
			}
			doc := f.Tag.Get("doc")
			if first {
				n.Content[i].HeadComment = wrap(doc, 110)
			}
			comment(n.Content[i+1], f.Type, seen)
		}
		// Options that this configuration does not use are listed under the last key of the first element.
		if first {
			if rest := unused(n, t); rest != "" && len(n.Content) > 0 {
				n.Content[len(n.Content)-2].FootComment = rest
			}
		}
	}
}

// unused documents the fields of t that n leaves out.
func unused(n *yaml.Node, t reflect.Type) string {
	has := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		has[n.Content[i].Value] = true
	}
	var lines []string
	for f := range t.Fields() {
		key := yamlKey(f)
		if has[key] {
			continue
		}
		lines = append(lines, wrap(key+": "+f.Tag.Get("doc"), 106))
	}
	if len(lines) == 0 {
		return ""
	}
	return "Further options:\n" + strings.Join(lines, "\n")
}

func yamlKey(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

func fieldByKey(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if yamlKey(f) == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// configTypes are the structs of the configuration by the names that the YAML library uses in its errors.
var configTypes = map[string]reflect.Type{
	"Config": reflect.TypeFor[Config](), "Log": reflect.TypeFor[Log](), "Listener": reflect.TypeFor[Listener](),
	"TLS": reflect.TypeFor[TLS](), "Upstream": reflect.TypeFor[Upstream](), "Policy": reflect.TypeFor[Policy](),
	"Rule": reflect.TypeFor[Rule](), "Limits": reflect.TypeFor[Limits](), "Journal": reflect.TypeFor[Journal](),
}

// fieldsOf lists the fields of a configuration struct by the name of its type.
func fieldsOf(name string) []string {
	t, ok := configTypes[name]
	if !ok {
		return nil
	}
	var out []string
	for f := range t.Fields() {
		out = append(out, yamlKey(f))
	}
	return out
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) string {
	var b strings.Builder
	n := 0
	for w := range strings.FieldsSeq(text) {
		if n > 0 && n+1+len(w) > width {
			b.WriteByte('\n')
			n = 0
		} else if n > 0 {
			b.WriteByte(' ')
			n++
		}
		b.WriteString(w)
		n += len(w)
	}
	return b.String()
}
