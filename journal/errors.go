package journal

import (
	"errors"
	"fmt"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrDuplicate is wrapped by every DuplicateError.
	ErrDuplicate = errors.New("journal: already stored")
	// ErrFull says that the disk (or a quota) took no more; the append may be
	// repeated once there is room again.
	ErrFull = errors.New("journal: disk full")
	// ErrClosed says that the journal was closed.
	ErrClosed = errors.New("journal: closed")
	// ErrTooLarge says that a part of a record or an id is longer than allowed.
	ErrTooLarge = errors.New("journal: too large")
	// ErrLocked says that another process has the journal open.
	ErrLocked = errors.New("journal: in use by another process")
)

// DuplicateError says that a record with the same Key is already on stable
// storage.
type DuplicateError struct {
	// Seq is the number of the kept record.
	Seq Seq
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("journal: already stored as %d", e.Seq)
}

// Unwrap gives ErrDuplicate.
func (e *DuplicateError) Unwrap() error { return ErrDuplicate }

// DamagedError says that a journal's file cannot be trusted as it is.
type DamagedError struct {
	// Path is the file.
	Path string
	// What is wrong, in words for an operator.
	What string
	// Advice says what can be done.
	Advice string
	// Err is the underlying error, may be nil.
	Err error
}

func (e *DamagedError) Error() string {
	s := "journal: " + e.Path + " is damaged: " + e.What
	if e.Advice != "" {
		s += "; " + e.Advice
	}
	return s
}

// Unwrap gives Err.
func (e *DamagedError) Unwrap() error { return e.Err }
