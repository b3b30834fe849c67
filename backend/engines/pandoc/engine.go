// Package pandoc converts documents by their structure, where Pandoc is installed.
package pandoc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/fidelity"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

const (
	program = "pandoc"
	// maxTree bounds the memory that a document's tree takes; a bomb in an archive ends here.
	maxTree = 256 << 20
)

// readers and writers are Pandoc's names of our formats. Markdown is GitHub's with footnotes, as elsewhere here.
var (
	readers = map[string]string{"md": "gfm+footnotes", "html": "html", "docx": "docx", "odt": "odt", "rtf": "rtf", "epub": "epub"}
	writers = map[string]string{
		"md": "gfm+footnotes", "html": "html5", "docx": "docx", "odt": "odt", "rtf": "rtf", "epub": "epub3", "txt": "plain", "pptx": "pptx",
	}
)

// New is the engine.
func New() engines.Engine {
	var routes []engines.Route
	for source := range strings.FieldsSeq("md html docx odt rtf epub") {
		for target := range strings.FieldsSeq("md html docx odt rtf epub txt pptx") {
			if source != target {
				routes = append(routes, engines.Route{Source: source, Target: target, Quality: engines.BestEffort})
			}
		}
	}
	return engines.Engine{
		Name: program, Package: "pandoc", Routes: routes, Convert: convert, Version: version,
	}
}

func version(ctx context.Context) (string, error) {
	return scratch.Version(ctx, program, "--version", "pandoc ")
}

// convert goes by the document's tree. Reading a stranger's document happens in Pandoc's sandbox; writing cannot,
// as Debian's Pandoc does not find its own templates there. So what could make a writer read files is taken out of
// the tree in between.
func convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	place, err := scratch.Open(ctx, in, program)
	if err != nil {
		return engines.Result{}, err
	}
	defer place.Close()

	var notes []string
	if in.Source == "html" { // which Pandoc takes for UTF-8, and whose tables fall apart where tags are left open
		if notes, err = cleanPage(ctx, place.Input); err != nil {
			return engines.Result{}, err
		}
	}
	tree := filepath.Join(place.Home, "tree.json")
	said, err := place.Run(ctx, program, []string{"--sandbox", "-f", readers[in.Source], "-t", "json", "-o", tree, place.Input}, nil)
	if err != nil {
		return engines.Result{}, err
	}
	info, err := os.Stat(tree)
	if err != nil {
		return engines.Result{}, engines.Errorf(engines.CodeUnsupportedInput, "the %s cannot be read; it is damaged or not what its name says%s", in.Source, place.LastWords(said))
	}
	if info.Size() > maxTree {
		return engines.Result{}, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "INPUT_TOO_LARGE", Message: "the document is too large once unpacked"}
	}
	in.Progress(40, "read")
	lost, err := clean(tree, place.Input, in)
	if err != nil {
		return engines.Result{}, err
	}
	args := []string{"-f", "json", "-t", writers[in.Target], "--standalone", "--wrap=none", "-o", place.Output}
	switch in.Target {
	case "epub":
		defaults := filepath.Join(place.Home, "defaults.json") // a title of the document's own counts more
		if err := os.WriteFile(defaults, fmt.Appendf(nil, `{"title":%q}`, in.Stem), 0o600); err != nil {
			return engines.Result{}, fmt.Errorf("write the title: %w", err)
		}
		args = append(args, "--metadata-file", defaults)
	case "html":
		args = append(args, "--variable", "pagetitle="+in.Stem)
	}
	said, err = place.Run(ctx, program, append(args, tree), nil)
	if err != nil {
		return engines.Result{}, err
	}
	result, err := place.Keep(said, append(notes, lost...))
	if err != nil {
		return engines.Result{}, err
	}
	return compared(ctx, in, place.Input, result)
}

// cleanPage puts what browsers show of a page in its place.
func cleanPage(ctx context.Context, path string) ([]string, error) {
	page, notes, err := text.CleanPage(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, page, 0o600); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return notes, nil
}

// compared measures what Pandoc lost unsaid: it leaves out what its readers do not know, such as tables without a grid and tables in
// tables. Where another engine has the route that one gets the document.
func compared(ctx context.Context, in engines.Request, source string, result engines.Result) (engines.Result, error) {
	in.InputPath = source
	report, err := fidelity.Reader{}.Check(ctx, in, result)
	if err != nil {
		return engines.Result{}, fmt.Errorf("compare the output with the document: %w", err)
	}
	if report.Missing == 0 {
		return result, nil
	}
	if in.Helped {
		return engines.Result{}, &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "LOSES_TEXT", Message: "pandoc does not read all of the document: " + strings.Join(report.Losses, "; "),
		}
	}
	for _, loss := range report.Losses {
		result.Warnings = append(result.Warnings, "best_effort: "+loss)
	}
	return result, nil
}
