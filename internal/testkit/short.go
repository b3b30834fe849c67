package testkit

import "testing"

// SkipIfShort skips a test that the quick tests (go test -short) leave out, and says why.
func SkipIfShort(tb testing.TB, why string) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("not a quick test: " + why)
	}
}
