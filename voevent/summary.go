package voevent

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tocsin/sky"
)

// Summary is what most readers want to know of a notice. All of it is derived, most under the names of GCN's unified schema.
type Summary struct {
	IVORN         string `json:"ivorn"`
	Stream        string `json:"stream"`
	Role          Role   `json:"role"`
	AlertDatetime string `json:"alert_datetime,omitempty"` // when the author wrote it, RFC 3339 in UTC
	// AlertTense is test for the role test, current for observation and utility. It is left out for predictions and for
	// roles that are none: whether they are planned or commanded is not guessed.
	AlertTense string `json:"alert_tense,omitempty"`
	// AlertType is initial, subsequent, update or retraction, from the strongest citation: none, followup, supersedes,
	// retraction. GCN's notices that retract by their type or by a flag are retractions as well.
	AlertType   string   `json:"alert_type"`
	TriggerTime string   `json:"trigger_time,omitempty"` // when it happened, RFC 3339 in UTC
	RADeg       *float64 `json:"ra,omitempty"`
	DecDeg      *float64 `json:"dec,omitempty"`
	ErrorDeg    *float64 `json:"ra_dec_error,omitempty"`
	// Localised says whether RA and Dec are there. They are not when the radius is negative, even though Event.Position
	// offers such positions: their error may be tens of degrees, and a reader of two bare numbers would take them for exact.
	Localised  bool              `json:"localised"`
	PacketType *int              `json:"packet_type,omitempty"` // GCN's number
	NoticeType string            `json:"notice_type,omitempty"` // GCN's name for it
	Importance *float64          `json:"importance,omitempty"`
	Cites      []string          `json:"cites,omitempty"`
	Params     map[string]string `json:"params,omitempty"` // Params outside Groups and Tables, the first of each name
	SHA256     string            `json:"sha256"`           // of the root element, in hexadecimal
	Bytes      int               `json:"bytes"`            // length of the whole notice as received
	Valid      bool              `json:"valid"`            // Validate found no error
}

// Summary returns the summary of the notice.
func (e *Event) Summary() Summary {
	sum := e.SHA256()
	s := Summary{
		IVORN: e.IVORN.String(), Stream: e.Stream(), Role: e.Role,
		AlertTense: e.alertTense(), AlertType: e.alertType(),
		SHA256: hex.EncodeToString(sum[:]), Bytes: len(e.raw), Valid: Valid(Validate(e)),
	}
	if t, ok := e.AuthorTime(); ok {
		s.AlertDatetime = formatTime(t, 0)
	}
	if t, ok := e.Time(); ok {
		s.TriggerTime = formatTime(t, 3)
	}
	if p, ok := e.Position(); ok && !e.negativeRadius() {
		s.RADeg, s.DecDeg, s.Localised = new(p.RADeg), new(p.DecDeg), true
		if p.HasError {
			s.ErrorDeg = new(p.ErrorDeg)
		}
	}
	if n, ok := e.PacketType(); ok {
		s.PacketType, s.NoticeType = new(n), e.NoticeType()
	}
	if v, ok := e.Importance(); ok {
		s.Importance = new(v)
	}
	for _, c := range e.Citations() {
		s.Cites = append(s.Cites, c.IVORN)
	}
	if ps := e.What().Params; len(ps) > 0 {
		s.Params = make(map[string]string, len(ps))
		for i := range ps {
			if _, there := s.Params[ps[i].Name]; !there && ps[i].Name != "" {
				s.Params[ps[i].Name] = ps[i].Value
			}
		}
	}
	return s
}

func (e *Event) negativeRadius() bool {
	p := e.WhereWhen().Observation.Position2D
	if p == nil {
		return false
	}
	radius, ok := number(p.ErrorRadius)
	return ok && radius < 0
}

func (e *Event) alertTense() string {
	switch e.Role {
	case Test:
		return "test"
	case Observation, Utility:
		return "current"
	}
	return ""
}

func (e *Event) alertType() string {
	if e.retractsByGCN() {
		return "retraction"
	}
	alert := "initial"
	for _, c := range e.Citations() {
		switch c.Cite {
		case "retraction":
			return "retraction"
		case "supersedes":
			alert = "update"
		case "followup":
			if alert == "initial" {
				alert = "subsequent"
			}
		}
	}
	return alert
}

// formatTime writes t as RFC 3339 with as many decimals as it has, in steps of three, but no fewer than least.
func formatTime(t time.Time, least int) string {
	layout := "2006-01-02T15:04:05"
	switch nano := t.Nanosecond(); {
	case nano%1000 != 0:
		layout += ".000000000"
	case nano%1_000_000 != 0:
		layout += ".000000"
	case nano != 0 || least > 0:
		layout += ".000"
	}
	return t.UTC().Format(layout + "Z")
}

// Line returns a summary in one line for people, such as
//
//	nasa.gsfc.gcn/SWIFT  SWIFT_BAT_GRB_POS_ACK  2025-11-21 12:34:56.78  RA 04h58m57.9s Dec +25°18'49" ±3.0'
//
// with the marks [TEST], [RETRACTION] and [INVALID] where they apply. Characters that could steer a terminal are replaced.
func Line(s Summary) string {
	kind := s.NoticeType
	switch {
	case kind == "" && s.PacketType != nil:
		kind = string(s.Role) + " type " + strconv.Itoa(*s.PacketType)
	case kind == "":
		kind = string(s.Role)
	}
	when := "no time"
	if t, err := time.Parse(time.RFC3339Nano, s.TriggerTime); err == nil {
		when = t.Format("2006-01-02 15:04:05.99")
	}
	where := "no position"
	if s.Localised && s.RADeg != nil && s.DecDeg != nil {
		where = "RA " + sky.FormatRA(*s.RADeg) + " Dec " + sky.FormatDec(*s.DecDeg)
		if s.ErrorDeg != nil {
			where += " ±" + sky.FormatAngle(*s.ErrorDeg)
		}
	}
	fields := []string{s.Stream, kind, when, where}
	if s.Role == Test || s.AlertTense == "test" {
		fields = append(fields, "[TEST]")
	}
	if s.AlertType == "retraction" {
		fields = append(fields, "[RETRACTION]")
	}
	if !s.Valid {
		fields = append(fields, "[INVALID]")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.Join(fields, "  "))
}
