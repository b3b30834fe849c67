package inbox

import (
	"crypto/rand"
	"net/http"

	"github.com/convilyn/convilyn-temporal/internal/runs"
)

func (in *Inbox) showRun(w http.ResponseWriter, r *http.Request) {
	in.renderRun(w, r, http.StatusOK, in.flash(r), nil)
}

// renderRun shows a run, with what became of a form. Faults are why a part of the form was not sent, by slot; what was
// typed there is shown again.
func (in *Inbox) renderRun(w http.ResponseWriter, r *http.Request, code int, said flash, faults map[string]string) {
	id := r.PathValue("id")
	seen, err := in.describe(r, id)
	if err != nil {
		in.fail(w, r, err)
		return
	}
	p := runPage{frame: in.frame(r, titleOf(seen.Run)), Run: pageRun{Run: seen.Run, Step: seen.Step, Troubles: seen.Troubles}, Flash: said, Nonce: rand.Text(), Action: runPath(id) + "/answers"}
	p.AskName = p.Person == ""
	p.Live, p.Faults, p.Code = id, faults, code
	if faults != nil {
		p.Here, p.Typed = runPath(id), r.PostForm
	}
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
		in.render(w, code, "run", p)
	}
}

// fillRun asks the run itself; what no worker answers is left out, and said.
func (in *Inbox) fillRun(r *http.Request, p *runPage) {
	ctx, cancel := in.patient(r)
	defer cancel()
	if p.Run.ClosedAt != nil {
		p.Result = in.result(ctx, p.Run)
		switch {
		case p.Result != nil && p.Result.Goal != nil:
			p.Ledger = p.Result.Goal.Answers
		case p.Result != nil && p.Result.Conversion != nil:
			p.Ledger = p.Result.Conversion.Answers
		}
		failed := p.Result != nil && p.Result.Fault != nil
		if len(p.Ledger) == 0 && (p.Run.Kind == runs.Goal || p.Run.Kind == runs.Conversion && failed) {
			p.Ledger, _ = in.runs.Answers(ctx, p.Run.ID) // a failed run has no result; its ledger needs a worker
		}
		return
	}
	if p.Run.Kind != runs.Goal && len(p.Run.Memo.Questions) == 0 {
		return
	}
	open, err := in.runs.Questions(ctx, p.Run.ID)
	if err != nil {
		p.Silent = true
		return
	}
	if p.Ledger, err = in.runs.Answers(ctx, p.Run.ID); err == nil && p.Run.Kind == runs.Goal {
		p.Status, err = in.runs.Status(ctx, p.Run.ID)
	}
	p.Silent = err != nil
	p.ask(in, open)
}
