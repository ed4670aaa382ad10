package voevent

// Summary is what most readers want to know of a notice, under the names of GCN's unified schema.
type Summary struct {
	IVORN         string            `json:"ivorn"`
	Stream        string            `json:"stream"`
	Role          Role              `json:"role"`
	AlertDatetime string            `json:"alert_datetime,omitempty"` // when the author wrote it, RFC 3339 UTC
	AlertTense    string            `json:"alert_tense,omitempty"`
	AlertType     string            `json:"alert_type"`             // initial, subsequent, update, retraction
	TriggerTime   string            `json:"trigger_time,omitempty"` // when it happened, RFC 3339 UTC
	RADeg         *float64          `json:"ra,omitempty"`
	DecDeg        *float64          `json:"dec,omitempty"`
	ErrorDeg      *float64          `json:"ra_dec_error,omitempty"`
	Localised     bool              `json:"localised"`
	PacketType    *int              `json:"packet_type,omitempty"`
	NoticeType    string            `json:"notice_type,omitempty"`
	Importance    *float64          `json:"importance,omitempty"`
	Cites         []string          `json:"cites,omitempty"`
	Params        map[string]string `json:"params,omitempty"` // top-level Params, the first of a name
	SHA256        string            `json:"sha256"`
	Bytes         int               `json:"bytes"`
	Valid         bool              `json:"valid"`
}

// Summary returns the summary of the notice.
func (e *Event) Summary() Summary { panic("voevent: being written") }

// Line returns a summary in one line for people.
func Line(s Summary) string { panic("voevent: being written") }
