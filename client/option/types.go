package option

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Type is how a value is written.
type Type string

// The types.
const (
	Pages   Type = "pages"   // "3", "1-5", "2-", and lists of them with commas
	Choice  Type = "choice"  // one of Values
	Boolean Type = "boolean" // true or false
	Integer Type = "integer"
	Number  Type = "number"
	Text    Type = "text"    // one line
	Paper   Type = "paper"   // a name such as A4, or WIDTHxHEIGHT such as 100x150mm
	Lengths Type = "lengths" // one length, or four with commas: top, right, bottom, left; such as 15mm, 1.5cm, 0.5in, 36pt
	Color   Type = "color"   // #rrggbb, white, black
	Secret  Type = "secret"  // a password, see InFiles
)

// kinds read a value of each type and write it in its one form.
var kinds = map[Type]func(o Option, value string) (string, error){
	Pages: checkPages, Choice: checkChoice, Boolean: checkBoolean, Integer: checkInteger, Number: checkNumber,
	Text: checkText, Paper: checkPaper, Lengths: checkLengths, Color: checkColor, Secret: checkText,
}

var pageRange = regexp.MustCompile(`^\d{1,9}(-\d{0,9})?(,\d{1,9}(-\d{0,9})?)*$`)

func checkPages(_ Option, value string) (string, error) {
	value = strings.ReplaceAll(value, " ", "")
	if !pageRange.MatchString(value) {
		return "", fmt.Errorf("%q is not a range such as 3, 1-5 or 2-", value)
	}
	return value, nil
}

func checkChoice(o Option, value string) (string, error) {
	at := slices.IndexFunc(o.Values, func(known string) bool { return strings.EqualFold(known, value) })
	if at < 0 {
		meant := ""
		if near := Nearest(value, o.Values); near != "" {
			meant = fmt.Sprintf("; did you mean %s?", near)
		}
		return "", fmt.Errorf("%q is not one of %s%s", value, strings.Join(o.Values, ", "), meant)
	}
	return o.Values[at], nil
}

func checkBoolean(_ Option, value string) (string, error) {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1":
		return "true", nil
	case "false", "no", "off", "0":
		return "false", nil
	}
	return "", fmt.Errorf("%q is not true or false", value)
}

func (o Option) bounded(n float64) error {
	if (o.Min != 0 || o.Max != 0) && !(n >= o.Min && n <= o.Max) {
		return fmt.Errorf("%s is not from %s to %s", plain(n), plain(o.Min), plain(o.Max))
	}
	return nil
}

func plain(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func checkInteger(o Option, value string) (string, error) {
	n, err := strconv.Atoi(value)
	if err != nil {
		return "", fmt.Errorf("%q is not a whole number", value)
	}
	return strconv.Itoa(n), o.bounded(float64(n))
}

func checkNumber(o Option, value string) (string, error) {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return "", fmt.Errorf("%q is not a number", value)
	}
	return plain(n), o.bounded(n)
}

func checkText(o Option, value string) (string, error) {
	switch {
	case !utf8.ValidString(value):
		return "", errors.New("it is not UTF-8")
	case strings.ContainsFunc(value, unicode.IsControl):
		return "", errors.New("it has a line break or another control character")
	case o.Max > 0 && utf8.RuneCountInString(value) > int(o.Max):
		return "", fmt.Errorf("it has more than %s characters", plain(o.Max))
	case value == "":
		return "", errors.New("it is empty")
	}
	return value, nil
}

// papers are the named sizes, upright, in millimetres.
var papers = []struct {
	name          string
	width, height float64
}{
	{"A3", 297, 420},
	{"A4", 210, 297},
	{"A5", 148, 210},
	{"A6", 105, 148},
	{"B4", 250, 353},
	{"B5", 176, 250},
	{"Letter", 215.9, 279.4},
	{"Legal", 215.9, 355.6},
	{"Tabloid", 279.4, 431.8},
}

// paperLeast and paperMost bound a side of a paper, in millimetres.
const (
	paperLeast = 20
	paperMost  = 2000
)

var sides = regexp.MustCompile(`^([0-9.]+)\s*[xX×]\s*([0-9.]+)\s*(mm|cm|in|pt)$`)

func checkPaper(_ Option, value string) (string, error) {
	for _, p := range papers {
		if strings.EqualFold(p.name, value) {
			return p.name, nil
		}
	}
	found := sides.FindStringSubmatch(value)
	if found == nil {
		names := make([]string, len(papers))
		for i, p := range papers {
			names[i] = p.name
		}
		return "", fmt.Errorf("%q is not one of %s, or a size such as 100x150mm", value, strings.Join(names, ", "))
	}
	width, err := length(found[1] + found[3])
	height, err2 := length(found[2] + found[3])
	if err := errors.Join(err, err2); err != nil {
		return "", err
	}
	if min(width, height) < paperLeast || max(width, height) > paperMost {
		return "", fmt.Errorf("%q has a side that is not from %d to %d mm", value, paperLeast, paperMost)
	}
	return plain(width) + "x" + plain(height) + "mm", nil
}

// PaperSize is what a checked paper measures, in millimetres, as it is named: upright where it has a name.
func PaperSize(paper string) (width, height float64) {
	for _, p := range papers {
		if p.name == paper {
			return p.width, p.height
		}
	}
	w, h, _ := strings.Cut(strings.TrimSuffix(paper, "mm"), "x")
	width, _ = strconv.ParseFloat(w, 64)
	height, _ = strconv.ParseFloat(h, 64)
	return width, height
}

// units are millimetres.
var units = map[string]float64{"mm": 1, "cm": 10, "in": 25.4, "pt": 25.4 / 72}

func length(value string) (float64, error) {
	value = strings.TrimSpace(value)
	if value == "0" {
		return 0, nil
	}
	for unit, mm := range units {
		number, ok := strings.CutSuffix(value, unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err == nil && n >= 0 && n*mm < 1e6 {
			return math.Round(n*mm*100) / 100, nil
		}
	}
	return 0, fmt.Errorf("%q is not a length such as 15mm, 1.5cm, 0.5in or 36pt", value)
}

func checkLengths(o Option, value string) (string, error) {
	parts := strings.Split(value, ",")
	if len(parts) != 1 && len(parts) != 4 {
		return "", fmt.Errorf("%q is not one length, or four with commas: top, right, bottom, left", value)
	}
	out := make([]string, len(parts))
	for i, part := range parts {
		mm, err := length(part)
		if err == nil {
			err = o.bounded(mm)
		}
		if err != nil {
			return "", err
		}
		out[i] = plain(mm) + "mm"
	}
	return strings.Join(out, ","), nil
}

// FourLengths are checked lengths in millimetres: top, right, bottom, left.
func FourLengths(value string) (out [4]float64) {
	parts := strings.Split(value, ",")
	for i := range out {
		out[i], _ = length(parts[i%len(parts)])
	}
	return out
}

var hexColor = regexp.MustCompile(`^#[0-9a-f]{6}$`)

func checkColor(_ Option, value string) (string, error) {
	value = strings.ToLower(value)
	switch value {
	case "white":
		return "#ffffff", nil
	case "black":
		return "#000000", nil
	}
	if !hexColor.MatchString(value) {
		return "", fmt.Errorf("%q is not white, black or #rrggbb", value)
	}
	return value, nil
}

// RGB is a checked colour.
func RGB(value string) (r, g, b uint8) {
	n, _ := strconv.ParseUint(strings.TrimPrefix(value, "#"), 16, 32)
	return uint8(n >> 16), uint8(n >> 8), uint8(n) //nolint:gosec // six digits
}
