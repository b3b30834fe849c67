package manifest

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
)

// Tally is how far planning has come.
type Tally struct{ Listed, Faulty int }

// Faults is everything that has to be fixed before a batch can start.
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

// planner makes one plan.
type planner struct {
	ctx      context.Context //nolint:containedctx // of the one call that the planner lives for
	disk     Disk
	spec     Spec
	targets  []string
	plan     Plan
	faults   Faults
	tally    Tally
	progress func(Tally)
	show     func(Item) error
	showLeft func(Line) error // is given what is left out; may be nil
	items    *lines
	settled  *lines
	taken    map[uint64]int32 // outputs by hash: the line of the manifest, or 0
	earlier  *earlier
	made     *ownOutputs                              // nil where source and output folders are apart
	noted    map[uint64]struct{}                      // what a lenient plan accounts for
	own      string                                   // the report of this batch's name
	news     int                                      // faults that are in no report yet
	stable   func(path string, info fs.FileInfo) bool // reports whether a file has settled; nil outside a watch
	look     func(candidate) error                    // takes each candidate instead of a plan; nil for none
	safe     string                                   // a folder that is known to lie inside the output folder
	index    int
}

func newPlanner(ctx context.Context, disk Disk, spec Spec, progress func(Tally)) (*planner, error) {
	p, err := barePlanner(ctx, disk, spec, progress)
	if err != nil {
		return nil, err
	}
	p.made = newOwnOutputs(p.root(), p.spec.Output)
	p.earlier, err = disk.loadEarlier(p.spec.Output, func(line Line) {
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
func barePlanner(ctx context.Context, disk Disk, spec Spec, progress func(Tally)) (*planner, error) {
	if !filepath.IsAbs(spec.Output) || !filepath.IsAbs(spec.Source) {
		return nil, fmt.Errorf("source %q and output %q must be absolute paths", spec.Source, spec.Output)
	}
	spec.Output = filepath.Clean(spec.Output) // listings are compared with it
	p := &planner{ctx: ctx, disk: disk, spec: spec, progress: progress, taken: map[uint64]int32{}, earlier: &earlier{}}
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

// candidate is an item before it is checked.
type candidate struct {
	Item
	where string // for faults: a path, or a line of the manifest
	line  int32  // of the manifest
	path  string // absolute
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

func (p *planner) line(c candidate, status Status) Line {
	return Line{
		Source: c.path, From: c.From, To: p.plan.Target(c.Item), Quality: c.Quality, Pages: c.Pages, Options: c.Options, Dest: p.plan.DestPath(c.Item), Status: status,
		Outputs: []Output{}, Warnings: []string{}, Size: c.Size, ModTime: c.ModTime,
	}
}

// refuse records a fault: an error of the plan, or a line of the report where the plan is lenient.
func (p *planner) refuse(c candidate, code, format string, args ...any) error {
	p.tally.Faulty++
	text := fmt.Sprintf(format, args...)
	if !p.spec.Lenient {
		if !strings.HasPrefix(text, c.where+" ") { // of a folder it is the file, which the text names
			text = c.where + ": " + text
		}
		p.faults.add(text)
		return nil
	}
	return p.settleFault(c, code, text)
}

// refuseFile records that a file cannot be used. Of a folder it is no reason to stop a batch that is not strict; a line of a
// manifest is meant.
func (p *planner) refuseFile(c candidate, code, text string) error {
	if p.spec.Strict || c.line > 0 {
		return p.refuse(c, code, "%s", text)
	}
	return p.fail(c, code, text)
}

// fail records a fault that is no reason to stop a batch: a line of the report.
func (p *planner) fail(c candidate, code, text string) error {
	p.tally.Faulty++
	return p.settleFault(c, code, text)
}

func (p *planner) settleFault(c candidate, code, text string) error {
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
	if p.showLeft != nil {
		if err := p.showLeft(line); err != nil {
			return err
		}
	}
	return p.settle(line)
}

func (p *planner) settle(line Line) error {
	line.Index = p.index
	p.index++
	p.note(line)
	if p.settled == nil {
		return nil
	}
	return p.settled.write(line)
}

func (p *planner) take(it planned) error {
	it.Index = p.index
	p.index++
	p.note(p.line(candidate{Item: it.Item}, ""))
	if p.show != nil {
		if err := p.show(it.Item); err != nil {
			return err
		}
	}
	if p.items != nil {
		if p.plan.Items%p.plan.MarkEvery() == 0 {
			p.plan.Marks = append(p.plan.Marks, p.items.at)
		}
		if err := p.items.write(it); err != nil {
			return err
		}
	}
	p.plan.Items++
	p.plan.Bytes += it.Size
	return nil
}

// note remembers what this plan accounts for.
func (p *planner) note(line Line) {
	if p.noted != nil {
		p.noted[lineKey(line)] = struct{}{}
	}
}

// keep leaves a line of an earlier report as it was.
func (p *planner) keep(line Line) error {
	switch line.Status {
	case StatusCompleted, StatusCurrent:
		line.Status = StatusCurrent
		p.plan.Current++
	case StatusFailed:
		p.plan.Faulty++
	default:
		p.plan.Skipped++
		line.Status = StatusSkipped
	}
	return p.settle(line)
}

// claim takes an output for a candidate. Names that differ in case alone are one name on many disks.
func (p *planner) claim(output string, line int32) (other int32, clash bool) {
	key := hashText(strings.ToLower(output))
	if other, clash = p.taken[key]; clash {
		return other, true
	}
	p.taken[key] = line
	return 0, false
}
