package sandbox

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Limits bound one call. Zero values take the defaults named beside them.
type Limits struct {
	Memory    int64 // bytes that all its processes hold together, 2 GiB
	Disk      int64 // bytes below Home and Folders, 4 GiB; also of any one file
	Processes int   // at once, 128
}

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	if l.Memory <= 0 {
		l.Memory = 2 << 30
	}
	if l.Disk <= 0 {
		l.Disk = 4 << 30
	}
	if l.Processes <= 0 {
		l.Processes = 128
	}
	return l
}

const (
	openFiles = 4096
	// threads of a process are counted as processes by the kernel; browsers have a dozen each.
	threadsEach = 16
	// withoutDeadline is how much time a call has for which nobody set a deadline.
	withoutDeadline = time.Hour
)

// allowance is how much processor time one process of a call can need until its deadline, with all cores. The
// deadline itself is kept by Guard; this ends what it cannot reach.
func allowance(ctx context.Context) time.Duration {
	left := withoutDeadline
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	return max(left, time.Second) * time.Duration(runtime.NumCPU())
}

// use is what a call holds at one moment.
type use struct {
	memory, disk int64
	processes    int
}

// ErrLimit is in the chain of the error of what went over one of its limits, beside the *engines.Error.
var ErrLimit = errors.New("over a limit")

// over is the error of a program that holds more than it may, nil for one that does not.
func (l Limits) over(title string, u use) error {
	var what string
	switch {
	case u.memory > l.Memory:
		what = "needed more than " + size(l.Memory) + " of memory"
	case u.disk >= l.Disk: // no single file can get past it
		what = "wrote more than " + size(l.Disk)
	case u.processes > l.Processes:
		what = fmt.Sprintf("started more than %d processes", l.Processes)
	default:
		return nil
	}
	return fmt.Errorf("%w: %w", ErrLimit, engines.Errorf(engines.CodeConversionFailed, "%s %s and was stopped", title, what))
}

func size(bytes int64) string {
	if bytes >= 1<<30 && bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GB", bytes>>30)
	}
	return fmt.Sprintf("%d MB", bytes>>20)
}
