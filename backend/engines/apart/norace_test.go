//go:build !race

package apart_test

const (
	raced     = false
	small     = 256 << 20
	smallText = "256 MB"
)
