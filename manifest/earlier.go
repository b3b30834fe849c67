package manifest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// earlier finds the report lines of earlier batches. It holds the offsets of the lines, not the lines.
type earlier struct {
	reports []*os.File
	at      map[uint64]lineAt
}

// loadEarlier reads the whole reports of an output folder; the newest one counts. each is called for
// every line.
func (d Disk) loadEarlier(output string, each func(Line)) (*earlier, error) {
	e := &earlier{at: map[uint64]lineAt{}}
	in, err := d.folder(output, false)
	if err != nil {
		if notThere(err) {
			err = nil
		}
		return e, err
	}
	defer in.close()
	names, err := in.find("*" + reportSuffix)
	if err != nil {
		return nil, fmt.Errorf("look for earlier reports: %w", err)
	}
	type report struct {
		name string
		info fs.FileInfo
	}
	var reports []report
	for _, name := range names {
		if info, err := in.stat(name); err == nil {
			reports = append(reports, report{name, info})
		}
	}
	sort.Slice(reports, func(i, j int) bool { return reports[i].info.ModTime().Before(reports[j].info.ModTime()) })
	for _, r := range reports {
		file, err := in.open(r.name)
		if err != nil {
			e.close()
			return nil, fmt.Errorf("read an earlier report: %w", err)
		}
		e.reports = append(e.reports, file)
		err = readIn(in, r.name, func(offset int64, line Line) error {
			each(line)
			if line.Status == StatusCompleted || line.Status == StatusCurrent || line.Status == StatusFailed || len(line.Former) > 0 {
				e.at[lineKey(line)] = lineAt{len(e.reports) - 1, offset}
			}
			return nil
		})
		if err != nil {
			e.close()
			return nil, fmt.Errorf("an earlier report is damaged; move it away: %w", err)
		}
	}
	return e, nil
}

func (e *earlier) close() {
	for _, file := range e.reports {
		_ = file.Close()
	}
}

// lineKey is one conversion: output, formats and options.
func lineKey(l Line) uint64 {
	hash := fnv.New64a()
	for _, part := range []string{l.Dest, l.To, l.From, l.Quality, l.Pages, l.Options.String()} {
		_, _ = hash.Write(append([]byte(part), 0))
	}
	return hash.Sum64()
}

// find is the latest line of the same conversion; nil where there is none.
func (e *earlier) find(want Line) *Line {
	at, ok := e.at[lineKey(want)]
	if !ok {
		return nil
	}
	var line Line
	section := io.NewSectionReader(e.reports[at.file], at.offset, maxOwnLine)
	if json.NewDecoder(section).Decode(&line) != nil || line.Dest != want.Dest || line.To != want.To {
		return nil
	}
	return &line
}

// ours reports whether all outputs of a line that still exist are unchanged.
func ours(known Line) bool {
	since := known.EndedAt
	if len(known.Outputs) == 0 {
		since = time.Time{} // that was the end of something else
	}
	for _, output := range known.left() {
		if compareOutput(output, since) == altered {
			return false
		}
	}
	return len(known.left()) > 0
}

// ownOutputs are the files in the source folder that earlier batches have made, of the formats that are made now. True
// are those that replaced their own source.
type ownOutputs struct {
	root, output         string // as in the plan
	realRoot, realOutput string
	paths                map[uint64]bool
}

// newOwnOutputs is nil where the folders lie apart.
func newOwnOutputs(root, output string) *ownOutputs {
	m := &ownOutputs{root: root, output: output, paths: map[uint64]bool{}}
	var err error
	if m.realRoot, err = filepath.EvalSymlinks(root); err != nil {
		return nil
	}
	if m.realOutput, err = filepath.EvalSymlinks(output); err != nil {
		return nil // then there is nothing in it
	}
	if !within(m.realRoot, m.realOutput) && !within(m.realOutput, m.realRoot) {
		return nil
	}
	return m
}

func (m *ownOutputs) add(line Line) {
	source := rebase(line.Source, m.root, m.realRoot)
	for _, output := range line.left() {
		path := rebase(output.Path, m.output, m.realOutput)
		m.paths[hashText(path)] = path == source
	}
}

// find reports whether a file is such an output, and whether it replaced its own source.
func (m *ownOutputs) find(path string) (own, found bool) {
	if m == nil {
		return false, false
	}
	own, found = m.paths[hashText(rebase(path, m.root, m.realRoot))]
	return own, found
}
