package inbox

import (
	"crypto/rand"
	"net/http"

	"github.com/convilyn/convilyn-temporal/internal/runs"
)

func (in *Inbox) showRun(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	seen, err := in.runs.Describe(r.Context(), id)
	if err != nil {
		in.fail(w, r, err)
		return
	}
	p := runPage{frame: in.frame(r, titleOf(seen.Run)), Run: pageRun{Run: seen.Run, Step: seen.Step}, Flash: in.flash(r), Nonce: rand.Text(), Action: runPath(id) + "/answers"}
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
