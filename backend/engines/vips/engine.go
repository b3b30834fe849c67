// Package vips converts pictures by libvips, where that is installed: drawings, formats that nothing built in
// writes, and pictures too large for memory.
package vips

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

const (
	program = "vips"
	lister  = "vipsheader"
	// maxPixels bounds time and disk: libvips streams most formats, but not all.
	maxPixels = 1_000_000_000
	// defaultQuality is the API's own for pictures.
	defaultQuality = 80
)

// New is the engine.
func New() engines.Engine {
	return engines.Engine{
		Name: program, Package: "libvips-tools", Routes: routes(), Convert: convert, Version: version,
		Check: func(ctx context.Context) error {
			_, err := version(ctx)
			return err
		},
	}
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, program, "--version", "vips-")
}

func routes() []engines.Route {
	var out []engines.Route
	for source := range strings.FieldsSeq("png jpg gif tiff webp heic avif jp2 svg ppm") {
		for target := range strings.FieldsSeq("png jpg gif tiff webp heic avif jp2 ppm") {
			if source != target {
				out = append(out, engines.Route{Source: source, Target: target, Quality: quality(source, target)})
			}
		}
	}
	return out
}

// quality is exact where every pixel arrives: a source of one picture, a target without loss.
func quality(source, target string) engines.Quality {
	if slices.Contains([]string{"png", "jpg", "jp2", "ppm"}, source) && (target == "png" || target == "tiff") {
		return engines.Exact
	}
	return engines.BestEffort
}

func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	place, err := scratch.Open(ctx, in, program)
	if err != nil {
		return engines.Result{}, err
	}
	defer place.Close()
	said, err := place.Run(ctx, lister, []string{"-a", place.Input}, nil)
	if err != nil {
		return engines.Result{}, err
	}
	pic := describe(said)
	switch {
	case pic.width*pic.height == 0:
		return engines.Result{}, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_PICTURE", Message: "the picture cannot be read; it is damaged"}
	case pic.width*pic.height > maxPixels:
		return engines.Result{}, &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "PICTURE_TOO_LARGE",
			Message: fmt.Sprintf("the picture has %d x %d pixels; at most %d million are converted", pic.width, pic.height, maxPixels/1_000_000),
		}
	}
	in.Progress(20, "vips")
	// autorot turns a picture as its camera was held; a picture that is cut off is an error, not half grey.
	said, err = place.Run(ctx, program, []string{"autorot", place.Input + "[fail_on=truncated]", place.Output + saveOptions(in)}, nil)
	if err != nil {
		return engines.Result{}, err
	}
	return place.Keep(said, pic.losses(in))
}

func saveOptions(in engines.Request) string {
	q := in.ImageQuality
	if q == 0 {
		q = defaultQuality
	}
	switch in.Target {
	case "jpg":
		return fmt.Sprintf("[Q=%d,background=255]", q)
	case "webp", "heic", "avif", "jp2":
		return fmt.Sprintf("[Q=%d]", q)
	case "tiff":
		return "[compression=deflate]"
	case "ppm":
		return "[background=255]"
	default:
		return ""
	}
}

// picture is what libvips says of one.
type picture struct {
	width, height, pages int
	alpha, deep          bool
}

func describe(said string) picture {
	var p picture
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, _ := strconv.Atoi(value)
		switch name {
		case "width":
			p.width = n
		case "height":
			p.height = n
		case "n-pages":
			p.pages = n
		case "bands":
			p.alpha = n == 2 || n == 4 // CMYK, which also has four, is converted without a warning too many
		case "format":
			p.deep = value != "uchar"
		}
	}
	return p
}

// losses names what a conversion leaves out.
func (p picture) losses(in engines.Request) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if p.pages > 1 {
		say("truncated: the file holds %d pictures; the first was converted", p.pages)
	}
	if in.Source == "svg" {
		say("best_effort: the drawing became %d x %d pixels; it cannot be enlarged or searched any more, and pictures that it names by address are left out", p.width, p.height)
	}
	if p.alpha && in.Source != "svg" && (in.Target == "jpg" || in.Target == "ppm") {
		say("best_effort: %s has no transparency; what shone through is white", in.Target)
	}
	if p.deep && slices.Contains([]string{"jpg", "gif", "webp"}, in.Target) {
		say("best_effort: %s has 8 bits a colour; finer shades of the source are lost", in.Target)
	}
	switch in.Target {
	case "gif":
		say("best_effort: a GIF has at most 256 colours")
	case "jpg", "webp", "heic", "avif", "jp2":
		q := in.ImageQuality
		if q == 0 {
			q = defaultQuality
		}
		say("best_effort: %s was written with losses, at quality %d", in.Target, q)
	}
	return out
}
