package cli

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// request is a convert command as typed.
type request struct {
	inputs  []string
	to      string
	output  string
	from    string
	quality string
	pages   string
	options conversionOptions
	losses  lossRequest
	onLoss  string           // of losses, checked
	policy  questions.Policy // likewise
	onExist string
	strict  bool // refuse what could be skipped

	spool *spool // what is read from standard input, and written to standard output; nil where nothing is
	skips map[wanted]bool
}

// item is one conversion to run: one input to one format.
type item struct {
	source     string // as typed
	workflowID string
	input      convert.Input
	target     string // the path that a single output will have
	poured     bool   // its output goes to standard output
}

// plan checks everything that can be checked here, and reports every fault at once.
func plan(r request) ([]item, error) {
	switch r.onExist {
	case onExistFail, onExistOverwrite, onExistSkip:
	default:
		return nil, notOneOf("on-exist", r.onExist, []string{onExistFail, onExistSkip, onExistOverwrite})
	}
	wanted, err := r.wanted()
	if err != nil {
		return nil, &Failure{Code: ExitUsage, Err: err}
	}
	var items []item
	var faults []error
	targets := map[string]string{}
	sums := map[string]string{}
	reported := map[string]bool{}
	for _, w := range wanted {
		it, err := r.item(w, len(wanted) > 1, sums)
		if err == nil {
			if other, clash := targets[it.target]; clash {
				err = fmt.Errorf("%s and %s would both become %s; give them different outputs", term.OneLine(other), term.OneLine(w.path), term.OneLine(it.target))
			}
			targets[it.target] = w.path
		}
		if err != nil {
			if !reported[err.Error()] {
				reported[err.Error()] = true
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
			formats = cmp.Or(r.to, r.outputFormat())
		}
		if formats == "" {
			faults = append(faults, r.noFormat(input))
			continue
		}
		for format := range strings.SplitSeq(formats, ",") {
			if w := (wanted{path: path, format: client.NormalizeFormat(format)}); !r.skips[w] {
				out = append(out, w)
			}
		}
	}
	return out, errors.Join(faults...)
}

// noFormat is why it is not known what an input becomes.
func (r request) noFormat(input string) error {
	ending, some := client.FormatOf(r.output)
	if info, err := os.Stat(r.output); !some || !r.oneOutput() || err == nil && info.IsDir() {
		return fmt.Errorf("%s: no target format; add --to FORMAT or write %s:FORMAT", input, input)
	}
	meant := didYouMean(ending, client.Formats())
	if meant == "" {
		meant = "; add --to FORMAT for a folder of that name, or name a file that ends in a format"
	}
	return fmt.Errorf("-o %s: %q is not a known format%s", r.output, ending, meant)
}

// oneOutput reports whether -o may be the name of a file.
func (r request) oneOutput() bool {
	return len(r.inputs) == 1 && r.output != stdio && !strings.HasSuffix(r.output, "/")
}

// outputFormat is what the name of a single output tells; empty where no file is named.
func (r request) outputFormat() string {
	format, _ := client.FormatOf(r.output)
	if !r.oneOutput() || len(client.Families(format)) == 0 {
		return ""
	}
	return format
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

// longestName is how many bytes the name of a file has at most, on all usual file systems.
const longestName = 255

func (r request) item(w wanted, several bool, sums map[string]string) (item, error) {
	absolute, err := readableFile(r.spool.source(w.path))
	if err != nil {
		return item{}, err
	}
	source, err := r.sourceFormat(absolute)
	if err != nil {
		return item{}, err
	}
	if err := checkConversion(w, source, r); err != nil {
		return item{}, err
	}
	folder, stem, err := r.destination(absolute, w.format, several)
	if err != nil {
		return item{}, err
	}
	if name := stem + "." + w.format; len(name) > longestName && !r.spool.pours() {
		return item{}, fmt.Errorf("%s: the name of its output would have %d bytes, and a file's has %d at most; name the output with -o", term.OneLine(w.path), len(name), longestName)
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
		Quality: r.quality, Pages: r.pages, Options: r.options.values, OnLoss: r.onLoss, Policy: r.policy,
		To: activities.Destination{Folder: fileURL(folder), Stem: stem, Format: w.format, OnExist: onExist},
	}}
	it.workflowID, err = conversionID(it.input)
	it.poured = r.spool.pours()
	return it, err
}

func (r request) sourceFormat(path string) (string, error) {
	if r.from != "" {
		return client.NormalizeFormat(r.from), nil
	}
	format, ok := client.FormatOf(path)
	if !ok {
		return "", fmt.Errorf("%s: its name does not tell its format; add --from FORMAT", shortPath(path))
	}
	return format, nil
}

func checkConversion(w wanted, source string, r request) error {
	if err := checkTarget(w.format); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	err := client.ValidateParams(client.CreateParams{
		FileID: "local-check", SourceFormat: source, TargetFormat: w.format, Quality: r.quality, PageRange: r.pages, Options: r.options.values,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", term.OneLine(w.path), err)
	}
	return nil
}

// destination is the folder and the file name without extension.
func (r request) destination(absolute, format string, several bool) (folder, stem string, err error) {
	stem = strings.TrimSuffix(filepath.Base(absolute), filepath.Ext(absolute))
	if r.spool.pours() {
		folder = r.spool.outputs(absolute, format)
		return folder, stem, nil
	}
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
		if !isFolder {
			if err := r.notFolder(folder, format, several, statErr == nil); err != nil {
				return "", "", err
			}
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

// notFolder is why outputs cannot go into a folder that is not there, or into what is there and is none; nil where they can.
func (r request) notFolder(path, format string, several, there bool) error {
	switch {
	case there && several:
		return fmt.Errorf("-o %s is a file, but there are several outputs; name a folder", r.output)
	case there:
		return fmt.Errorf("-o %s is there and is no folder; name a folder, or a file that ends in .%s", r.output, format)
	}
	if extension, _ := client.FormatOf(path); several && extension == format && !strings.HasSuffix(r.output, "/") {
		return fmt.Errorf("-o %s names one file, but there are several outputs; name a folder, or write %s/", r.output, r.output)
	}
	return nil
}

// conversionID names the work by what goes in and what shall come out, so that the same command finds the same run.
func conversionID(input convert.Input) (string, error) {
	input.To.OnExist, input.To.Replace, input.Policy = "", nil, questions.Policy{} // matters of the moment, not of the work
	data, err := json.Marshal(input)
	if err != nil {
		return "", fmt.Errorf("name the run: %w", err)
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("convert-%s-to-%s-%s", slug(input.Name), input.To.Format, hex.EncodeToString(sum[:6])), nil
}

func (it item) kind() *runs.Kind { return runs.Conversion }

func (it item) id() string { return it.workflowID }

func (it item) title() string { return it.source }

func (it item) label() string { return fmt.Sprintf("%s → %s", it.input.Name, it.input.To.Format) }

func (it item) begun(runID string) result {
	o := newOutcome(it, runID)
	o.Status = workflows.StateRunning
	return o
}

func (it item) spec() runs.Spec {
	return runs.Spec{
		Kind: runs.Conversion, ID: it.workflowID, Input: it.input,
		Memo:    map[string]any{runs.MemoSource: it.input.Name, runs.MemoTarget: it.input.To.Format},
		Summary: fmt.Sprintf("%s → %s", it.input.Name, it.input.To.Format),
		Details: fmt.Sprintf("Converts `%s` from %s to %s.", it.input.Name, it.input.SourceFormat, it.input.To.Format),
	}
}

func (it item) ended(runID string, end runs.End) result {
	o := newOutcome(it, runID)
	if end.Fault != nil {
		return o.failed(end.Fault)
	}
	return o.completed(*end.Conversion)
}

// conversionOf is a conversion that was started elsewhere, as far as its memo knows.
func conversionOf(r runs.Run) work {
	it := item{workflowID: r.ID, source: shownName(r)}
	it.input.Name, it.input.To.Format = it.source, r.Target
	return it
}

// shownName is what lists call a run, or why they cannot.
func shownName(r runs.Run) string {
	if r.Sealed != nil {
		return "(sealed with key " + r.SealedWith() + ")"
	}
	return r.Name
}

// existing finds a file that stands where an output would go.
func (it item) existing() (string, bool) {
	if _, err := os.Lstat(it.target); err == nil {
		return it.target, true
	}
	if family, err := client.FamilyFor(it.input.SourceFormat, it.input.To.Format); it.input.SourceFormat != "pdf" || err != nil || family != client.FamilyImage {
		return "", false
	}
	// Pages become stem-1.png, stem-2.png, ...
	extension := filepath.Ext(it.target)
	for _, first := range []string{"-1", "-01", "-001"} {
		path := it.target[:len(it.target)-len(extension)] + first + extension
		if _, err := os.Lstat(path); err == nil {
			return path, true
		}
	}
	return "", false
}

// outcome is what --json prints for a file.
type outcome struct {
	Source     string              `json:"source"`
	Status     string              `json:"status"` // completed, failed, cancelled, skipped, running
	Outputs    []activities.Output `json:"outputs"`
	JobID      string              `json:"job_id"`
	FileID     string              `json:"file_id"`
	Warnings   []string            `json:"warnings"`
	Check      *client.CheckResult `json:"check,omitempty"`
	Error      *outcomeError       `json:"error"`
	WorkflowID string              `json:"workflow_id"`
	RunID      string              `json:"run_id"`
	Attempts   int                 `json:"attempts"`
	Answers    []questions.Receipt `json:"answers,omitempty"` // about an output that lacks something

	kind   string // of the failure
	poured bool
}

func newOutcome(it item, runID string) outcome {
	return outcome{
		Source: it.source, WorkflowID: it.workflowID, RunID: runID,
		Outputs: []activities.Output{}, Warnings: []string{}, poured: it.poured,
	}
}

func (o outcome) completed(result convert.Result) outcome {
	o.Status = workflows.StateCompleted
	o.Outputs = append(o.Outputs, result.Outputs...)
	o.Warnings = append(o.Warnings, result.Warnings...)
	o.Check, o.Answers = result.Check, result.Answers
	o.JobID, o.FileID, o.Attempts = result.JobID, result.FileID, result.Attempts
	return o
}

// failed describes a run that closed without a result.
func (o outcome) failed(fault *runs.Fault) outcome {
	o.Status, o.Error, o.kind = fault.State, errorOf(fault), fault.Detail.Kind
	o.Attempts, o.FileID, o.JobID = fault.Detail.Attempts, fault.Detail.FileID, fault.Detail.JobID
	return o
}

func (o outcome) state() string { return o.Status }

func (o outcome) failedAs() string { return o.kind }

func (o outcome) inPlace() bool {
	return o.Status == workflows.StateCompleted && outputsInPlace(o.Outputs)
}

func (o outcome) render(e *Env) error {
	switch o.Status {
	case workflows.StateCompleted:
		for _, output := range o.Outputs {
			if o.poured {
				break
			}
			if _, err := fmt.Fprintf(e.Stdout, "%s → %s  (%s)\n", term.OneLine(o.Source), shortPath(output.Path), term.Bytes(output.Size)); err != nil {
				return err
			}
		}
		for _, warning := range o.Warnings {
			e.printf("  note on %s: %s", term.OneLine(o.Source), warning)
		}
	case statusSkipped:
		e.printState(o.Status, "%s: skipped, %s", term.OneLine(o.Source), o.Error.Message)
	default:
		e.printState(o.Status, "%s: %s: %s: %s", term.OneLine(o.Source), o.Status, o.Error.Code, o.Error.Message)
	}
	return nil
}

// checkText is what a comparison came to, in numbers; empty where there was none.
func checkText(check *client.CheckResult) string {
	switch {
	case check == nil:
		return ""
	case check.Skipped != "":
		return "not compared with the source: " + check.Skipped
	case check.Words == 0:
		return fmt.Sprintf("compared with the source: %s", term.Plural(check.Losses, "loss", "losses"))
	}
	return fmt.Sprintf("compared with the source: %d of %s missing, %s", check.Missing, term.Plural(check.Words, "word", "words"), term.Plural(check.Losses, "loss", "losses"))
}

func (o outcome) renderDetail(e *Env) {
	e.row("job", o.JobID)
	for _, output := range o.Outputs {
		e.row("output", fmt.Sprintf("%s  %s  sha256 %s", term.OneLine(output.Path), term.Bytes(output.Size), output.SHA256))
	}
	e.row("check", checkText(o.Check))
	for _, warning := range o.Warnings {
		e.row("note", warning)
	}
	e.renderReceipts(o.Answers)
	if o.Error != nil {
		e.row("error", o.Error.Code+": "+o.Error.Message)
	}
}
