//go:build !race

package main

// raceDetector says that the tests run with it, which multiplies what memory and time they take.
const raceDetector = false
