package goals

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// searched is what is in the inputs.
type searched struct {
	Values  []foundValue   `json:"values"` // by kind, then in order of appearance
	Files   []searchedFile `json:"files"`
	Missing []string       `json:"missing"` // inputs that cannot be read, with why
}

// foundValue is one value, as it is put up for choice.
type foundValue struct {
	ID    string `json:"id"`
	Kind  kind   `json:"kind"`
	Label string `json:"label"`
	Sure  bool   `json:"sure"`
}

type searchedFile struct {
	Index  int      `json:"index"` // among the inputs
	Unseen []string `json:"unseen"`
}

func (s *searched) count(k kind) int {
	n := 0
	for _, v := range s.Values {
		if v.Kind == k {
			n++
		}
	}
	return n
}

// redactable is a document that can be searched, and written without what is to go.
type redactable interface {
	texts() []string
	write(path string, r redaction) (counts, error)
	// unseen names what cannot be searched.
	unseen() []string
}

func openRedactable(in Input) (redactable, error) {
	if in.Format == "docx" {
		return openWord(in.Path)
	}
	return openText(in.Path)
}

const searchData = "found.json"

// searchInputs looks through all inputs, once. Those that cannot be read are named and get no copy.
func searchInputs(ctx context.Context, t *Task) (*searched, error) {
	dir, err := t.Step(ctx, "searched", func(ctx context.Context, dir string) error {
		found, err := search(ctx, t.Inputs)
		if err != nil {
			return err
		}
		return writeJSON(filepath.Join(dir, searchData), found)
	})
	if err != nil {
		return nil, err
	}
	found := &searched{}
	if err := readJSON(filepath.Join(dir, searchData), found); err != nil {
		return nil, err
	}
	t.Missing = append(t.Missing, found.Missing...)
	for _, file := range found.Files {
		for _, part := range file.Unseen {
			t.Warnings = append(t.Warnings, "best_effort: "+t.Inputs[file.Index].Name+": "+part+" cannot be searched and stayed as it was")
		}
	}
	if len(found.Files) == 0 {
		return nil, Unusable("none of the files can be read: %s", strings.Join(t.Missing, "; "))
	}
	return found, nil
}

func search(ctx context.Context, inputs []Input) (*searched, error) {
	s := &searched{}
	all := tally{known: map[string]*tallied{}}
	for i, in := range inputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		document, err := openRedactable(in)
		if e, refused := engines.AsError(err); refused {
			s.Missing = append(s.Missing, in.Name+": "+e.Message)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, text := range document.texts() {
			for _, f := range find(text) {
				all.note(in.Name, f, text[f.start:f.end])
			}
		}
		s.Files = append(s.Files, searchedFile{Index: i, Unseen: document.unseen()})
	}
	for _, v := range all.order {
		s.Values = append(s.Values, foundValue{ID: v.id(), Kind: v.kind, Label: v.describe(), Sure: v.sure})
	}
	slices.SortStableFunc(s.Values, func(a, b foundValue) int { return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind) })
	return s, nil
}

// tally counts the places of each value.
type tally struct {
	known map[string]*tallied
	order []*tallied
}

type tallied struct {
	finding
	written string // as it was written first
	places  int
	files   []string
}

func (t *tally) note(file string, f finding, written string) {
	v := t.known[f.id()]
	if v == nil {
		v = &tallied{finding: f, written: written}
		t.known[f.id()] = v
		t.order = append(t.order, v)
	}
	v.places++
	if n := len(v.files); n == 0 || v.files[n-1] != file {
		v.files = append(v.files, file)
	}
}

const labelFiles = 3

// label tells a value to whoever is to decide; of card and account numbers, the ends are enough.
func (v *tallied) describe() string {
	shown := v.written
	if v.kind == kindCard || v.kind == kindIBAN {
		shown = v.value[:4] + " … " + v.value[len(v.value)-4:]
	}
	where := strings.Join(v.files[:min(len(v.files), labelFiles)], ", ")
	if more := len(v.files) - labelFiles; more > 0 {
		where += " and " + plural(more, "more file")
	}
	return fmt.Sprintf("%s %.80s (%s in %s)", v.kind, shown, plural(v.places, "time"), where)
}
