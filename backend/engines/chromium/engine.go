// Package chromium prints pages by Chromium, where that is installed: it has fonts for every writing, and emoji.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/links"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client/option"
)

const program = "chromium"

// New is the engine. It keeps a browser open for an owner's next pages.
func New() engines.Engine { return newEngine().asEngine() }

type engine struct {
	browsers *sandbox.Pool[*browser]
}

func newEngine() *engine {
	return &engine{browsers: sandbox.NewPool[*browser](browserIdle, browsersResting)}
}

func (e *engine) close() error {
	e.browsers.Close()
	return nil
}

func (e *engine) asEngine() engines.Engine {
	var routes []engines.Route
	for source := range strings.FieldsSeq("html md txt") {
		// Plain text the built-in engine sets as well, in a hundredth of the time.
		routes = append(routes, engines.Route{Source: source, Target: "pdf", Quality: engines.BestEffort, Reserve: source == "txt"})
	}
	return engines.Engine{
		Name: program, Package: "chromium", Routes: routes, Convert: e.convert, Version: version, Close: e.close,
		Options: func(string, string) []option.Option {
			return option.Of(option.NamePaper, option.NameLandscape, option.NameMargins, option.NameScale)
		},
	}
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, program, "--version", "Chromium")
}

func (e *engine) convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	place, err := scratch.Open(ctx, in, program)
	if err != nil {
		return engines.Result{}, err
	}
	defer place.Close()
	source, warnings, err := htmlOf(ctx, in, place)
	if err != nil {
		return engines.Result{}, err
	}
	shown := look(source)
	if err := checkFonts(ctx, place, shown.text); err != nil {
		return engines.Result{}, err
	}
	if shown.wide && in.Helped {
		return engines.Result{}, engines.Errorf(engines.CodeUnsupportedInput, "a table is wider than the paper, which Chromium cuts off")
	}
	if shown.wide {
		shown.warnings = append(shown.warnings, "layout_degraded: a table is wider than the paper; its last columns may be cut off")
	}
	style, err := styleOf(in.Options)
	if err != nil {
		return engines.Result{}, err
	}
	in.Progress(20, "Chromium")
	archive := filepath.Join(place.Home, "page.mhtml")
	if err := os.WriteFile(archive, mhtml(shown.source, style), 0o600); err != nil {
		return engines.Result{}, fmt.Errorf("write the page: %w", err)
	}
	said, err := e.printPage(ctx, in.Owner, place, archive)
	if err != nil {
		return engines.Result{}, err
	}
	return place.Keep(said, append(warnings, shown.warnings...))
}

// htmlOf is the input as HTML in UTF-8, by the text engine where it is something else.
func htmlOf(ctx context.Context, in engines.Request, place *scratch.Place) (page []byte, warnings []string, err error) {
	in.InputPath = place.Input
	if in.Source == "html" {
		content, warning, err := text.ReadPage(in.InputPath)
		if warning != "" {
			warnings = append(warnings, warning)
		}
		return []byte(content), warnings, err
	}
	in.Options = nil
	in.Target, in.OutDir = "html", filepath.Join(place.Home, "html")
	if err := os.Mkdir(in.OutDir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make a folder for the page: %w", err)
	}
	made, err := text.New().Convert(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	page, err = os.ReadFile(made.Files[0].Path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the page: %w", err)
	}
	// Markdown is not cut before it is a page.
	page, found := links.CutPage(ctx, page)
	return page, append(links.Notes(found), made.Warnings...), nil
}

// printPage prints an archive in an open browser or, where that fails, by a call of its own: a fault of what came before is
// none of this page's, and a call says why it fails. The page runs no scripts and loads nothing in any case.
func (e *engine) printPage(ctx context.Context, owner string, place *scratch.Place, archive string) (said string, err error) {
	err = e.browsers.Use(ctx, owner, startBrowser, func(b *browser) error { return b.print(ctx, place, archive) })
	if err == nil || ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err := os.Remove(place.Output); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("remove a print that failed: %w", err)
	}

	for _, extra := range sandboxes() {
		args := slices.Concat(extra, settings(place.Home), []string{"--no-pdf-header-footer", "--print-to-pdf=" + place.Output, "file://" + archive})
		said, err = place.Run(ctx, program, args, nil)
		if err != nil || !strings.Contains(said, "sandbox") {
			break
		}
		if _, err := os.Stat(place.Output); !errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	return said, err
}

// sandboxes are the arguments for Chromium's own sandbox, in the order in which they are tried. As root it has none, and says
// so; where nobody may make user namespaces it has none either.
func sandboxes() [][]string {
	without := []string{"--no-sandbox"}
	if os.Geteuid() == 0 {
		return [][]string{without}
	}
	return [][]string{nil, without}
}

// settings are the arguments of every start: a profile of its own, and nothing but what a print needs.
func settings(home string) []string {
	return []string{
		"--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-sync", "--disable-background-networking",
		"--disable-component-update", "--disable-dev-shm-usage", "--disable-breakpad",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + filepath.Join(home, "profile"),
	}
}
