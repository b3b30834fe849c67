package goals

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

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

// pdfRules are those of the library, with no folder of its own in anybody's home.
func pdfRules() *model.Configuration {
	pdfHome()
	rules := model.NewDefaultConfiguration()
	rules.ValidationMode = model.ValidationRelaxed
	return rules
}

var pdfHome = sync.OnceFunc(api.DisableConfigDir)

// countPages reads a document as far as binding it takes.
func countPages(path string) (n int, err error) {
	defer func() {
		if cause := recover(); cause != nil { // the library panics on some damage
			n, err = 0, engines.Errorf(engines.CodeUnsupportedInput, "the PDF is damaged")
		}
	}()
	file, err := os.Open(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return 0, fmt.Errorf("open a document: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	n, err = api.PageCount(file, pdfRules())
	if err == nil && n == 0 {
		err = engines.Errorf(engines.CodeUnsupportedInput, "the PDF has no pages")
	}
	return n, err
}
