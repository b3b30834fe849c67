package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/fidelity"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
)

// checkWork is the name by which children compare.
const checkWork = "check"

// compared is what a child is given to compare.
type compared struct {
	In   engines.Request
	Made engines.Result
}

// checkWorks is what a child compares by; close frees it.
func checkWorks(cacheDir string) (work childproc.Work, closeReader func() error) {
	reader, closeReader := newReader(cacheDir)
	return childproc.Work{Name: checkWork, Do: func(ctx context.Context, in json.RawMessage, _ *childproc.Parent) (any, error) {
		var what compared
		if err := json.Unmarshal(in, &what); err != nil {
			return nil, fmt.Errorf("read what is to be compared: %w", err)
		}
		return reader.Check(ctx, what.In, what.Made)
	}}, closeReader
}

func newReader(cacheDir string) (fidelity.Reader, func() error) {
	pages := pdf.NewReader(cacheDir)
	return fidelity.Reader{PDF: pages.Read}, pages.Close
}

// cacheFolder is shared by all data folders: what PDFium compiles to does not depend on data.
func cacheFolder(otherwise string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = otherwise
	}
	return filepath.Join(cache, "convilyn")
}

// useCheck has outputs compared where the engines work: by children, as both files may be a stranger's, or in this process.
func (s *Service) useCheck() {
	if s.children == nil {
		reader, closeReader := newReader(cacheFolder(s.cfg.DataDir))
		s.check, s.closeCheck = reader.Check, closeReader
		return
	}
	s.closeCheck = func() error { return nil }
	s.check = func(ctx context.Context, in engines.Request, made engines.Result) (fidelity.Report, error) {
		var report fidelity.Report
		job := childproc.Job{Work: checkWork, Title: "the comparison", In: compared{in, made}, Folders: []string{in.OutDir}}
		return report, s.children.Do(ctx, job, &report)
	}
}
