// Package vips converts pictures by libvips, where that is installed: drawings, formats that nothing built in
// writes, and pictures too large for memory.
package vips

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client/option"
)

const (
	program = "vips"
	lister  = "vipsheader"
	// maxPixels bounds time and disk: libvips streams most formats, but not all.
	maxPixels = 1_000_000_000
	// maxFiles bounds the pictures of one file that become files of their own.
	maxFiles = 1000
	// defaultQuality is the API's own for pictures.
	defaultQuality = 80
)

// New is the engine.
func New() engines.Engine {
	return engines.Engine{
		Name: program, Package: "libvips-tools", Routes: routes(), Convert: convert, Version: version, Options: options,
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
	for target := range strings.FieldsSeq("png jpg gif tiff webp avif") { // for what is built in refuses
		out = append(out, engines.Route{Source: "bmp", Target: target, Quality: quality("bmp", target), Reserve: true})
	}
	return out
}

// quality is exact where every pixel arrives: a source of one picture, a target without loss.
func quality(source, target string) engines.Quality {
	if slices.Contains([]string{"png", "jpg", "jp2", "ppm", "bmp"}, source) && (target == "png" || target == "tiff") {
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

	said, err := place.Run(ctx, lister, []string{"-a", place.Input + loadOptions(in, false)}, nil)
	if err != nil {
		return engines.Result{}, err
	}
	pic := describe(said)
	pic.whole = takesFrames(in.Source, in.Target) && in.Options[option.NameFrames] != option.FramesFirst
	pic.split = splits(in.Source, in.Target) && pic.pages > 1 && in.Options[option.NameFrames] == option.FramesAll
	if err := pic.check(); err != nil {
		return engines.Result{}, err
	}
	pic.animated = in.Source == "png" && isAnimatedPNG(place.Input)

	in.Progress(20, "vips")
	if !pic.split {
		made, err := convertOne(ctx, place, in, &pic)
		return finished(made, pic.losses(in), err)
	}
	if pic.pages > maxFiles {
		return engines.Result{}, &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "TOO_MANY_PICTURES",
			Message: fmt.Sprintf("the file holds %d pictures; at most %d become files of their own", pic.pages, maxFiles),
		}
	}
	var all engines.Result
	digits := len(strconv.Itoa(pic.pages))
	for pic.page = range pic.pages {
		one, err := convertOne(ctx, place, in, &pic)
		if err != nil {
			return engines.Result{}, err
		}
		number := fmt.Sprintf("%0*d", digits, pic.page+1)
		path := filepath.Join(in.OutDir, number+"."+in.Target)
		if err := os.Rename(one.Files[0].Path, path); err != nil {
			return engines.Result{}, fmt.Errorf("keep a picture: %w", err)
		}
		one.Files[0].Path, one.Files[0].Filename = path, in.Stem+"-"+number+"."+in.Target
		all.Files, all.Warnings = append(all.Files, one.Files[0]), one.Warnings
		in.Progress(20+75*(pic.page+1)/pic.pages, fmt.Sprintf("picture %d of %d", pic.page+1, pic.pages))
	}
	return finished(all, pic.losses(in), nil)
}

func finished(made engines.Result, notes []string, err error) (engines.Result, error) {
	made.Warnings = append(made.Warnings, notes...)
	return made, err
}

// convertOne makes one file, without the notes on what it lacks.
func convertOne(ctx context.Context, place *scratch.Place, in engines.Request, pic *picture) (engines.Result, error) {
	source, err := inSRGB(ctx, place, pic, in)
	if err != nil {
		return engines.Result{}, err
	}
	// Both turn a picture as its camera was held; a picture that is cut off is an error, not half grey.
	width, height, smaller := pic.fit(in.Options)
	pic.shrunk = smaller
	work := []string{"autorot", source, place.Output + saveOptions(in, *pic)}
	if smaller {
		work = []string{"thumbnail", source, work[2], strconv.Itoa(width), "--height", strconv.Itoa(height), "--size", "down"}
	}
	said, err := place.Run(ctx, program, work, nil)
	if err != nil {
		return engines.Result{}, err
	}
	if strips(in) {
		if err := strip(place.Output, in.Target); err != nil {
			return engines.Result{}, err
		}
	}
	return place.Keep(said, nil)
}

// loadOptions are how a file is read.
func loadOptions(in engines.Request, whole bool) string {
	var all []string
	if whole {
		all = append(all, "n=-1")
	}
	if dpi := in.Options[option.NameDPI]; dpi != "" && in.Source == "svg" {
		all = append(all, "dpi="+dpi)
	}
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ",") + "]"
}

// inSRGB is what to read the picture from: with its colours turned into those of sRGB where the target cannot say that they
// are others.
func inSRGB(ctx context.Context, place *scratch.Place, pic *picture, in engines.Request) (string, error) {
	load := "fail_on=truncated"
	if pic.split {
		load += ",page=" + strconv.Itoa(pic.page)
	}
	if more := strings.Trim(loadOptions(in, pic.whole), "[]"); more != "" {
		load += "," + more
	}
	source := place.Input + "[" + load + "]"
	if !pic.has(profile) || !slices.Contains(dropped[in.Target], profile) && !pic.stripsProfile(in) {
		return source, nil
	}
	turned := filepath.Join(place.Home, "srgb.v")
	if _, err := place.Run(ctx, program, []string{"icc_transform", source, turned, "srgb", "--embedded"}, nil); err != nil {
		return "", err
	}
	if _, err := os.Stat(turned); err != nil {
		return source, nil //nolint:nilerr // a profile that cannot be applied; that it is left out is in a note
	}
	pic.srgb = true
	return turned, nil
}

func saveOptions(in engines.Request, pic picture) string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	q := in.ImageQuality
	if q == 0 {
		q = defaultQuality
	}
	switch in.Target {
	case "jpg":
		add("Q=%d", q)
		add("background=%s", background(in, pic.deep && !pic.shrunk))
	case "webp", "heic", "avif", "jp2":
		add("Q=%d", q)
	case "tiff":
		add("compression=deflate")
	case "ppm":
		add("background=%s", background(in, pic.deep && !pic.shrunk))
	}
	if pic.stripsProfile(in) {
		add("strip")
	}
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ",") + "]"
}
