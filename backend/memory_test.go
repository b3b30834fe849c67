//go:build !race

package backend_test

// raceDetector says that this build takes several times the memory of one for users.
const raceDetector = false
