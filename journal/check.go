package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"
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
	// numbers between First and Last of which nothing good was found.
	Damaged, Missing int64
	// Ahead counts those of Records that are in the write-ahead file only.
	Ahead int64
	// Receipts and Subscriptions that verified.
	Receipts      int64
	Subscriptions int64
	// Problems in words, the first MaxProblems of them.
	Problems []string
}

// MaxProblems bounds Report.Problems.
const MaxProblems = 100

// OK says whether nothing was wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) problem(bucket, what string) {
	if bucket != "" {
		what = "bucket " + bucket + ": " + what
	}
	switch n := len(r.Problems); {
	case n < MaxProblems-1:
		r.Problems = append(r.Problems, what)
	case n == MaxProblems-1:
		r.Problems = append(r.Problems, "and more")
	}
}

// record counts a good record; they come in order.
func (r *Report) record(seq Seq) {
	if r.Records == 0 {
		r.First = seq
	} else if seq > r.Last+1 {
		r.Missing += int64(seq - r.Last - 1)
	}
	r.Records++
	r.Last = seq
}

// lockWait is how long Check and Salvage wait for the journal's owner.
const lockWait = time.Second

// openRaw opens and locks a file for Check and Salvage.
func openRaw(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("journal: %w", err)
	}
	err = lock(f, lockWait)
	if err == nil {
		var fi os.FileInfo
		if fi, err = f.Stat(); err == nil {
			return f, fi.Size(), nil
		}
	}
	return nil, 0, errors.Join(err, f.Close())
}

// Check reads the whole file at path, and what the write-ahead file beside it adds
// to it, and verifies pages, records, receipts,
// cursors, subscriptions and the index without changing anything. The error is
// about reading the file (ErrLocked while a journal has it open); what is wrong
// in it is in the Report.
func Check(ctx context.Context, path string) (r Report, err error) {
	f, size, err := openRaw(path)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r = Report{Path: path, Bytes: size}
	packer, err := sharedCodec()
	if err != nil {
		return r, err
	}
	c := &checker{report: &r, codec: packer}
	m, ok := readMeta(f)
	if !ok {
		r.problem("", "neither copy of the meta data verifies: no journal, or its start is lost")
		return r, c.ahead(path)
	}
	if need := int64(m.pages) * m.pageSize; size < need {
		r.problem("", fmt.Sprintf("the file was cut: it has %d bytes and needs %d", size, need))
	}
	w := newWalk(f, size, m)
	w.problem = r.problem
	w.value = func(bucket string, e element) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.value(bucket, e)
		return nil
	}
	if err := w.run(m.root); err != nil {
		return r, err
	}
	c.finish()
	return r, c.ahead(path)
}

// ahead looks at the write-ahead file beside path.
func (c *checker) ahead(path string) error {
	fs, err := framesBeside(path)
	if err != nil {
		return err
	}
	r := c.report
	as, gap, err := after(fs, r.Last)
	if gap {
		r.problem("", fmt.Sprintf("notices between %d and those in the write-ahead file are missing", r.Last))
	}
	if err != nil {
		r.problem("", fmt.Sprintf("a notice in the write-ahead file: %v", err))
	}
	for i := range as {
		if _, err := decodeRecord(as[i].seq, as[i].value, c.codec); err != nil {
			r.Damaged++
			r.problem("", fmt.Sprintf("notice %d in the write-ahead file: %v", as[i].seq, err))
			continue
		}
		r.record(as[i].seq)
		r.Ahead++
	}
	return nil
}

// checker verifies the values of a file.
type checker struct {
	report *Report
	codec  *codec

	records []entry // seq, key and size of the good ones, in order
	entries []entry // of the index, in order of the buckets "index", "recent"
	bytes   int64   // of packed receipts
	counted *counters
	format  bool
}

func (c *checker) value(bucket string, e element) {
	r := c.report
	switch bucket {
	case string(bucketNotices):
		seq, ok := keySeq(e.key)
		if !ok {
			r.problem(bucket, "a key is no number")
			return
		}
		rec, err := decodeRecord(seq, e.value, c.codec)
		if err != nil {
			r.Damaged++
			r.problem(bucket, fmt.Sprintf("notice %d: %v", seq, err))
			return
		}
		r.record(seq)
		c.records = append(c.records, entry{seq: seq, key: keyHash(&rec.Key), size: uint32(len(e.value))})
	case string(bucketIndex), string(bucketRecent):
		if err := eachEntry(e.key, e.value, func(e *entry) { c.entries = append(c.entries, *e) }); err != nil {
			r.problem(bucket, err.Error())
		}
	case string(bucketReceipts):
		n, ok := keySeq(e.key)
		if !ok || !chunkOK(e.key, e.value) || eachReceipt(uint64(n), e.value, func(uint64, string, Receipt) error {
			r.Receipts++
			return nil
		}) != nil {
			r.problem(bucket, fmt.Sprintf("receipts from %d on do not verify", n))
			return
		}
		c.bytes += int64(len(e.value))
	case string(bucketCursors):
		if _, ok := decodeCursor(e.key, e.value); !ok {
			r.problem(bucket, fmt.Sprintf("the cursor of subscription %q does not verify", e.key))
		}
	case string(bucketSubscriptions):
		if !valueOK(e.value, e.key, definitionKind) {
			r.problem(bucket, fmt.Sprintf("the definition of subscription %q does not verify", e.key))
			return
		}
		r.Subscriptions++
	case string(bucketState):
		switch string(e.key) {
		case string(keyFormat):
			c.format = string(e.value) == format
		case string(keyCounters):
			c.counted = &counters{}
			if !c.counted.decode(e.value) {
				r.problem(bucket, "the counters do not verify")
			}
		}
	}
}

// finish compares what only shows when all is known.
func (c *checker) finish() {
	r := c.report
	if !c.format {
		r.problem(string(bucketState), "the file does not say that it is a journal of this program's format")
	}
	if c.counted != nil && c.counted.receiptBytes != c.bytes && r.OK() {
		r.problem(string(bucketState), fmt.Sprintf("the counters tell of %d bytes of receipts, there are %d", c.counted.receiptBytes, c.bytes))
	}
	if len(c.records) == 0 {
		return
	}
	// Blocks of the index may begin before the first kept record.
	es := c.entries[sort.Search(len(c.entries), func(i int) bool { return c.entries[i].seq >= c.records[0].seq }):]
	for i := range c.records {
		rec := &c.records[i]
		for len(es) > 0 && es[0].seq < rec.seq {
			if r.Damaged == 0 {
				r.problem(string(bucketIndex), fmt.Sprintf("notice %d is in the index only", es[0].seq))
			}
			es = es[1:]
		}
		if len(es) == 0 || es[0].seq != rec.seq || es[0].key != rec.key || es[0].size != rec.size {
			r.problem(string(bucketIndex), fmt.Sprintf("notice %d is not in the index as it is stored", rec.seq))
			return
		}
		es = es[1:]
	}
	if len(es) > 0 && r.Damaged == 0 {
		r.problem(string(bucketIndex), fmt.Sprintf("notice %d is in the index only", es[0].seq))
	}
}
