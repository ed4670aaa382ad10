package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// What is known here of bbolt's file format (its version 2, unchanged since
// 2014; numbers are in the machine's byte order, here taken as little-endian):
// the first two pages each hold a copy of the meta data, the one with the
// greater transaction number and a good checksum counts.
const (
	pageHead    = 16 // id u64, flags u16, count u16, overflow u32
	metaSize    = 64
	metaMagic   = 0xED0CDAED
	metaVersion = 2

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	noFreelist = 1<<64 - 1 // as the freelist's page: it is not in the file
)

// meta is one copy of bbolt's meta data.
type meta struct {
	pageSize int64
	root     uint64
	freelist uint64
	pages    uint64 // pages in use or free; none is at or after this number
	txid     uint64
}

func decodeMeta(b []byte) (meta, bool) {
	le := binary.LittleEndian
	if len(b) < pageHead+metaSize {
		return meta{}, false
	}
	b = b[pageHead : pageHead+metaSize]
	h := fnv.New64a()
	h.Write(b[:56])
	if le.Uint32(b) != metaMagic || le.Uint32(b[4:]) != metaVersion || le.Uint64(b[56:]) != h.Sum64() {
		return meta{}, false
	}
	m := meta{
		pageSize: int64(le.Uint32(b[8:])),
		root:     le.Uint64(b[16:]),
		freelist: le.Uint64(b[32:]),
		pages:    le.Uint64(b[40:]),
		txid:     le.Uint64(b[48:]),
	}
	return m, m.pageSize >= 1024 && m.pageSize <= 1<<20 && m.pageSize&(m.pageSize-1) == 0
}

// readMeta finds the meta data that counts. When neither copy is good, ok is
// false.
func readMeta(r io.ReaderAt) (m meta, ok bool) {
	buf := make([]byte, pageHead+metaSize)
	read := func(off int64) (meta, bool) {
		if n, err := r.ReadAt(buf, off); n < len(buf) && err != nil {
			return meta{}, false
		}
		return decodeMeta(buf)
	}
	if m, ok = read(0); ok {
		if n, good := read(m.pageSize); good && n.txid > m.txid {
			return n, true
		}
		return m, true
	}
	// The first copy is gone and with it the size of a page: try them all.
	for size := int64(1 << 10); size <= 1<<20; size *= 2 {
		if m, ok = read(size); ok && m.pageSize == size {
			return m, true
		}
	}
	return meta{}, false
}

// preflight looks at a file before it is mapped into memory, where reading
// beyond its end would kill the process. It holds the lock meanwhile: another
// process may be writing.
func preflight(path string, timeout time.Duration) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := lock(f, timeout); err != nil {
		return err
	}
	return checkFrame(f)
}

func checkFrame(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	m, ok := readMeta(f)
	if !ok {
		return &DamagedError{
			Path: f.Name(), What: "neither copy of its meta data verifies (is it a journal?)", Advice: adviceSalvage,
		}
	}
	if need := int64(m.pages) * m.pageSize; fi.Size() < need {
		return &DamagedError{
			Path:   f.Name(),
			What:   fmt.Sprintf("it was cut: it has %d bytes and needs %d", fi.Size(), need),
			Advice: adviceSalvage,
		}
	}
	if m.freelist == noFreelist {
		if err := checkTree(f, fi.Size(), m); err != nil {
			return &DamagedError{Path: f.Name(), What: err.Error(), Advice: adviceSalvage}
		}
	}
	return nil
}

// guard runs fn and turns what a damaged file does to it into a *DamagedError:
// a memory fault when a page cannot be read from the disk, or bbolt's panic at
// a page that makes no sense. Other panics go on.
// What a bug of this package did would look like damage too: the error keeps
// its text.
func (b *Bolt) guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface {
			error
			Addr() uintptr
		}:
			err = b.damaged("a page of it cannot be read", r)
		case string: // bbolt's assertions
			err = b.damaged("its pages contradict each other: "+r, nil)
		case runtime.Error: // bbolt trusts the counts and offsets in its pages
			err = b.damaged("its pages make no sense", r)
		default:
			panic(r)
		}
	}()
	return fn()
}

// noRoom says whether err means that the disk, a quota or a limit on the size
// of files took no more. Some errors come through bbolt as text only.
func noRoom(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, e) || strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}
