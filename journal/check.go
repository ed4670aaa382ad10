package journal

import (
	"context"
)

// Report tells what Check or Salvage found in a journal's file.
type Report struct {
	// Path is the file that was looked at, Bytes its size.
	Path  string
	Bytes int64
	// Records verified, with the first and last number among them.
	Records     int64
	First, Last Seq
	// Damaged counts records that were found and did not verify, Missing the
	// numbers between First and Last of which nothing was found.
	Damaged, Missing int64
	Receipts         int64
	Subscriptions    int64
	// Problems in words, the first MaxProblems of them.
	Problems []string
}

// MaxProblems bounds Report.Problems.
const MaxProblems = 100

// OK says whether nothing was wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Check reads the whole file at path and verifies pages and records without
// changing anything. The error is about reading the file; what is wrong in it
// is in the Report.
func Check(ctx context.Context, path string) (Report, error) { panic("not yet") }

// Salvage reads every page of the file from, damaged or cut as it may be, and
// writes all records, receipts, cursors and subscriptions that verify into the
// new journal to, under their old numbers. The file from is only read; to must
// not exist.
func Salvage(ctx context.Context, from, to string) (Report, error) { panic("not yet") }
