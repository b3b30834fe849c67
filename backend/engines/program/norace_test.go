//go:build !race

package program_test

const (
	small     = 256 << 20
	smallText = "256 MB"
)
