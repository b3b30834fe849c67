package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/locks"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// The names by which children take passwords off and put them on.
const (
	openWork = "open a locked document"
	lockWork = "lock a document"
)

// opening and locking are what a child is given for that. It is nowhere but in the pipe between the processes.
type (
	opening struct {
		In           engines.Request
		Password, To string
	}
	locking struct {
		Target, Path string
		Passwords    option.Values
	}
)

// lockWorks is what a child opens and locks by; close frees it.
func lockWorks(cacheDir string) (works []childproc.Work, closeReader func() error) {
	all, closeReader := newLocks(cacheDir)
	return []childproc.Work{
		{Name: openWork, Do: func(ctx context.Context, in json.RawMessage, _ *childproc.Parent) (any, error) {
			var what opening
			if err := json.Unmarshal(in, &what); err != nil {
				return nil, fmt.Errorf("read what is to be opened: %w", err)
			}
			return all.Open(ctx, what.In, what.Password, what.To)
		}},
		{Name: lockWork, Do: func(ctx context.Context, in json.RawMessage, _ *childproc.Parent) (any, error) {
			var what locking
			if err := json.Unmarshal(in, &what); err != nil {
				return nil, fmt.Errorf("read what is to be locked: %w", err)
			}
			return nil, all.Lock(ctx, what.Target, what.Path, what.Passwords)
		}},
	}, closeReader
}

func newLocks(cacheDir string) (locks.Locks, func() error) {
	reader := pdf.NewReader(cacheDir)
	return locks.Locks{PDF: reader.Unlock}, reader.Close
}

// childLocks opens and locks in children: documents may be a stranger's.
type childLocks struct{ children *childproc.Children }

func (l childLocks) Open(ctx context.Context, in engines.Request, password, to string) (opened bool, err error) {
	job := childproc.Job{Work: openWork, Title: "opening the document", In: opening{in, password, to}, Folders: []string{filepath.Dir(to)}}
	err = l.children.Do(ctx, job, &opened)
	return opened, err
}

func (l childLocks) Lock(ctx context.Context, target, path string, passwords option.Values) error {
	var none any
	job := childproc.Job{Work: lockWork, Title: "locking the output", In: locking{target, path, passwords}, Folders: []string{filepath.Dir(path)}}
	return l.children.Do(ctx, job, &none)
}

// useLocks has documents opened and locked where the engines work.
func (s *Service) useLocks() {
	if s.children != nil {
		s.locks, s.closeLocks = childLocks{s.children}, func() error { return nil }
		return
	}
	s.locks, s.closeLocks = newLocks(cacheFolder(s.cfg.DataDir))
}
