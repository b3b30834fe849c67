package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// batchNow is where a batch stands that has not ended.
type batchNow struct {
	Progress *batch.Progress `json:"progress"`          // null where no worker could be asked
	Trouble  string          `json:"trouble,omitempty"` // why the run could not be asked
}

func batchStands(ctx context.Context, s *Session, id string) *batchNow {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	progress, err := s.desk().Progress(ctx, id)
	if err != nil {
		return &batchNow{Trouble: err.Error()}
	}
	return &batchNow{Progress: &progress}
}

func (e *Env) showBatchNow(d runDetail) error {
	e.row("trouble", d.Batch.Trouble)
	p := d.Batch.Progress
	if p == nil {
		return nil
	}
	e.row("output", p.Output)
	for _, line := range append([]string{batchLine(*p)}, batchDetails(*p, e.Program, d.WorkflowID)...) {
		if _, err := fmt.Fprintln(e.Stdout, printable(line)); err != nil {
			return err
		}
	}
	return nil
}

func (e *Env) showBatchOutcome(o batchOutcome) {
	e.row("output", o.Output)
	if o.Error != nil {
		e.row("error", o.Error.Code+": "+o.Error.Message)
	}
	if o.Summary == nil {
		return
	}
	e.row("result", o.headline())
	e.row("report", o.Summary.Report)
	for _, line := range failureHints(e.Program, o.WorkflowID, o.Summary.Codes) {
		e.row("failed", line)
	}
}
