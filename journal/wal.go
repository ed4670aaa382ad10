package journal

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// WALSuffix ends the name of the write-ahead file that lies beside a journal.
const WALSuffix = ".wal"

// maxWAL bounds what is read of a write-ahead file, which may be any file.
const maxWAL = 1 << 30

// walRetry is how long the owner goes on without a write-ahead file before it
// tries to make a new one.
const walRetry = 5 * time.Second

// wal is the write-ahead file. Only the owner touches it.
//
// Its bytes are written and synced when it is made: appends overwrite them in
// place, so that a sync has no changes of the file system's own to write and a
// full disk shows when the file is made. Each time all it holds is in the store
// it is written from its beginning again, in a new round.
type wal struct {
	path string
	f    *os.File // nil when it could not be made
	size int64
	off  int64 // where the next frame goes
	// round and place are those of the next frame.
	round uint64
	place uint32
	// bad says that a write or a sync failed: nothing is written to the file any
	// more. As long as records are ahead of the store it stays where it is.
	bad    bool
	doubt  bool      // the last frame failed and may be whole in the file
	tried  time.Time // when making it failed
	noSync bool
	// afterSync is nil but in a test that lets a sync fail.
	afterSync func() error
}

func (w *wal) usable() bool { return w.f != nil && !w.bad }

// restart begins a new round: all that the file holds is in the store.
func (w *wal) restart() {
	w.off, w.place, w.round = 0, 0, rand.Uint64()
}

// write puts f into the file and syncs it.
func (w *wal) write(f *frame) error {
	f.round, f.place = w.round, w.place
	b := f.encode()
	_, err := w.f.WriteAt(b, w.off)
	if err == nil {
		w.doubt = true
		err = w.sync()
		if err == nil && w.afterSync != nil {
			err = w.afterSync()
		}
	}
	if err != nil {
		w.bad = true
		return fmt.Errorf("journal: writing %s: %w", w.path, err)
	}
	w.doubt = false
	w.off += int64(len(b))
	w.place++
	return nil
}

func (w *wal) sync() error {
	if w.noSync {
		return nil
	}
	return datasync(w.f)
}

// cancel destroys the frame whose write has failed, so that a start after a crash
// does not take what was refused for acknowledged. When this fails too, it may.
func (w *wal) cancel() error {
	if !w.doubt {
		return nil
	}
	_, err := w.f.WriteAt(make([]byte, frameHead), w.off)
	if err == nil {
		err = w.sync()
	}
	w.doubt = err != nil
	return err
}

// make makes a new file, in the place of an old one that must hold nothing that
// is not in the store. It appears under its name complete or not at all.
func (w *wal) make(size int64) (err error) {
	w.tried = time.Now()
	tmp, err := os.CreateTemp(filepath.Dir(w.path), ".new-journal-*")
	if err != nil {
		return fmt.Errorf("journal: making %s: %w", w.path, err)
	}
	if err = w.fill(tmp, size); err == nil {
		err = os.Rename(tmp.Name(), w.path)
	}
	if err != nil {
		return fmt.Errorf("journal: making %s: %w", w.path, errors.Join(err, tmp.Close(), os.Remove(tmp.Name())))
	}
	_ = w.close() // nothing in it is wanted any more
	w.f, w.size, w.bad, w.doubt = tmp, size, false, false
	w.restart()
	return syncDir(filepath.Dir(w.path))
}

func (w *wal) fill(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	if w.noSync {
		return nil
	}
	return f.Sync()
}

// clear empties the file at the end: all it held is in the store.
func (w *wal) clear() error {
	if !w.usable() {
		return nil
	}
	_, err := w.f.WriteAt(make([]byte, frameHead), 0)
	if err == nil {
		err = w.sync()
	}
	if err != nil {
		return fmt.Errorf("journal: writing %s: %w", w.path, err)
	}
	return nil
}

func (w *wal) close() error {
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	return err
}

// readFrames reads the frames of an open write-ahead file.
func readFrames(f *os.File) ([]frame, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxWAL))
	if err != nil {
		return nil, fmt.Errorf("journal: reading %s: %w", f.Name(), err)
	}
	return decodeFrames(b), nil
}

// framesBeside reads the frames of the write-ahead file of the journal path, for
// Check and Salvage. None are in a file that is not there.
func framesBeside(path string) (fs []frame, err error) {
	f, err := os.Open(path + WALSuffix)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return readFrames(f)
}

// openWAL opens the write-ahead file or makes it, and moves what it holds into
// the store. It runs before the owner, once the store is loaded.
func (b *Bolt) openWAL() error {
	o := &b.own
	w := &o.wal
	w.path, w.noSync = b.path+WALSuffix, b.o.NoSync
	f, err := os.OpenFile(w.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		b.makeWAL()
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	w.f = f
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	w.size = fi.Size()
	fs, err := readFrames(f)
	if err != nil {
		return err
	}
	as, gap, err := after(fs, o.last)
	if err != nil {
		return &DamagedError{Path: w.path, What: "a record in it does not verify", Advice: adviceSalvage, Err: err}
	}
	if gap {
		return &DamagedError{
			Path: w.path, What: fmt.Sprintf("notices between %d, the last of %s, and those in it are missing", o.last, b.path),
			Advice: "it may belong to another copy of the journal; " + adviceSalvage,
		}
	}
	if len(as) > 0 {
		// What is read may be in the system's memory only.
		if err := w.sync(); err != nil {
			return fmt.Errorf("journal: syncing %s: %w", w.path, err)
		}
		b.takeAhead(as)
		if err := b.apply(nil); err != nil {
			err = b.failed(err)
			if o.broken != nil {
				return err
			}
			// They stay in the file and in memory; nothing is added to the file.
			w.bad = true
			b.o.Logger.Error("journal: moving notices from the write-ahead file", "file", b.path, "notices", len(as), "error", err)
			return nil
		}
	}
	w.restart()
	if w.size != b.o.WALBytes {
		b.makeWAL()
	}
	return nil
}

// makeWAL makes the write-ahead file anew. Without it appends go into the store
// directly.
func (b *Bolt) makeWAL() {
	w := &b.own.wal
	if err := w.make(b.o.WALBytes); err != nil {
		w.bad = true
		b.o.Logger.Warn("journal: going on without a write-ahead file", "file", b.path, "error", err)
	}
}

// remakeWAL replaces a bad file, after a good commit has put all it held into the
// store, but not too often.
func (b *Bolt) remakeWAL() {
	o := &b.own
	if !o.wal.usable() && len(o.ahead) == 0 && !o.doubt && time.Since(o.wal.tried) >= walRetry {
		b.makeWAL()
	}
}
