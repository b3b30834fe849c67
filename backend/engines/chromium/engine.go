// Package chromium prints pages by Chromium, where that is installed: it has fonts for every writing, and emoji.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/links"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

const program = "chromium"

// New is the engine.
func New() engines.Engine {
	var routes []engines.Route
	for source := range strings.FieldsSeq("html md txt") {
		// What is plain the built-in engine sets in a hundredth of the time.
		routes = append(routes, engines.Route{Source: source, Target: "pdf", Quality: engines.BestEffort, Reserve: source != "html"})
	}
	return engines.Engine{
		Name: program, Package: "chromium", Routes: routes, Convert: convert, Version: version,
		Check: func(ctx context.Context) error {
			_, err := version(ctx)
			return err
		},
	}
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, program, "--version", "Chromium")
}

func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
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
	in.Progress(20, "Chromium")
	archive := filepath.Join(place.Home, "page.mhtml")
	if err := os.WriteFile(archive, mhtml(shown.source), 0o600); err != nil {
		return engines.Result{}, fmt.Errorf("write the page: %w", err)
	}
	said, err := printPage(ctx, place, archive)
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

// printPage prints an archive. As root Chromium has no sandbox, and says so; where nobody may make user namespaces
// it has none either, which shows by what it says. The page runs no scripts and loads nothing in any case.
func printPage(ctx context.Context, place *scratch.Place, archive string) (string, error) {
	args := []string{
		"--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-sync", "--disable-background-networking",
		"--disable-component-update", "--disable-dev-shm-usage", "--disable-breakpad",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + filepath.Join(place.Home, "profile"),
		"--no-pdf-header-footer", "--print-to-pdf=" + place.Output, "file://" + archive,
	}
	if os.Geteuid() != 0 {
		said, err := place.Run(ctx, program, args, nil)
		if err != nil || !strings.Contains(said, "sandbox") {
			return said, err
		}
		if _, err := os.Stat(place.Output); !errors.Is(err, os.ErrNotExist) {
			return said, nil
		}
	}
	return place.Run(ctx, program, append([]string{"--no-sandbox"}, args...), nil)
}
