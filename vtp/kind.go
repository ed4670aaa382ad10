package vtp

import (
	"bytes"
	"strings"
	"unsafe"

	"tocsin/voevent/xmltree"
)

// Kind says what a payload is.
type Kind uint8

// The kinds of payload.
const (
	KindUnknown   Kind = iota // Neither, or not to be read.
	KindVOEvent               // A notice.
	KindTransport             // A Transport message.
)

// KindOf tells notices from Transport messages without parsing more than the first tag (VTP 2.0 §3.3). A role of a
// Transport message decides, because eSTAR sent keep-alives in the shape of VOEvents; then the name of the root, because a
// notice may leave its role out; then any role of a notice.
func KindOf(raw []byte) Kind {
	tag, ok := rootTag(raw)
	if !ok {
		return kindByParser(raw)
	}
	role := tag.attr("role")
	switch {
	case transportRole(role):
		return KindTransport
	case tag.local == "VOEvent":
		return KindVOEvent
	case tag.local == "Transport":
		return KindTransport
	case role == "observation", role == "prediction", role == "utility", role == "test":
		return KindVOEvent
	}
	return KindUnknown
}

// kindByParser decides for other encodings than those that contain ASCII.
func kindByParser(raw []byte) Kind {
	if len(raw) < 4 || bytes.IndexByte(raw[:4], 0) < 0 && raw[0] < 0xFE {
		return KindUnknown
	}
	d, err := xmltree.Parse(raw, xmltree.Limits{})
	if err != nil {
		return KindUnknown
	}
	from, to := d.Offset(d.Root()), d.End(d.Root())
	if from < 0 || to > len(d.Source()) || from > to {
		return KindUnknown
	}
	if tag, ok := rootTag(d.Source()[from:to]); !ok || tag.local == "" {
		return KindUnknown
	}
	return KindOf(d.Source()[from:to])
}

// A startTag is the first tag of a document, read without judging it.
type startTag struct {
	local string
	attrs string // between the name and the end of the tag, or as much as has arrived
	at    int    // offset of its <
}

// rootTag finds the first tag in what may be only the beginning of a document. The strings are views of raw.
func rootTag(raw []byte) (startTag, bool) {
	s := unsafe.String(unsafe.SliceData(raw), len(raw))
	i := 0
	if strings.HasPrefix(s, "\xEF\xBB\xBF") {
		i = 3
	}
	for {
		for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
			i++
		}
		var end string
		switch {
		case i >= len(s) || s[i] != '<':
			return startTag{}, false
		case strings.HasPrefix(s[i:], "<?"):
			end = "?>"
		case strings.HasPrefix(s[i:], "<!--"):
			end = "-->"
		case strings.HasPrefix(s[i:], "<!"):
			return startTag{}, false
		default:
			return readTag(s, i)
		}
		skip := strings.Index(s[i+2:], end)
		if skip < 0 {
			return startTag{}, false
		}
		i += 2 + skip + len(end)
	}
}

func readTag(s string, at int) (startTag, bool) {
	rest := s[at+1:]
	n := strings.IndexAny(rest, " \t\r\n/>")
	if n < 0 {
		return startTag{}, false
	}
	t := startTag{local: rest[:n], at: at}
	if colon := strings.LastIndexByte(t.local, ':'); colon >= 0 {
		t.local = t.local[colon+1:]
	}
	t.attrs = rest[n:]
	// The end of the tag is the first > outside of quotes.
	var quote byte
	for i := 0; i < len(t.attrs); i++ {
		switch c := t.attrs[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			t.attrs = t.attrs[:i]
			return t, true
		}
	}
	return t, true
}

// attr returns the value of an attribute as it is written, entities and all; empty when it is absent or cut off.
func (t *startTag) attr(name string) string {
	s := t.attrs
	for {
		eq := strings.IndexByte(s, '=')
		if eq < 0 {
			return ""
		}
		key := trimXML(s[:eq])
		value := strings.TrimLeft(s[eq+1:], " \t\r\n")
		if value == "" || value[0] != '"' && value[0] != '\'' {
			return ""
		}
		end := strings.IndexByte(value[1:], value[0])
		if end < 0 {
			return ""
		}
		if key == name {
			return value[1 : 1+end]
		}
		s = value[end+2:]
	}
}

// elementRange finds the bytes from the opening < of the root to its closing >, which are what makes two notices the same
// (VTP 2.0 §6). It does not judge what lies between; ok is false when there is no such range.
func elementRange(raw []byte) (from, to int, ok bool) {
	tag, ok := rootTag(raw)
	if !ok {
		d, err := xmltree.Parse(raw, xmltree.Limits{})
		if err != nil {
			return 0, 0, false
		}
		from, to = d.RootRange()
		return from, to, true
	}
	to = len(raw)
	for {
		for to > 0 && (raw[to-1] == ' ' || raw[to-1] == '\n' || raw[to-1] == '\t' || raw[to-1] == '\r' || raw[to-1] == 0) {
			to--
		}
		open := -1
		switch rest := raw[tag.at:max(to, tag.at)]; {
		case bytes.HasSuffix(rest, []byte("-->")):
			open = bytes.LastIndex(rest, []byte("<!--"))
		case bytes.HasSuffix(rest, []byte("?>")):
			open = bytes.LastIndex(rest, []byte("<?"))
		}
		if open <= 0 {
			return tag.at, to, to > tag.at
		}
		to = tag.at + open
	}
}
