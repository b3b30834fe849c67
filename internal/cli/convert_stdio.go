package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// spooled reads standard input where it is named, once everything else about it is checked.
func (e *Env) spooled(r request, detach, asJSON bool) (request, error) {
	reads := 0
	for _, input := range r.inputs {
		if path, _ := splitTargets(input); path == stdio {
			reads++
		}
	}
	pours := r.output == stdio || reads == 1 && len(r.inputs) == 1 && r.output == ""
	if reads == 0 && !pours {
		return r, nil
	}

	if err := e.inputFault(r, reads); err != nil {
		return r, err
	}
	if pours {
		if err := e.outputFault(r, detach || asJSON); err != nil {
			return r, err
		}
	}

	root, err := e.spoolRoot()
	if err != nil {
		return r, err
	}
	r.spool = &spool{root: root, pour: pours}
	if pours {
		r.onExist = onExistOverwrite // nothing but our own is there
	}
	for _, old := range oldSpools(root, time.Now()) {
		_ = os.RemoveAll(old)
	}
	if reads == 1 {
		r.spool.input, err = keepInput(root, e.Stdin, client.NormalizeFormat(r.from))
	}
	return r, err
}

// inputFault is why what comes from standard input cannot be taken; nil where nothing does.
func (e *Env) inputFault(r request, reads int) error {
	switch {
	case reads == 0:
		return nil
	case reads > 1:
		return Usagef("standard input can be read once; - is given %d times", reads)
	case r.from == "":
		return Usagef("standard input has no name that tells its format; add --from FORMAT")
	case r.output == "" && len(r.inputs) > 1:
		return Usagef("name a folder with -o; what came from standard input has no place of its own")
	case e.Stdin == nil:
		return Usagef("there is no standard input to read")
	}
	if err := unknownFormat("--from", r.from); err != nil {
		return &Failure{Code: ExitUsage, Err: err}
	}
	return nil
}

// outputFault is why the result cannot go to standard output.
func (e *Env) outputFault(r request, taken bool) error {
	all, err := r.wanted()
	switch {
	case err != nil:
		return &Failure{Code: ExitUsage, Err: err}
	case len(all) != 1:
		return Usagef("standard output takes one result, and there are %d; name a folder with -o", len(all))
	case taken:
		return Usagef("the result goes to standard output, which --detach and --json have for themselves; name an output with -o")
	case e.Terminal.TableWidth != nil && !isText(all[0].format):
		return Usagef("%s is not for a terminal; send standard output to a file or a program, or name an output with -o", all[0].format)
	}
	return nil
}

func isText(format string) bool {
	return slices.Contains([]string{"csv", "html", "md", "svg", "txt", "xml", "rtf"}, format)
}

func (e *Env) spoolRoot() (string, error) {
	var root string
	var err error
	switch {
	case e.Spool != nil:
		root, err = e.Spool()
	case e.Getenv(config.StateFolder) != "":
		root = filepath.Join(e.Getenv(config.StateFolder), "stdin")
	default:
		root, err = os.UserCacheDir()
		root = filepath.Join(root, "convilyn", "stdin")
	}
	if err == nil {
		err = os.MkdirAll(root, 0o700)
	}
	if err != nil {
		return "", Usagef("keep standard input for the run: %w", err)
	}
	return root, nil
}

// end writes the result to standard output, and removes what the run needed.
func (s *spool) end(e *Env, outcomes []result) error {
	if s == nil {
		return nil
	}
	var err error
	if s.pour {
		err = pour(e, outcomes)
	}
	if s.input != "" {
		_ = os.RemoveAll(filepath.Dir(s.input))
	}
	for _, folder := range s.made {
		_ = os.RemoveAll(folder)
	}
	return err
}

func pour(e *Env, outcomes []result) error {
	for _, r := range outcomes {
		o, ok := r.(outcome)
		if !ok || o.Status != workflows.StateCompleted {
			continue
		}
		if len(o.Outputs) != 1 {
			return Usagef("%s gave %d files, and standard output takes one; name a folder with -o", o.Source, len(o.Outputs))
		}
		file, err := os.Open(o.Outputs[0].Path)
		if errors.Is(err, fs.ErrNotExist) {
			return Usagef("another command has taken the result of %s; run this one again", o.Source)
		}
		if err != nil {
			return Usagef("read the result: %w", err)
		}
		_, err = io.Copy(e.Stdout, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write the result to standard output: %w", err)
		}
	}
	return nil
}
