package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// place is where a stored value lies in a damaged file.
type place struct {
	key uint64 // number of the record or of the first receipt
	off int64
	len int
	// sec and nsec are a record's time of arrival: of two good copies of one
	// number that no tree reaches the later one counts.
	sec  int64
	nsec uint32
	// value is the record itself when it is from the write-ahead file.
	value []byte
}

// found is what a salvage has found so far.
type found struct {
	codec   *codec
	report  *Report
	records map[Seq]place
	chunks  map[uint64]place
	cursors map[string]Seq
	subs    map[string][]byte
	broken  map[string]bool // buckets whose tree had a problem
	count   counters        // as the file has them
	used    Seq             // greatest number of a notice that anything speaks of
	indexed []Seq           // numbers in the index
}

// Salvage reads every page of the file from, damaged or cut as it may be, and the
// write-ahead file beside it, and
// writes all records, receipts, cursors and subscriptions that verify into the
// new journal to, under their old numbers. The file from is only read; to must
// not exist.
//
// What the file's trees still reach counts first. Where a tree has a problem
// every page of the file is searched for more; there old copies turn up too, so
// that notices or receipts trimmed lately may come back, and the lowest of
// several old cursors is taken (repeating is right, skipping is not). On a sound
// file Salvage makes a copy without free pages: it compacts.
func Salvage(ctx context.Context, from, to string) (r Report, err error) {
	f, size, err := openRaw(from)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, path := range []string{to, to + WALSuffix} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			return Report{}, fmt.Errorf("journal: %s: %w", path, os.ErrExist)
		}
	}
	c, err := sharedCodec()
	if err != nil {
		return Report{}, err
	}
	r = Report{Path: from, Bytes: size}
	s := &found{
		codec: c, report: &r,
		records: map[Seq]place{}, chunks: map[uint64]place{},
		cursors: map[string]Seq{}, subs: map[string][]byte{}, broken: map[string]bool{},
	}
	if err := s.search(ctx, f, size); err != nil {
		return r, err
	}
	if err := s.searchAhead(from); err != nil {
		return r, err
	}
	if err := s.write(ctx, f, to); err != nil {
		return r, err
	}
	return r, nil
}

// search fills s from the trees and, where they have problems, from all pages.
func (s *found) search(ctx context.Context, f io.ReaderAt, size int64) error {
	m, ok := readMeta(f)
	p := pages{r: f, size: size, page: m.pageSize}
	reached := map[uint64]bool{}
	if ok {
		w := newWalk(f, size, m)
		w.problem = func(bucket, what string) {
			s.broken[bucket] = true
			s.report.problem(bucket, what)
		}
		w.value = func(bucket string, e element) error {
			if !s.keep(bucket, e, true) {
				s.broken[bucket] = true
				what := fmt.Sprintf("key %x does not verify", e.key)
				if seq, ok := keySeq(e.key); ok && bucket == string(bucketNotices) {
					what = fmt.Sprintf("notice %d does not verify", seq)
					s.report.Damaged++
				}
				s.report.problem(bucket, what)
			}
			return ctx.Err()
		}
		if err := w.run(m.root); err != nil {
			return err
		}
		if need := int64(m.pages) * m.pageSize; size < need {
			s.report.problem("", fmt.Sprintf("the file was cut: it has %d bytes and needs %d", size, need))
		}
		s.compare()
		reached = w.seen
	} else {
		s.report.problem("", "neither copy of the meta data verifies")
		p.page = guessPageSize(f, size)
		s.broken[""] = true
	}
	if len(s.broken) == 0 {
		return nil
	}
	return s.scan(ctx, p, reached)
}

// compare notes what the trees must have lost without a page that says so.
func (s *found) compare() {
	for _, seq := range s.indexed {
		if _, ok := s.records[seq]; !ok && seq >= s.report.First {
			s.broken[string(bucketNotices)] = true
			s.report.problem(string(bucketNotices), fmt.Sprintf("notice %d is in the index only", seq))
		}
	}
	bytes := int64(0)
	for _, p := range s.chunks {
		bytes += int64(p.len)
	}
	if bytes != s.count.receiptBytes {
		s.broken[string(bucketReceipts)] = true
		s.report.problem(string(bucketReceipts), fmt.Sprintf("of %d bytes of receipts %d were found", s.count.receiptBytes, bytes))
	}
}

// scan looks at all pages that no tree has reached.
func (s *found) scan(ctx context.Context, p pages, reached map[uint64]bool) error {
	first := Seq(0)
	if !s.broken[""] && len(s.records) > 0 && s.report.First > 0 {
		first = s.report.First
	}
	for id := uint64(2); int64(id)*p.page+pageHead <= p.size; id++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if reached[id] {
			continue
		}
		pg, err := p.read(id, false)
		if err != nil || pg.flags != flagLeaf {
			continue // free, overflow of another page, or no page at all
		}
		s.fill(&pg, first)
	}
	return nil
}

// fill takes what a page without a tree adds to what is known; no notice before
// first.
func (s *found) fill(pg *page, first Seq) {
	// What is not within the page is lost, the rest of it is not.
	_ = pg.each(func(e element) bool {
		if small, ok := e.inline(); ok && pg.id != 0 && small.flags == flagLeaf {
			s.fill(&small, first)
		}
		if e.bucket {
			return true
		}
		kind := s.kind(e)
		if !s.broken[""] && !s.broken[kind] {
			return true
		}
		if seq, _ := keySeq(e.key); kind != string(bucketNotices) || seq >= first {
			s.keep(kind, e, false)
		}
		return true
	})
}

// kind tells by a value's own mark which bucket it belongs to.
func (s *found) kind(e element) string {
	if len(e.value) >= headSize && e.value[8] == recordKind && len(e.key) == 8 && e.value[9] == recordVersion {
		if seq, _ := keySeq(e.key); binary.LittleEndian.Uint32(e.value) == headCRC(e.value, seq) {
			return string(bucketNotices)
		}
	}
	if len(e.value) >= 8 {
		switch e.value[4] {
		case chunkKind:
			return string(bucketReceipts)
		case cursorKind:
			return string(bucketCursors)
		case definitionKind:
			return string(bucketSubscriptions)
		}
	}
	return "unknown"
}

// keep takes a value over when it verifies, and says whether it does. Values
// that the trees reach are sure, others only fill what is missing.
func (s *found) keep(bucket string, e element, sure bool) bool {
	switch bucket {
	case string(bucketNotices):
		seq, ok := keySeq(e.key)
		if !ok || seq == 0 {
			return false
		}
		if _, err := decodeRecord(seq, e.value, s.codec); err != nil {
			return false
		}
		h, err := decodeHead(seq, e.value)
		if err != nil {
			return false
		}
		if sure && (s.report.First == 0 || seq < s.report.First) {
			s.report.First = seq
		}
		at := place{key: uint64(seq), off: e.off, len: len(e.value), sec: h.sec, nsec: h.nsec}
		old, have := s.records[seq]
		if !have || !sure && !old.sure() && (at.sec > old.sec || at.sec == old.sec && at.nsec > old.nsec) {
			if sure {
				at.nsec |= sureBit
			}
			s.records[seq] = at
		}
	case string(bucketReceipts):
		n, ok := keySeq(e.key)
		if !ok || !chunkOK(e.key, e.value) {
			return false
		}
		if eachReceipt(uint64(n), e.value, func(_ uint64, _ string, r Receipt) error {
			s.used = max(s.used, r.Notice)
			return nil
		}) != nil {
			return false
		}
		if _, have := s.chunks[uint64(n)]; !have {
			s.chunks[uint64(n)] = place{key: uint64(n), off: e.off, len: len(e.value)}
		}
	case string(bucketCursors):
		seq, ok := decodeCursor(e.key, e.value)
		if !ok {
			return false
		}
		if old, have := s.cursors[string(e.key)]; !have || !sure && seq < old {
			s.cursors[string(e.key)] = seq
		}
		s.used = max(s.used, seq)
	case string(bucketSubscriptions):
		if !valueOK(e.value, e.key, definitionKind) {
			return false
		}
		if _, have := s.subs[string(e.key)]; !have {
			s.subs[string(e.key)] = slices.Clone(e.value)
		}
	case string(bucketIndex), string(bucketRecent):
		return eachEntry(e.key, e.value, func(e *entry) {
			s.used = max(s.used, e.seq)
			if sure {
				s.indexed = append(s.indexed, e.seq)
			}
		}) == nil
	case string(bucketState):
		if string(e.key) == string(keyCounters) {
			return s.count.decode(e.value)
		}
	}
	return true
}

// sureBit marks in nsec that a tree reaches the record.
const sureBit = 1 << 31

func (p place) sure() bool { return p.nsec&sureBit != 0 }

// guessPageSize finds the size for which most pages know their place.
func guessPageSize(f io.ReaderAt, size int64) int64 {
	best, most := int64(16<<10), 0
	head := make([]byte, pageHead)
	for page := int64(64 << 10); page >= 1<<10; page /= 2 {
		hits := 0
		for id := int64(2); id < 4096 && id*page+pageHead <= size; id++ {
			if _, err := f.ReadAt(head, id*page); err == nil && binary.LittleEndian.Uint64(head) == uint64(id) {
				hits++
			}
		}
		// Half the true size hits as often on every other page: the greater
		// size, tried first, keeps the place.
		if hits > most {
			best, most = page, hits
		}
	}
	return best
}

// salvageStep is how many values one transaction of a salvage writes.
const salvageStep = 1000

// write makes the new journal from what was found.
func (s *found) write(ctx context.Context, f io.ReaderAt, to string) (err error) {
	o := Options{}.withDefaults()
	if err := create(to, o); err != nil {
		return err
	}
	db, err := openBolt(to, o, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r := s.report
	r.Records, r.First, r.Last, r.Missing = 0, 0, 0, 0

	w := &rewriter{db: db, file: f, names: map[string]Seq{}}
	for batch := range slices.Chunk(sorted(s.records), salvageStep) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.putRecords(batch); err != nil {
			return fmt.Errorf("journal: writing %s: %w", to, err)
		}
		for _, p := range batch {
			r.record(Seq(p.key))
			if p.value != nil {
				r.Ahead++
			}
		}
	}
	for batch := range slices.Chunk(sorted(s.chunks), salvageStep) {
		n, err := w.putChunks(batch)
		if err != nil {
			return fmt.Errorf("journal: writing %s: %w", to, err)
		}
		r.Receipts += n
	}
	r.Subscriptions = int64(len(s.subs))
	if err := db.Update(func(tx *bolt.Tx) error {
		for id, seq := range s.cursors {
			if err := tx.Bucket(bucketCursors).Put([]byte(id), cursorValue(id, seq)); err != nil {
				return err
			}
		}
		for id, v := range s.subs {
			if err := tx.Bucket(bucketSubscriptions).Put([]byte(id), v); err != nil {
				return err
			}
		}
		return s.finish(tx, w)
	}); err != nil {
		return fmt.Errorf("journal: writing %s: %w", to, err)
	}
	return nil
}

func sorted[K comparable](m map[K]place) []place {
	ps := make([]place, 0, len(m))
	for _, p := range m {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b place) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	})
	return ps
}

// rewriter puts values found in one file into another.
type rewriter struct {
	db    *bolt.DB
	file  io.ReaderAt
	names map[string]Seq // last number of each name, to link those of one name anew
	block []entry
	count counters
}

func (w *rewriter) value(p place) ([]byte, error) {
	if p.value != nil {
		return slices.Clone(p.value), nil
	}
	v := make([]byte, p.len)
	_, err := w.file.ReadAt(v, p.off)
	return v, err
}

func (w *rewriter) putRecords(ps []place) error {
	return w.db.Update(func(tx *bolt.Tx) error {
		notices := tx.Bucket(bucketNotices)
		notices.FillPercent = fillSequential
		for _, p := range ps {
			v, err := w.value(p)
			if err != nil {
				return err
			}
			seq := Seq(p.key)
			h, err := decodeHead(seq, v)
			if err != nil {
				return err
			}
			name := string(h.name(v))
			prev := w.names[name]
			w.names[name] = seq
			seal(v, seq, h.flags, prev)
			if err := notices.Put(seqKeySlice(seq), v); err != nil {
				return err
			}
			if n := len(w.block); n == foldAt || n > 0 && w.block[n-1].seq+1 != seq {
				if err := w.putBlock(tx); err != nil {
					return err
				}
			}
			w.block = append(w.block, entry{
				seq: seq, key: keyHash(&h.key), name: nameHash([]byte(name)),
				received: clampNano(h.received()), size: uint32(len(v)), prev: prev,
			})
		}
		return nil
	})
}

func (w *rewriter) putBlock(tx *bolt.Tx) error {
	if len(w.block) == 0 {
		return nil
	}
	b := tx.Bucket(bucketIndex)
	b.FillPercent = fillSequential
	err := b.Put(seqKeySlice(w.block[0].seq), encodeBlock(w.block))
	w.block = w.block[:0]
	return err
}

func (w *rewriter) putChunks(ps []place) (receipts int64, err error) {
	err = w.db.Update(func(tx *bolt.Tx) error {
		bk := tx.Bucket(bucketReceipts)
		bk.FillPercent = fillSequential
		for _, p := range ps {
			v, err := w.value(p)
			if err != nil {
				return err
			}
			if err := eachReceipt(p.key, v, func(n uint64, _ string, _ Receipt) error {
				receipts++
				w.count.nextReceipt = max(w.count.nextReceipt, n+1)
				return nil
			}); err != nil {
				return err
			}
			w.count.receiptBytes += int64(len(v))
			if err := bk.Put(seqKeySlice(Seq(p.key)), v); err != nil {
				return err
			}
		}
		return nil
	})
	return receipts, err
}

// salvageGap is how many numbers a salvage of a damaged file leaves out after
// the greatest it knows of. Those lost at the end of the file have been given
// to notices that subscribers may have acknowledged: given again they would
// make a cursor skip what it has never seen.
const salvageGap = 1 << 20

func (s *found) finish(tx *bolt.Tx, w *rewriter) error {
	if err := w.putBlock(tx); err != nil {
		return err
	}
	w.count.nextReceipt = max(w.count.nextReceipt, s.count.nextReceipt, 1)
	if len(s.broken) > 0 {
		w.count.nextReceipt += salvageGap
		if err := tx.Bucket(bucketNotices).SetSequence(uint64(max(s.used, s.report.Last) + salvageGap)); err != nil {
			return err
		}
	}
	return w.count.put(tx)
}
