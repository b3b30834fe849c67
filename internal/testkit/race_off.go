//go:build !race

package testkit

// RaceDetector reports whether the tests run with it, which multiplies what memory and time they take.
const RaceDetector = false

// SmallLimit is a limit on memory or disk, in bytes and in words, that children of tests keep and hostile ones go over.
const (
	SmallLimit     = 256 << 20
	SmallLimitText = "256 MB"
)
