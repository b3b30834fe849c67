package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/manifest"
)

const (
	settleDefault = 5 * time.Second
	settleLeast   = time.Second
	settleMost    = time.Hour
	everyLeast    = time.Minute
)

// repeating is how a batch is done again and again, with nobody at hand.
type repeating struct {
	every  time.Duration // 0 for no schedule
	watch  bool
	settle time.Duration // 0 for settleDefault of a watch, and for all files at a schedule's times
}

func (r *repeating) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.DurationVar(&r.every, "every", 0, "do it again and again, such as every 1h; see 'schedules'")
	flags.BoolVar(&r.watch, "watch", false, "go on and take files as they come, once they have stopped growing")
	flags.DurationVar(&r.settle, "settle", 0, "take files that have not changed for so long (default 5s with --watch); with --every others wait for the next time")
}

func (r repeating) repeats() bool { return r.watch || r.every != 0 }

// faults are of these flags alone; listed says that the source is a manifest.
func (r repeating) faults(listed bool, maxDuration time.Duration) []error {
	var faults []error
	note := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	note(r.watch && r.every != 0, "--watch and --every exclude each other; a watch takes files as they come, a schedule at its times")
	note(r.every < 0 || r.every > 0 && r.every < everyLeast, "--every %s is less than a minute; use --watch to take files as they come", shortDuration(r.every))
	note(r.every%time.Second != 0, "--every %s is not in whole seconds", r.every)
	note(r.settle != 0 && !r.repeats(), "--settle is for --watch and --every; other batches take what is there")
	note(r.settle != 0 && (r.settle < settleLeast || r.settle > settleMost), "--settle %s is not from 1s to 1h", r.settle)
	note(r.watch && listed, "--watch is for a folder or a pattern; a manifest is read again by --every")
	note(r.watch && maxDuration != 0, "--max-duration is not for --watch, which goes on until 'runs cancel'")
	return faults
}

// spec is how a plan is made where nobody can mend it.
func (r repeating) spec(spec *manifest.Spec) {
	if !r.repeats() {
		return
	}
	spec.Lenient, spec.Settle = true, r.settle
	if r.settle == 0 && r.watch {
		spec.Settle = settleDefault
	}
	spec.SkipFailed = r.watch // what failed at one time of a schedule may be mended at the next
}

var errReplace = errors.New("--replace is for --every; a watch is ended with 'runs cancel'")
