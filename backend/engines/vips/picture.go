package vips

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// profile is libvips's name of a colour profile; the others are those of metadata.
const profile = "icc-profile-data"

// dropped is what each target does not carry of what libvips knows of a picture, as measured with 8.14: the file was
// written and asked.
var dropped = map[string][]string{
	"gif":  {"exif-data", "xmp-data", "iptc-data", profile},
	"jp2":  {"exif-data", "xmp-data", "iptc-data", profile},
	"ppm":  {"exif-data", "xmp-data", "iptc-data", profile},
	"tiff": {"exif-data"},
	"png":  {"iptc-data"}, "webp": {"iptc-data"}, "heic": {"iptc-data"}, "avif": {"iptc-data"},
}

// metadata is what libvips calls what pictures say of themselves.
var metadata = []string{"exif-data", "xmp-data", "iptc-data"}

// metadataNames are the names that people know, as subjects of a sentence.
var metadataNames = map[string]string{"exif-data": "the camera's metadata (EXIF) is", "xmp-data": "metadata (XMP) is", "iptc-data": "captions (IPTC) are"}

// picture is what libvips says of one.
type picture struct {
	width, height, pages int
	alpha, deep, cmyk    bool
	shrunk               bool // it is made smaller, by which libvips makes it one of 8 bits and of the colours of screens
	unscaled             bool // its shades are numbers without a stated black and white
	animated             bool // a PNG of several pictures, of which libvips sees the first
	srgb                 bool // its profile was applied
	split                bool // each picture becomes a file of its own
	page                 int  // the one that is made now, from 0
	whole                bool // all pictures of an animation are taken
	turned               bool // it lies on its side, as its camera was held
	fields               []string
}

func (p *picture) has(field string) bool { return slices.Contains(p.fields, field) }

func describe(said string) picture {
	var p picture
	bands, format, interpretation := 0, "", ""
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
			bands = n
		case "format":
			format = value
		case "interpretation":
			interpretation = value
		case "orientation":
			p.turned = n >= 5 && n <= 8
		case "exif-data", "xmp-data", "iptc-data", profile:
			p.fields = append(p.fields, name)
		}
	}
	if strings.Contains(said, "\npng-comment-") {
		p.fields = append(p.fields, "png-comment")
	}
	p.judge(bands, format, interpretation)
	return p
}

func (p *picture) judge(bands int, format, interpretation string) {
	p.cmyk = interpretation == "cmyk"
	if p.cmyk || interpretation == "lab" { // which libvips turns into sRGB by itself
		p.fields = slices.DeleteFunc(p.fields, func(field string) bool { return field == profile })
	}
	p.alpha = !p.cmyk && interpretation != "lab" && (bands == 2 || bands == 4) || bands == 5
	p.deep = format != "uchar"
	p.unscaled = p.deep && format != "ushort" && interpretation != "lab" && interpretation != "labs"
}

// drawn is how many pictures of the file are converted.
func (p *picture) drawn() int {
	if p.whole {
		return max(1, p.pages)
	}
	return 1
}

// check refuses what libvips cannot convert faithfully.
func (p *picture) check() error {
	switch {
	case p.width*p.height == 0:
		return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_PICTURE", Message: "the picture cannot be read; it is damaged"}
	case p.width*p.height*max(1, p.drawn()) > maxPixels:
		return &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "PICTURE_TOO_LARGE",
			Message: fmt.Sprintf("the picture has %d x %d pixels; at most %d million are converted", p.width, p.height, maxPixels/1_000_000),
		}
	case p.unscaled:
		return &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "UNSCALED_SHADES",
			Message: "the shades of the picture are floating-point or wide numbers, and the file does not tell which are black and white; " +
				"bring them to 16 bits first (ImageMagick, the package imagemagick, does so)",
		}
	}
	return nil
}

// losses names what a conversion leaves out.
func (p *picture) losses(in engines.Request) []string {
	out := p.lostParts(in)
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }

	switch {
	case p.deep && slices.Contains([]string{"jpg", "gif", "webp"}, in.Target):
		say("best_effort: %s has 8 bits a colour; finer shades of the source are lost", in.Target)
	case p.deep && p.shrunk:
		say("best_effort: a picture that is made smaller has 8 bits a colour; finer shades of the source are lost")
	}
	switch {
	case p.cmyk && in.Target != "jpg" && in.Target != "tiff":
		say("best_effort: the colours are those of print (CMYK), and %s has only those of screens; they may look different", in.Target)
	case p.cmyk && p.shrunk:
		say("best_effort: the colours were those of print (CMYK); a picture that is made smaller has those of screens (sRGB), and they may look different")
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

// lostParts names what of a file is not in the output at all.
func (p *picture) lostParts(in engines.Request) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }

	if width, height, smaller := p.fit(in.Options); smaller {
		say("best_effort: the picture was made smaller, from %d x %d pixels to %s", p.width, p.height, within(width, height))
	}
	switch {
	case p.split:
	case p.pages > 1 && !p.whole && splits(in.Source, in.Target):
		say("truncated: the file holds %d pictures; the first was converted (the option frames=all makes a file of each)", p.pages)
	case p.pages > 1 && !p.whole:
		say("truncated: the file holds %d pictures; the first was converted", p.pages)
	case p.animated:
		say("truncated: the file holds several pictures; the first was converted")
	}
	if in.Source == "svg" {
		say("best_effort: the drawing became %d x %d pixels; it cannot be enlarged or searched any more, and pictures that it names by address are left out", p.width, p.height)
		return out
	}

	switch {
	case p.alpha && (in.Target == "jpg" || in.Target == "ppm"):
		say("best_effort: %s has no transparency; what shone through is %s", in.Target, cmp.Or(in.Options[option.NameBackground], "white"))
	case p.alpha && in.Target == "gif":
		say("best_effort: a GIF has no half-transparent parts; such parts became transparent or opaque")
	}
	out = append(out, p.lostMetadata(in)...)
	return append(out, p.lostColours(in)...)
}

// lostMetadata names what a file tells of its picture and the output does not.
func (p *picture) lostMetadata(in engines.Request) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, field := range metadata {
		switch noRoom := slices.Contains(dropped[in.Target], field); {
		case !p.has(field):
		case noRoom:
			say("best_effort: %s not carried over", metadataNames[field])
		case strips(in):
			say("best_effort: %s not carried over (the option metadata=keep keeps it)", metadataNames[field])
		}
	}
	if p.has("png-comment") {
		say("best_effort: the texts beside the picture (its title, author and the like) are not carried over")
	}
	return out
}

// lostColours names what goes with the colour profile.
func (p *picture) lostColours(in engines.Request) []string {
	switch {
	case !p.has(profile) || !slices.Contains(dropped[in.Target], profile) && !p.stripsProfile(in):
		return nil
	case p.srgb:
		return []string{"best_effort: the colours were turned from those of the colour profile into sRGB; those that sRGB lacks are the nearest that it has"}
	}
	return []string{"best_effort: the colour profile is not carried over; colours may look different"}
}

// isAnimatedPNG reports whether a PNG holds an animation. It is told before the first picture's data.
func isAnimatedPNG(path string) bool {
	file, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read only

	const signature, lengthAndType, checksum = 8, 8, 4
	in := bufio.NewReader(file)
	if _, err := in.Discard(signature); err != nil {
		return false
	}
	for {
		var head [lengthAndType]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return false
		}
		switch string(head[4:]) {
		case "acTL":
			return true
		case "IDAT", "IEND":
			return false
		}
		if _, err := in.Discard(int(binary.BigEndian.Uint32(head[:4])) + checksum); err != nil {
			return false
		}
	}
}
