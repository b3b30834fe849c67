package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// What to do where an output exists, as typed.
const (
	onExistFail      = activities.OnExistFail
	onExistOverwrite = activities.OnExistOverwrite
	onExistSkip      = "skip"
)

// request is a convert command as typed.
type request struct {
	inputs  []string
	to      string
	output  string
	from    string
	quality string
	pages   string
	onExist string
}

// item is one conversion to run: one input to one format.
type item struct {
	source     string // as typed
	workflowID string
	input      convert.Input
	target     string // the path that a single output will have
}

// plan checks everything that can be checked here, and reports every fault at once.
func plan(r request) ([]item, error) {
	switch r.onExist {
	case onExistFail, onExistOverwrite, onExistSkip:
	default:
		return nil, Usagef("--on-exist %q is not fail, skip or overwrite", r.onExist)
	}
	wanted, err := r.wanted()
	if err != nil {
		return nil, &Failure{Code: ExitUsage, Err: err}
	}
	var items []item
	var faults []error
	targets := map[string]string{}
	sums := map[string]string{}
	told := map[string]bool{}
	for _, w := range wanted {
		it, err := r.item(w, len(wanted) > 1, sums)
		if err == nil {
			if other, clash := targets[it.target]; clash {
				err = fmt.Errorf("%s and %s would both become %s; give them different outputs", other, w.path, it.target)
			}
			targets[it.target] = w.path
		}
		if err != nil {
			if !told[err.Error()] {
				told[err.Error()] = true
				faults = append(faults, err)
			}
			continue
		}
		items = append(items, it)
	}
	if len(faults) > 0 {
		return nil, &Failure{Code: ExitUsage, Err: errors.Join(faults...)}
	}
	return items, nil
}

// wanted is one input with one target format.
type wanted struct{ path, format string }

// wanted pairs inputs with targets: INPUT:FORMAT[,FORMAT] where an input says so itself, --to otherwise.
func (r request) wanted() ([]wanted, error) {
	var out []wanted
	var faults []error
	for _, input := range r.inputs {
		path, formats := splitTargets(input)
		if formats == "" {
			formats = r.to
		}
		if formats == "" {
			faults = append(faults, fmt.Errorf("%s: no target format; add --to FORMAT or write %s:FORMAT", input, input))
			continue
		}
		for format := range strings.SplitSeq(formats, ",") {
			out = append(out, wanted{path: path, format: client.NormalizeFormat(format)})
		}
	}
	return out, errors.Join(faults...)
}

// splitTargets cuts the formats off INPUT:FORMATS; a file that exists under the whole name is just a file.
func splitTargets(input string) (path, formats string) {
	at := strings.LastIndexByte(input, ':')
	if at <= 0 || strings.ContainsRune(input[at:], '/') {
		return input, ""
	}
	if _, err := os.Lstat(input); err == nil {
		return input, ""
	}
	return input[:at], input[at+1:]
}

func (r request) item(w wanted, several bool, sums map[string]string) (item, error) {
	absolute, err := readableFile(w.path)
	if err != nil {
		return item{}, err
	}
	source, err := r.sourceFormat(w.path)
	if err != nil {
		return item{}, err
	}
	if err := checkConversion(w, source, r.quality, r.pages); err != nil {
		return item{}, err
	}
	folder, stem, err := r.destination(absolute, w.format, several)
	if err != nil {
		return item{}, err
	}
	if sums[absolute] == "" {
		if sums[absolute], err = hashFile(absolute); err != nil {
			return item{}, err
		}
	}
	onExist := r.onExist
	if onExist == onExistSkip {
		onExist = onExistFail
	}
	it := item{source: w.path, target: filepath.Join(folder, stem+"."+w.format), input: convert.Input{
		Source: fileURL(absolute), Name: filepath.Base(absolute), SHA256: sums[absolute], SourceFormat: source,
		Quality: r.quality, Pages: r.pages,
		To: activities.Destination{Folder: fileURL(folder), Stem: stem, Format: w.format, OnExist: onExist},
	}}
	it.workflowID, err = workflowID(it.input)
	return it, err
}

func readableFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s does not exist", path)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%s cannot be reached: permission denied", path)
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fmt.Errorf("%s is a folder; name the files in it", path)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", path)
	case info.Size() == 0:
		return "", fmt.Errorf("%s is empty; there is nothing to convert", path)
	case info.Size() > client.MaxUploadBytes:
		return "", fmt.Errorf("%s has %s; the API takes %s at most", path, bytesText(info.Size()), bytesText(client.MaxUploadBytes))
	}
	if unix.Access(path, unix.R_OK) != nil {
		return "", fmt.Errorf("%s cannot be read: permission denied", path)
	}
	return filepath.Abs(path)
}

func (r request) sourceFormat(path string) (string, error) {
	if r.from != "" {
		return client.NormalizeFormat(r.from), nil
	}
	format, ok := client.FormatOf(path)
	if !ok {
		return "", fmt.Errorf("%s: its name does not tell its format; add --from FORMAT", path)
	}
	return format, nil
}

func checkConversion(w wanted, source, quality, pages string) error {
	err := client.ValidateParams(client.CreateParams{
		FileID: "local-check", SourceFormat: source, TargetFormat: w.format, Quality: quality, PageRange: pages,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return nil
}

// destination is the folder and the file name without extension.
func (r request) destination(absolute, format string, several bool) (folder, stem string, err error) {
	stem = strings.TrimSuffix(filepath.Base(absolute), filepath.Ext(absolute))
	if r.output == "" {
		folder = filepath.Dir(absolute)
		return folder, stem, writableFolder(folder)
	}
	folder, err = filepath.Abs(r.output)
	if err != nil {
		return "", "", err
	}
	info, statErr := os.Stat(folder)
	isFolder := statErr == nil && info.IsDir()
	if several || isFolder || strings.HasSuffix(r.output, "/") || filepath.Ext(folder) == "" {
		if statErr == nil && !isFolder {
			return "", "", fmt.Errorf("-o %s is a file, but there are several outputs; name a folder", r.output)
		}
		return folder, stem, writableFolder(folder)
	}
	extension := filepath.Ext(folder)
	if client.NormalizeFormat(extension) != format {
		return "", "", fmt.Errorf("-o %s ends in %s, but the target format is %s", r.output, extension, format)
	}
	stem = strings.TrimSuffix(filepath.Base(folder), extension)
	folder = filepath.Dir(folder)
	return folder, stem, writableFolder(folder)
}

// writableFolder checks the nearest folder that exists: the rest is made when it is needed.
func writableFolder(folder string) error {
	for at := folder; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)) && at != filepath.Dir(at):
			continue
		case err != nil:
			return fmt.Errorf("output folder %s: %w", folder, err)
		case !info.IsDir():
			return fmt.Errorf("output folder %s cannot be made: %s is a file", folder, at)
		case unix.Access(at, unix.W_OK|unix.X_OK) != nil:
			return fmt.Errorf("output folder %s is not writable; choose another with -o", at)
		}
		return nil
	}
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

func hashFile(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the user names the input
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	defer file.Close() //nolint:errcheck // read only
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// workflowID names the work by what goes in and what shall come out, so that the same command finds the same run.
func workflowID(input convert.Input) (string, error) {
	input.To.OnExist = "" // a matter of the moment, not of the work
	data, err := json.Marshal(input)
	if err != nil {
		return "", fmt.Errorf("name the run: %w", err)
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("convert-%s-to-%s-%s", slug(input.Name), input.To.Format, hex.EncodeToString(sum[:6])), nil
}

// slug keeps what is safe in ids, shells and URLs.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 40 {
			break
		}
	}
	if text := strings.Trim(b.String(), "-"); text != "" {
		return text
	}
	return "file"
}
