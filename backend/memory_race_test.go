//go:build race

package backend_test

const (
	// raceDetector says that this build takes several times the memory of one for users.
	raceDetector = true
	small        = 1 << 30
	smallText    = "1 GB"
)
