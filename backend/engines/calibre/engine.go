// Package calibre converts electronic books by Calibre, where that is installed.
package calibre

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

const program = "ebook-convert"

// New is the engine. It takes books alone: from HTML Calibre follows links to files of this machine and puts
// those into the book.
func New() engines.Engine {
	var routes []engines.Route
	for source := range strings.FieldsSeq("epub mobi azw3") {
		for target := range strings.FieldsSeq("epub mobi azw3 pdf docx rtf txt") {
			if source != target {
				routes = append(routes, engines.Route{Source: source, Target: target, Quality: engines.BestEffort})
			}
		}
	}
	return engines.Engine{
		Name: "calibre", Package: "calibre", Routes: routes, Convert: convert, Version: version,
	}
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, program, "--version", "calibre")
}

func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	place, err := scratch.Open(ctx, in, "calibre")
	if err != nil {
		return engines.Result{}, err
	}
	defer place.Close()
	in.Progress(10, "Calibre")
	args := []string{place.Input, place.Output}
	if in.Target == "pdf" {
		args = append(args, "--paper-size", "a4")
	}
	said, err := place.Run(ctx, program, args, []string{
		"CALIBRE_CONFIG_DIRECTORY=" + filepath.Join(place.Home, "config"), "CALIBRE_TEMP_DIR=" + place.Home,
		// It prints by Qt's Chromium, without a screen; as root that has no sandbox. Books run no scripts in it.
		"QT_QPA_PLATFORM=offscreen", "QTWEBENGINE_CHROMIUM_FLAGS=--no-sandbox",
	})
	if err != nil {
		return engines.Result{}, err
	}
	return place.Keep(said, losses(in))
}

func losses(in engines.Request) []string {
	switch in.Target {
	case "txt":
		return []string{"best_effort: pictures, tables and emphasis were left out; the text alone was kept"}
	case "docx", "rtf":
		return []string{"layout_degraded: the book's style sheets are kept in part"}
	case "pdf":
		return []string{"layout_degraded: the text was set on A4 pages; the contents no longer flow with the reader's screen"}
	default:
		return []string{"best_effort: the book was built again; its style sheets and metadata may differ"}
	}
}
