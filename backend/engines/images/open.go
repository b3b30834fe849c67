package images

import (
	"image"
	"io"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Open decodes a picture, upright, and says what that lost.
func Open(path, format string) (image.Image, []string, error) {
	p, err := read(path, format, false)
	if err != nil {
		return nil, nil, err
	}
	return p.image, p.warnings, nil
}

// Encode writes pixels in a format that the engine writes; quality is 1-100, and what is lost is said.
func Encode(w io.Writer, m image.Image, format string, quality int) ([]string, error) {
	p := &picture{image: m}
	err := write(w, p, engines.Request{Target: format, ImageQuality: quality})
	return p.warnings, err
}
