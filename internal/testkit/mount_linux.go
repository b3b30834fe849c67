package testkit

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Mount gives a disk of its own in memory, with the size and other options of tmpfs(5), "64k" say. It ends with the
// test. Where this process may mount nothing the test is skipped, unless CONVILYN_TEST_MOUNT says that it must not be.
func Mount(tb testing.TB, size string) (folder string) {
	tb.Helper()
	folder = tb.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("CONVILYN_TEST_MOUNT") == "required" {
			tb.Fatalf("mount a disk: %v", err)
		}
		tb.Skipf("this process may not mount a disk (%v); run as root, or set CONVILYN_TEST_MOUNT=required to fail instead", err)
	}
	tb.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			tb.Errorf("unmount a disk: %v", err)
		}
	})
	return folder
}

// MountReadOnly makes a disk that Mount gave read-only.
func MountReadOnly(tb testing.TB, folder string) {
	tb.Helper()
	if err := unix.Mount("", folder, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		tb.Fatalf("make a disk read-only: %v", err)
	}
}
