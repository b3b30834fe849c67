package bench

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// The contestants by the names that tables show.
const (
	nameBare     = "bare client"
	nameChild    = "child per file"
	nameDefaults = "child, defaults" // its worker has the SDK's options, not ours
	nameOurs     = "ConvertBatch"
)

// kind is one thing to measure.
type kind struct {
	name, title    string
	source, target string
	content        func(i int) ([]byte, error)
	share, narrow  int  // converts one of so many files, one of so many at once
	warm           int  // files that each contestant converts before anything is measured
	canned         bool // the steps that call the API do nothing
	targets        []target
}

// Kinds names what can be measured, in order.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

var kinds = []kind{
	{
		name: "free", title: "md to html", source: "md", target: "html", content: document, share: 1, narrow: 1, warm: 25,
		targets: append([]target{{over: nameBare, bound: 0.5}, {over: nameChild, bound: 3}}, fewSteps...),
	},
	{
		name: "costly", title: "jpg of 1600×1200 to webp", source: "jpg", target: "webp", content: picture, warm: 4,
		// Four a core on a small machine: with more in the queue it is mostly the ever longer waits between two looks that
		// are measured.
		share: 24, narrow: 6,
		targets: []target{{over: nameBare, bound: 0.9}},
	},
	{
		name: "orchestration", title: "the steps that call the API do nothing", source: "md", target: "html", content: document, share: 1, narrow: 1, warm: 25, canned: true,
		targets: append([]target{{over: nameChild, bound: 5}, {over: nameDefaults, bound: 5}}, fewSteps...),
	},
}

// fewSteps bounds what a file leaves in history.
var fewSteps = []target{
	{what: "activities a file", bound: 4, atMost: true, value: func(f Figures) float64 { return f.Activities }},
	{what: "events a file", bound: 18, atMost: true, value: func(f Figures) float64 { return f.Events }},
}

// fileName is the same for all contestants.
func fileName(i int, format string) string { return fmt.Sprintf("file-%06d.%s", i, format) }

// write makes the inputs and returns the bytes of one of them, on average.
func (k kind) write(in inputs) (int64, error) {
	if err := os.Mkdir(in.folder, 0o700); err != nil {
		return 0, fmt.Errorf("make a folder for inputs: %w", err)
	}
	var total int64
	for i := range in.files {
		data, err := k.content(i)
		if err == nil {
			err = os.WriteFile(filepath.Join(in.folder, fileName(i, k.source)), data, 0o600)
		}
		if err != nil {
			return 0, fmt.Errorf("write the inputs: %w", err)
		}
		total += int64(len(data))
	}
	return total / int64(in.files), nil
}

// document is a page of Markdown, each with other words.
func document(i int) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Report %d\n\n", i)
	for part := range 4 {
		fmt.Fprintf(&b, "## Part %d\n\nLot *%d* left **Ærøskøbing** with %d crates and came back with `%d`.\n\n", part+1, i*31+part, i%97+part, i*i%1009)
		fmt.Fprintf(&b, "| day | crates |\n|---|---|\n| Monday | %d |\n| Tuesday | %d |\n\n- weighed\n- [signed](https://example.com/%d)\n\n", i+part, i*part, i)
	}
	return []byte(b.String()), nil
}

// picture is soft changes of colour with fine grain, as photographs have, each with other colours.
func picture(i int) ([]byte, error) {
	const width, height = 1600, 1200
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	grain := uint32(i)*2654435761 + 1 //nolint:gosec // any number does
	for y := range height {
		for x := range width {
			grain = grain*1664525 + 1013904223
			wave := 40 * math.Sin(float64(x)/(90+float64(i%13))+float64(y)/70)
			m.Y[m.YOffset(x, y)] = uint8(110 + wave + float64(y)/20 + float64(grain>>29))
		}
	}
	for y := 0; y < height; y += 2 {
		for x := 0; x < width; x += 2 {
			c := color.YCbCr{Cb: uint8(96 + x*64/width), Cr: uint8(96 + (y*64/height+i*7)%64)}
			at := m.COffset(x, y)
			m.Cb[at], m.Cr[at] = c.Cb, c.Cr
		}
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 88})
	return b.Bytes(), err
}

// inputs is a folder of files to convert.
type inputs struct {
	folder string
	files  int
}

// target is a bound on ConvertBatch: on its speed over another contestant's, or on one of its figures.
type target struct {
	over   string // a contestant
	what   string
	value  func(Figures) float64
	bound  float64
	atMost bool
}

func (k kind) judge(contestants []Contestant) []Target {
	of := map[string]Figures{}
	for _, c := range contestants {
		of[c.Name] = c.Median
	}
	ours := of[nameOurs]
	judged := make([]Target, len(k.targets))
	for i, t := range k.targets {
		j := Target{What: t.what, Bound: t.bound, AtMost: t.atMost}
		if t.over != "" {
			j.What, j.Value = "speed over "+t.over, ours.FilesPerSecond/of[t.over].FilesPerSecond
		} else {
			j.Value = t.value(ours)
		}
		j.Met = j.Value >= j.Bound
		if j.AtMost {
			j.Met = j.Value <= j.Bound
		}
		judged[i] = j
	}
	return judged
}
