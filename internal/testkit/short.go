package testkit

import (
	"os"
	"testing"
)

// SkipIfShort skips a test that the quick tests (go test -short) leave out, and says why.
func SkipIfShort(tb testing.TB, why string) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("not a quick test: " + why)
	}
}

// SkipLong skips a test, or a row of one, that takes long and of whose kind others run. CONVILYN_TEST_LONG=all runs it all the
// same; so do the slices race-* and runs of .ci/deep.
func SkipLong(tb testing.TB, why string) {
	tb.Helper()
	SkipIfShort(tb, why)
	if os.Getenv("CONVILYN_TEST_LONG") != "all" {
		tb.Skip("not without CONVILYN_TEST_LONG=all: " + why)
	}
}

// SkipUnderRace skips a test in which the race detector has next to nothing to see and takes minutes, because its work is
// done in one goroutine or in other processes. CONVILYN_TEST_RACE=all runs it all the same; so do the slices race-* of .ci/deep.
func SkipUnderRace(tb testing.TB, why string) {
	tb.Helper()
	if RaceDetector && os.Getenv("CONVILYN_TEST_RACE") != "all" {
		tb.Skip("not with the race detector: " + why)
	}
}
