package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The buckets of the file. DESIGN.md draws them.
var (
	bucketNotices       = []byte("notices")       // number -> record
	bucketRecent        = []byte("recent")        // first number -> index block, one a commit
	bucketIndex         = []byte("index")         // first number -> index block of foldAt entries
	bucketReceipts      = []byte("receipts")      // first receipt number -> packed receipts
	bucketCursors       = []byte("cursors")       // subscription -> cursor
	bucketSubscriptions = []byte("subscriptions") // subscription -> definition
	bucketState         = []byte("state")         // "format", "counters"

	keyFormat   = []byte("format")
	keyCounters = []byte("counters")

	allBuckets = [][]byte{
		bucketNotices, bucketRecent, bucketIndex, bucketReceipts, bucketCursors, bucketSubscriptions, bucketState,
	}
)

// format is what the file says it is; another number means another layout.
const format = "tocsin journal 1"

// fillSequential is how full pages are packed in buckets that only grow at
// their end.
const fillSequential = 0.95

// firstMap is how much address space is reserved at once, so that the file does
// not outgrow its mapping while readers hold it: growing it makes them and the
// owner wait for each other.
const firstMap = 64 << 30

const adviceSalvage = "`tocsin journal check` tells what can be saved, `tocsin journal salvage` saves it into a new file"

// Open opens or creates the journal in the file path. It fails with ErrLocked
// when another process has it, and with a *DamagedError when the file cannot be
// trusted: it looks at the file's frame before mapping it into memory, and at
// every block of the index; records are verified when they are read.
func Open(path string, o Options) (*Bolt, error) {
	o = o.withDefaults()
	c, err := sharedCodec()
	if err != nil {
		return nil, err
	}
	if err := create(path, o); err != nil {
		return nil, err
	}
	if err := preflight(path, o.LockTimeout); err != nil {
		return nil, err
	}
	b := &Bolt{path: path, o: o, codec: c, pack: c, ended: make(chan struct{})}
	if o.NoCompression {
		b.pack = nil
	}
	b.queue.closed, b.queue.wake = make(chan struct{}), make(chan struct{}, 1)
	b.own.keys, b.own.names = map[[32]byte]*item{}, map[string]Seq{}
	if err := b.guard(b.open); err != nil {
		return nil, err
	}
	b.end = sync.OnceValue(b.closeStore)
	b.publish()
	go b.run()
	return b, nil
}

// open opens the store and reads the index into memory.
func (b *Bolt) open() (err error) {
	var f *os.File
	defer func() {
		if r := recover(); r != nil {
			// What bbolt holds after a panic it cannot let go of itself; the
			// lock goes with the file.
			if f != nil {
				f.Close()
			}
			panic(r)
		}
	}()
	b.db, err = openBolt(b.path, b.o, &f)
	if err != nil {
		return err
	}
	err = b.load()
	if err == nil {
		err = b.openWAL()
	}
	if err != nil {
		return errors.Join(err, b.own.wal.close(), b.db.Close())
	}
	return nil
}

func openBolt(path string, o Options, f **os.File) (*bolt.DB, error) {
	bo := bolt.Options{
		Timeout:         o.LockTimeout,
		NoSync:          o.NoSync,
		PageSize:        o.PageSize,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: firstMap,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			file, err := os.OpenFile(name, flag, perm)
			if f != nil {
				*f = file
			}
			return file, err
		},
	}
	if ^uint(0)>>32 == 0 {
		bo.InitialMmapSize = 0 // no room for reserves in 32 bits
	}
	db, err := bolt.Open(path, 0o600, &bo)
	if err != nil && !errors.Is(err, berrors.ErrTimeout) && bo.InitialMmapSize > 0 {
		// Address space may be limited (ulimit -v): go on without a reserve.
		bo.InitialMmapSize = 0
		db, err = bolt.Open(path, 0o600, &bo)
	}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrLocked, path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, &DamagedError{Path: path, What: "its first pages are no journal's", Advice: adviceSalvage, Err: err}
	case err != nil:
		return nil, fmt.Errorf("journal: opening %s: %w", path, err)
	}
	db.AllocSize = 64 << 20
	return db, nil
}

// create makes the file of a new journal when there is none. It appears under
// its name complete or not at all.
func create(path string, o Options) error {
	if fi, err := os.Stat(path); err == nil && fi.Size() > 0 {
		return nil
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	} else if err == nil {
		// An empty file holds nothing that could be lost.
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".new-journal-*")
	if err != nil {
		return fmt.Errorf("journal: creating %s: %w", path, err)
	}
	name := tmp.Name()
	defer os.Remove(name) // gone already when all went well
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("journal: creating %s: %w", path, err)
	}
	db, err := openBolt(name, o, nil)
	if err != nil {
		return err
	}
	err = db.Update(layOut)
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("journal: creating %s: %w", path, err)
	}
	// A link, unlike a rename, never takes the place of a file that another
	// process has made meanwhile.
	if err := os.Link(name, path); err != nil && !errors.Is(err, os.ErrExist) {
		if err := os.Rename(name, path); err != nil {
			return fmt.Errorf("journal: creating %s: %w", path, err)
		}
	}
	return syncDir(dir)
}

// layOut makes the buckets of a new journal.
func layOut(tx *bolt.Tx) error {
	for _, name := range allBuckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketState).Put(keyFormat, []byte(format))
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// closeStore writes the list of free pages, so that the next start need not
// look for them, and closes the file.
func (b *Bolt) closeStore() error {
	var err error
	if b.db.NoFreelistSync && b.own.broken == nil && !b.own.doubt {
		b.db.NoFreelistSync = false
		err = b.guard(func() error { return b.db.Update(func(*bolt.Tx) error { return nil }) })
	}
	if len(b.own.ahead) == 0 && !b.own.doubt && b.own.broken == nil {
		err = errors.Join(err, b.own.wal.clear())
	}
	return errors.Join(err, b.own.wal.close(), b.db.Close())
}

// counters are the parts of the state that no bucket tells by itself.
type counters struct {
	nextReceipt  uint64 // number of the next receipt
	receiptBytes int64  // of all kept packed receipts
}

const (
	countersKind = 'T'
)

func (c *counters) put(tx *bolt.Tx) error {
	v := []byte{0, 0, 0, 0, countersKind, layoutVersion, 0, 0}
	v = binary.LittleEndian.AppendUint64(v, c.nextReceipt)
	v = binary.LittleEndian.AppendUint64(v, uint64(c.receiptBytes))
	sealValue(v, keyCounters)
	return tx.Bucket(bucketState).Put(keyCounters, v)
}

func (c *counters) decode(v []byte) bool {
	if len(v) != 24 || !valueOK(v, keyCounters, countersKind) {
		return false
	}
	c.nextReceipt = binary.LittleEndian.Uint64(v[8:])
	c.receiptBytes = int64(binary.LittleEndian.Uint64(v[16:]))
	return true
}

// load reads the owner's state and the index from the file.
func (b *Bolt) load() error {
	return b.db.View(func(tx *bolt.Tx) error {
		for _, name := range allBuckets {
			if tx.Bucket(name) == nil {
				return b.damaged(fmt.Sprintf("it has no bucket %q", name), nil)
			}
		}
		if got := tx.Bucket(bucketState).Get(keyFormat); string(got) != format {
			return fmt.Errorf("journal: %s has the format %q, this program reads %q", b.path, got, format)
		}
		o := &b.own
		o.txid = uint64(tx.ID())
		o.first, o.last, o.tail, o.records, o.recordBytes = 0, 0, nil, 0, 0
		o.counters = counters{nextReceipt: 1}
		if v := tx.Bucket(bucketState).Get(keyCounters); v != nil && !o.counters.decode(v) {
			return b.damaged("its counters do not verify", nil)
		}
		o.floor = Seq(tx.Bucket(bucketNotices).Sequence())
		c := tx.Bucket(bucketNotices).Cursor()
		if k, _ := c.First(); k != nil {
			o.first, _ = keySeq(k)
			k, _ = c.Last()
			o.last, _ = keySeq(k)
			if o.first == 0 || o.last < o.first {
				return b.damaged("its records have no good numbers", nil)
			}
		}
		o.applied = o.last
		b.index.mu.Lock()
		defer b.index.mu.Unlock()
		if err := b.loadIndex(tx); err != nil {
			return err
		}
		o.aheadBytes = 0
		b.countAhead(o.ahead)
		return nil
	})
}

func (b *Bolt) loadIndex(tx *bolt.Tx) error {
	o := &b.own
	b.index.keys, b.index.names, b.index.marks = table{}, table{}, marks{}
	n := 0
	for _, name := range [][]byte{bucketIndex, bucketRecent} {
		c := tx.Bucket(name).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			n += blockLen(v)
		}
	}
	b.index.keys.grow(n)
	b.index.names.grow(n)
	last := Seq(0)
	take := func(e *entry) {
		last = e.seq
		if e.seq < o.first {
			return // trimmed, the block holds others that are not
		}
		b.indexEntry(e)
		o.records++
		o.recordBytes += int64(e.size)
	}
	for _, name := range [][]byte{bucketIndex, bucketRecent} {
		c := tx.Bucket(name).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if seq, ok := keySeq(k); !ok || seq <= last {
				return b.damaged(fmt.Sprintf("a block of its bucket %q is out of order", name), nil)
			}
			fn := take
			if string(name) == string(bucketRecent) {
				fn = func(e *entry) {
					take(e)
					o.tail = append(o.tail, *e)
				}
			}
			if err := eachEntry(k, v, fn); err != nil {
				return b.damaged(fmt.Sprintf("a block of its bucket %q does not verify", name), err)
			}
		}
	}
	if last != o.last {
		return b.damaged(fmt.Sprintf("its index ends at %d and its records at %d", last, o.last), nil)
	}
	return nil
}

func (b *Bolt) damaged(what string, err error) error {
	return &DamagedError{Path: b.path, What: what, Advice: adviceSalvage, Err: err}
}

// settle finds out whether the failed transaction before is visible in the
// file after all, and undoes it there: its callers were told that it failed.
func (b *Bolt) settle() error {
	o := &b.own
	tx, err := b.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	if uint64(tx.ID())-1 == o.txid {
		o.doubt, o.strays = false, false
		return nil
	}
	if err := b.guard(func() error {
		if err := restore(tx, o.applied, o.tail); err != nil {
			return err
		}
		return b.commit(tx)
	}); err != nil {
		return err
	}
	o.doubt, o.strays = false, false
	b.o.Logger.Warn("journal: undid a transaction whose sync had failed", "file", b.path, "last", o.applied)
	return b.guard(b.load)
}

// restore removes all records after last, and what the index says of them;
// tail are the entries that were not folded when last was.
func restore(tx *bolt.Tx, last Seq, tail []entry) error {
	if err := removeFrom(tx.Bucket(bucketNotices), last+1); err != nil {
		return err
	}
	folded := last + 1
	if len(tail) > 0 {
		folded = tail[0].seq
	}
	if err := removeFrom(tx.Bucket(bucketIndex), folded); err != nil {
		return err
	}
	if err := removeFrom(tx.Bucket(bucketRecent), 0); err != nil {
		return err
	}
	if len(tail) == 0 {
		return nil
	}
	return tx.Bucket(bucketRecent).Put(seqKeySlice(tail[0].seq), encodeBlock(tail))
}

// removeFrom deletes all keys of a bucket that are numbers from seq on.
func removeFrom(bk *bolt.Bucket, seq Seq) error {
	var keys [][]byte
	c := bk.Cursor()
	for k, _ := c.Seek(seqKeySlice(seq)); k != nil; k, _ = c.Next() {
		keys = append(keys, append([]byte(nil), k...))
	}
	for _, k := range keys {
		if err := bk.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
