//go:build race

package program_test

// The race detector needs several times the memory.
const (
	small     = 1 << 30
	smallText = "1 GB"
)
