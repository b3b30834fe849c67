package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// Path is the plan file.
func (p Plan) Path() string {
	name := p.PlanName
	if name == "" {
		name = PlanFile
	}
	return p.Folder + "/" + name
}

// SourcePath is the absolute path of an item's source.
func (p Plan) SourcePath(i Item) string { return under(p.Root, i.Source) }

// DestPath is the absolute path of an item's output, without its extension.
func (p Plan) DestPath(i Item) string { return under(p.Output, i.Dest) }

// Target is the format that an item is converted to.
func (p Plan) Target(i Item) string {
	if i.To != "" {
		return i.To
	}
	return p.To
}

func under(root, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(root, name)
}

// ReportPath is where the whole report of a batch stands.
func ReportPath(output, name string) string { return filepath.Join(output, name+reportSuffix) }

// NewFolder is a fresh folder for a plan and the parts of its report.
func NewFolder(output, name string, now time.Time) string {
	stamp := strings.ReplaceAll(now.UTC().Format("20060102T150405.000000Z"), ".", "-")
	return filepath.Join(output, workFolder, name, stamp)
}

const (
	workFolder    = ".convilyn"
	reportSuffix  = ".report.jsonl"
	summarySuffix = ".summary.json"
)

// Tally is how far planning has come.
type Tally struct{ Listed, Faulty int }

// Faults is everything that has to be mended before a batch can start.
type Faults struct {
	Lines []string // one each, naming the thing and the remedy
	More  int      // that did not fit
}

const maxFaults = 20

func (f *Faults) Error() string {
	text := strings.Join(f.Lines, "\n")
	if f.More > 0 {
		text += fmt.Sprintf("\nand %d more", f.More)
	}
	return text
}

func (f *Faults) add(text string) {
	if len(f.Lines) == maxFaults {
		f.More++
		return
	}
	f.Lines = append(f.Lines, text)
}

// Make lists and checks everything that a spec asks for, and writes the plan into a folder, whole or not at all. What
// has to be mended first is *Faults. progress may be nil.
func Make(ctx context.Context, spec Spec, folder string, progress func(Tally)) (Plan, error) {
	p, err := newPlanner(ctx, spec, progress)
	if err != nil {
		return Plan{}, err
	}
	defer p.earlier.close()
	if err := p.into(folder, p.make); err != nil {
		return Plan{}, err
	}
	return p.plan, nil
}

// Check is Make without writing anything. show may be nil; it is given each item that would be converted.
func Check(ctx context.Context, spec Spec, show func(Item) error) (Plan, error) {
	p, err := newPlanner(ctx, spec, nil)
	if err != nil {
		return Plan{}, err
	}
	defer p.earlier.close()
	p.show = show
	err = p.make()
	return p.plan, err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// planner makes one plan.
type planner struct {
	ctx      context.Context //nolint:containedctx // of the one call that the planner lives for
	spec     Spec
	targets  []string
	plan     Plan
	faults   Faults
	tally    Tally
	progress func(Tally)
	show     func(Item) error
	items    *lines
	settled  *lines
	taken    map[uint64]int32 // outputs by hash: the line of the manifest, or 0
	earlier  *earlier
	made     *made
	noted    map[uint64]struct{}   // what a lenient plan accounts for
	own      string                // the report of this batch's name
	news     int                   // faults that no report tells yet
	watch    *Watch                // knows which files still grow; may be nil
	look     func(candidate) error // takes each candidate instead of a plan; nil for none
	safe     string                // a folder that is known to lie inside the output folder
	index    int
}

func newPlanner(ctx context.Context, spec Spec, progress func(Tally)) (*planner, error) {
	p, err := barePlanner(ctx, spec, progress)
	if err != nil {
		return nil, err
	}
	p.made = newMade(p.root(), p.spec.Output)
	p.earlier, err = loadEarlier(p.spec.Output, func(line Line) {
		if p.made != nil && slices.Contains(p.targets, line.To) {
			p.made.add(line)
		}
	})
	return p, err
}

// root is the folder that is listed.
func (p *planner) root() string {
	if root, _, ok := splitPattern(p.spec.Source); ok {
		return root
	}
	return p.spec.Source
}

// barePlanner knows nothing of earlier batches.
func barePlanner(ctx context.Context, spec Spec, progress func(Tally)) (*planner, error) {
	if !filepath.IsAbs(spec.Output) || !filepath.IsAbs(spec.Source) {
		return nil, fmt.Errorf("source %q and output %q have to be absolute paths", spec.Source, spec.Output)
	}
	spec.Output = filepath.Clean(spec.Output) // listings are compared with it
	p := &planner{ctx: ctx, spec: spec, progress: progress, taken: map[uint64]int32{}, earlier: &earlier{}}
	if spec.Lenient {
		p.noted = map[uint64]struct{}{}
	}
	for target := range strings.SplitSeq(spec.To, ",") {
		if format := client.NormalizeFormat(target); format != "" && !slices.Contains(p.targets, format) {
			p.targets = append(p.targets, format)
		}
	}
	p.plan = Plan{Output: spec.Output, Every: spec.MarkEvery}
	if len(p.targets) == 1 {
		p.plan.To = p.targets[0]
	}
	return p, nil
}

func (p *planner) make() error {
	if err := p.list(); err != nil {
		return err
	}
	if len(p.faults.Lines) > 0 {
		return &p.faults
	}
	if p.index == 0 && !p.spec.Lenient {
		return &Faults{Lines: []string{p.spec.Source + " has nothing that can be converted; see --include and --from"}}
	}
	return p.keepRest()
}

// list finds the sources, by the kind of what the spec names.
func (p *planner) list() error {
	if root, pattern, ok := splitPattern(p.spec.Source); ok {
		p.plan.Root = root
		return p.walk("", func(rel string) (bool, bool) {
			wanted, _ := p.included(rel)
			return wanted && match(pattern, rel), true
		})
	}
	info, err := os.Stat(p.spec.Source)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Faults{Lines: []string{p.spec.Source + " does not exist"}}
	case err != nil:
		return fmt.Errorf("look at the source: %w", err)
	case info.IsDir():
		p.plan.Root = p.spec.Source
		return p.walk("", p.included)
	}
	p.plan.Root = filepath.Dir(p.spec.Source)
	switch strings.ToLower(filepath.Ext(p.spec.Source)) {
	case ".jsonl", ".ndjson":
		return p.readJSONL()
	case ".csv":
		return p.readCSV()
	}
	return &Faults{Lines: []string{p.spec.Source + " is no folder, pattern or manifest (.jsonl, .ndjson, .csv); single files are for 'convert'"}}
}

// included says whether a file of a folder is wanted, and whether somebody named it.
func (p *planner) included(rel string) (wanted, named bool) {
	if matchAny(p.spec.Exclude, rel) {
		return false, false
	}
	if len(p.spec.Include) == 0 {
		return true, false
	}
	return matchAny(p.spec.Include, rel), true
}

// candidate is an item before it is checked.
type candidate struct {
	Item
	where string // for faults: a path, or a line of the manifest
	line  int32  // of the manifest
	path  string // absolute
}

// refuse records a fault: something to mend, or in a lenient plan a line of the report.
func (p *planner) refuse(c candidate, code, format string, args ...any) error {
	p.tally.Faulty++
	text := fmt.Sprintf(format, args...)
	if !p.spec.Lenient {
		p.faults.add(c.where + ": " + text)
		return nil
	}
	line := p.line(c, StatusFailed)
	known := p.earlier.find(line)
	if known != nil {
		line.Former = known.left()
	}
	if known == nil || known.Status != StatusFailed || known.Error == nil || known.Error.Message != text {
		p.news++
	}
	if c.OnExist == onExistOverwrite {
		line.OnExist = c.OnExist
	}
	line.Error = &Fault{Step: "plan", Kind: "InputUnusable", Code: code, Message: text}
	p.plan.Faulty++
	return p.settle(line)
}

func (p *planner) line(c candidate, status Status) Line {
	return Line{
		Source: c.path, From: c.From, To: p.plan.Target(c.Item), Quality: c.Quality, Pages: c.Pages, Dest: p.plan.DestPath(c.Item), Status: status,
		Outputs: []Output{}, Warnings: []string{}, Size: c.Size, ModTime: c.ModTime,
	}
}

// step is called for each file that was looked at.
func (p *planner) step() error {
	p.tally.Listed++
	const often = 500
	if p.tally.Listed%often != 0 {
		return nil
	}
	if p.progress != nil {
		p.progress(p.tally)
	}
	return p.ctx.Err()
}
