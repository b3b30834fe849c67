// Package engines converts files. Each engine wraps a library or a program that others keep well and
// says for every route whether its output is exact or a best effort; what a conversion loses is named in
// Result.Warnings. An engine that cannot convert faithfully and cannot name the loss refuses.
package engines

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// Quality says how faithful a route is. The values are those of qualityMode on the wire.
type Quality string

// The two qualities of a route.
const (
	Exact      Quality = "exact"
	BestEffort Quality = "best_effort"
)

// Route is one pair of formats, both as normalised tokens (docx, jpg, ...). One from a format to itself is not offered to
// anybody: it does for what other engines made the options that they lack.
type Route struct {
	Source  string
	Target  string
	Quality Quality
	// Reserve lets every engine go first that has the route without it, whatever the order.
	Reserve bool
}

// Engine converts along its routes.
type Engine struct {
	Name string
	// Package is what to install where the engine is missing (a Debian package name); empty for built-ins.
	Package string
	Routes  []Route
	// Options are what a route of Routes takes; nil for an engine that takes none.
	Options func(source, target string) []option.Option
	// Version is what the program says of itself, for people; an error where the engine cannot run on this machine. It
	// judges by the program's version output, not by a name on PATH. Nil for built-ins, which always can.
	Version func(ctx context.Context) (string, error)
	Convert func(ctx context.Context, in Request) (Result, error)
	// Admit refuses another job before it is queued. No other is queued until done is called, which is never nil; nil for
	// an engine that takes every job.
	Admit func(ctx context.Context) (done func(), err error)
	// Close frees what the engine holds between conversions; nil where it holds nothing.
	Close func() error
}

// Request is one conversion. Its JSON form goes into records and to child processes.
type Request struct {
	Source string `json:",omitempty"` // normalised source format
	Target string `json:",omitempty"` // normalised target format
	// InputPath is a regular, readable file. Its name carries no meaning: Source tells the format.
	InputPath string `json:",omitempty"`
	// OutDir is an empty private directory; everything in Result lies in it.
	OutDir string `json:",omitempty"`
	// Stem names the outputs: Stem + "." + extension, or Stem-1, Stem-2, ... where there are several.
	Stem string `json:",omitempty"`
	// ImageQuality is 1-100, 0 for the default of 80.
	ImageQuality int `json:",omitempty"`
	// Preset is "standard" or "high", for documents; empty means standard.
	Preset string `json:",omitempty"`
	// Pages selects pages of the source, nil for all.
	Pages PageRange `json:",omitempty"`
	// Options are what is asked for beside the above, checked, in the forms that option.Check gives.
	Options option.Values `json:",omitempty"`
	// Owner is the account whose file it is: a program that stays open serves one owner alone.
	Owner string `json:",omitempty"`
	// Helped reports whether another engine takes what this one refuses: it had better not degrade what it can refuse.
	Helped bool `json:",omitempty"`
	// Progress takes 0-100 with an optional short message; never nil.
	Progress func(percent int, message string) `json:"-"`
}

// Asked are the names of the options of a request, the page range among them.
func (in Request) Asked() []string {
	names := in.Options.Names()
	if len(in.Pages) > 0 {
		names = append(names, option.NamePages)
	}
	return names
}

// Result is what a conversion made.
type Result struct {
	Files []File
	// Warnings name what was lost, one sentence each, prefixed as on the wire: "best_effort: ...",
	// "truncated: ...", "layout_degraded: ...".
	Warnings []string
}

// File is one output.
type File struct {
	Path     string // below Request.OutDir
	Filename string // base name that the user sees
	Mimetype string
	// Size is how many bytes the service is to announce; 0 for what the file has.
	Size int64 `json:",omitempty"`
}

// Error is a refusal or failure that the user can act on. It ends up as the error of the job.
type Error struct {
	Code    string // CodeConversionFailed, ...
	Message string
	Reason  string // for error.detail.reason; empty leaves detail out
	// SheetCount and FaithfulTargets go with Reason where they apply.
	SheetCount      int
	FaithfulTargets []string
}

// The codes of Error.
const (
	CodeConversionFailed  = "CONVERSION_FAILED"      // the engine broke on this input
	CodeUnsupportedInput  = "UNSUPPORTED_INPUT"      // the input is not what it claims, or holds what this engine cannot carry
	CodeUnsupportedRoute  = "UNSUPPORTED_CONVERSION" // nothing here makes this pair; Message names the package that would
	CodeInvalidParameters = "INVALID_PARAMETERS"     // page range outside the document, ...
	CodeWrongPassword     = "WRONG_PASSWORD"         // it does not open the input; where one is missing, it is CodeUnsupportedInput with ReasonEncrypted
	CodeCheckFailed       = "CHECK_FAILED"           // the output lacks what the source has, and that was to be a failure
)

// ReasonEncrypted is the reason where an input needs a password, whatever engine is asked.
const ReasonEncrypted = "ENCRYPTED"

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf builds an Error without detail.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// AsError finds an Error in err's chain.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// PageRange selects pages, from 1, in ascending order of its spans.
type PageRange []PageSpan

// PageSpan is a run of pages, both ends included; Last 0 means to the end.
type PageSpan struct{ First, Last int }

// maxSpans bounds what is looked through for every page of a document.
const maxSpans = 1000

// ParsePageRange reads "3", "1-5", "2-" and lists of them with commas. Empty text selects everything.
func ParsePageRange(text string) (PageRange, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if n := strings.Count(text, ",") + 1; n > maxSpans {
		return nil, fmt.Errorf("the page range has %d parts; %d are allowed", n, maxSpans)
	}
	var out PageRange
	for part := range strings.SplitSeq(text, ",") {
		span, err := parseSpan(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("page range %.60q: %w", text, err)
		}
		out = append(out, span)
	}
	return out, nil
}

func parseSpan(part string) (PageSpan, error) {
	from, to, isSpan := strings.Cut(part, "-")
	first, err := pageNumber(from)
	if err != nil {
		return PageSpan{}, err
	}
	if !isSpan {
		return PageSpan{First: first, Last: first}, nil
	}
	if strings.TrimSpace(to) == "" {
		return PageSpan{First: first}, nil
	}
	last, err := pageNumber(to)
	if err != nil {
		return PageSpan{}, err
	}
	if last < first {
		return PageSpan{}, fmt.Errorf("%d-%d runs backwards", first, last)
	}
	return PageSpan{First: first, Last: last}, nil
}

func pageNumber(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%.60q is not a page number", strings.TrimSpace(text))
	}
	return n, nil
}

// Select lists the page numbers (from 1) of a document with count pages that the range takes, each once,
// in document order. A range that takes none is an error.
func (r PageRange) Select(count int) ([]int, error) {
	var out []int
	for page := 1; page <= count; page++ {
		if len(r) == 0 || r.has(page) {
			out = append(out, page)
		}
	}
	if len(out) == 0 {
		return nil, Errorf(CodeInvalidParameters, "the page range takes none of the document's %d pages", count)
	}
	return out, nil
}

func (r PageRange) has(page int) bool {
	for _, span := range r {
		if page >= span.First && (span.Last == 0 || page <= span.Last) {
			return true
		}
	}
	return false
}
