//go:build !race

package backend_test

// memoryFactor is how much more memory this build takes than one for users.
const memoryFactor = 1
