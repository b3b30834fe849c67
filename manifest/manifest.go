// Package manifest holds what a batch reads and writes on disk: sources, plans, reports. A plan is made once, before
// anything starts, and is what the batch then works through; a report accounts for every file of the plan.
//
// The types of this file also travel in Temporal's histories; their JSON is a promise.
package manifest

import (
	"cmp"
	"hash/fnv"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// Spec is what somebody wants converted.
type Spec struct {
	// Source is the absolute path of a folder, of a manifest (.jsonl, .ndjson, .csv), or a pattern with *, ?, [ or **.
	Source  string        `json:"source"`
	Output  string        `json:"output"` // absolute path of the folder for the outputs
	To      string        `json:"to,omitempty"`
	From    string        `json:"from,omitempty"` // where names do not tell it
	Quality string        `json:"quality,omitempty"`
	Pages   string        `json:"pages,omitempty"`
	Options option.Values `json:"options,omitempty"`
	Include []string      `json:"include,omitempty"` // patterns of relative paths; none takes all that a batch can convert
	Exclude []string      `json:"exclude,omitempty"`
	OnExist string        `json:"on_exist,omitempty"` // fail, skip or overwrite; fail where empty
	// Settle leaves files out that have changed within this time: they may still be growing.
	Settle time.Duration `json:"settle,omitempty"`
	// Lenient turns faults of single items into lines of the report, where nobody is there to fix them.
	Lenient bool `json:"lenient,omitempty"`
	// Strict refuses a folder with a file that cannot be used; otherwise such a file is a line of the report.
	Strict bool `json:"strict,omitempty"`
	// SkipFailed leaves out what failed last time and has not changed since.
	SkipFailed bool `json:"skip_failed,omitempty"`
	// MarkEvery is how many items lie between two marks of the plan; 10,000 where 0.
	MarkEvery int `json:"mark_every,omitempty"`
}

// Plan describes a plan file on disk.
type Plan struct {
	Folder   string  `json:"folder"`              // absolute path of the folder that plan and report parts are in
	Root     string  `json:"root,omitempty"`      // what the relative sources of its items are relative to; absolute
	Output   string  `json:"output"`              // what the relative destinations are relative to; absolute
	To       string  `json:"to,omitempty"`        // where an item does not say
	Items    int     `json:"items"`               // to convert
	Bytes    int64   `json:"bytes"`               // of their sources
	Current  int     `json:"current"`             // outputs are as they should be; nothing to do
	Skipped  int     `json:"skipped"`             // an output exists and is to be left alone
	Faulty   int     `json:"faulty"`              // could not be planned, in a lenient plan
	Kept     int     `json:"kept,omitempty"`      // lines of an earlier report that a retry leaves as they are
	Marks    []int64 `json:"marks,omitempty"`     // offsets in the plan file of every so many items, from the first on
	Every    int     `json:"every,omitempty"`     // how many those are; 10,000 where 0
	PlanName string  `json:"plan_name,omitempty"` // file name in Folder, PlanFile where empty
	End      int64   `json:"end"`                 // length of the plan file
}

const markEvery = 10_000

// MarkEvery is how many items lie between two marks of the plan.
func (p Plan) MarkEvery() int { return cmp.Or(p.Every, markEvery) }

// Names of the files in Plan.Folder.
const (
	PlanFile    = "plan.jsonl"    // one Item a line
	SettledFile = "settled.jsonl" // one Line each, of what the plan leaves out: current, skipped, faulty, kept
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

// Item is one line of a plan: one input to one format.
type Item struct {
	Index   int           `json:"i"` // its place among all items of the batch, settled ones too; unique
	Source  string        `json:"source"`
	Size    int64         `json:"size"` // bytes, when it was planned
	ModTime time.Time     `json:"mtime"`
	From    string        `json:"from"`
	To      string        `json:"to,omitempty"` // Plan.To where empty
	Quality string        `json:"quality,omitempty"`
	Pages   string        `json:"pages,omitempty"`
	Options option.Values `json:"options,omitempty"`
	Dest    string        `json:"dest"` // path of the output without its extension
	OnExist string        `json:"on_exist,omitempty"`
	Was     string        `json:"was,omitempty"` // the code it failed with before, in a plan of retries
}

// planned is a line of a plan file. What only the report needs of it stays there: items travel.
type planned struct {
	Item
	Asked  bool     `json:"asked,omitempty"`  // somebody asked for overwriting
	Former []Output `json:"former,omitempty"` // as in Line
}

// Output is one file that a run has made.
type Output struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`   // bytes
	SHA256   string `json:"sha256"` // hex
	Mimetype string `json:"mimetype"`
}

// Fault is why an item has no output.
type Fault struct {
	Step    string `json:"step,omitempty"`
	Kind    string `json:"kind,omitempty"` // one of activities.Failure*
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Entry is what became of an item in a batch's run; parts of a report hold one a line. A later entry of the same
// index replaces an earlier one.
type Entry struct {
	Index    int      `json:"i"`
	Status   Status   `json:"status"`
	Outputs  []Output `json:"outputs,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Check is what came of comparing the outputs with the source; nil where that was not asked for.
	Check     *client.CheckResult `json:"check,omitempty"`
	FileID    string              `json:"file_id,omitempty"`
	JobID     string              `json:"job_id,omitempty"`
	Size      int64               `json:"size,omitempty"`   // of the source as it was uploaded
	SHA256    string              `json:"sha256,omitempty"` // likewise, hex
	Attempts  int                 `json:"attempts,omitempty"`
	StartedAt time.Time           `json:"started_at,omitzero"`
	EndedAt   time.Time           `json:"ended_at,omitzero"`
	Error     *Fault              `json:"error,omitempty"`
}

// Status is what became of an item.
type Status string

// The statuses of a report. Current, skipped and not started are the plan's and the end's, the others an Entry's.
const (
	StatusCompleted  Status = "completed"
	StatusFailed     Status = "failed"
	StatusCancelled  Status = "cancelled"
	StatusCurrent    Status = "current"     // the output was there already, of this very source
	StatusSkipped    Status = "skipped"     // an output was there already and is left alone
	StatusNotStarted Status = "not_started" // the batch ended before its turn
)

// Line is one line of a whole report: an item and what became of it.
type Line struct {
	Index     int                 `json:"index"`
	Source    string              `json:"source"` // absolute path
	From      string              `json:"from,omitempty"`
	To        string              `json:"to"`
	Quality   string              `json:"quality,omitempty"`
	Pages     string              `json:"pages,omitempty"`
	Options   option.Values       `json:"options,omitempty"`
	Dest      string              `json:"dest"` // absolute path of the output without its extension
	Status    Status              `json:"status"`
	Outputs   []Output            `json:"outputs"`
	Warnings  []string            `json:"warnings"`
	Check     *client.CheckResult `json:"check,omitempty"` // as in Entry
	FileID    string              `json:"file_id,omitempty"`
	JobID     string              `json:"job_id,omitempty"`
	Size      int64               `json:"size"`  // of the source
	ModTime   time.Time           `json:"mtime"` // of the source when it was planned
	SHA256    string              `json:"sha256,omitempty"`
	Attempts  int                 `json:"attempts"`
	StartedAt time.Time           `json:"started_at,omitzero"`
	EndedAt   time.Time           `json:"ended_at,omitzero"`
	Error     *Fault              `json:"error"`
	OnExist   string              `json:"on_exist,omitempty"` // overwrite, where somebody asked for that
	// Former is what an earlier batch had made for an item that this one has not done, so that the next one knows it
	// for its own.
	Former []Output `json:"former,omitempty"`
}

// left is what a line's item, or an earlier batch for it, has made.
func (l Line) left() []Output {
	if len(l.Outputs) > 0 {
		return l.Outputs
	}
	return l.Former
}

// Summary counts the lines of a whole report.
type Summary struct {
	Report     string `json:"report"` // absolute path
	Files      int    `json:"files"`
	Completed  int    `json:"completed"`
	Current    int    `json:"current"`
	Skipped    int    `json:"skipped"`
	Failed     int    `json:"failed"`
	Cancelled  int    `json:"cancelled"`
	NotStarted int    `json:"not_started"`
	Outputs    int    `json:"outputs"`
	BytesIn    int64  `json:"bytes_in"`
	BytesOut   int64  `json:"bytes_out"`
	Warnings   int    `json:"warnings"` // files with at least one
	// Checked are the files whose outputs were compared with their sources, Lossy those of them that lack something.
	Checked    int            `json:"checked,omitempty"`
	Lossy      int            `json:"lossy,omitempty"`
	NotChecked int            `json:"not_checked,omitempty"` // completed, and not compared for a reason that their lines name
	Codes      map[string]int `json:"codes,omitempty"`
}

func (s *Summary) count(line Line) {
	s.Files++
	switch line.Status {
	case StatusCompleted:
		s.Completed++
		s.BytesIn += line.Size
	case StatusCurrent:
		s.Current++
	case StatusSkipped:
		s.Skipped++
	case StatusFailed:
		s.Failed++
		if line.Error != nil {
			s.Codes[line.Error.Code]++
		}
	case StatusCancelled:
		s.Cancelled++
	case StatusNotStarted:
		s.NotStarted++
	}
	if len(line.Warnings) > 0 {
		s.Warnings++
	}
	s.countCheck(line.Check)
	s.Outputs += len(line.Outputs)
	for _, output := range line.Outputs {
		s.BytesOut += output.Size
	}
}

func (s *Summary) countCheck(c *client.CheckResult) {
	switch {
	case c == nil:
	case c.Skipped != "":
		s.NotChecked++
	default:
		s.Checked++
		if c.Losses > 0 {
			s.Lossy++
		}
	}
}

// What to do where an output exists.
const (
	onExistSkip      = "skip"
	onExistOverwrite = "overwrite"
)

const (
	workFolder    = ".convilyn" // beside the outputs
	stateFolder   = "batches"   // in a place of state
	reportSuffix  = ".report.jsonl"
	summarySuffix = ".summary.json"
)

// ReportPath is the path of the whole report of a batch.
func ReportPath(output, name string) string { return filepath.Join(output, name+reportSuffix) }

// NewFolder is a fresh folder for a plan and the parts of its report. It is in state, a folder that all workers of the batch
// reach and that nobody tidies up; beside the outputs where there is none.
func NewFolder(state, output, name string, now time.Time) string {
	stamp := strings.ReplaceAll(now.UTC().Format("20060102T150405.000000Z"), ".", "-")
	if state == "" {
		return filepath.Join(output, workFolder, name, stamp)
	}
	return filepath.Join(state, stateFolder, outputKey(output), name, stamp)
}

// outputKey keeps batches of one name apart in a place of state.
func outputKey(output string) string { return strconv.FormatUint(hashText(filepath.Clean(output)), 16) }

// inState reports whether a folder is one of a place of state.
func inState(folder string) bool {
	return filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(folder)))) == stateFolder
}

// ownReport is the report that a batch with this folder writes in the end; empty for folders elsewhere.
func ownReport(output, folder string) string {
	of := filepath.Dir(folder)
	beside := filepath.Dir(of) == filepath.Join(output, workFolder)
	if !beside && (!inState(folder) || filepath.Base(filepath.Dir(of)) != outputKey(output)) {
		return ""
	}
	return ReportPath(output, filepath.Base(of))
}

// endedFile in a batch's folder marks that its whole report is written: the other files of the folder are no longer needed.
const endedFile = "ended"

func hashText(text string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text))
	return hash.Sum64()
}
