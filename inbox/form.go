package inbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// field is a question with the control that fits it, and what was typed so far.
type field struct {
	workflows.Question
	Control string // radio, select, checkboxes, order, number, boolean, date, file, text, area
	Values  []string
	Typed   string // of the free text beside the options
	Fault   string
	CanFile bool
	Run     string // workflow id, for previews
	Base    string // path below which previews lie
}

const selectFrom = 9 // as many options, and radio buttons become a list

func (in *Inbox) fieldOf(workflowID string, q workflows.Question) field {
	f := field{Question: q, CanFile: in.cfg.Files != "", Run: workflowID, Base: "/previews/" + url.PathEscape(workflowID)}
	f.Values = suggested(q.Suggested)
	switch q.Type {
	case "choice":
		f.Control = "radio"
		if len(q.Options) >= selectFrom {
			f.Control = "select"
		}
		if len(q.Options) == 0 {
			f.Control = "text"
		}
	case "multi_choice":
		f.Control = "checkboxes"
		if len(q.Options) > 1 && ordering(q, f.Values) {
			f.Control = "order"
		}
	case "number", "boolean", "date", "file":
		f.Control = q.Type
	case "text":
		f.Control = "text"
		if len(q.Text) > 0 && strings.Contains(string(q.Suggested), `\n`) {
			f.Control = "area"
		}
	default:
		f.Control = "area"
	}
	return f
}

// suggested is what to begin with, as texts.
func suggested(raw json.RawMessage) []string {
	var many []string
	if json.Unmarshal(raw, &many) == nil && many != nil {
		return many
	}
	var one any
	if len(raw) == 0 || json.Unmarshal(raw, &one) != nil || one == nil {
		return nil
	}
	if text, ok := one.(string); ok {
		return []string{text}
	}
	return []string{string(raw)}
}

// ordering says that a question is about the order of its options: all of them are suggested.
func ordering(q workflows.Question, values []string) bool {
	if len(values) != len(q.Options) {
		return false
	}
	for _, option := range q.Options {
		if !slices.Contains(values, option.Value) {
			return false
		}
	}
	return true
}

// Has says that a value is chosen.
func (f field) Has(value string) bool { return slices.Contains(f.Values, value) }

// First is the value of a control for one.
func (f field) First() string {
	if len(f.Values) == 0 {
		return ""
	}
	return f.Values[0]
}

// Place is the place of a value in the order, from 1; empty where it is left out.
func (f field) Place(value string) string {
	if i := slices.Index(f.Values, value); i >= 0 {
		return strconv.Itoa(i + 1)
	}
	return ""
}

// Ordered is the options in the order of the values, those left out last.
func (f field) Ordered() []option {
	var out []option
	for _, value := range f.Values {
		for _, o := range f.Options {
			if o.Value == value {
				out = append(out, option(o))
			}
		}
	}
	for _, o := range f.Options {
		if !f.Has(o.Value) {
			out = append(out, option(o))
		}
	}
	return out
}

type option struct{ Value, Label string }

// read takes the answer to a question out of a form; nil where nothing was answered. What was typed stays in the
// field for when the answer is refused.
func (in *Inbox) read(r *http.Request, f *field) (json.RawMessage, error) {
	name := "v:" + f.SlotID
	values := slices.DeleteFunc(slices.Clone(r.PostForm[name]), func(v string) bool { return v == "" })
	if typed := strings.TrimSpace(r.PostFormValue("t:" + f.SlotID)); f.FreeText != "" && typed != "" {
		f.Typed, values = typed, []string{typed}
	}
	if f.Control == "file" {
		return in.readFiles(r, f)
	}
	if f.Control == "order" {
		values = orderOf(r, f)
	}
	f.Values = values
	if len(values) == 0 {
		return nil, nil
	}
	switch f.Control {
	case "checkboxes", "order":
		return encode(values), nil
	case "boolean":
		return encode(values[0] == "true"), nil
	case "number":
		n, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(values[0]), ",", "."), 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a number", values[0])
		}
		return encode(n), nil
	}
	if slices.Contains([]string{"choice", "text", "date"}, f.Type) {
		return encode(values[0]), nil
	}
	if json.Valid([]byte(values[0])) { // a type that is not known here: as it was typed
		return json.RawMessage(values[0]), nil
	}
	return encode(values[0]), nil
}

func encode(v any) json.RawMessage {
	data, _ := json.Marshal(v) // plain data always encodes
	return data
}

// orderOf reads the places that were typed beside the options.
func orderOf(r *http.Request, f *field) []string {
	type placed struct {
		value string
		place float64
	}
	var all []placed
	for i, o := range f.Options {
		text := strings.TrimSpace(r.PostFormValue(fmt.Sprintf("o:%s:%d", f.SlotID, i)))
		if place, err := strconv.ParseFloat(text, 64); err == nil && place > 0 {
			all = append(all, placed{o.Value, place})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = p.value
	}
	return out
}

// errFileURL keeps people from having a worker read files of its own machine to them.
var errFileURL = errors.New("a file is uploaded here, or named by its file id; paths of the worker's machine are not taken")

// checkValue refuses file:// URLs, which only an upload may bring about.
func checkValue(value json.RawMessage) error {
	if strings.Contains(strings.ToLower(string(value)), "file:") {
		var one string
		var many []string
		if json.Unmarshal(value, &one) == nil {
			many = []string{one}
		} else if json.Unmarshal(value, &many) != nil {
			return nil
		}
		for _, text := range many {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "file:") {
				return errFileURL
			}
		}
	}
	return nil
}

// readFiles keeps what was uploaded, and answers with where it lies; or with the file ids that were typed.
func (in *Inbox) readFiles(r *http.Request, f *field) (json.RawMessage, error) {
	var headers []*multipart.FileHeader
	if r.MultipartForm != nil {
		headers = r.MultipartForm.File["f:"+f.SlotID]
	}
	var values []string
	for _, header := range headers {
		if header.Size == 0 {
			continue
		}
		if in.cfg.Files == "" {
			return nil, errors.New("files cannot be uploaded here; answer with 'slots answer' or by file id")
		}
		path, err := in.keep(header)
		if err != nil {
			return nil, err
		}
		values = append(values, (&url.URL{Scheme: "file", Path: path}).String())
	}
	if typed := strings.Fields(r.PostFormValue("v:" + f.SlotID)); len(values) == 0 {
		if err := checkValue(encode(typed)); err != nil {
			return nil, err
		}
		values = typed
	}
	switch len(values) {
	case 0:
		return nil, nil
	case 1:
		return encode(values[0]), nil
	default:
		return encode(values), nil
	}
}

// keep writes an upload where workers find it, on stable storage before anybody is told.
func (in *Inbox) keep(header *multipart.FileHeader) (path string, err error) {
	from, err := header.Open()
	if err != nil {
		return "", fmt.Errorf("read the upload: %w", err)
	}
	defer from.Close() //nolint:errcheck // read only
	folder := filepath.Join(in.cfg.Files, uuid.NewString())
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("keep the upload: %w", err)
	}
	path = filepath.Join(folder, safeName(header.Filename))
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // a plain name in a folder of its own
	if err != nil {
		return "", fmt.Errorf("keep the upload: %w", err)
	}
	_, copyErr := io.Copy(to, from)
	if err := errors.Join(copyErr, to.Sync(), to.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("keep the upload: %w", err), os.RemoveAll(folder))
	}
	return path, nil
}

// safeName is a file name that is nothing but one.
func safeName(name string) string {
	name = filepath.Base(strings.ReplaceAll(name, "\\", "/"))
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '_'
		}
		return r
	}, name)
	for len(name) > 120 {
		extension := filepath.Ext(name)
		if len(extension) > 20 {
			extension = ""
		}
		stem := []rune(strings.TrimSuffix(name, extension))
		name = string(stem[:len(stem)-1]) + extension
	}
	if name = strings.TrimLeft(name, ". "); name == "" {
		return "file"
	}
	return name
}

// ticketPattern is what names one sending of a form, so that sending it twice answers once.
var ticketPattern = regexp.MustCompile(`^[0-9a-f-]{36}$`)

func newTicket() string { return uuid.NewString() }

func ticketOf(r *http.Request) string {
	if ticket := r.PostFormValue("ticket"); ticketPattern.MatchString(ticket) {
		return ticket
	}
	return newTicket()
}

const formMemory = 4 << 20 // bytes of uploads kept in memory; the rest goes to temporary files

func parseForm(r *http.Request) error {
	err := r.ParseMultipartForm(formMemory)
	if errors.Is(err, http.ErrNotMultipart) {
		return nil
	}
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return fault(http.StatusBadRequest, "The form could not be read to its end.")
	}
	return err
}

// Index is the number of an option, by which the form names its place.
func (f field) Index(value string) int {
	return slices.IndexFunc(f.Options, func(o activities.Option) bool { return o.Value == value })
}
