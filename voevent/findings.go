package voevent

// Severity says how much a finding weighs.
type Severity string

// The two severities. An error makes the notice invalid: the schema of its version refuses it, or the standard says MUST
// (or MUST NOT). A warning leaves it valid: the text of the standard asks for something no schema can enforce, or the
// notice says something that readers are known to misread.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong with a notice, in words for the person who wrote the notice.
type Finding struct {
	Code     string   `json:"code"`           // stable name in kebab-case, see FindingCodes
	Severity Severity `json:"severity"`       // error or warning
	Message  string   `json:"message"`        // one sentence that names the element and the value
	Line     int      `json:"line"`           // 1-based, in the text as UTF-8; 0 when the finding has no place
	Column   int      `json:"column"`         // 1-based, in characters
	Path     string   `json:"path"`           // such as /VOEvent/What/Param[3]
	Link     string   `json:"link,omitempty"` // path of the page about this code that the program serves: /findings/CODE
}

// Valid says whether the findings hold no error. A valid notice may have warnings.
func Valid(fs []Finding) bool {
	for i := range fs {
		if fs[i].Severity == Error {
			return false
		}
	}
	return true
}
