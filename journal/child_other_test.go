//go:build !linux

package journal_test

func runChild() (status int, ok bool) { return 0, false }
