package goals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

const blocks = "██████" // of one length, so that it tells nothing

// redaction is what is to go, and what comes in its place.
type redaction struct {
	chosen map[string]bool
	style  string
}

func newRedaction(chosen []string, style string) redaction {
	r := redaction{chosen: map[string]bool{}, style: style}
	for _, id := range chosen {
		r.chosen[id] = true
	}
	return r
}

// allOf is the option that stands for a whole kind.
func allOf(k kind) string { return "all " + string(k) }

func (r redaction) takes(f finding) bool { return r.chosen[f.id()] || r.chosen[allOf(f.kind)] }

func (r redaction) mark(k kind) string {
	if r.style == styleLabel {
		return "[" + string(k) + "]"
	}
	return blocks
}

// among lists those findings of a text that are to go.
func (r redaction) among(text string) []finding {
	return slices.DeleteFunc(find(text), func(f finding) bool { return !r.takes(f) })
}

// counts are places by kind.
type counts map[kind]int

func (c counts) add(more counts) {
	for k, n := range more {
		c[k] += n
	}
}

// maxRounds bounds how often a text is gone over: what is taken out may uncover a value beside it.
const maxRounds = 8

var errRemains = errors.New("a value that is to be redacted is still there")

// text puts marks in the place of what is to go; all else stays as it is.
func (r redaction) text(text string) (string, counts, error) {
	done := counts{}
	for range maxRounds {
		found := r.among(text)
		if len(found) == 0 {
			return text, done, nil
		}
		var out strings.Builder
		at := 0
		for _, f := range found {
			out.WriteString(text[at:f.start])
			out.WriteString(r.mark(f.kind))
			at = f.end
			done[f.kind]++
		}
		out.WriteString(text[at:])
		text = out.String()
	}
	return "", nil, errRemains
}

// foundValue is one value with the places where it was found.
type foundValue struct {
	finding
	written string         // as it was written first
	places  map[string]int // by file name
	files   []string       // in order
}

const labelFiles = 3

// label tells a value to whoever is to decide; of card and account numbers, the ends are enough.
func (v foundValue) label() string {
	shown := v.written
	if v.kind == kindCard || v.kind == kindIBAN {
		shown = v.value[:4] + " … " + v.value[len(v.value)-4:]
	}
	n := 0
	for _, times := range v.places {
		n += times
	}
	where := strings.Join(v.files[:min(len(v.files), labelFiles)], ", ")
	if more := len(v.files) - labelFiles; more > 0 {
		where += " and " + plural(more, "more file")
	}
	return fmt.Sprintf("%s %.80s (%s in %s)", v.kind, shown, plural(n, "time"), where)
}

// searched is what is in the inputs that can be read.
type searched struct {
	values []*foundValue // by kind, then in order of appearance
	files  []searchedFile
}

type searchedFile struct {
	Input
	document redactable
}

// redactable is a document that can be searched, and written without what is to go.
type redactable interface {
	texts() []string
	write(path string, r redaction) (counts, error)
	// unseen names parts that hold what cannot be searched.
	unseen() []string
}

func (s *searched) count(k kind) int {
	n := 0
	for _, v := range s.values {
		if v.kind == k {
			n++
		}
	}
	return n
}

// searchInputs looks through all inputs. Those that cannot be read are named and get no copy.
func searchInputs(ctx context.Context, t *Task) (*searched, error) {
	s := &searched{}
	known := map[string]*foundValue{}
	for _, in := range t.Inputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		document, err := openRedactable(in)
		if e, refused := engines.AsError(err); refused {
			t.Lacks("%s: %s", in.Name, e.Message)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, part := range document.unseen() {
			t.Warnings = append(t.Warnings, "best_effort: "+in.Name+": "+part+" cannot be searched and stayed as it was")
		}
		for _, text := range document.texts() {
			for _, f := range find(text) {
				s.note(known, in.Name, f, text[f.start:f.end])
			}
		}
		s.files = append(s.files, searchedFile{Input: in, document: document})
	}
	if len(s.files) == 0 {
		return nil, Unusable("none of the files can be read: %s", strings.Join(t.Missing, "; "))
	}
	slices.SortStableFunc(s.values, func(a, b *foundValue) int { return slices.Index(kinds, a.kind) - slices.Index(kinds, b.kind) })
	return s, nil
}

func (s *searched) note(known map[string]*foundValue, file string, f finding, written string) {
	v := known[f.id()]
	if v == nil {
		v = &foundValue{finding: f, written: written, places: map[string]int{}}
		known[f.id()] = v
		s.values = append(s.values, v)
	}
	if v.places[file]++; v.places[file] == 1 {
		v.files = append(v.files, file)
	}
}

func openRedactable(in Input) (redactable, error) {
	if in.Format == "docx" {
		return openWord(in.Path)
	}
	return openText(in.Path)
}
