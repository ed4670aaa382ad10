// Package archtest holds the tests that keep the house as docs/ARCHITECTURE.md draws it: which package may depend on
// which, also indirectly, and that the linter's rules really bite.
package archtest
