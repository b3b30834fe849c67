package backend

import (
	"context"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/calibre"
	"github.com/convilyn/convilyn-temporal/backend/engines/chromium"
	"github.com/convilyn/convilyn-temporal/backend/engines/ffmpeg"
	"github.com/convilyn/convilyn-temporal/backend/engines/gotenberg"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/backend/engines/pandoc"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/backend/engines/vips"
)

// EngineSettings are what engines need to know of their surroundings.
type EngineSettings struct {
	CacheDir     string // what engines compile once is kept below it
	GotenbergURL string // root of a Gotenberg server; empty for none
}

// DefaultRegistry holds every engine that can run on this machine, the preferred ones first: LibreOffice
// and Chromium, which keep the layout of documents and pages, then what is built in, then programs for what that
// refuses or lacks. A server elsewhere comes last, as files leave the machine for it.
func DefaultRegistry(ctx context.Context, s EngineSettings) *engines.Registry {
	return engines.NewRegistry(ctx,
		libreoffice.New(), chromium.New(), text.New(), tables.New(), images.New(), pdf.New(s.CacheDir),
		vips.New(), pandoc.New(), calibre.New(), ffmpeg.New(), gotenberg.New(s.GotenbergURL),
	)
}
