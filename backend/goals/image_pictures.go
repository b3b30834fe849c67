package goals

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	scaling "golang.org/x/image/draw"

	"github.com/convilyn/convilyn-temporal/backend/engines/images"
)

const (
	sizeOriginal = "original"
	stepSheet    = "contact-sheet"
	madeFile     = "made.json"
)

// pictureSet is one original in all its sizes.
type pictureSet struct {
	name  string // of the original
	dir   string
	files []sizedPicture
}

// sizedPicture is a file of a set.
type sizedPicture struct {
	Name   string `json:"name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Bytes  int64  `json:"bytes"`
}

func pictureStep(index int) string { return fmt.Sprintf("picture-%d", index) }

func imageSteps(t *Task) []string {
	steps := []string{stepSheet}
	for i := range t.Inputs {
		steps = append(steps, pictureStep(i))
	}
	return steps
}

// makePictures makes every size of every picture. Those that cannot be read are named.
func makePictures(ctx context.Context, t *Task) ([]pictureSet, error) {
	var sets []pictureSet
	stems := map[string]bool{}
	for i, in := range t.Inputs {
		t.Report(5+80*i/len(t.Inputs), "making "+in.Name)
		base := unused(stems, fileName(stem(in.Name), "picture"))
		dir, err := t.Step(ctx, pictureStep(i), func(ctx context.Context, dir string) error {
			return keepFailure(ctx, dir, makeSizes(ctx, t, in, base, dir))
		})
		if err != nil {
			return nil, err
		}
		if reason := readLine(filepath.Join(dir, failureFile)); reason != "" {
			t.Lacks("%s: %s", in.Name, reason)
			continue
		}
		if err := t.warn(dir); err != nil {
			return nil, err
		}
		set := pictureSet{name: in.Name, dir: dir}
		if err := readJSON(filepath.Join(dir, madeFile), &set.files); err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	if len(sets) == 0 {
		return nil, Unusable("none of the pictures can be read: %s", strings.Join(t.Missing, "; "))
	}
	return sets, nil
}

func makeSizes(ctx context.Context, t *Task, in Input, base, dir string) error {
	original, warnings, err := images.Open(in.Path, in.Format)
	if err != nil {
		return err
	}
	var made []sizedPicture
	format, quality := t.String("format"), int(t.Number("quality"))
	for _, wanted := range t.Strings("sizes") {
		if err := ctx.Err(); err != nil {
			return err
		}
		picture, enough := shrink(original, wanted)
		if !enough {
			warnings = append(warnings, "best_effort: it has fewer than "+wanted+" pixels and is not enlarged")
		}
		one := sizedPicture{Name: base + "-" + wanted + "." + format, Width: picture.Bounds().Dx(), Height: picture.Bounds().Dy()}
		losses, err := writePicture(filepath.Join(dir, one.Name), picture, format, quality, &one.Bytes)
		if err != nil {
			return err
		}
		if len(made) == 0 {
			warnings = append(warnings, losses...)
		}
		made = append(made, one)
	}
	return errors.Join(writeJSON(filepath.Join(dir, madeFile), made), keepWarnings(dir, in.Name, warnings))
}

// shrink makes the longest side of a picture so long; enough is false where it is shorter already.
func shrink(m image.Image, wanted string) (out image.Image, enough bool) {
	longest, err := strconv.Atoi(wanted)
	b := m.Bounds()
	if err != nil {
		return m, true // as it is
	}
	if max(b.Dx(), b.Dy()) <= longest {
		return m, max(b.Dx(), b.Dy()) == longest
	}
	return scaled(m, longest), true
}

func scaled(m image.Image, longest int) *image.NRGBA {
	b := m.Bounds()
	side := max(b.Dx(), b.Dy())
	to := image.Rect(0, 0, max(1, b.Dx()*longest/side), max(1, b.Dy()*longest/side))
	out := image.NewNRGBA(to)
	scaling.CatmullRom.Scale(out, to, m, b, draw.Src, nil)
	return out
}

func writePicture(path string, m image.Image, format string, quality int, size *int64) ([]string, error) {
	file, err := os.Create(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return nil, fmt.Errorf("create a picture: %w", err)
	}
	losses, err := images.Encode(file, m, format, quality)
	if err == nil {
		*size, err = file.Seek(0, io.SeekEnd)
	}
	return losses, errors.Join(err, file.Close())
}

// pack puts everything into one archive, the pictures with their stars if there are any; they are compressed already.
func pack(path string, sets []pictureSet, sheet File, format string, stars int) error {
	file, err := os.Create(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return fmt.Errorf("create the archive: %w", err)
	}
	archive := zip.NewWriter(file)
	err = addFile(archive, sheet.Name, sheet.Path, nil)
	for _, set := range sets {
		for _, one := range set.files {
			var change func([]byte) ([]byte, error)
			if stars > 0 {
				change = func(picture []byte) ([]byte, error) { return rated(picture, format, one.Width, one.Height, stars) }
			}
			err = errors.Join(err, addFile(archive, one.Name, filepath.Join(set.dir, one.Name), change))
		}
	}
	if err := errors.Join(err, archive.Close(), file.Close()); err != nil {
		return fmt.Errorf("pack the pictures: %w", err)
	}
	return nil
}

// addFile adds a file, as change makes it where there is one.
func addFile(archive *zip.Writer, name, path string, change func([]byte) ([]byte, error)) error {
	from, err := os.Open(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // read only
	to, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return err
	}
	if change == nil {
		_, err = io.Copy(to, from)
		return err
	}
	content, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if content, err = change(content); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = to.Write(content)
	return err
}
