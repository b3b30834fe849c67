package vips

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// drawnAt is what libvips draws at, in pixels an inch.
const drawnAt = "72"

func options(source, target string) []option.Option {
	names := []string{option.NameWidth, option.NameHeight}
	switch target {
	case "jpg":
		names = append(names, option.NameQuality, option.NameBackground)
	case "webp", "heic", "avif", "jp2":
		names = append(names, option.NameQuality)
	case "ppm":
		names = append(names, option.NameBackground)
	}
	if source == "svg" {
		names = append(names, option.NameDPI)
	} else {
		names = append(names, option.NameMetadata)
	}
	if takesFrames(source, target) || splits(source, target) {
		names = append(names, option.NameFrames)
	}

	all := option.Of(names...)
	for i := range all {
		if all[i].Name == option.NameDPI {
			all[i].Default = drawnAt
		}
		if all[i].Name == option.NameFrames && splits(source, target) {
			all[i].Default = option.FramesFirst
			all[i].Help = "pictures of an animation, or pages of a scan, to take: the first, or all, a file each"
		}
	}
	return all
}

// takesFrames reports whether animations stay animations.
func takesFrames(source, target string) bool {
	animated := []string{"gif", "webp"}
	return slices.Contains(animated, source) && slices.Contains(animated, target)
}

// splits reports whether several pictures become files of their own where that is asked for.
func splits(source, target string) bool {
	return slices.Contains([]string{"gif", "webp", "tiff"}, source) && slices.Contains([]string{"png", "jpg"}, target)
}

// strips reports whether what a picture says beside its pixels is left out.
func strips(in engines.Request) bool { return in.Options[option.NameMetadata] != option.MetadataKeep }

// stripsProfile reports whether there is something to leave out that goes with the colour profile alone: then colours are turned
// into sRGB.
func (p *picture) stripsProfile(in engines.Request) bool {
	return strips(in) && !strippable(in.Target) && slices.ContainsFunc(metadata, func(field string) bool {
		return p.has(field) && !slices.Contains(dropped[in.Target], field)
	})
}

// fit is how large a picture may be; smaller reports whether it is larger than that.
func (p *picture) fit(asked option.Values) (width, height int, smaller bool) {
	width, height = math.MaxInt16, math.MaxInt16
	if most, err := strconv.Atoi(asked[option.NameWidth]); err == nil {
		width = most
	}
	if most, err := strconv.Atoi(asked[option.NameHeight]); err == nil {
		height = most
	}
	across, down := p.width, p.height
	if p.turned {
		across, down = down, across
	}
	return width, height, (asked[option.NameWidth] != "" || asked[option.NameHeight] != "") && (across > width || down > height)
}

// within says how large a picture may be.
func within(width, height int) string {
	switch {
	case height == math.MaxInt16:
		return fmt.Sprintf("%d across", width)
	case width == math.MaxInt16:
		return fmt.Sprintf("%d down", height)
	}
	return fmt.Sprintf("%d x %d at most", width, height)
}

// background is what shows through, as libvips takes it.
func background(in engines.Request, deep bool) string {
	const deeper = 257 // 255 to 65535
	text := in.Options[option.NameBackground]
	var r, g, b int
	switch {
	case text == "black":
	case strings.HasPrefix(text, "#"):
		_, _ = fmt.Sscanf(text, "#%02x%02x%02x", &r, &g, &b) // was checked
	default:
		r, g, b = 255, 255, 255
	}
	if deep {
		r, g, b = r*deeper, g*deeper, b*deeper
	}
	return fmt.Sprintf("%d %d %d", r, g, b)
}
