package text

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"slices"
	"strconv"
	"strings"

	_ "golang.org/x/image/bmp"  // pictures that are cropped
	_ "golang.org/x/image/tiff" // the same

	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
	"github.com/convilyn/convilyn-temporal/client"
)

// frame is what is known of a picture from the elements around it.
type frame struct {
	alt           string
	link          string
	width, height int  // pixels of 1/96 inch
	crop          crop // what is cut away
}

// crop is what is cut off a picture on each side, in parts of it.
type crop struct{ left, top, right, bottom float64 }

func (c crop) none() bool { return c.left <= 0 && c.top <= 0 && c.right <= 0 && c.bottom <= 0 }

// Kinds of drawings that hold others, or that hold pictures and text boxes.
var drawingParts = wordSet("pic wsp wgp wpc grpSp lockedCanvas graphicFrame sp txSp cxnSp legacyDrawing bg whole extLst")

// lostDrawings are those that are left out, by what notes call them.
var lostDrawings = map[string]string{"chart": "chart", "relIds": "diagram", "contentPart": "handwritten part", "cxnSp": "drawn shape"}

func (r *runReader) drawing(n *ooxml.Node, s style) error {
	if r.story.instructs() != nil {
		return nil
	}
	r.shows()
	return r.drawn(n, frame{link: s.link}, s)
}

func (r *runReader) drawn(n *ooxml.Node, f frame, s style) error {
	switch n.Name {
	case "Fallback":
		return nil
	case "AlternateContent":
		n = r.alternative(n)
	case "inline", "anchor":
		f = r.frameOf(n, f)
		if slices.Contains([]string{"1", "true"}, n.Child("docPr").Attr("hidden")) {
			r.losses.hidden++
			return nil
		}
	case "graphicData":
		r.unknownDrawings(n)
	case "pic":
		return r.drawnPicture(n, f)
	case "wsp", "sp":
		if !slices.ContainsFunc([]string{"txbxContent", "blip", "txBody"}, func(name string) bool { return n.Find(name) != nil }) {
			r.losses.left.add("drawn shape")
			return nil
		}
	case "blipFill": // of a shape
		return r.picture(n.Child("blip"), f)
	case "txbxContent":
		return r.textBox(n)
	case "txBody":
		r.drawnText(n)
		return nil
	default:
		if lost := lostDrawings[n.Name]; lost != "" {
			r.losses.left.add(lost)
			return nil
		}
		if done, err := r.oldDrawing(n, &f, s); done || err != nil {
			return err
		}
	}
	for _, c := range n.Children {
		if err := r.drawn(c, f, s); err != nil {
			return err
		}
	}
	return nil
}

// unknownDrawings names what a drawing is, where that is none of the kinds above.
func (r *runReader) unknownDrawings(n *ooxml.Node) {
	for _, c := range n.Children {
		if !drawingParts[c.Name] && lostDrawings[c.Name] == "" && c.Name != "AlternateContent" {
			r.losses.left.add(fmt.Sprintf("drawing of an unknown kind (%.40s)", c.Name))
		}
	}
}

// oldDrawing reads drawings as Word wrote them before 2010 (VML).
func (r *runReader) oldDrawing(n *ooxml.Node, f *frame, s style) (done bool, err error) {
	switch n.Name {
	case "shapetype", "shapedefaults":
		return true, nil
	case "shape", "rect", "oval", "roundrect", "line", "polyline", "arc", "curve", "image", "diagram":
		if on := n.Attr("hr"); on == "t" || on == "true" {
			r.after = append(r.after, rule{})
			return true, nil
		}
		if alt := n.Attr("alt"); alt != "" {
			f.alt = alt
		}
		f.width, f.height = oldSize(n.Attr("style"))
		if n.Find("imagedata") == nil && n.Find("txbxContent") == nil && n.Find("textpath") == nil {
			r.losses.left.add("drawn shape")
		}
	case "textpath":
		r.add(n.Attr("string"), s)
		return true, nil
	case "imagedata":
		f.crop = crop{oldFraction(n.Attr("cropleft")), oldFraction(n.Attr("croptop")), oldFraction(n.Attr("cropright")), oldFraction(n.Attr("cropbottom"))}
		if title := n.Attr("title"); f.alt == "" {
			f.alt = title
		}
		return true, r.picture(n, *f)
	case "OLEObject":
		kind := n.Attr("ProgID")
		if kind == "" {
			kind = "of an unknown kind"
		}
		r.losses.left.add(fmt.Sprintf("embedded object (%.40s)", kind))
		return true, nil
	case "control":
		r.losses.left.add("form control")
		return true, nil
	case "movie":
		r.losses.left.add("film")
		return true, nil
	}
	return false, nil
}

func (r *runReader) textBox(n *ooxml.Node) error {
	blocks, err := r.storyBlocks(n)
	if len(blocks) > 0 {
		r.losses.boxes++
	}
	r.after = append(r.after, blocks...)
	return err
}

// drawnText takes the paragraphs of a shape that is no text box.
func (r *runReader) drawnText(n *ooxml.Node) {
	for _, p := range n.Children {
		if text := strings.TrimSpace(p.AllText("t")); p.Name == "p" && text != "" {
			r.after = append(r.after, paragraph{runs: []run{{text: text}}})
		}
	}
}

func (r *runReader) frameOf(n *ooxml.Node, f frame) frame {
	properties := n.Child("docPr")
	f.alt = description(properties)
	f.width, f.height = emuPixels(n.Child("extent").Attr("cx")), emuPixels(n.Child("extent").Attr("cy"))
	if link := r.part.relations[properties.Child("hlinkClick").Attr("id")]; link.Target != "" {
		f.link = link.Target
	}
	return f
}

func description(n *ooxml.Node) string {
	if alt := strings.TrimSpace(n.Attr("descr")); alt != "" {
		return alt
	}
	return strings.TrimSpace(n.Attr("title"))
}

// maxPixels is more than any page has.
const maxPixels = 20_000

func emuPixels(emu string) int {
	n, err := strconv.Atoi(emu)
	if err != nil || n < 0 {
		return 0
	}
	return min(n/9525, maxPixels)
}

func (r *runReader) drawnPicture(n *ooxml.Node, f frame) error {
	properties := n.Child("nvPicPr").Child("cNvPr")
	if f.alt == "" {
		f.alt = description(properties)
	}
	if link := r.part.relations[properties.Child("hlinkClick").Attr("id")]; link.Target != "" && f.link == "" {
		f.link = link.Target
	}
	fill := n.Child("blipFill")
	if rect := fill.Child("srcRect"); rect != nil {
		f.crop = crop{part(rect.Attr("l")), part(rect.Attr("t")), part(rect.Attr("r")), part(rect.Attr("b"))}
	}
	return r.picture(fill.Child("blip"), f)
}

// part reads thousandths of a percent, or a percentage.
func part(value string) float64 {
	if percent, ok := strings.CutSuffix(value, "%"); ok {
		n, _ := strconv.ParseFloat(percent, 64)
		return n / 100
	}
	n, _ := strconv.ParseFloat(value, 64)
	return n / 100_000
}

// oldFraction reads "0.25" or "16384f", which are the same.
func oldFraction(value string) float64 {
	if fixed, ok := strings.CutSuffix(value, "f"); ok {
		n, _ := strconv.ParseFloat(fixed, 64)
		return n / 65536
	}
	return part(value + "00000")
}

// oldSize reads the width and height of an inline style, where they are in points or inches.
func oldSize(inline string) (width, height int) {
	for declaration := range strings.SplitSeq(inline, ";") {
		name, value, _ := strings.Cut(strings.ReplaceAll(declaration, " ", ""), ":")
		size := 0.0
		for unit, scale := range map[string]float64{"pt": 96.0 / 72, "in": 96, "px": 1} {
			if number, ok := strings.CutSuffix(value, unit); ok {
				n, _ := strconv.ParseFloat(number, 64)
				size = n * scale
			}
		}
		if size <= 0 || size > maxPixels {
			continue
		}
		switch name {
		case "width":
			width = int(size)
		case "height":
			height = int(size)
		}
	}
	return width, height
}

// picture takes an embedded picture, and leaves a linked one out.
func (r *runReader) picture(blip *ooxml.Node, f frame) error {
	id := blip.Attr("embed")
	if id == "" {
		id = blip.Attr("id")
	}
	relation := r.part.relations[id]
	if id == "" || relation.External || relation.Target == "" {
		if blip.Attr("link") != "" || relation.External || relation.Target == "" {
			r.losses.left.add("linked picture")
		}
		return nil
	}
	data, found, err := r.pictureData(relation.Target, f.crop)
	if err != nil {
		return err
	}
	if !found {
		r.losses.left.add("missing or damaged picture")
		return nil
	}
	format, _ := client.FormatOf(relation.Target)
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		format = "png"
	}
	if !slices.Contains([]string{"png", "jpg", "gif", "webp", "bmp", "svg", "avif"}, format) {
		name := strings.ToLower(relation.Target[strings.LastIndexByte(relation.Target, '.')+1:])
		r.losses.unshown.add(fmt.Sprintf("%.10s", name))
	}
	if f.alt == "" {
		f.alt = baseOf(relation.Target)
	}
	shown := run{picture: &picture{alt: f.alt, data: data, mime: client.ContentType(format), width: f.width, height: f.height}}
	shown.link = f.link
	r.out = append(r.out, shown)
	return nil
}

// pictureData is a picture as it is shown: what was cut away may be nobody's business. One that is shown often is
// unpacked once, and counts each time: pages hold a copy wherever it is shown.
func (r *docxReader) pictureData(target string, c crop) (data []byte, found bool, err error) {
	key := target
	if !c.none() {
		key = fmt.Sprintf("%s %v", target, c)
	}
	data, known := r.pictures[key]
	if !known {
		if data, found, err = r.pkg.Read(target); err != nil || !found {
			return nil, false, err
		}
		if !c.none() {
			if data, err = cropped(data, c); err != nil {
				return nil, false, nil //nolint:nilerr // the picture is left out, and counted
			}
		}
		r.pictures[key] = data
	}
	if *r.shown += len(data); *r.shown > maxPictures {
		return nil, false, resultTooLarge()
	}
	return data, true, nil
}

func cropped(data []byte, c crop) ([]byte, error) {
	config, kind, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read the picture: %w", err)
	}
	if config.Width*config.Height > maxPicturePixels {
		return nil, fmt.Errorf("the picture has %d x %d pixels", config.Width, config.Height)
	}
	full, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read the picture: %w", err)
	}
	b := full.Bounds()
	cut := func(size int, share float64) int { return int(min(max(share, 0), 1)*float64(size) + 0.5) }
	kept := image.Rect(b.Min.X+cut(b.Dx(), c.left), b.Min.Y+cut(b.Dy(), c.top), b.Max.X-cut(b.Dx(), c.right), b.Max.Y-cut(b.Dy(), c.bottom))
	if kept.Empty() || cut(b.Dx(), c.left)+cut(b.Dx(), c.right) >= b.Dx() || cut(b.Dy(), c.top)+cut(b.Dy(), c.bottom) >= b.Dy() {
		return nil, fmt.Errorf("nothing is left of the picture")
	}
	out := image.NewNRGBA(image.Rect(0, 0, kept.Dx(), kept.Dy()))
	draw.Draw(out, out.Bounds(), full, kept.Min, draw.Src)

	var buffer bytes.Buffer
	if kind == "jpeg" {
		err = jpeg.Encode(&buffer, out, &jpeg.Options{Quality: 95})
	} else {
		err = png.Encode(&buffer, out)
	}
	if err != nil {
		return nil, fmt.Errorf("write the picture: %w", err)
	}
	return buffer.Bytes(), nil
}
