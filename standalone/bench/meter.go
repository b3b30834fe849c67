package bench

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// use is what this process has used over some time.
type use struct {
	wall   time.Duration
	cpu    float64 // seconds
	memory int64   // most bytes resident; 0 where that cannot be told
}

// meter measures this process from its start to its stop.
type meter struct {
	begun  time.Time
	cpu    float64
	stopit chan struct{}
	peak   chan int64
}

// sampling is how often memory is looked at.
const sampling = 20 * time.Millisecond

func startMeter() *meter {
	m := &meter{begun: time.Now(), cpu: CPU(), stopit: make(chan struct{}), peak: make(chan int64)}
	go m.sample()
	return m
}

func (m *meter) sample() {
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()
	peak := resident()
	for {
		select {
		case <-ticker.C:
			peak = max(peak, resident())
		case <-m.stopit:
			m.peak <- max(peak, resident())
			return
		}
	}
}

func (m *meter) stop() use {
	u := use{wall: time.Since(m.begun), cpu: CPU() - m.cpu}
	close(m.stopit)
	u.memory = <-m.peak
	return u
}

// CPU is the time that this process has computed so far, in seconds, the system's work for it included.
func CPU() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// resident is how much of this process is in memory, in bytes; 0 where the system does not tell.
func resident() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	n, err := residentIn(string(data))
	if err != nil {
		return 0
	}
	return n
}

func residentIn(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("no VmRSS in it")
}
