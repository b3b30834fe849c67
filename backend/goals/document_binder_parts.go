package goals

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

const (
	ideaFile    = "title"
	stepRefused = "title-refused"
	maxTitle    = 120 // letters of a suggestion
)

// writeIdea finds a title: the first heading of the first document where it has one, or its name.
func writeIdea(ctx context.Context, t *Task, dir string) error {
	first := t.Inputs[0]
	idea := headingOf(ctx, t, first, dir)
	if _, missing := text.Drawable(idea); idea == "" || missing != "" {
		idea, _ = text.Drawable(strings.NewReplacer("_", " ", "-", " ").Replace(stem(first.Name)))
	}
	if runes := []rune(idea); len(runes) > maxTitle {
		idea = string(runes[:maxTitle])
	}
	if idea == "" {
		idea = "Documents"
	}
	return os.WriteFile(filepath.Join(dir, ideaFile), []byte(idea), 0o600)
}

// headingOf is empty where the document has no heading, or cannot be read: that is told when it is converted.
func headingOf(ctx context.Context, t *Task, in Input, dir string) string {
	path := in.Path
	switch in.Format {
	case "md":
	case "docx", "html":
		files, _, err := convertBelow(ctx, t, in, "md", dir)
		if err != nil || len(files) == 0 {
			return ""
		}
		path = files[0].Path
	default:
		return ""
	}
	content, _, err := text.ReadText(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(content) {
		if heading, found := strings.CutPrefix(line, "# "); found {
			return strings.TrimSpace(strings.NewReplacer("*", "", "`", "", "\\", "").Replace(heading))
		}
	}
	return ""
}

// refuseTitle takes a title back that would be drawn as boxes; the next pass says why.
func refuseTitle(ctx context.Context, t *Task, missing string) error {
	if err := os.RemoveAll(filepath.Join(t.Dir, stepRefused)); err != nil {
		return fmt.Errorf("forget an earlier title: %w", err)
	}
	_, err := t.Step(ctx, stepRefused, func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, ideaFile), []byte(missing), 0o600)
	})
	if err != nil {
		return err
	}
	return t.Retake([]string{"title"})
}

func refusedLetters(t *Task) string { return readLine(filepath.Join(t.Dir, stepRefused, ideaFile)) }

func readLine(path string) string {
	data, err := os.ReadFile(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return ""
	}
	return string(data)
}

// chapter is one document of the binder as PDF.
type chapter struct {
	path  string
	title string
	pages int
	cover bool
}

func pagesOf(chapters []chapter) int {
	n := 0
	for _, c := range chapters {
		if !c.cover {
			n += c.pages
		}
	}
	return n
}

// maxBinderBytes bounds the documents of one binder: they are joined in memory.
const maxBinderBytes = 512 << 20

func bytesOf(inputs []Input) int64 {
	total := int64(0)
	for _, in := range inputs {
		total += in.Size
	}
	return total
}

// readChapters turns the chosen documents into PDF, each once. Those that cannot be are left out and named.
func readChapters(ctx context.Context, t *Task) ([]chapter, error) {
	if total := bytesOf(t.Inputs); total > maxBinderBytes {
		return nil, &Failure{
			Code: CodeTooLarge, Reason: "INPUT_TOO_LARGE", Action: "none",
			Message: fmt.Sprintf("the documents have %d MB in all; %d can be bound at once", total>>20, maxBinderBytes>>20),
		}
	}
	var chapters []chapter
	order := t.Strings("order")
	for i, id := range order {
		in, index := inputOf(t, id)
		t.Report(10+50*i/len(order), "reading "+in.Name)
		dir, err := t.Step(ctx, fmt.Sprintf("document-%d", index), func(ctx context.Context, dir string) error {
			return convertToPDF(ctx, t, in, dir)
		})
		if err != nil {
			return nil, err
		}
		if reason := readLine(filepath.Join(dir, failureFile)); reason != "" {
			t.Lacks("%s: %s", in.Name, reason)
			continue
		}
		if err := t.warn(dir); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, chapterFile)
		pages, err := countPages(path)
		if err != nil {
			return nil, fmt.Errorf("read %s again: %w", in.Name, err)
		}
		chapters = append(chapters, chapter{path: path, title: stem(in.Name), pages: pages})
	}
	if len(chapters) == 0 {
		return nil, Unusable("none of the documents can be bound: %s", strings.Join(t.Missing, "; "))
	}
	return chapters, nil
}

const (
	failureFile = "failure"
	chapterFile = "chapter.pdf"
)

// convertToPDF leaves the PDF, or why there is none.
func convertToPDF(ctx context.Context, t *Task, in Input, dir string) error {
	path, err := pdfOf(ctx, t, in, dir)
	if err == nil {
		if _, err = countPages(path); err == nil {
			return os.Rename(path, filepath.Join(dir, chapterFile))
		}
		err = &engines.Error{Code: engines.CodeUnsupportedInput, Message: "the PDF is damaged or locked by a password"}
	}
	return keepFailure(ctx, dir, err)
}

func pdfOf(ctx context.Context, t *Task, in Input, dir string) (string, error) {
	if in.Format == "pdf" {
		path := filepath.Join(dir, "document.pdf")
		return path, copyFile(in.Path, path)
	}
	files, warnings, err := convertBelow(ctx, t, in, "pdf", dir)
	if e, ok := engines.AsError(err); ok && e.Code == engines.CodeUnsupportedRoute {
		files, warnings, err = convertBy(ctx, t, in, "html", dir) // tables are set as pages first
	}
	switch {
	case err != nil:
		return "", err
	case len(files) != 1:
		return "", engines.Errorf(engines.CodeConversionFailed, "the conversion made %d files instead of one", len(files))
	}
	return files[0].Path, keepWarnings(dir, in.Name, warnings)
}

func convertBy(ctx context.Context, t *Task, in Input, via, dir string) ([]File, []string, error) {
	files, first, err := convertBelow(ctx, t, in, via, dir)
	if err != nil || len(files) != 1 {
		return nil, nil, errors.Join(err, engines.Errorf(engines.CodeConversionFailed, "no page can be made of it"))
	}
	in.Path, in.Format = files[0].Path, via
	out, second, err := convertBelow(ctx, t, in, "pdf", dir)
	return out, append(first, second...), err
}

// convertBelow converts into a folder of its own below dir.
func convertBelow(ctx context.Context, t *Task, in Input, target, dir string) ([]File, []string, error) {
	out, err := os.MkdirTemp(dir, in.Format+"-"+target+"-")
	if err != nil {
		return nil, nil, fmt.Errorf("convert %s to %s: %w", in.Name, target, err)
	}
	return t.Convert(ctx, in, target, out)
}

// keepFailure remembers why an input cannot be used, so that later passes do not try again. Faults of the
// service itself are no fault of the input and come back.
func keepFailure(ctx context.Context, dir string, err error) error {
	e, known := engines.AsError(err)
	if err == nil || ctx.Err() != nil || !known {
		return err
	}
	return os.WriteFile(filepath.Join(dir, failureFile), []byte(e.Message), 0o600)
}

func inputOf(t *Task, id string) (in Input, index int) {
	for i, in := range t.Inputs {
		if in.FileID == id {
			return in, i
		}
	}
	return Input{}, -1
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from) //nolint:gosec // a stored upload
	if err != nil {
		return fmt.Errorf("read an input: %w", err)
	}
	return os.WriteFile(to, data, 0o600) //nolint:gosec // inside the job's own folder
}

const warningsFile = "warnings"

// keepWarnings keeps what a conversion lost beside its result, a line each.
func keepWarnings(dir, name string, warnings []string) error {
	if len(warnings) == 0 {
		return nil
	}
	lines := strings.Join(named(name, warnings), "\n")
	return os.WriteFile(filepath.Join(dir, warningsFile), []byte(lines), 0o600)
}

// warn tells what a step has lost.
func (t *Task) warn(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, warningsFile)) //nolint:gosec // inside the job's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what a step has lost: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		t.Warnings = append(t.Warnings, strings.TrimSpace(line))
	}
	return nil
}

// stem is a file's name without its extension.
func stem(name string) string {
	if s := strings.TrimSuffix(name, filepath.Ext(name)); s != "" {
		return s
	}
	return name
}

const maxFileName = 80

// fileName makes a text one that every file system takes as a name; otherwise where nothing of it is left.
func fileName(text, otherwise string) string {
	text = strings.Trim(strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || strings.ContainsRune(`/\:*?"<>|`, r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)), " "), ". ")
	if runes := []rune(text); len(runes) > maxFileName {
		text = strings.TrimSpace(string(runes[:maxFileName]))
	}
	if text == "" {
		return otherwise
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
