//go:build !race

package backend_test

const (
	// raceDetector says that this build takes several times the memory of one for users.
	raceDetector = false
	small        = 256 << 20
	smallText    = "256 MB"
)
