package journal_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"tocsin/journal"
	"tocsin/journal/journaltest"
)

func TestMain(m *testing.M) {
	if status, ok := runChild(); ok {
		os.Exit(status)
	}
	goleak.VerifyTestMain(m)
}

// numbered makes the n-th test record.
func numbered(n int) journal.Record {
	raw := fmt.Appendf(nil, "<VOEvent ivorn='ivo://test/crash#%d'>%0*d</VOEvent>", n, n%5000, n)
	return journal.Record{Key: sha256.Sum256(raw), Name: fmt.Sprintf("ivo://test/crash#%d", n), Raw: raw}
}

// opener opens journals in t's folder.
func opener(o journal.Options) journaltest.Opener {
	return func(t *testing.T) (journal.Log, func() journal.Log) {
		path := filepath.Join(t.TempDir(), "journal.db")
		var open *journal.Bolt
		reopen := func() journal.Log {
			if open != nil {
				if err := open.Close(); err != nil {
					t.Fatalf("Close: %v", err)
				}
			}
			var err error
			if open, err = journal.Open(path, o); err != nil {
				t.Fatalf("Open: %v", err)
			}
			return open
		}
		t.Cleanup(func() {
			if err := open.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return reopen(), reopen
	}
}

func TestBoltKeepsThePromisesOfLog(t *testing.T) {
	for name, o := range map[string]journal.Options{
		"defaults":                {},
		"large pages, fast codec": {FastCompressAt: 1, PageSize: 65536, NoSync: true},
		"small pages, batches and queues, no codec": {
			PageSize: 4096, MaxBatch: 7, MaxBatchBytes: 5000, MaxQueued: 20, MaxQueuedBytes: 10_000, NoCompression: true, NoSync: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait for the disk
			journaltest.Run(t, opener(o))
		})
	}
}
