package bench

import (
	"crypto/sha256"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestResidentMemoryIsReadFromAStatus(t *testing.T) {
	n, err := residentIn("Name:\tx\nVmHWM:\t  999 kB\nVmRSS:\t   12345 kB\nRssAnon:\t 1 kB\n")
	require.NoError(t, err)
	assert.Equal(t, int64(12345<<10), n)
	for _, status := range []string{"", "VmHWM: 1 kB\n", "VmRSS:\tmuch kB\n"} {
		_, err := residentIn(status)
		assert.Error(t, err, status)
	}
}

func TestAMeterMeasuresThisProcess(t *testing.T) {
	m := startMeter()
	sum := [32]byte{}
	for m.cpu == CPU() { // the clock of some systems is coarse
		sum = sha256.Sum256(sum[:])
	}
	u := m.stop()
	assert.Positive(t, u.cpu)
	assert.Positive(t, u.wall)
	if _, err := os.Stat("/proc/self/status"); err == nil {
		assert.Greater(t, u.memory, int64(1<<20))
	}
}
