package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// saver writes notices into a folder under names that are safe whatever their author wrote: the IVORN without its
// scheme, every character that is no letter, digit, dot, hyphen or underscore replaced by _, at most 120 of them, then
// the first 16 digits of the SHA-256, so that two notices of one IVORN do not meet.
type saver struct{ dir string }

func newSaver(dir string) (*saver, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil { // as mkdir does: the umask decides
		return nil, err
	}
	return &saver{dir: dir}, nil
}

// save writes the notice whole or not at all, and returns its path. A file that is there already is left alone: its
// name says that it has the same content.
func (s *saver) save(ivorn string, sum [32]byte, raw []byte, ext string) (string, error) {
	path := filepath.Join(s.dir, safeName(ivorn, sum)+ext)
	if _, err := os.Lstat(path); err == nil {
		return path, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return path, writeFile(path, raw, 0o666)
}

func safeName(ivorn string, sum [32]byte) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, strings.TrimPrefix(ivorn, "ivo://"))
	if len(name) > 120 {
		name = name[:120]
	}
	name = strings.TrimLeft(name, ".-")
	if name == "" {
		name = "notice"
	}
	return name + "-" + hex.EncodeToString(sum[:8])
}

// writeFile puts a file in place as a whole: readers see the old one or the new one, also after a crash.
func writeFile(path string, b []byte, mode os.FileMode) (err error) {
	dir := filepath.Dir(path)
	// Not os.CreateTemp: its files are for their owner only, and the mode wanted here is for the umask to decide.
	f, err := os.OpenFile(filepath.Join(dir, ".tocsin-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
