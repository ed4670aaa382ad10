package vtp

import (
	"strings"
	"time"
	"unsafe"

	"tocsin/voevent/xmltree"
)

// The roles of Transport messages (VTP 2.0 §3.3).
const (
	RoleAlive        = "iamalive"     // A keep-alive, and the answer to one.
	RoleAck          = "ack"          // The notice named by Origin has been taken.
	RoleNak          = "nak"          // The notice named by Origin is refused for good.
	RoleAuthenticate = "authenticate" // A broker's greeting, and what a subscriber wishes.
)

// DefaultNamespace is the namespace Transport messages are written in unless told otherwise: that of VTP 2.0's examples
// and of GCN's servers. The client pygcn insists on it or one of two others; Comet accepts any.
const DefaultNamespace = "http://telescope-networks.org/schema/Transport/v1.1"

// Names of Params that carry wishes. Only the first is known outside of Tocsin; others ignore what they do not know.
const (
	paramFilter       = "xpath-filter"
	paramSince        = "since"
	paramSubscription = "subscription"
	paramResume       = "resume"
	paramClient       = "client"
	paramReason       = "reason"
)

// A Transport is a message about the transport itself (VTP 2.0 §3.3).
type Transport struct {
	Role      string
	Namespace string // As read. When written, empty means DefaultNamespace.
	Origin    string
	Response  string
	// TimeStamp is kept as it came: clients write local times without a zone, or nonsense. When written, empty means now.
	TimeStamp string
	Params    []Param
	// Filters are Comet's XPath filters, whether they came as Params named xpath-filter or as <filter type="xpath">. They
	// are written as Params; Params does not hold them.
	Filters []string
	Result  string
}

// A Param is a name with its value in the Meta element of a Transport message.
type Param struct{ Name, Value string }

// Param returns the value of the first Param of that name.
func (t *Transport) Param(name string) (string, bool) {
	for _, p := range t.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// Reason is the word for programs that goes with a nak of ours; empty with those of other brokers.
func (t *Transport) Reason() string {
	s, _ := t.Param(paramReason)
	return s
}

// A TransportError says why a payload is not a Transport message.
type TransportError struct {
	Text string
	Err  error // What the XML parser found, or nil.
}

// Error gives the text.
func (e *TransportError) Error() string {
	if e.Err != nil {
		return "vtp: " + e.Text + ": " + e.Err.Error()
	}
	return "vtp: " + e.Text
}

// Unwrap returns what the XML parser found.
func (e *TransportError) Unwrap() error { return e.Err }

// transportLimits are far above any message seen. Wishes with many filters are the longest.
var transportLimits = xmltree.Limits{Bytes: 1 << 20, Depth: 16, Nodes: 10_000}

// ParseTransport reads a Transport message. It wants well-formed XML and a role, and otherwise takes what is sent in
// practice: any namespace or none, children in any order and namespace, no TimeStamp or an odd one, an empty Origin. The
// error is a *TransportError.
func ParseTransport(raw []byte) (Transport, error) {
	return parseTransport(append(make([]byte, 0, len(raw)), raw...))
}

// parseTransport is ParseTransport; the strings are views of raw where possible.
func parseTransport(raw []byte) (Transport, error) {
	if t, ok := scanTransport(unsafe.String(unsafe.SliceData(raw), len(raw))); ok {
		return t, nil
	}
	return readTransport(raw)
}

// readTransport reads any well-formed message.
func readTransport(raw []byte) (Transport, error) {
	d, err := xmltree.Parse(raw, transportLimits)
	if err != nil {
		return Transport{}, &TransportError{Text: "not a Transport message", Err: err}
	}
	root := d.Root()
	role, _ := d.Attr(root, "role")
	if !transportRole(role) {
		return Transport{}, &TransportError{Text: "not a Transport message: the role " + quoteShort(role) + " is none of iamalive, ack, nak, authenticate"}
	}
	t := Transport{Role: role, Namespace: d.Space(root)}
	if d.Local(root) == "VOEvent" {
		// eSTAR's receipts have the shape of a notice and name the notice they are for as their own.
		t.Origin, _ = d.Attr(root, "ivorn")
	}
	seen := make(map[string]bool, 4)
	for n := d.FirstElement(root); n != xmltree.None; n = d.NextElement(n) {
		local := d.Local(n)
		if seen[local] {
			continue
		}
		seen[local] = true
		switch local {
		case "Origin":
			t.Origin = trimXML(d.Value(n))
		case "Response":
			t.Response = trimXML(d.Value(n))
		case "TimeStamp":
			t.TimeStamp = trimXML(d.Value(n))
		case "Meta":
			readMeta(d, n, &t)
		}
	}
	return t, nil
}

func readMeta(d *xmltree.Document, meta xmltree.Node, t *Transport) {
	for n := d.FirstElement(meta); n != xmltree.None; n = d.NextElement(n) {
		switch d.Local(n) {
		case "Param":
			name, _ := d.Attr(n, "name")
			value, _ := d.Attr(n, "value")
			t.addParam(name, value)
		case "filter":
			if kind, ok := d.Attr(n, "type"); ok && kind == "xpath" {
				t.Filters = append(t.Filters, trimXML(d.Value(n)))
			}
		case "Result":
			if t.Result == "" {
				t.Result = trimXML(d.Value(n))
			}
		}
	}
}

func (t *Transport) addParam(name, value string) {
	if name == paramFilter {
		t.Filters = append(t.Filters, trimXML(value))
		return
	}
	t.Params = append(t.Params, Param{name, value})
}

func transportRole(role string) bool {
	switch role {
	case RoleAck, RoleAlive, RoleNak, RoleAuthenticate:
		return true
	}
	return false
}

// trimXML takes the white space of XML off both ends.
func trimXML(s string) string { return strings.Trim(s, " \t\r\n") }

// quoteShort shows foreign text in a message, shortened.
func quoteShort(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return `"` + s + `"`
}

// wishes reads what a subscriber asks for. A since that is not a time is an error, for to ignore it would mean to lose
// notices silently; so is a resume that is neither yes nor no.
func (t *Transport) wishes() (Wishes, error) {
	w := Wishes{}
	for _, f := range t.Filters {
		w.XPath = append(w.XPath, strings.Clone(f))
	}
	if s, ok := t.Param(paramSubscription); ok {
		w.Subscription = strings.Clone(trimXML(s))
	}
	if s, ok := t.Param(paramSince); ok && trimXML(s) != "" {
		since, err := parseTime(trimXML(s))
		if err != nil {
			return w, err
		}
		w.Since = since
	}
	if s, ok := t.Param(paramResume); ok {
		switch trimXML(s) {
		case "no":
			w.NoResume = true
		case "", "yes":
		default:
			return w, &TransportError{Text: "resume is " + quoteShort(s) + ", neither yes nor no"}
		}
	}
	return w, nil
}

// parseTime reads an RFC 3339 time; without a zone it is UTC.
func parseTime(s string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at.UTC(), nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &TransportError{Text: "since is " + quoteShort(s) + ", not a time like 2026-04-06T12:00:00Z"}
}
