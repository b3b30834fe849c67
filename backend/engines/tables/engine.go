package tables

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// New is the engine; it needs no installation.
func New() engines.Engine {
	return engines.Engine{
		Name: "tables",
		Routes: []engines.Route{
			{Source: "csv", Target: "xlsx", Quality: engines.Exact},
			{Source: "csv", Target: "html", Quality: engines.Exact},
			{Source: "csv", Target: "md", Quality: engines.Exact},
			{Source: "csv", Target: "txt", Quality: engines.BestEffort},
			{Source: "xlsx", Target: "csv", Quality: engines.BestEffort},
			{Source: "xlsx", Target: "html", Quality: engines.BestEffort},
			{Source: "xlsx", Target: "md", Quality: engines.BestEffort},
			{Source: "xlsx", Target: "txt", Quality: engines.BestEffort},
		},
		Convert: convert, Options: options,
	}
}

func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	if len(in.Pages) > 0 {
		return engines.Result{}, engines.Errorf(engines.CodeInvalidParameters, "a %s has no pages to choose from", in.Source)
	}
	in, err := decoded(in)
	if err != nil {
		return engines.Result{}, err
	}
	sheets, warnings, err := read(ctx, in)
	if err == nil {
		sheets, warnings, err = chosen(sheets, warnings, in)
	}
	if err != nil {
		return engines.Result{}, err
	}
	in.Progress(50, "read")
	path := filepath.Join(in.OutDir, "result."+in.Target)
	switch in.Target {
	case "xlsx":
		more, err := writeXLSX(ctx, path, sheets[0])
		if err != nil {
			return engines.Result{}, err
		}
		warnings = append(warnings, more...)
	case "csv":
		first := firstWithCells(sheets)
		if len(sheets) > 1 {
			warnings = append([]string{oneSheetOnly(sheets, first)}, warnings...)
		}
		err = writeCSV(path, sheets[first], in.Options)
	case "html":
		err = write(path, func(p *page) { writeHTML(p, in.Stem, sheets) })
	case "md":
		err = write(path, func(p *page) { writeMarkdown(p, sheets) })
	default:
		err = write(path, func(p *page) { writeText(p, sheets) })
	}
	if err != nil {
		return engines.Result{}, err
	}
	return engines.Result{
		Files:    []engines.File{{Path: path, Filename: in.Stem + "." + in.Target, Mimetype: client.ContentType(in.Target)}},
		Warnings: warnings,
	}, nil
}

func read(ctx context.Context, in engines.Request) ([]sheet, []string, error) {
	if in.Source == "csv" {
		s, warnings, err := readCSV(in.InputPath, in.Stem, delimiters[in.Options[option.NameDelimiter]])
		if err == nil && in.Target != "xlsx" {
			err = checkSheets([]sheet{s})
		}
		return []sheet{s}, warnings, err
	}
	sheets, warnings, err := readXLSX(ctx, in.InputPath, in.Helped)
	if err == nil {
		err = checkSheets(sheets)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, s := range sheets {
		if len(s.rows) > 0 {
			return sheets, warnings, nil
		}
	}
	return nil, nil, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NO_CONTENT", Message: "no sheet of the workbook has any cells"}
}

// firstWithCells is the first sheet that is not empty.
func firstWithCells(sheets []sheet) int {
	for i, s := range sheets {
		if len(s.rows) > 0 {
			return i
		}
	}
	return 0
}

// oneSheetOnly names what a CSV has no place for.
func oneSheetOnly(sheets []sheet, chosen int) string {
	var dropped []string
	for i, s := range sheets {
		if i != chosen {
			dropped = append(dropped, fmt.Sprintf("%q (%d rows)", s.name, len(s.rows)))
		}
	}
	return fmt.Sprintf("truncated: a CSV holds one sheet; %q was converted and %s left out", sheets[chosen].name, strings.Join(dropped, ", "))
}

func write(path string, set func(*page)) error {
	p := &page{}
	set(p)
	content, err := p.whole()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
