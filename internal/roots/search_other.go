//go:build !linux

package roots

import "golang.org/x/sys/unix"

// search opens a folder on the way. It takes the right to list it, too.
const search = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
