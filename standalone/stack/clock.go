package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/standalone/temporalserver"
	"github.com/convilyn/convilyn-temporal/workflows"
)

const (
	clockFile = "clock.json" // in the data folder
	// clockEvery is how often the clocks are compared: what a clock that was set back holds up, it holds up for so long.
	clockEvery = 500 * time.Millisecond
	// clockKept is how often the time is written down.
	clockKept = 5 * time.Second
	// clockOff is what counts as set back. Less heals by itself within a second.
	clockOff = time.Second
)

// kept is what the data folder knows of the time.
type kept struct {
	Now   time.Time `json:"now"`           // of Temporal
	Ahead float64   `json:"ahead_seconds"` // of the machine's clock, which was set back by so much
}

// ClockAhead is by how much the clock of the machine was set back, as the stack that runs on the data folder has written it
// down; 0 where it was not.
func ClockAhead(dir string) (time.Duration, error) {
	k, err := readClock(dir)
	if err != nil {
		return 0, err
	}
	if ahead := time.Duration(k.Ahead * float64(time.Second)); ahead >= clockOff {
		return ahead, nil
	}
	return 0, nil
}

// ClockText says what a clock that was set back means.
func ClockText(ahead time.Duration) string {
	return fmt.Sprintf("the clock of this machine was set back: it is %s behind the newest time in the data folder; nothing waits for that, "+
		"but times of runs are ahead by as much", term.Span(ahead))
}

// ClockRemedy is what people can do about it.
func ClockRemedy(ahead time.Duration) string {
	return fmt.Sprintf("if the clock is wrong, set it right (timedatectl set-ntp true); if it was wrong before and is right now, end standalone for %s", term.Span(ahead))
}

// clockNotice is what people are told who look at the inbox.
func (s *Stack) clockNotice() string {
	ahead := s.clock.Ahead()
	if ahead < clockOff {
		return ""
	}
	text := ClockText(ahead) + ". " + ClockRemedy(ahead) + "."
	return strings.ToUpper(text[:1]) + strings.ReplaceAll(text[1:], ". if", ". If")
}

func readClock(dir string) (k kept, err error) {
	data, err := os.ReadFile(filepath.Join(dir, clockFile)) //nolint:gosec // inside the data folder
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}, nil // of a version that did not write it
	}
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err != nil {
		return kept{}, fmt.Errorf("read the time of the data folder: %w", err)
	}
	return k, nil
}

// newestTime is the latest that a data folder has seen: as it was written down, or as the database was written.
func newestTime(dir string) time.Time {
	k, _ := readClock(dir) // one that is broken says nothing, and is written again
	newest := k.Now
	for _, name := range []string{"temporal.db", "temporal.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest
}

// clockWatch compares the clock of the machine with that of Temporal.
type clockWatch struct {
	dir     string
	clock   interface{ Ahead() time.Duration }
	now     func() time.Time // of Temporal
	setBack func(context.Context) error
	notice  func(string)
	logger  *zap.Logger

	ahead   time.Duration // as it was told last
	written time.Time     // of Temporal
}

// look is called again and again.
func (w *clockWatch) look(ctx context.Context) {
	ahead, now := w.clock.Ahead(), w.now()
	setBack, right := ahead >= w.ahead+clockOff, ahead < clockOff && w.ahead >= clockOff
	if setBack || right || now.Sub(w.written) >= clockKept {
		w.write(kept{Now: now, Ahead: ahead.Seconds()}) // before anything that may take its time: others read it
	}

	switch {
	case setBack:
		w.ahead = ahead
		w.logger.Warn(ClockText(ahead), zap.Duration("ahead", ahead), zap.String("remedy", ClockRemedy(ahead)))
		w.notice(ClockText(ahead) + "; remedy: " + ClockRemedy(ahead))
		if err := w.setBack(ctx); err != nil {
			w.ahead = 0 // it is tried again
			w.logger.Error("Temporal may wait for the time that it was", zap.Error(err))
		}
	case right:
		w.ahead = 0
		w.logger.Info("the clock of this machine is right again")
		w.notice("the clock of this machine is right again")
	}
}

func (w *clockWatch) write(k kept) {
	data, err := json.Marshal(k)
	if err == nil {
		err = renameio.WriteFile(filepath.Join(w.dir, clockFile), data, 0o600)
	}
	if err != nil {
		w.logger.Warn("cannot write down the time", zap.Error(err)) // such as on a full disk; the next one may
	}
	w.written = k.Now
}

// watchClock watches until the stack is closed.
func (s *Stack) watchClock(server *temporalserver.Server, clock *temporalserver.Clock) {
	w := &clockWatch{
		dir: s.Dir, clock: clock, now: clock.Now, notice: s.notice, logger: s.Logger.Named("clock"),
		setBack: func(ctx context.Context) error { return server.SetBack(ctx, Namespace, workflows.TaskQueue) },
	}
	w.write(kept{Now: clock.Now(), Ahead: clock.Ahead().Seconds()}) // a command that joins at once is told, too
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(clockEvery)
		defer ticker.Stop()
		for {
			w.look(ctx)
			select {
			case <-ctx.Done():
				w.write(kept{Now: clock.Now(), Ahead: clock.Ahead().Seconds()})
				return
			case <-ticker.C:
			}
		}
	}()
	s.OnClose(func() {
		stop()
		<-done
	})
}
