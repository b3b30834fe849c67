package roots

import "golang.org/x/sys/unix"

// search opens a folder on the way, for which the right to go through it is enough.
const search = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
