package inbox

import (
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

// ask makes the fields of questions.
func (p *runPage) ask(in *Inbox, open []questions.Question) {
	waits := missing(open)
	for i, q := range open {
		if q.Answered && q.Given == nil {
			q.Given = counted(p.Ledger, q.SlotID) // a worker of before does not say
		}
		f := in.fieldOf(q, i+1, previewPath(p.Run.ID))
		f.Waits, f.Loss = waits, in.lossOf(p.Run.ID, q)
		if fault, typed := p.Faults[q.SlotID]; typed && !q.Answered {
			f.typed(p.Typed, fault)
		}
		p.Fields = append(p.Fields, f)
		if !q.Answered {
			p.Open++
		}
	}
	for i := range p.Flash.Outcomes {
		p.Flash.Outcomes[i].settle(p.Ledger, waits)
	}
}

// missing counts the questions that hold back the answers to the others.
func missing(open []questions.Question) int {
	n := 0
	for _, q := range open {
		if q.Required && !q.Answered && !questions.Own(q.SlotID) {
			n++
		}
	}
	return n
}
