package inbox

import (
	"context"
	"net/url"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// runPage is one run: its questions, its ledger, and how it stands or ended.
type runPage struct {
	frame
	Run      pageRun
	Status   goal.Status
	Fields   []field
	Open     int // questions that can be answered here
	Ledger   []questions.Receipt
	Result   *runs.End
	Silent   bool // no worker answered for the run
	Flash    flash
	Faults   map[string]string // why what was typed for a slot was not sent
	Typed    url.Values        // what was typed, where there are faults
	Code     int               // status of the page
	Nonce    string
	AskName  bool
	Temporal string // this run on Temporal's own page
	Action   string
}

// result is how a run ended; nil where that cannot be read in time.
func (in *Inbox) result(ctx context.Context, r pageRun) *runs.End {
	if r.Kind == nil {
		return nil
	}
	end, err := in.runs.Result(ctx, r.Kind, r.ID, r.RunID)
	if err != nil {
		return nil
	}
	return &end
}

// steering is what people may do to a batch.
type steering struct {
	Path        string
	Open        bool // it can be steered
	Paused      bool
	Waiting     bool // for an answer, which lets it go on
	Concurrency int  // 0 where it is not known
	Most        int  // that it may be; 0 where it cannot be set
}

// fact is one line about a batch.
type fact struct{ Name, Text string }

// pastPatience is how long an ended batch is asked for more than its result.
const pastPatience = 2 * time.Second
