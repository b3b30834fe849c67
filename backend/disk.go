package backend

import (
	"errors"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const noSpace = "The disk of the service is full; it goes on when there is space."

// diskFull says that a failure comes right when somebody makes space.
func diskFull(err error) bool {
	var records *sqlite.Error
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.As(err, &records) && records.Code()&0xff == sqlite3.SQLITE_FULL
}
