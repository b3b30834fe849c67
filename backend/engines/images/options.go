package images

import (
	"image"
	"math"
	"strconv"

	"golang.org/x/image/draw"

	"github.com/convilyn/convilyn-temporal/client/option"
)

func options(_, target string) []option.Option {
	names := []string{option.NameWidth, option.NameHeight, option.NameMetadata}
	switch target {
	case "jpg":
		names = append(names, option.NameQuality, option.NameBackground)
	case "webp", "avif":
		names = append(names, option.NameQuality)
	case "bmp":
		names = append(names, option.NameBackground)
	case "pdf":
		names = append(names, option.NameDPI, option.NamePaper, option.NameLandscape, option.NameMargins)
	}
	return option.Of(names...)
}

// fit makes a picture as small as is asked for. It keeps its shape.
func (p *picture) fit(asked option.Values) {
	b := p.image.Bounds()
	scale := 1.0
	for name, have := range map[string]int{option.NameWidth: b.Dx(), option.NameHeight: b.Dy()} {
		if most, err := strconv.Atoi(asked[name]); err == nil {
			scale = math.Min(scale, float64(most)/float64(have))
		}
	}
	if scale == 1 {
		return
	}
	width, height := max(1, int(math.Round(float64(b.Dx())*scale))), max(1, int(math.Round(float64(b.Dy())*scale)))
	p.warnf("best_effort: the picture was made smaller, from %d x %d pixels to %d x %d", b.Dx(), b.Dy(), width, height)
	small := image.Rect(0, 0, width, height)
	var out draw.Image = image.NewNRGBA(small)
	if isDeep(p.image) {
		out = image.NewNRGBA64(small)
	}
	draw.CatmullRom.Scale(out, small, p.image, b, draw.Src, nil)
	p.image, p.changed = out, true
}
