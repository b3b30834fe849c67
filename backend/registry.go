package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/calibre"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/chromium"
	"github.com/convilyn/convilyn-temporal/backend/engines/ffmpeg"
	"github.com/convilyn/convilyn-temporal/backend/engines/finish"
	"github.com/convilyn/convilyn-temporal/backend/engines/gotenberg"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/backend/engines/pandoc"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/tesseract"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/backend/engines/vips"
	"github.com/convilyn/convilyn-temporal/backend/goals"
)

// EngineSettings are what engines need to know of their surroundings.
type EngineSettings struct {
	CacheDir     string // what engines compile once is kept below it
	GotenbergURL string // root of a Gotenberg server; empty for none
}

// DefaultRegistry holds every engine that can run on this machine, in the order of inOrder.
func DefaultRegistry(ctx context.Context, s EngineSettings) *engines.Registry {
	var all *engines.Registry
	step := func(ctx context.Context, in engines.Request) (engines.Result, error) { return all.Convert(ctx, in) }
	all = engines.NewRegistry(ctx, inOrder(s, step)...)
	return all
}

// inOrder is every engine, the preferred ones first: programs that keep more than
// what is built in does (LibreOffice of documents, Chromium of pages, vips of pictures), then what is built in, then programs
// for what that refuses or lacks. docs/engines.md has what each keeps, as measured. A server elsewhere comes last, as files
// leave the machine for it. step converts by any of them, for those that need that of another.
func inOrder(s EngineSettings, step engines.Step) []engines.Engine {
	all := append([]engines.Engine{libreoffice.New(step), chromium.New(), vips.New()}, builtIns(s.CacheDir)...)
	return append(all, pandoc.New(), calibre.New(), ffmpeg.New(), tesseract.New(step), gotenberg.New(s.GotenbergURL))
}

// builtIns are the engines that are Go code.
func builtIns(cacheDir string) []engines.Engine {
	return []engines.Engine{text.New(), tables.New(), images.New(), pdf.New(cacheDir), finish.New()}
}

// EnginesCommand is the argument by which EngineChildren starts this very program, followed by the cache folder.
const EnginesCommand = "engines"

// EngineChildren has this very program started for conversions and goals. Its main has to answer EnginesCommand by
// ServeEngines.
func EngineChildren(cacheDir string) (*childproc.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start the engines: %w", err)
	}
	if err := os.MkdirAll(cacheDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cache folder of the engines: %w", err)
	}
	return &childproc.Config{Path: self, Args: []string{EnginesCommand, cacheDir}, Writes: []string{cacheDir}}, nil
}

// ServeEngines is what a process has to do that Config.Children starts: it converts by the engines of DefaultRegistry
// that are Go code, and runs passes of goals.All, until in ends. What engines compile once is kept below cacheDir.
func ServeEngines(ctx context.Context, cacheDir string, in io.Reader, out io.Writer) error {
	all := builtIns(cacheDir)
	check, closeCheck := checkWorks(cacheDir)
	opened, closeLocks := lockWorks(cacheDir)
	err := childproc.Serve(ctx, in, out, slices.Concat(childproc.Engines(all...), goals.Works(goals.All()...), []childproc.Work{check}, opened)...)
	err = errors.Join(err, closeCheck(), closeLocks())
	for _, engine := range all {
		if engine.Close != nil {
			err = errors.Join(err, engine.Close())
		}
	}
	return err
}
