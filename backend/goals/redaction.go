package goals

import (
	"errors"
	"slices"
	"strings"
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

const (
	styleBlocks = "blocks"
	styleLabel  = "label"
)
