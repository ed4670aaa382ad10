package journal

import (
	"errors"
	"os"
	"syscall"
)

// datasync writes f's bytes to stable storage, and of what the file system keeps
// about it only what reading them needs.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
