package libreoffice

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// asBook makes of an input a workbook that LibreOffice prints as it is meant: it takes every CSV for Windows-1252 with commas, and
// prints ### for numbers wider than their columns. Where the input does as it is, made is empty.
func (e *engine) asBook(ctx context.Context, place *scratch.Place, in engines.Request) (made string, notes []string, err error) {
	switch {
	case in.Source == "csv":
		// Another engine may work in a process that sees the folder of the job, and not that of this call.
		dir := filepath.Join(in.OutDir, "book")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", nil, fmt.Errorf("make a folder for the workbook: %w", err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // in the folder of the job
		table := filepath.Join(dir, "input.csv")
		if err := scratch.Copy(place.Input, table); err != nil {
			return "", nil, err
		}
		result, err := e.step(ctx, engines.Request{
			Source: "csv", Target: "xlsx", InputPath: table, OutDir: dir, Stem: in.Stem, Options: ofReading(in.Options), Owner: in.Owner, Progress: in.Progress,
		})
		if err != nil {
			return "", nil, err //nolint:wrapcheck // of an engine
		}
		made = filepath.Join(place.Home, "book.xlsx")
		return made, result.Warnings, scratch.Copy(result.Files[0].Path, made)
	case in.Source == "xlsx" && in.Target == "pdf":
		made = filepath.Join(place.Home, "wide.xlsx")
		widened, err := tables.Widen(ctx, place.Input, made)
		if ctx.Err() != nil {
			return "", nil, ctx.Err()
		}
		if err != nil || widened == 0 {
			return "", nil, nil // what LibreOffice reads is for it to judge
		}
		return made, []string{fmt.Sprintf("layout_degraded: %d columns were widened, as their numbers would be printed as ###", widened)}, nil
	}
	return "", nil, nil
}

// ofReading are the options that say how a CSV is read.
func ofReading(asked option.Values) option.Values {
	out := option.Values{}
	for _, name := range []string{option.NameDelimiter, option.NameEncoding} {
		if value, ok := asked[name]; ok {
			out[name] = value
		}
	}
	return out
}
