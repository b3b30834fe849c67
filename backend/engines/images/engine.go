// Package images converts pictures among raster formats and binds them into PDF. It needs no installation.
package images

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

// New is the engine.
func New() engines.Engine {
	return engines.Engine{Name: "images", Routes: routes(), Convert: convert, Options: options}
}

func routes() []engines.Route {
	var out []engines.Route
	for source := range strings.FieldsSeq("png jpg gif bmp tiff webp heic") {
		for target := range strings.FieldsSeq("png jpg gif bmp tiff webp avif pdf") {
			if source != target {
				out = append(out, engines.Route{Source: source, Target: target, Quality: quality(source, target)})
			}
		}
	}
	return out
}

// quality is exact where every pixel arrives: a source of one picture, a target without loss.
func quality(source, target string) engines.Quality {
	still := source == "png" || source == "jpg" || source == "bmp"
	opaque := source == "jpg" || source == "bmp"
	if still && (target == "png" || target == "tiff") || opaque && target == "bmp" {
		return engines.Exact
	}
	return engines.BestEffort
}

func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	if len(in.Pages) > 0 {
		return engines.Result{}, engines.Errorf(engines.CodeInvalidParameters, "a picture has no pages to choose from")
	}
	if in.Options[option.NameMetadata] == option.MetadataKeep {
		return engines.Result{}, engines.Errorf(engines.CodeInvalidParameters,
			"metadata of pictures is left out here; installing libvips-tools makes it possible to keep it")
	}
	pic, err := read(in.InputPath, in.Source, in.Helped)
	if err != nil {
		return engines.Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return engines.Result{}, err
	}
	in.Progress(40, "read")
	pic.fit(in.Options)
	path := filepath.Join(in.OutDir, "result."+in.Target)
	file, err := os.Create(path) //nolint:gosec // the job's own folder
	if err != nil {
		return engines.Result{}, fmt.Errorf("create the output: %w", err)
	}
	err = write(file, pic, in)
	if closeErr := file.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write the output: %w", closeErr)
	}
	if err != nil {
		return engines.Result{}, err
	}
	return engines.Result{
		Files:    []engines.File{{Path: path, Filename: in.Stem + "." + in.Target, Mimetype: client.ContentType(in.Target)}},
		Warnings: pic.warnings,
	}, nil
}
