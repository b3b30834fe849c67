package activities

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// rootCause is what the system said, without what we were doing and to which file.
func rootCause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// diskFault says what a refusal of the file system means for a step that writes; nil where err is none. Space and
// folders come back, rights and read-only disks wait for somebody.
func diskFault(err error) *localError {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return nil
	}
	path, folder := placeOf(err)
	waits := func(code, format string, args ...any) *localError {
		return &localError{kind: FailureUnavailable, code: code, text: fmt.Sprintf(format, args...), retry: true}
	}
	ends := func(code, format string, args ...any) *localError {
		return &localError{kind: FailureOutput, code: code, text: fmt.Sprintf(format, args...)}
	}
	switch number {
	case syscall.ENOSPC:
		return waits(CodeDiskFull, "no space is left in %s; the step goes on when there is", folder)
	case syscall.EDQUOT:
		return waits(CodeDiskFull, "the worker's quota in %s is used up; the step goes on when it is not", folder)
	case syscall.ENOENT, syscall.ESTALE:
		return waits(CodeOutputGone, "%s vanished while it was written; the step makes it again and starts over", folder)
	case syscall.EIO:
		return waits(CodeOutputFolder, "%s cannot be written: %v; the step goes on when its disk works", folder, number)
	case syscall.EROFS:
		return ends(CodeOutputFolder, "%s is on a disk that is mounted read-only; mount it for writing or choose another output", folder)
	case syscall.EACCES, syscall.EPERM:
		return ends(CodeOutputFolder, "the worker may not write to %s; give it the right to or choose another output", folder)
	case syscall.ENOTDIR:
		return ends(CodeOutputFolder, "%s is no folder; choose another output", folder)
	case syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG:
		return ends(CodeOutputFolder, "%s cannot be written: %v; choose another output", path, number)
	case syscall.EFBIG:
		return ends(CodeOutputTooLarge, "%s takes no file as large as this one; choose another output", folder)
	default:
		return nil
	}
}

// patient keeps a step waiting for what somebody has to mend: half a batch, or a watch, is not given up for it.
func patient(err error) error {
	fault := diskFault(err)
	if fault == nil {
		return err
	}
	if !fault.retry {
		what := fault.text[:strings.LastIndex(fault.text, "; ")]
		fault.kind, fault.text, fault.retry = FailureUnavailable, what+"; the step goes on when that is mended", true
	}
	return fault
}

// placeOf is the path that the file system refused, and the folder to look at.
func placeOf(err error) (path, folder string) {
	var one *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &one):
		path = one.Path
	case errors.As(err, &two):
		path = two.New
	default:
		return "the output", "the output's folder"
	}
	if one != nil && one.Op == "mkdir" {
		return path, path
	}
	return path, filepath.Dir(path)
}
