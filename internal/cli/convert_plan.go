package cli

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// codeUnfit is the code of inputs that were left out.
const codeUnfit = "UNSUPPORTED_CONVERSION"

// leaveOut has the plan leave out what cannot be converted, where several inputs are named, as a shell does for a pattern. An
// input that names its own format is meant, and so is one alone; if nothing is left, nothing is left out.
func (r *request) leaveOut() []result {
	if r.strict || len(r.inputs) < 2 {
		return nil
	}
	all, err := r.wanted()
	if err != nil {
		return nil // the plan reports it
	}
	named := map[string]bool{}
	for _, input := range r.inputs {
		if path, formats := splitTargets(input); formats != "" {
			named[path] = true
		}
	}

	skips := map[wanted]bool{}
	var out []result
	for _, w := range all {
		reason := r.unfit(w)
		if reason == "" || named[w.path] || skips[w] {
			continue
		}
		skips[w] = true
		o := newOutcome(item{source: w.path}, "")
		o.Status, o.Error = statusSkipped, &outcomeError{Code: codeUnfit, Message: reason}
		out = append(out, o)
	}
	if len(skips) == len(all) {
		return nil
	}
	r.skips = skips
	return out
}

// unfit is why an input is none for this format, whatever it holds; empty where it may be one. Faults that somebody can
// correct, such as a missing file or an unknown target, are the plan's to report.
func (r *request) unfit(w wanted) string {
	info, err := os.Stat(w.path)
	switch {
	case w.path == stdio || err != nil || len(client.Families(w.format)) == 0:
		return ""
	case info.IsDir():
		return "it is a folder"
	case !info.Mode().IsRegular():
		return "it is not a regular file"
	case info.Size() == 0:
		return "it is empty"
	}
	source, err := r.sourceFormat(w.path)
	if err != nil {
		return "its name does not tell its format"
	}
	if len(client.Families(source)) == 0 {
		return source + " files are not converted"
	}
	if _, err := client.FamilyFor(source, w.format); err != nil {
		return err.Error()
	}
	return ""
}

// formerMost is how many earlier runs of a name are looked into for what is at the place of an output.
const formerMost = 100

// formerOutputs are those that an earlier run has made of the same source at the same place, the path among them, where all
// that are left are as they were made. Otherwise somebody else made or edited what is there, and it is nil.
func formerOutputs(ctx context.Context, s *Session, it item, path string) ([]activities.Output, error) {
	filter := runs.Filter{Kinds: []*runs.Kind{runs.Conversion}, State: workflows.StateCompleted, Name: it.input.Name}
	if s.Keys.Sealer() == "" {
		filter.IDPrefix = fmt.Sprintf("convert-%s-to-%s-", slug(it.input.Name), it.input.To.Format)
	}
	earlier, err := s.runs().List(ctx, filter, formerMost)
	if err != nil {
		return nil, err
	}
	for _, run := range earlier {
		if run.Name != it.input.Name || run.Target != it.input.To.Format {
			continue
		}
		var input convert.Input
		if err := s.runs().Input(ctx, run, &input); err != nil {
			return nil, err
		}
		if input.Source != it.input.Source || input.To.Folder != it.input.To.Folder || input.To.Stem != it.input.To.Stem {
			continue
		}
		end, err := s.runs().Result(ctx, runs.Conversion, run.ID, run.RunID)
		if err != nil {
			return nil, err
		}
		if end.Conversion != nil && untouched(end.Conversion.Outputs, path) {
			return end.Conversion.Outputs, nil
		}
	}
	return nil, nil
}

// untouched reports whether path is one of these outputs, and all of them that exist are as they were made.
func untouched(outputs []activities.Output, path string) bool {
	for _, output := range outputs {
		if exists(output.Path) && !outputsInPlace([]activities.Output{output}) {
			return false
		}
	}
	return slices.ContainsFunc(outputs, func(o activities.Output) bool { return o.Path == path })
}
