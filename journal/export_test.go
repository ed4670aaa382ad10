package journal

// FailLastSync lets the transactions of b fail as they do when the sync after
// writing the meta page fails: all is in the file, and nothing is promised.
// Call it while nothing is under way.
func FailLastSync(b *Bolt, err error) {
	if err == nil {
		b.afterCommit = nil
		return
	}
	b.afterCommit = func() error { return err }
}

// FreelistInFile says whether the last transaction wrote the list of free pages.
func FreelistInFile(b *Bolt) bool { return !b.db.NoFreelistSync }
