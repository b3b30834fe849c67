package client

import (
	"fmt"
	"maps"
	"mime"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// Family is a group of formats that convert among each other.
type Family string

// The families of the turbo lane.
const (
	FamilyDocument Family = "document"
	FamilyImage    Family = "image"
	FamilyMedia    Family = "media"
)

// families lists the tokens that the API knows. That a token is listed does not make every pair producible:
// that is the server's answer.
var families = []struct {
	family  Family
	tokens  []string
	sources []string // further ones that nothing becomes
	targets []string // further ones that nothing is made of
}{
	{FamilyDocument, strings.Fields("azw3 csv doc docx epub html md mobi odp ods odt pdf ppt pptx rtf txt xls xlsx xml"), nil, nil},
	{
		FamilyImage, strings.Fields("avif bmp cr2 dds dng exr gif hdr heic ico jp2 jpg nef pcd pcx pdf png ppm psd sgi svg tga tiff webp xbm xpm"),
		[]string{"odp", "ppt", "pptx"},
		[]string{"md", "txt"},
	},
	{FamilyMedia, strings.Fields("avi flac gif m4a mkv mov mp3 mp4 ogg wav webm"), nil, nil},
}

var aliases = map[string]string{
	"bw": "sgi", "rgb": "sgi", "rgba": "sgi", "cur": "ico", "dib": "bmp", "heif": "heic",
	"j2c": "jp2", "j2k": "jp2", "jpeg2000": "jp2", "jpx": "jp2",
	"jfi": "jpg", "jfif": "jpg", "jif": "jpg", "jpe": "jpg", "jpeg": "jpg", "jps": "jpg",
	"pbm": "ppm", "pgm": "ppm", "pnm": "ppm", "rgbe": "hdr", "targa": "tga", "tif": "tiff", "htm": "html",
}

// variants hold what another format does, with macros, as a template or a show, or in one file of XML. The local service reads
// them; the contract has none of them.
var variants = map[string]string{
	"docm": "docx", "dotx": "docx", "dotm": "docx", "xlsm": "xlsx", "xltx": "xlsx", "xltm": "xlsx",
	"pptm": "pptx", "potx": "pptx", "potm": "pptx", "ppsx": "pptx", "ppsm": "pptx",
	"ott": "odt", "ots": "ods", "otp": "odp", "fodt": "odt", "fods": "ods", "fodp": "odp",
}

// NormalizeFormat turns what people write (.PDF, jpeg, htm) into the token that the API reads.
func NormalizeFormat(text string) string {
	token := strings.TrimLeftFunc(strings.TrimSpace(strings.ToLower(text)), func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
	if known, ok := aliases[token]; ok {
		return known
	}
	if known, ok := variants[token]; ok {
		return known
	}
	return token
}

// FormatOf is the format that a file name's last extension tells.
func FormatOf(filename string) (string, bool) {
	token := NormalizeFormat(path.Ext(filename))
	return token, token != ""
}

// Variants are the endings of names that are read as another format by services that list them, sorted.
func Variants() []string { return slices.Sorted(maps.Keys(variants)) }

// VariantOf is the ending of a file name that is one of the Variants, and the format that it is read as.
func VariantOf(filename string) (ending, format string, ok bool) {
	ending = strings.TrimPrefix(strings.ToLower(path.Ext(filename)), ".")
	format, ok = variants[ending]
	return ending, format, ok
}

// Families lists the families that know a token.
func Families(token string) []Family {
	var out []Family
	for _, f := range families {
		if slices.Contains(slices.Concat(f.tokens, f.sources, f.targets), token) {
			out = append(out, f.family)
		}
	}
	return out
}

// Formats lists all tokens, in order.
func Formats() []string {
	var out []string
	for _, f := range families {
		out = append(out, f.tokens...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// PairError is a pair of formats that no family converts. It is found before any request.
type PairError struct {
	Source, Target string
	Reason         string
}

func (e *PairError) Error() string { return e.Reason }

// FamilyFor is the family that knows both formats; otherwise a *PairError says what is wrong.
func FamilyFor(source, target string) (Family, error) {
	sources, targets := Families(source), Families(target)
	refuse := func(format string, args ...any) (Family, error) {
		return "", &PairError{Source: source, Target: target, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(sources) == 0:
		return refuse("source format %q is not known; name one of the API's formats with --from (source_format)", source)
	case len(targets) == 0:
		return refuse("target format %q is not known", target)
	case source == target:
		return refuse("source and target are both %s; there is nothing to convert", source)
	}
	for _, f := range families {
		if slices.Contains(slices.Concat(f.tokens, f.sources), source) && slices.Contains(slices.Concat(f.tokens, f.targets), target) {
			return f.family, nil
		}
	}
	return refuse("%s (%s) does not convert to %s (%s)", source, sources[0], target, targets[0])
}

// contentTypes are the types that Go's table lacks or that depend on the machine.
var contentTypes = map[string]string{
	"md": "text/markdown", "csv": "text/csv", "txt": "text/plain", "html": "text/html", "xml": "application/xml",
	"pdf": "application/pdf", "rtf": "application/rtf", "epub": "application/epub+zip",
	"mobi": "application/x-mobipocket-ebook", "azw3": "application/vnd.amazon.ebook",
	"doc": "application/msword", "xls": "application/vnd.ms-excel", "ppt": "application/vnd.ms-powerpoint",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"odt":  "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
	"odp": "application/vnd.oasis.opendocument.presentation",
	"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "bmp": "image/bmp", "tiff": "image/tiff",
	"webp": "image/webp", "avif": "image/avif", "heic": "image/heic", "svg": "image/svg+xml", "ico": "image/x-icon",
	"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "m4a": "audio/mp4",
	"mp4": "video/mp4", "webm": "video/webm", "mkv": "video/x-matroska", "mov": "video/quicktime", "avi": "video/x-msvideo",
}

// ContentType is the MIME type of a format token, without parameters.
func ContentType(token string) string {
	if known, ok := contentTypes[token]; ok {
		return known
	}
	if guess, _, err := mime.ParseMediaType(mime.TypeByExtension("." + token)); err == nil {
		return guess
	}
	return "application/octet-stream"
}

// Route is a conversion that the service offers.
type Route struct {
	Source      string `json:"source"`
	Target      string `json:"target"`
	QualityMode string `json:"quality_mode"` // exact, best_effort or one unknown to us
	Engine      string `json:"engine,omitempty"`
	// Options are what a conversion of this pair takes; nil where the service does not list them.
	Options []option.Option `json:"options,omitzero"`
}

// UnmarshalJSON takes both spellings.
func (m *Route) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = Route{
		Source: f.text("source", "sourceFormat", "source_format"), Target: f.text("target", "targetFormat", "target_format"),
		QualityMode: f.text("qualityMode", "quality_mode"), Engine: f.text("engine"),
	}
	f.into(&m.Options, "options")
	return f.err
}

// SupportList is what a service converts within a family.
type SupportList struct {
	Routes []Route `json:"routes"`
	// Unavailable is what the local service would convert with more installed; the hosted one does not say.
	Unavailable []UnavailableRoute `json:"unavailable,omitempty"`
	// Variants are the Variants that the local service reads; the hosted one has none.
	Variants []string `json:"variants,omitempty"`
}

// Takes reports whether the service lists an option for a pair.
func (m *SupportList) Takes(source, target, name string) bool {
	return slices.ContainsFunc(m.Routes, func(r Route) bool {
		return NormalizeFormat(r.Source) == source && NormalizeFormat(r.Target) == target &&
			slices.ContainsFunc(r.Options, func(o option.Option) bool { return o.Name == name })
	})
}

// CheckOptions refuses what the service does not take for a pair. Where it lists no options, it takes what the contract has
// alone: a page range of documents, and the quality.
func (m *SupportList) CheckOptions(p CreateParams) error {
	taker := p.SourceFormat + " to " + p.TargetFormat
	for _, route := range m.Routes {
		if NormalizeFormat(route.Source) != p.SourceFormat || NormalizeFormat(route.Target) != p.TargetFormat || route.Options == nil {
			continue
		}
		_, err := option.Check(p.options(true), route.Options, taker)
		return err
	}
	if extra := p.options(false); len(extra) > 0 {
		return fmt.Errorf("this service does not take %s; it takes the quality, and pages of documents", strings.Join(extra.Names(), ", "))
	}
	return nil
}

// UnavailableRoute is a pair of formats, and the packages that would make it possible.
type UnavailableRoute struct {
	Source  string `json:"source"`
	Target  string `json:"target"`
	Install string `json:"install"`
}

// UnmarshalJSON takes null for empty lists.
func (m *SupportList) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = SupportList{Routes: []Route{}}
	f.into(&m.Routes, "routes")
	f.into(&m.Unavailable, "unavailable")
	f.into(&m.Variants, "variants")
	return f.err
}
