package stack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

type fakeClock struct {
	ahead time.Duration
	time  time.Time
}

func (c *fakeClock) Ahead() time.Duration { return c.ahead }

func TestClockThatIsSetBack(t *testing.T) {
	dir := t.TempDir()
	clock := &fakeClock{time: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	var told []string
	healed, fault := 0, error(nil)
	w := &clockWatch{
		dir: dir, clock: clock, now: func() time.Time { return clock.time }, logger: zap.NewNop(), notice: func(text string) { told = append(told, text) },
		setBack: func(context.Context) error {
			ahead, err := ClockAhead(dir)
			require.NoError(t, err)
			assert.Equal(t, clock.ahead, ahead, "others know before Temporal does")
			healed++
			return fault
		},
	}
	look := func() (ahead time.Duration) {
		told = nil
		w.look(t.Context())
		ahead, err := ClockAhead(dir)
		require.NoError(t, err)
		return ahead
	}

	assert.Zero(t, look())
	assert.Empty(t, told)
	assert.Equal(t, clock.time, newestTime(dir).UTC())

	clock.ahead = 45 * time.Second
	assert.Equal(t, 45*time.Second, look(), "others know at once")
	require.Len(t, told, 1)
	assert.Contains(t, told[0], "was set back: it is 45 s behind the newest time in the data folder")
	assert.Contains(t, told[0], "remedy: ")
	assert.Equal(t, 1, healed)

	look()
	assert.Empty(t, told, "once is enough")
	assert.Equal(t, 1, healed)

	clock.ahead, fault = 24*time.Hour, errors.New("not now")
	look()
	assert.Len(t, told, 1, "and when it is set back again")
	fault = nil
	look()
	assert.Equal(t, 3, healed, "what failed is tried again")

	clock.ahead = 0
	assert.Zero(t, look())
	assert.Equal(t, []string{"the clock of this machine is right again"}, told)
}

func TestNewestTime(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	assert.True(t, newestTime(dir).IsZero())
	require.NoError(t, os.WriteFile(filepath.Join(dir, clockFile), []byte("{broken"), 0o600))
	assert.True(t, newestTime(dir).IsZero())
	_, err := ClockAhead(dir)
	require.Error(t, err)

	w := &clockWatch{dir: dir, logger: zap.NewNop()}
	w.write(kept{Now: at})
	assert.Equal(t, at, newestTime(dir).UTC())
	database := filepath.Join(dir, "temporal.db")
	require.NoError(t, os.WriteFile(database, nil, 0o600))
	require.NoError(t, os.Chtimes(database, at, at.Add(time.Hour)))
	assert.Equal(t, at.Add(time.Hour), newestTime(dir).UTC(), "a killed process has not written it down")
}
