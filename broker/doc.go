// Package broker is the only way from bytes that come in to notices that are
// delivered: it checks and journals what authors submit, and leads every
// subscription through the journal at its own pace.
//
// A submission is parsed once, checked, held against the policy, and enqueued
// in the journal; its Pending ends when the notice is on stable storage. Then
// the followers wake, one per subscription. Each reads from its own place:
// from a ring of the newest notices in memory, or, when it is further behind,
// from the journal through blocks that it shares with others at the same place.
// It matches its filter, delivers the raw bytes to its Sink, and waits for
// nobody but its own subscriber. Receipts and cursors are written together,
// those of all subscriptions in one transaction.
//
// Protocols translate the four kinds of Error once each; the package knows no
// protocol. DESIGN.md in this folder says why it is built as it is.
package broker
