// Package libreoffice converts office documents by LibreOffice, where that is installed.
package libreoffice

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

const (
	soffice = "soffice"
	// firstSheetCSV asks for UTF-8 with commas, values as shown; the last -1 would ask for every sheet.
	firstSheetCSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"
)

// New is the engine. Each call has a profile and a folder of its own: two that share one lose their outputs.
func New() engines.Engine {
	return engines.Engine{
		Name: "libreoffice", Package: "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui",
		Routes: routes(), Check: check, Version: version, Convert: convert,
	}
}

func routes() []engines.Route {
	var out []engines.Route
	for _, group := range []struct{ sources, targets string }{
		{"doc docx odt rtf", "pdf docx odt rtf html txt"},
		{"ppt pptx odp", "pdf pptx odp"},
		{"xls xlsx ods", "pdf xlsx ods csv"},
		{"xls ods", "html"},
		{"csv", "ods pdf"},
		{"html", "odt docx"},
		{"txt", "odt docx"},
	} {
		for source := range strings.FieldsSeq(group.sources) {
			for target := range strings.FieldsSeq(group.targets) {
				if source != target && !builtInIsBetter(source, target) {
					out = append(out, engines.Route{Source: source, Target: target, Quality: engines.BestEffort})
				}
			}
		}
	}
	return out
}

// builtInIsBetter names routes on which the engines of this program keep more, or say better what they lose.
func builtInIsBetter(source, target string) bool {
	return source == "docx" && (target == "txt" || target == "html") || source == "xlsx" && target == "csv"
}

func check(ctx context.Context) error {
	return sandbox.Check(ctx, soffice, "--version", "LibreOffice")
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, soffice, "--version", "LibreOffice")
}

func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	place, err := scratch.Open(ctx, in, "LibreOffice")
	if err != nil {
		return engines.Result{}, err
	}
	defer place.Close()
	outDir := filepath.Join(place.Home, "out")
	place.Output = filepath.Join(outDir, "input."+in.Target) // it chooses the name itself

	in.Progress(10, "LibreOffice")
	// Its exit code says nothing: it is 0 for a truncated input, too. What counts is the file.
	said, err := place.Run(ctx, soffice, []string{
		"-env:UserInstallation=file://" + filepath.Join(place.Home, "profile"),
		"--headless", "--norestore", "--nolockcheck", "--nodefault", "--convert-to", filter(in.Target), "--outdir", outDir, place.Input,
	}, nil)
	if err != nil {
		return engines.Result{}, err
	}
	return place.Keep(said, losses(outDir, in.Target))
}

func filter(target string) string {
	if target == "csv" {
		return firstSheetCSV
	}
	return target
}

// losses name what is not in the one output that is kept.
func losses(outDir, target string) (warnings []string) {
	// A folder that is not there has no output either.
	if entries, err := os.ReadDir(outDir); err == nil && len(entries) > 1 {
		warnings = append(warnings, fmt.Sprintf("best_effort: %d pictures beside the document were left out", len(entries)-1))
	}
	if target == "csv" {
		warnings = append(warnings, "truncated: a CSV holds one sheet; further sheets of the workbook, if any, were left out")
	}
	return warnings
}
