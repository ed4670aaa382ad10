//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package journal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lock takes the lock that bbolt takes too, and lets it go when f is closed.
func lock(f *os.File, timeout time.Duration) error {
	const step = 20 * time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("journal: locking %s: %w", f.Name(), err)
		}
		if waited >= timeout {
			return fmt.Errorf("%w: %s", ErrLocked, f.Name())
		}
		<-time.After(step)
	}
}
