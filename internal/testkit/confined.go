package testkit

import (
	"os"
	"strings"
	"testing"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
)

// Confined skips a test of what this system does not confine conversions by, in the words of sandbox.Confinement,
// unless CONVILYN_TEST_NAMESPACES says "required".
func Confined(tb testing.TB, by string) {
	tb.Helper()
	if has := sandbox.Confinement(); !strings.Contains(has, by) {
		if os.Getenv("CONVILYN_TEST_NAMESPACES") == "required" {
			tb.Fatalf("this system confines conversions by: %s; not by: %s", has, by)
		}
		tb.Skipf("namespaces are not allowed here, so not: %s", by)
	}
}
