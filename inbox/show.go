package inbox

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// listPage is what waits, runs and has ended.
type listPage struct {
	frame
	Filter  filter
	Goals   []string // to filter by
	Groups  []group
	Waiting int // questions, before the filter
	More    int // questions that did not fit into a run's memo
	Batches []run
	Watches []run
	Running []run
	Ended   []run
	Flash   flash
}

func (in *Inbox) showList(w http.ResponseWriter, r *http.Request) {
	s, err := in.look(r.Context())
	if err != nil {
		in.fail(w, r, err)
		return
	}
	p := listPage{frame: in.frame(r, "Inbox"), Batches: s.batches, Watches: s.watches, Ended: s.ended}
	p.Version = s.version
	p.Filter = filter{Text: cut(r.FormValue("q"), 200), Goal: r.FormValue("goal"), Mine: cut(r.FormValue("mine"), 200)}
	p.Groups = groups(s.waiting, p.Filter)
	for _, run := range s.waiting {
		p.Waiting += len(run.Memo.Questions)
		p.More += run.Memo.More
		if goal := run.Memo.Goal; goal != "" && !slices.Contains(p.Goals, goal) {
			p.Goals = append(p.Goals, goal)
		}
	}
	slices.Sort(p.Goals)
	for _, run := range s.running {
		if run.State() != workflows.StateWaiting {
			p.Running = append(p.Running, run)
		}
	}
	in.render(w, http.StatusOK, "list", p)
}

// runPage is one run: its questions, its ledger, and how it stands or ended.
type runPage struct {
	frame
	Run      run
	Status   goal.Status
	Fields   []field
	Open     int // questions that can be answered here
	Ledger   []questions.Receipt
	Result   *runs.End
	Silent   bool // no worker answered for the run
	Flash    flash
	Nonce    string
	AskName  bool
	Temporal string // this run on Temporal's own page
	Action   string
}

func (in *Inbox) showRun(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	seen, err := in.runs.Describe(r.Context(), id)
	if err != nil {
		in.fail(w, r, err)
		return
	}
	p := runPage{frame: in.frame(r, titleOf(seen.Run)), Run: run{Run: seen.Run, Step: seen.Step}, Flash: in.flash(r), Nonce: rand.Text(), Action: runPath(id) + "/answers"}
	p.AskName = p.Person == ""
	p.Live = id
	if s, err := in.look(r.Context()); err == nil {
		p.Version = s.versionFor(id)
	}
	if in.cfg.TemporalUI != "" {
		p.Temporal = temporalPath(in.cfg.TemporalUI, in.cfg.Namespace, id, seen.RunID)
	}
	switch seen.Kind {
	case runs.Batch:
		in.showBatch(w, r, p)
	case runs.Watch:
		in.showWatch(w, r, p)
	default:
		in.fillRun(r, &p)
		in.render(w, http.StatusOK, "run", p)
	}
}

// result is how a run ended; nil where that cannot be read in time.
func (in *Inbox) result(ctx context.Context, r run) *runs.End {
	if r.Kind == nil {
		return nil
	}
	end, err := in.runs.Result(ctx, r.Kind, r.ID, r.RunID)
	if err != nil {
		return nil
	}
	return &end
}

// fillRun asks the run itself; what no worker answers is left out, and said.
func (in *Inbox) fillRun(r *http.Request, p *runPage) {
	ctx, cancel := in.patient(r)
	defer cancel()
	if p.Run.ClosedAt != nil {
		if p.Result = in.result(ctx, p.Run); p.Result != nil && p.Result.Goal != nil {
			p.Ledger = p.Result.Goal.Answers
		}
		if p.Run.Kind == runs.Goal && len(p.Ledger) == 0 {
			p.Ledger, _ = in.runs.Answers(ctx, p.Run.ID) // a failed run has no result; its ledger needs a worker
		}
		return
	}
	if p.Run.Kind != runs.Goal {
		return
	}
	questions, err := in.runs.Questions(ctx, p.Run.ID)
	if err != nil {
		p.Silent = true
		return
	}
	for i, q := range questions {
		p.Fields = append(p.Fields, in.fieldOf(q, i+1, previewPath(p.Run.ID)))
		if !q.Answered {
			p.Open++
		}
	}
	if p.Ledger, err = in.runs.Answers(ctx, p.Run.ID); err == nil {
		p.Status, err = in.runs.Status(ctx, p.Run.ID)
	}
	p.Silent = err != nil
}

// groupPage is one question of many runs.
type groupPage struct {
	frame
	Group   group
	Field   *field
	Flash   flash
	Nonce   string
	AskName bool
	Action  string
}

func (in *Inbox) showGroup(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	s, err := in.look(r.Context())
	if err != nil {
		in.fail(w, r, err)
		return
	}
	p := groupPage{frame: in.frame(r, "One question, several runs"), Flash: in.flash(r), Nonce: rand.Text(), Action: groupPath(key) + "/answers"}
	p.AskName, p.Version = p.Person == "", s.version
	for _, g := range groups(s.waiting, filter{}) {
		if g.Key == key {
			p.Group = g
		}
	}
	ids := make([]string, 0, len(p.Group.Runs))
	for _, one := range p.Group.Runs[:min(len(p.Group.Runs), groupLimit)] {
		ids = append(ids, one.ID)
	}
	p.Group.Runs = p.Group.Runs[:len(ids)]
	if len(ids) > 0 {
		if q, err := in.sample(r, key, ids); err == nil {
			q.Round = 0 // rounds differ between runs; the key says that it is the same question
			f := in.fieldOf(q, 1, previewPath(ids[0]))
			p.Field = &f
		}
	}
	code := http.StatusOK
	if len(ids) == 0 && len(p.Flash.Outcomes) == 0 {
		code = http.StatusNotFound
	}
	in.render(w, code, "group", p)
}

// waitingRuns narrows what waits for the API.
func waitingRuns(waiting []runs.Run, f filter, limit int) []apiWaiting {
	out := []apiWaiting{}
	for _, r := range waiting {
		for _, q := range r.Memo.Questions {
			if f.takes(r, q) && len(out) < limit {
				out = append(out, apiWaiting{WorkflowID: r.ID, Goal: r.Memo.Goal, Name: r.Memo.Name, MemoQuestion: q})
			}
		}
	}
	return out
}
