//go:build race

package backend_test

const memoryFactor = 6
