package fidelity

import (
	"bufio"
	"context"
	"fmt"
	"image"
	_ "image/gif"  // formats that are compared
	_ "image/jpeg" // likewise
	_ "image/png"
	"os"

	_ "github.com/gen2brain/avif"
	_ "github.com/gen2brain/heic"
	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// readPicture reads how large a picture is. Its pixels are not compared.
func readPicture(_ context.Context, file string, _ how) (Content, error) {
	if err := checkSize(file); err != nil {
		return Content{}, err
	}
	opened, err := os.Open(file) //nolint:gosec // the job's own file
	if err != nil {
		return Content{}, fmt.Errorf("open a picture that is compared: %w", err)
	}
	defer opened.Close() //nolint:errcheck // read only
	size, format, err := image.DecodeConfig(bufio.NewReader(opened))
	if err != nil {
		return Content{}, unreadable("the picture cannot be read")
	}
	c := uncounted()
	c.Width, c.Height, c.Frames = size.Width, size.Height, 1
	if format == "gif" || format == "webp" || format == "png" {
		if c.Frames, err = frames(file, format); err != nil {
			return Content{}, err
		}
	}
	return c, nil
}
