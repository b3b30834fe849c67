package backend

import (
	"context"
	"errors"
	"io"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/apart"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

// DefaultRegistry holds every engine that can run on this machine, the preferred ones first. What engines
// compile once is kept below cacheDir.
func DefaultRegistry(ctx context.Context, cacheDir string) *engines.Registry {
	return engines.NewRegistry(ctx, append([]engines.Engine{libreoffice.New()}, builtIns(cacheDir)...)...)
}

// builtIns are the engines that are Go code.
func builtIns(cacheDir string) []engines.Engine {
	return []engines.Engine{text.New(), tables.New(), images.New(), pdf.New(cacheDir)}
}

// ServeEngines is what a process has to do that Config.Apart starts: it converts by the engines of DefaultRegistry
// that are Go code until in ends. What they compile once is kept below cacheDir.
func ServeEngines(ctx context.Context, cacheDir string, in io.Reader, out io.Writer) error {
	all := builtIns(cacheDir)
	err := apart.Serve(ctx, in, out, all...)
	for _, engine := range all {
		if engine.Close != nil {
			err = errors.Join(err, engine.Close())
		}
	}
	return err
}

// convert runs an engine where it can be stopped: outside programs see to that themselves, Go code runs apart
// where the service was told to.
func (s *Service) convert(ctx context.Context, engine engines.Engine, in engines.Request) (engines.Result, error) {
	if s.children != nil && engine.Package == "" {
		return s.children.Convert(ctx, engine.Name, in)
	}
	return safely(ctx, engine, in)
}
