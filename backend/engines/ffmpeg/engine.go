// Package ffmpeg converts sound and video by FFmpeg, where that is installed.
package ffmpeg

import (
	"context"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

const (
	program = "ffmpeg"
	prober  = "ffprobe"
)

// New is the engine.
func New() engines.Engine {
	return engines.Engine{
		Name: program, Package: "ffmpeg", Routes: routes(), Convert: convert, Version: version,
	}
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, program, "-version", "ffmpeg version")
}

func routes() []engines.Route {
	var out []engines.Route
	add := func(sources, targets []string) {
		for _, source := range sources {
			for _, target := range targets {
				if source != target {
					out = append(out, engines.Route{Source: source, Target: target, Quality: quality(source, target)})
				}
			}
		}
	}
	add(sounds, sounds)
	add(videos, videos)
	add(videos, []string{"gif"})
	add(videos, sounds)
	add([]string{"gif"}, videos)
	return out
}

// quality is exact where samples are kept as they are. Into Matroska everything is copied.
func quality(source, target string) engines.Quality {
	lossless := source == "flac" && target == "wav" || source == "wav" && target == "flac"
	if lossless || target == "mkv" && source != "gif" {
		return engines.Exact
	}
	return engines.BestEffort
}

// demuxers read a file as what it claims to be. Without one FFmpeg would look for itself, and follow a playlist
// to other files.
var demuxers = map[string]string{
	"mp3": "mp3", "wav": "wav", "flac": "flac", "ogg": "ogg", "m4a": "mov", "mp4": "mov", "mov": "mov",
	"webm": "matroska", "mkv": "matroska", "avi": "avi", "gif": "gif",
}

func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	place, err := scratch.Open(ctx, in, program)
	if err != nil {
		return engines.Result{}, err
	}
	defer place.Close()
	said, err := place.Run(ctx, prober, append(reading(in, place), "-show_entries",
		"stream=index,codec_type,codec_name,width,sample_fmt,bits_per_raw_sample:stream_disposition=attached_pic", "-of", "compact"), nil)
	if err != nil {
		return engines.Result{}, err
	}
	plan, err := planFor(in, probe(said))
	if err != nil {
		return engines.Result{}, err
	}
	in.Progress(10, "FFmpeg")
	args := append([]string{"-nostdin", "-y"}, reading(in, place)...)
	args = append(args, plan.args...)
	said, err = place.Run(ctx, program, append(args, "-map_chapters", "0", "-f", muxers[in.Target], place.Output), nil)
	if err != nil {
		return engines.Result{}, err
	}
	if strings.TrimSpace(said) != "" {
		plan.warnings = append(plan.warnings, "truncated: parts of the file are damaged or cut off and may be missing")
	}
	return place.Keep(said, plan.warnings)
}

// reading are the options that open the input, and nothing else.
func reading(in engines.Request, place *scratch.Place) []string {
	return []string{"-v", "error", "-protocol_whitelist", "file", "-f", demuxers[in.Source], "-i", place.Input}
}

// muxers write each target.
var muxers = map[string]string{
	"mp3": "mp3", "wav": "wav", "flac": "flac", "ogg": "ogg", "m4a": "ipod", "mp4": "mp4", "mov": "mov",
	"webm": "webm", "mkv": "matroska", "avi": "avi", "gif": "gif",
}
