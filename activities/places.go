package activities

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// outside marks the errors of Roots about something that may not be used.
type outside interface{ OutsideRoots() }

// may is the one check of everything that a step reads or writes by a name from outside.
func (a *Activities) may(path string, write bool) error {
	return rootsError(a.roots.Check(path, write), write)
}

// rootsError is an error of Roots as people read it.
func rootsError(err error, write bool) error {
	var refused outside
	if !errors.As(err, &refused) {
		return err
	}
	const remedy = "%v; name it in a command of standalone, or add its folder to CONVILYN_ROOTS of the workers"
	if write {
		return outputError(CodeOutsideRoots, remedy, err)
	}
	return inputError(CodeOutsideRoots, remedy, err)
}

// source is the path of a file to read.
func (a *Activities) source(rawURL string) (string, error) {
	path, err := localFile(rawURL)
	if err != nil {
		return "", err
	}
	refused := a.may(path, false)
	var local *localError
	if errors.As(refused, &local) {
		return "", refused
	}
	if err := checkLocal(rawURL, path); err != nil {
		return "", err
	}
	if refused != nil {
		return "", readError(rawURL, refused)
	}
	return path, nil
}

// folder is the path of a folder for outputs.
func (a *Activities) folder(rawURL string) (string, error) {
	path, err := localFolder(rawURL)
	if err != nil {
		return "", err
	}
	return path, a.may(path, true)
}

// destination is the folder of an output whose name is one in that folder.
func (a *Activities) destination(to Destination, part string) (string, error) {
	name := to.Stem + "." + to.Format
	if !oneName(name) || !oneName(part+"x") {
		return "", outputError(CodeBadArgument, "the output %q is no name of a file; it must be in its folder", name)
	}
	return a.folder(to.Folder)
}

// open opens a folder for outputs. What is in it is then reached by its names alone: a path could lead elsewhere by now.
func (a *Activities) open(folder string, create bool) (*os.Root, error) {
	root, err := a.roots.OpenFolder(folder, create)
	if err == nil {
		return root, nil
	}
	var local *localError
	if err := rootsError(err, true); errors.As(err, &local) {
		return nil, local
	}
	if errors.Is(err, syscall.EOPNOTSUPP) {
		_, at := placeOf(err)
		return nil, outputError(CodeOutputFolder, "no folder can be made in %s, which is no ordinary disk; choose another output", filepath.Dir(at))
	}
	if fault := diskFault(err); fault != nil {
		return nil, fault
	}
	return nil, outputError(CodeOutputFolder, "cannot make the folder %s: %v", folder, err)
}

// isInPlace is an error where an open folder is no longer the one of its path: its outputs would not be where the run says.
func isInPlace(folder *os.Root) error {
	opened, err := folder.Stat(".")
	if err != nil {
		return err
	}
	now, err := os.Stat(folder.Name())
	switch {
	case err != nil:
		return &fs.PathError{Op: "mkdir", Path: folder.Name(), Err: rootCause(err)}
	case !now.IsDir():
		return &fs.PathError{Op: "mkdir", Path: folder.Name(), Err: syscall.ENOTDIR}
	case !os.SameFile(opened, now):
		return &fs.PathError{Op: "mkdir", Path: folder.Name(), Err: syscall.ESTALE}
	}
	return nil
}

// named are outputs by their names in a folder. Others are nobody's to replace.
func named(folder string, outputs []Output) map[string]Output {
	names := map[string]Output{}
	for _, output := range outputs {
		if path := filepath.Clean(output.Path); filepath.Dir(path) == folder {
			names[filepath.Base(path)] = output
		}
	}
	return names
}

// everywhere has no bounds.
type everywhere struct{}

func (everywhere) Check(string, bool) error { return nil }

func (everywhere) OpenFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the user's own input
}

func (everywhere) OpenFolder(path string, create bool) (*os.Root, error) {
	if create {
		if err := os.MkdirAll(path, 0o755); err != nil { //nolint:gosec // outputs are the user's own files, as readable as any other
			return nil, err
		}
	}
	return os.OpenRoot(path)
}

// checkSpec checks what a batch reads and writes.
func (a *Activities) checkSpec(spec BatchSpec, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := a.may(manifest.Root(spec.Source), false); err != nil {
		return err
	}
	return a.may(spec.Output, true)
}

// checkPlan checks where a plan is, and where its report goes.
func (a *Activities) checkPlan(plan BatchPlan, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if plan.PlanName != "" && !oneName(plan.PlanName) {
		return inputError(CodeBadArgument, "the plan %q is no name of a file", plan.PlanName)
	}
	if err := a.checkPlanFolder(plan.Folder); err != nil {
		return err
	}
	return a.may(plan.Output, true)
}

func (a *Activities) checkPlanFolder(folder string) error {
	if a.inState(folder) {
		return nil
	}
	return a.may(folder, true)
}

func (a *Activities) inState(path string) bool {
	if a.state == "" {
		return false
	}
	relative, err := filepath.Rel(a.state, path)
	return err == nil && filepath.IsLocal(relative)
}

// plans is the disk that batches are planned and reported on.
func (a *Activities) plans() manifest.Disk { return manifest.On(planOpener{a}) }

// planOpener opens what batches use. What is in the place of state is ours, and named by nobody.
type planOpener struct{ steps *Activities }

func (o planOpener) OpenFile(path string) (*os.File, error) {
	file, err := o.steps.roots.OpenFile(path)
	return file, rootsError(err, false)
}

func (o planOpener) OpenFolder(path string, create bool) (*os.Root, error) {
	if o.steps.inState(path) {
		return manifest.Anywhere.OpenFolder(path, create)
	}
	root, err := o.steps.roots.OpenFolder(path, create)
	return root, rootsError(err, true)
}

// checkName checks a name that becomes that of a report.
func checkName(name string) error {
	if name == "" || name == "." || !oneName(name) {
		return inputError(CodeBadArgument, "the batch's name %q is no name of a file", name)
	}
	return nil
}

// oneName reports whether a name stays in its folder.
func oneName(name string) bool {
	return filepath.IsLocal(name) && !strings.ContainsAny(name, "/\x00")
}

// localFile is the path of a file:// URL: any name that a file may have.
func localFile(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "file" || !filepath.IsAbs(u.Path) || filepath.Base(u.Path) == "/" {
		return "", inputError(CodeBadArgument, "%q is not the file:// URL of a file", rawURL)
	}
	return filepath.Clean(u.Path), nil
}

// localFolder is the path of a file:// URL. Parts that resume and outputs that appear at once need a file
// system, so other schemes are refused until they have an equal.
func localFolder(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || u.Scheme != "file" || !filepath.IsAbs(u.Path):
		return "", outputError(CodeBadArgument, "%q is not a file:// URL of a folder", rawURL)
	case !utf8.ValidString(u.Path):
		return "", outputError(CodeBadArgument, "the folder %q is not UTF-8, and a run could not say where its outputs are; rename it", u.Path)
	}
	return filepath.Clean(u.Path), nil
}

// checkLocal refuses what is no regular file before anything opens it: a pipe would wait for its writer for ever.
func checkLocal(rawURL, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return readError(rawURL, err)
	}
	for mode, kind := range map[fs.FileMode]string{
		fs.ModeDir: "a folder", fs.ModeNamedPipe: "a pipe", fs.ModeSocket: "a socket", fs.ModeDevice: "a device",
	} {
		if info.Mode()&mode != 0 {
			return inputError(CodeInputUnreadable, "%s is %s; only regular files are converted", rawURL, kind)
		}
	}
	return nil
}

func inputMissing(rawURL string) error {
	return inputError(CodeInputMissing, "%s does not exist; put it there and start again", rawURL)
}

// readError separates what somebody has to fix from what may pass, as with a network file system.
func readError(rawURL string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return inputMissing(rawURL)
	case errors.Is(err, fs.ErrPermission):
		return inputError(CodeInputUnreadable, "%s may not be read by the worker; make it readable and start again", rawURL)
	case errors.Is(err, syscall.ELOOP):
		return inputError(CodeInputUnreadable, "%s is a link that leads back to itself; name the file", rawURL)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return inputError(CodeInputUnreadable, "%s has too long a name; rename it", rawURL)
	case errors.Is(err, syscall.EIO):
		return inputError(CodeInputUnreadable, "%s cannot be read: %v; see to its disk and start again", rawURL, syscall.EIO)
	default:
		return &localError{
			kind: FailureUnavailable, code: CodeInputUnreadable, retry: true,
			text: fmt.Sprintf("%s cannot be read: %v; the step goes on when it can", rawURL, rootCause(err)),
		}
	}
}
