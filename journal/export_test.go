package journal

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
func FreelistInFile(b *Bolt) bool { return !b.db.NoFreelistSync }
