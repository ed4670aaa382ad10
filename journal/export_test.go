package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// CopyFiles copies a journal as it is on the disk at this moment, which is what a
// crash would leave, and gives the path of the copy.
func CopyFiles(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", WALSuffix} {
		b, err := os.ReadFile(path + suffix)
		if errors.Is(err, os.ErrNotExist) && suffix != "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// FailLastSync lets the frames and the transactions of b fail as they do when the
// sync after writing the frame or the meta page fails: all is in the file, and nothing is promised.
// Call it while nothing is under way.
func FailLastSync(b *Bolt, err error) {
	if err == nil {
		b.afterCommit, b.own.wal.afterSync = nil, nil
		return
	}
	b.afterCommit = func() error { return err }
	b.own.wal.afterSync = b.afterCommit
}

// FreelistInFile says whether the last transaction wrote the list of free pages.
func FreelistInFile(b *Bolt) (in bool) {
	// Asked on the owner's goroutine, which may be moving records at any time.
	err := b.change(context.Background(), func(*bolt.Tx) error {
		in = !b.db.NoFreelistSync
		return nil
	}, nil)
	return in && err == nil
}
