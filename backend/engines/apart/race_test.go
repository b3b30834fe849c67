//go:build race

package apart_test

// The race detector needs several times the memory.
const (
	raced     = true
	small     = 1 << 30
	smallText = "1 GB"
)
