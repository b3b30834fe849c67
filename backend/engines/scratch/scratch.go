// Package scratch gives each call of an outside program a folder of its own, and believes the file that the
// program made rather than its exit code.
package scratch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/links"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/client"
)

// saidRunes is how much of a program's last words a refusal repeats.
const saidRunes = 160

// Place is where one conversion works. Input is a copy without the links of the document, so that nothing beside the
// original can be reached from it, and has an extension that tells its format; Output is where the one output has to appear.
type Place struct {
	Home   string
	Input  string
	Output string

	in      engines.Request
	program string
	remove  func()
	cut     []string // notes on what Input lacks
}

// Open checks that the input is what its format says and lays out a folder for the program. Close removes it.
func Open(ctx context.Context, in engines.Request, name string) (*Place, error) {
	if len(in.Pages) > 0 {
		return nil, engines.Errorf(engines.CodeInvalidParameters, "a page range is not possible for %s to %s", in.Source, in.Target)
	}
	if err := CheckMagic(in.InputPath, in.Source); err != nil {
		return nil, err
	}
	home, remove, err := sandbox.Home(name)
	if err != nil {
		return nil, err
	}
	p := &Place{
		Home: home, Input: filepath.Join(home, "input."+in.Source), Output: filepath.Join(home, "output."+in.Target),
		in: in, program: name, remove: remove,
	}
	found, err := links.Cut(ctx, in.InputPath, p.Input, in.Source)
	if err != nil {
		p.Close()
		return nil, err
	}
	p.cut = links.Notes(found)
	return p, nil
}

// Close removes the folder.
func (p *Place) Close() { p.remove() }

// Run calls a program in the folder. A program that fails is no error here: Keep judges by the output.
func (p *Place) Run(ctx context.Context, name string, args, env []string) (said string, err error) {
	said, err = sandbox.Run(ctx, sandbox.Command{Name: name, Title: p.program, Args: args, Home: p.Home, Env: env})
	if ctx.Err() != nil {
		return said, ctx.Err()
	}
	var started interface{ ExitCode() int }
	if err != nil && !errors.As(err, &started) {
		return said, fmt.Errorf("run %s: %w", name, err)
	}
	if err := dropLinks(p.Home); err != nil {
		return said, fmt.Errorf("%w (%w)", engines.Errorf(engines.CodeConversionFailed, "%s left folders that cannot be looked through", p.program), err)
	}
	return said, nil
}

// dropLinks removes all but files and folders. A program sees less than we do: a link of its making may lead to the files of
// others, and nobody writes to its pipes.
func dropLinks(folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // holds the folder only
	return fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Type().IsRegular() {
			return err
		}
		return root.Remove(path)
	})
}

// Keep moves the output to the job's folder, where it is what the target says. said are the program's last
// words, for the refusal where there is none.
func (p *Place) Keep(said string, warnings []string) (engines.Result, error) {
	if err := CheckMagic(p.Output, p.in.Target); err != nil {
		return engines.Result{}, engines.Errorf(engines.CodeConversionFailed, "%s made no %s of this file%s", p.program, p.in.Target, p.LastWords(said))
	}
	path := filepath.Join(p.in.OutDir, "result."+p.in.Target)
	if err := copyFile(p.Output, path); err != nil {
		return engines.Result{}, err
	}
	return engines.Result{
		Files:    []engines.File{{Path: path, Filename: p.in.Stem + "." + p.in.Target, Mimetype: client.ContentType(p.in.Target)}},
		Warnings: append(p.cut, warnings...),
	}, nil
}

// LastWords is the last line that a program said, bounded, without control characters and without our paths.
func (p *Place) LastWords(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	line := strings.ReplaceAll(strings.TrimSpace(lines[len(lines)-1]), p.Home+string(filepath.Separator), "")
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError {
			return -1
		}
		return r
	}, line)
	if line == "" {
		return ""
	}
	if runes := []rune(line); len(runes) > saidRunes {
		line = string(runes[:saidRunes]) + "..."
	}
	return "; it said: " + line
}

// Copy copies a file to a path where there is none.
func Copy(from, to string) error { return copyFile(from, to) }

func copyFile(from, to string) error {
	source, err := os.Open(from) //nolint:gosec // paths of our own
	if err != nil {
		return fmt.Errorf("open %s: %w", filepath.Base(from), err)
	}
	defer source.Close()                                                     //nolint:errcheck // read only
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // paths of our own
	if err != nil {
		return fmt.Errorf("create %s: %w", filepath.Base(to), err)
	}
	_, err = io.Copy(target, source)
	if err := errors.Join(err, target.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", filepath.Base(from), err)
	}
	return nil
}
