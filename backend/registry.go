package backend

import (
	"context"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/chromium"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

// DefaultRegistry holds every engine that can run on this machine, the preferred ones first. What engines
// compile once is kept below cacheDir.
func DefaultRegistry(ctx context.Context, cacheDir string) *engines.Registry {
	return engines.NewRegistry(ctx, libreoffice.New(), text.New(), tables.New(), images.New(), pdf.New(cacheDir), chromium.New())
}
