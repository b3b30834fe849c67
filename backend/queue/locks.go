package queue

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/locks"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// Locks take passwords off inputs and put them on outputs; locks.Locks is one.
type Locks interface {
	Open(ctx context.Context, in engines.Request, password, to string) (opened bool, err error)
	Lock(ctx context.Context, target, path string, passwords option.Values) error
}

// openedInput is the name of an input without its password, in the work folder of its job.
const openedInput = "opened"

// takeLocks takes the options out of those for engines that are done before and after them.
func takeLocks(in *engines.Request) (option.Values, error) {
	var own option.Values
	for _, o := range locks.Options(in.Source, in.Target) {
		value, given := in.Options[o.Name]
		if !given {
			continue
		}
		if own == nil {
			own = option.Values{}
		}
		own[o.Name] = value
		delete(in.Options, o.Name)
	}
	if in.Options[option.NamePDFA] != "" && (own[option.NameEncrypt] != "" || own[option.NameOwner] != "") {
		return nil, refuse(CodeInvalidParameters, "pdfa does not go together with a password: archives take none.")
	}
	return own, nil
}

// withSecrets gives the engines of a job those of its passwords that are theirs, and returns the others.
func (j *Jobs) withSecrets(ctx context.Context, job store.Job, in *engines.Request) (option.Values, error) {
	secrets, err := j.cfg.Store.Secrets(ctx, job.ID)
	if err != nil || len(secrets) == 0 {
		return nil, err
	}
	options := option.Values{}
	maps.Copy(options, in.Options)
	maps.Copy(options, secrets)
	in.Options = options
	return takeLocks(in)
}

// open puts an input without its password in the place of one that has one. What it writes goes with the work folder.
func (j *Jobs) open(ctx context.Context, in *engines.Request, password string) error {
	if j.cfg.Locks == nil || !locks.Needed(*in, password) {
		return nil
	}
	folder, err := os.MkdirTemp(j.cfg.Store.Work(), openedInput+"-*")
	if err != nil {
		return fmt.Errorf("make a work folder: %w", err)
	}
	to := filepath.Join(folder, openedInput)
	opened, err := j.cfg.Locks.Open(ctx, *in, password, to)
	if err == nil && opened {
		in.InputPath = to
		return nil
	}
	if removeErr := os.RemoveAll(folder); err == nil {
		err = removeErr
	}
	return err
}

// removeOpened removes what open has written.
func (j *Jobs) removeOpened(in engines.Request) {
	folder := filepath.Dir(in.InputPath)
	if filepath.Dir(folder) == j.cfg.Store.Work() && strings.HasPrefix(filepath.Base(folder), openedInput+"-") {
		_ = os.RemoveAll(folder) // the next start clears the rest
	}
}

// lock puts passwords on what was made and compared.
func (j *Jobs) lock(ctx context.Context, in engines.Request, passwords option.Values, made engines.Result) error {
	if passwords[option.NameEncrypt] == "" && passwords[option.NameOwner] == "" {
		return nil
	}
	for i, file := range made.Files {
		if err := j.cfg.Locks.Lock(ctx, in.Target, file.Path, passwords); err != nil {
			return err
		}
		made.Files[i].Size = 0
	}
	return nil
}
