//go:build deep

// Package secrets searches for secrets in everything that work leaves behind.
package secrets

import (
	"testing"

	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

func TestMain(m *testing.M) { fixture.Main(m) }
