package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxConfigBytes bounds a configuration file: a larger one is a mistake, such as the journal's file.
const maxConfigBytes = 1 << 20

// ConfigError says what is wrong with the configuration, and where. Line is 0 when the value does not stand in a file.
type ConfigError struct {
	File  string
	Line  int
	Field string // such as listeners[1].uri; empty when the file is no YAML
	Text  string
}

func (e *ConfigError) Error() string {
	var b strings.Builder
	b.WriteString("config: ")
	if e.File != "" {
		b.WriteString(e.File + ":")
		if e.Line > 0 {
			b.WriteString(strconv.Itoa(e.Line) + ":")
		}
		b.WriteByte(' ')
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Text)
	return b.String()
}

// readConfig reads a configuration file over the defaults.
func readConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	return parseConfig(path, b)
}

// parseConfig reads YAML over the defaults. Lists that the file names replace the defaults; unknown fields are errors.
func parseConfig(file string, b []byte) (Config, error) {
	if len(b) > maxConfigBytes {
		return Config{}, &ConfigError{File: file, Text: "longer than 1 MiB: is this the right file?"}
	}
	c := defaultConfig()
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, yamlError(file, err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return Config{}, yamlError(file, err)
	}
	if err := c.check(); err != nil {
		return Config{}, placed(err, file, &root)
	}
	return c, nil
}

var (
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	yamlUnknown = regexp.MustCompile(`^field (\S+) not found in type main\.(\S+)$`)
	yamlType    = regexp.MustCompile("^cannot unmarshal !!(\\S+) (?:`([^`]*)` )?into (\\S+)$")
)

// yamlError puts the library's messages into the operator's words.
func yamlError(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if te := new(yaml.TypeError); errors.As(err, &te) && len(te.Errors) > 0 {
		text = te.Errors[0]
	}
	e := &ConfigError{File: file, Text: text}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Text = m[2]
	}
	if m := yamlUnknown.FindStringSubmatch(e.Text); m != nil {
		e.Field, e.Text = m[1], "unknown field"
		if known := fieldsOf(m[2]); len(known) > 0 {
			e.Text += "; known here: " + strings.Join(known, ", ")
		}
	} else if m := yamlType.FindStringSubmatch(e.Text); m != nil {
		what := map[string]string{"str": "a text", "int": "a whole number", "float": "a number", "seq": "a list", "map": "a group of fields", "bool": "true or false"}
		goKind := func(s string) string {
			switch {
			case strings.HasPrefix(s, "[]"):
				return "a list"
			case s == "string":
				return "a text"
			case strings.HasPrefix(s, "int"):
				return "a whole number"
			case strings.HasPrefix(s, "float"):
				return "a number"
			case s == "bool":
				return "true or false"
			}
			return "a group of fields"
		}
		got := what[m[1]]
		if got == "" {
			got = m[1]
		}
		if m[2] != "" {
			got = "`" + m[2] + "`"
		}
		e.Text = got + " stands where " + goKind(m[3]) + " is wanted"
	}
	return e
}

// placed adds the file and the line of the field to a ConfigError.
func placed(err error, file string, root *yaml.Node) error {
	ce := new(ConfigError)
	if !errors.As(err, &ce) {
		return err
	}
	out := *ce
	out.File = file
	out.Line = lineOf(root, ce.Field)
	return &out
}

// lineOf finds the line of a field such as listeners[1].uri, or of the innermost part of it that stands in the file.
func lineOf(n *yaml.Node, field string) int {
	if n.Kind == yaml.DocumentNode {
		if len(n.Content) == 0 {
			return 0
		}
		n = n.Content[0]
	}
	line := 0
	for _, part := range strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		var next *yaml.Node
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == part {
					next, line = n.Content[i+1], n.Content[i].Line
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(n.Content) {
				next = n.Content[i]
				line = next.Line
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return line
}

// listFields are the listener's fields that hold lists: in a query they may be repeated or divided by commas.
var listFields = []string{"allow"}

// withQuery adds the options of the URI's query to a listener, by the same names and rules as in a file.
func withQuery(l Listener, q url.Values) (Listener, error) {
	if len(q) == 0 {
		return l, nil
	}
	m := &yaml.Node{Kind: yaml.MappingNode}
	add := func(to *yaml.Node, key string, vs []string) {
		k := &yaml.Node{Kind: yaml.ScalarNode, Value: key}
		v := &yaml.Node{Kind: yaml.ScalarNode, Value: vs[len(vs)-1]}
		if slices.Contains(listFields, key) {
			v = &yaml.Node{Kind: yaml.SequenceNode}
			for _, s := range vs {
				for part := range strings.SplitSeq(s, ",") {
					v.Content = append(v.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: part})
				}
			}
		}
		to.Content = append(to.Content, k, v)
	}
	secure := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		switch key {
		case "cert_file", "key_file", "client_ca_file":
			add(secure, key, q[key])
		case "uri", "tls":
			return l, fmt.Errorf("%s cannot be given in the query", key)
		default:
			add(m, key, q[key])
		}
	}
	if len(secure.Content) > 0 {
		m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "tls"}, secure)
	}
	b, err := yaml.Marshal(m)
	if err != nil {
		return l, fmt.Errorf("query: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&l); err != nil {
		ce := new(ConfigError)
		if e := yamlError("", err); errors.As(e, &ce) {
			return l, fmt.Errorf("query: %s: %s", ce.Field, ce.Text)
		}
		return l, err
	}
	return l, nil
}
