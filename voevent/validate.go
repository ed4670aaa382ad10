package voevent

// Validate checks a notice against the schema of its version and against those rules of the standard's text that no schema
// enforces, and says what is wrong in the order of the document. The result is nil when nothing is.
func Validate(e *Event) []Finding {
	panic("voevent: Validate is being written")
}
