// Package libreoffice converts office documents by LibreOffice, where that is installed.
package libreoffice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client"
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
	if len(in.Pages) > 0 {
		return engines.Result{}, engines.Errorf(engines.CodeInvalidParameters, "a page range is not possible for %s to %s", in.Source, in.Target)
	}
	if err := checkMagic(in.InputPath, in.Source); err != nil {
		return engines.Result{}, err
	}
	home, err := os.MkdirTemp("", "convilyn-office-*")
	if err != nil {
		return engines.Result{}, fmt.Errorf("make a folder for LibreOffice: %w", err)
	}
	defer os.RemoveAll(home) //nolint:errcheck // in the system's temporary folder
	source, err := filepath.Abs(in.InputPath)
	if err != nil {
		return engines.Result{}, fmt.Errorf("find the input: %w", err)
	}
	outDir := filepath.Join(home, "out")
	input := filepath.Join(home, "input."+in.Source)
	if err := errors.Join(os.Mkdir(outDir, 0o700), os.Symlink(source, input)); err != nil {
		return engines.Result{}, fmt.Errorf("lay out a folder for LibreOffice: %w", err)
	}
	in.Progress(10, "LibreOffice")
	said, err := sandbox.Run(ctx, sandbox.Command{Name: soffice, Title: "LibreOffice", Home: home, Args: []string{
		"-env:UserInstallation=file://" + filepath.Join(home, "profile"),
		"--headless", "--norestore", "--nolockcheck", "--nodefault", "--convert-to", filter(in.Target), "--outdir", outDir, input,
	}})
	if ctx.Err() != nil {
		return engines.Result{}, ctx.Err()
	}
	if tooMuch, ok := engines.AsError(err); ok {
		return engines.Result{}, tooMuch
	}
	// Its exit code says nothing: it is 0 for a truncated input, too. What counts is the file.
	made := filepath.Join(outDir, "input."+in.Target)
	if magicErr := checkMagic(made, in.Target); magicErr != nil {
		return engines.Result{}, engines.Errorf(engines.CodeConversionFailed, "LibreOffice made no %s of this file%s", in.Target, hint(said, err))
	}
	return keep(in, outDir, made)
}

func filter(target string) string {
	if target == "csv" {
		return firstSheetCSV
	}
	return target
}

func hint(said string, err error) string {
	for line := range strings.SplitSeq(said, "\n") {
		if strings.HasPrefix(line, "Error:") {
			return "; it is damaged or not what its name says"
		}
	}
	if err != nil {
		return "; it ended with: " + err.Error()
	}
	return ""
}

// keep moves the outputs to the job's folder: the one file, and side-car pictures of HTML.
func keep(in engines.Request, outDir, made string) (engines.Result, error) {
	entries, err := os.ReadDir(outDir)
	if err != nil {
		return engines.Result{}, fmt.Errorf("list what LibreOffice made: %w", err)
	}
	var result engines.Result
	if len(entries) > 1 {
		result.Warnings = append(result.Warnings, fmt.Sprintf("best_effort: %d pictures beside the document were left out", len(entries)-1))
	}
	path := filepath.Join(in.OutDir, "result."+in.Target)
	if err := copyFile(made, path); err != nil {
		return engines.Result{}, err
	}
	if in.Target == "csv" {
		result.Warnings = append(result.Warnings, "truncated: a CSV holds one sheet; further sheets of the workbook, if any, were left out")
	}
	result.Files = []engines.File{{Path: path, Filename: in.Stem + "." + in.Target, Mimetype: client.ContentType(in.Target)}}
	return result, nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from) //nolint:gosec // paths of our own
	if err != nil {
		return fmt.Errorf("copy an output: %w", err)
	}
	defer source.Close()         //nolint:errcheck // read only
	target, err := os.Create(to) //nolint:gosec // the job's own folder
	if err != nil {
		return fmt.Errorf("copy an output: %w", err)
	}
	_, copyErr := io.Copy(target, source)
	if err := errors.Join(copyErr, target.Close()); err != nil {
		return fmt.Errorf("copy an output: %w", err)
	}
	return nil
}
