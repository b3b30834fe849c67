package testkit

import (
	"os"
	"path/filepath"
	"strconv"
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

// ProcessOf is a process that a confined program is or has started, 0 where there is none. call is what the program has in
// its variable CONVILYN_CALL: it does not know its number out here.
func ProcessOf(tb testing.TB, call string) int {
	tb.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		tb.Fatal(err)
	}
	for _, path := range environments {
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains("\x00"+string(data), "\x00CONVILYN_CALL="+call+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	return 0
}
