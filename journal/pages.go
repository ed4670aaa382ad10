package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// pages reads bbolt's pages with plain reads and checked bounds: what bbolt
// itself, which trusts its pages, must not be shown before it is known to make
// sense.
type pages struct {
	r    io.ReaderAt
	size int64 // of the file
	page int64 // size of a page
}

// page is one page with its overflow.
type page struct {
	id    uint64
	off   int64 // in the file
	flags uint16
	count int
	size  int    // with the overflow, as far as the file goes
	data  []byte // including its head; of a frame the beginning only
	short bool   // the file ends within it
}

// elementHead is the length of what a page says of one of its keys before the
// keys, frameRead how much of a page is read at first when no more is wanted.
const (
	elementHead = 16
	frameRead   = 4 << 10
)

// maxDepth bounds the depth of a tree: a tree of the greatest file has 12
// levels at most.
const maxDepth = 24

// bucketHead is the length of a bucket's head in its value: root u64, sequence
// u64.
const bucketHead = 16

var errNoPage = errors.New("no page")

// read gives the page with that id, or of a page with a frame only its head and
// the heads of its elements.
func (p *pages) read(id uint64, frame bool) (page, error) {
	off := int64(id) * p.page
	if id > uint64(p.size/p.page) || off+pageHead > p.size {
		return page{}, fmt.Errorf("page %d lies beyond the end of the file", id)
	}
	first := p.page
	if frame {
		first = min(first, frameRead)
	}
	pg := page{id: id, off: off, data: make([]byte, min(first, p.size-off))}
	if _, err := p.r.ReadAt(pg.data, off); err != nil && !errors.Is(err, io.EOF) {
		return page{}, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	le := binary.LittleEndian
	if le.Uint64(pg.data) != id {
		return page{}, fmt.Errorf("%w: at page %d", errNoPage, id)
	}
	pg.flags, pg.count = le.Uint16(pg.data[8:]), int(le.Uint16(pg.data[10:]))
	length := (int64(le.Uint32(pg.data[12:])) + 1) * p.page
	if have := p.size - off; length > have {
		length, pg.short = have, true
	}
	pg.size = int(length)
	if frame {
		length = min(length, int64(pageHead+pg.count*elementHead))
	}
	if length <= int64(len(pg.data)) {
		return pg, nil
	}
	all := make([]byte, length)
	n := copy(all, pg.data)
	if _, err := p.r.ReadAt(all[n:], off+int64(n)); err != nil && !errors.Is(err, io.EOF) {
		return page{}, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	pg.data = all
	return pg, nil
}

// element is one key of a page: with a value in a leaf, with a page below in a
// branch.
type element struct {
	key, value []byte
	off        int64 // of the value in the file
	bucket     bool  // the value is the head of a bucket
	below      uint64
}

// each calls fn for the elements of a page until it returns false; the error
// counts elements that do not lie within the page.
func (pg *page) each(fn func(e element) bool) error {
	le := binary.LittleEndian
	bad := 0
	for i := range pg.count {
		at := pageHead + i*elementHead
		if at+elementHead > len(pg.data) {
			bad += pg.count - i
			break
		}
		h := pg.data[at : at+elementHead]
		var e element
		var pos, ksize, vsize int64
		if pg.flags == flagBranch {
			pos, ksize, e.below = int64(le.Uint32(h)), int64(le.Uint32(h[4:])), le.Uint64(h[8:])
		} else {
			e.bucket = le.Uint32(h)&1 != 0
			pos, ksize, vsize = int64(le.Uint32(h[4:])), int64(le.Uint32(h[8:])), int64(le.Uint32(h[12:]))
		}
		from := int64(at) + pos
		if from+ksize+vsize > int64(pg.size) {
			bad++
			continue
		}
		if pg.size == len(pg.data) {
			e.key = pg.data[from : from+ksize]
			e.value = pg.data[from+ksize : from+ksize+vsize]
		}
		e.off = pg.off + from + ksize
		if !fn(e) {
			break
		}
	}
	if bad > 0 {
		return fmt.Errorf("page %d: %d of its %d elements are not within it", pg.id, bad, pg.count)
	}
	return nil
}

// walk visits the trees of a file from its root.
type walk struct {
	pages
	limit uint64 // pages at or after it do not belong to the file
	seen  map[uint64]bool
	// buckets that were visited.
	buckets map[string]bool
	// value is called for each value of a bucket, in the order of the keys.
	value func(bucket string, e element) error
	// problem is called for what is wrong; the walk goes on with the next page.
	problem func(bucket, what string)
	// frame says to look at pages only, and of leaves no more than is needed to
	// see that they make sense: value gets no calls.
	frame bool
}

// newWalk prepares a walk over a file with that meta data.
func newWalk(r io.ReaderAt, size int64, m meta) *walk {
	return &walk{
		pages:   pages{r: r, size: size, page: m.pageSize},
		limit:   m.pages,
		seen:    map[uint64]bool{},
		buckets: map[string]bool{},
	}
}

func (w *walk) run(root uint64) error {
	if err := w.tree("", root, 0, new([]byte)); err != nil {
		return err
	}
	for _, name := range allBuckets {
		if !w.buckets[string(name)] {
			w.problem(string(name), "it is not in the root")
		}
	}
	return nil
}

// tree visits the page id and all below it, of the bucket of that name or of
// the root when name is empty. The key before is in last.
func (w *walk) tree(name string, id uint64, depth int, last *[]byte) error {
	if id < 2 || id >= w.limit || depth > maxDepth {
		w.problem(name, fmt.Sprintf("page %d is no page of a tree", id))
		return nil
	}
	if w.seen[id] {
		w.problem(name, fmt.Sprintf("page %d is used twice", id))
		return nil
	}
	w.seen[id] = true
	pg, err := w.read(id, w.frame && name != "")
	if err != nil {
		w.problem(name, err.Error())
		return nil
	}
	if pg.short {
		w.problem(name, fmt.Sprintf("page %d: the file ends within it", id))
	}
	return w.visit(name, &pg, depth, last)
}

func (w *walk) visit(name string, pg *page, depth int, last *[]byte) (err error) {
	if pg.flags != flagBranch && pg.flags != flagLeaf {
		w.problem(name, fmt.Sprintf("page %d is of no kind that belongs into a tree (%#x)", pg.id, pg.flags))
		return nil
	}
	bad := pg.each(func(e element) bool {
		if pg.flags == flagBranch {
			err = w.tree(name, e.below, depth+1, last)
			return err == nil
		}
		if w.frame && name != "" {
			return true
		}
		if *last != nil && bytes.Compare(e.key, *last) <= 0 {
			w.problem(name, fmt.Sprintf("page %d: a key is out of order", pg.id))
		}
		*last = append((*last)[:0], e.key...)
		switch {
		case e.bucket && name == "":
			w.buckets[string(e.key)] = true
			err = w.bucket(string(e.key), e, depth)
		case name != "":
			err = w.value(name, e)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	if bad != nil {
		w.problem(name, bad.Error())
	}
	return nil
}

// bucket visits a bucket: its pages, or the one page that is in its value.
func (w *walk) bucket(name string, e element, depth int) error {
	if len(e.value) < bucketHead {
		w.problem(name, "its head is too short")
		return nil
	}
	last := new([]byte)
	if root := binary.LittleEndian.Uint64(e.value); root != 0 {
		return w.tree(name, root, depth+1, last)
	}
	pg, ok := e.inline()
	if !ok {
		w.problem(name, "its page is too short")
		return nil
	}
	return w.visit(name, &pg, depth, last)
}

// inline gives the page of a small bucket, which is in the bucket's value.
func (e *element) inline() (page, bool) {
	if !e.bucket || len(e.value) < bucketHead+pageHead || binary.LittleEndian.Uint64(e.value) != 0 {
		return page{}, false
	}
	data := e.value[bucketHead:]
	return page{
		off:   e.off + bucketHead,
		flags: binary.LittleEndian.Uint16(data[8:]),
		count: int(binary.LittleEndian.Uint16(data[10:])),
		size:  len(data),
		data:  data,
	}, true
}

// checkTree visits every page that the file's trees use and fails when one
// makes no sense. When the list of free pages is not in the file, bbolt does the
// same and trusts what it finds.
func checkTree(r io.ReaderAt, size int64, m meta) error {
	var first string
	w := newWalk(r, size, m)
	w.problem = func(bucket, what string) {
		if first == "" {
			first = what
			if bucket != "" {
				first = "bucket " + bucket + ": " + what
			}
		}
	}
	w.frame = true
	if err := w.run(m.root); err != nil {
		return err
	}
	if first != "" {
		return errors.New(first)
	}
	return nil
}
