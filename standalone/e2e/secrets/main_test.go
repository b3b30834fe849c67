//go:build deep

package secrets

import (
	"testing"

	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

func TestMain(m *testing.M) { fixture.Main(m) }
