package inbox

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

const (
	waitingLimit = 2000 // runs that are looked at for a list
	rowLimit     = 200  // rows on one page
	recentLimit  = 15
	runningLimit = 20
)

// group is one question, asked by one run or by many.
type group struct {
	Key        string
	SlotID     string
	Type       string
	Text       string
	Goal       string
	Since      time.Time  // when the one that waits longest asked
	Deadline   *time.Time // the earliest
	For        string
	Runs       []groupRun
	WorkflowID string // of the first run
}

type groupRun struct {
	WorkflowID string
	Title      string
	Since      time.Time
}

// Many says that one answer can settle several runs.
func (g group) Many() bool { return len(g.Runs) > 1 }

// row is a line of the list: a run with its questions, or runs that all ask one thing.
type row struct {
	group
	Others int // further questions of the run
}

// rowsOf shows each run once. Runs that ask just one question, and the same one, are a row together; questions
// that several runs share among others come as shared.
func rowsOf(runs []answering.Run, f filter) (rows []row, shared []group) {
	alone := map[string]bool{} // runs that ask one question
	for _, run := range runs {
		alone[run.WorkflowID] = len(run.Memo.Questions)+run.Memo.More == 1
	}
	at := map[string]int{}
	for _, g := range groupsOf(runs, f) {
		together := g.Many()
		for _, run := range g.Runs {
			together = together && alone[run.WorkflowID]
		}
		if together {
			rows = append(rows, row{group: g})
			continue
		}
		if g.Many() {
			shared = append(shared, g)
		}
		for _, run := range g.Runs {
			if i, known := at[run.WorkflowID]; known {
				rows[i].Others++
				continue
			}
			one := g
			one.Runs, one.WorkflowID, one.Since = []groupRun{run}, run.WorkflowID, run.Since
			at[run.WorkflowID] = len(rows)
			rows = append(rows, row{group: one})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.Since.Compare(b.Since) })
	return rows, shared
}

// filter narrows a list of questions; empty members do not.
type filter struct{ Text, Goal, For, Slot string }

func filterOf(r *http.Request) filter {
	q := r.URL.Query()
	return filter{Text: q.Get("q"), Goal: q.Get("goal"), For: q.Get("for"), Slot: q.Get("slot")}
}

func (f filter) takes(g group) bool {
	contains := func(text, part string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(part))
	}
	text := f.Text == "" || contains(g.Text, f.Text) || contains(g.Goal, f.Text) || contains(g.SlotID, f.Text)
	for _, run := range g.Runs {
		text = text || contains(run.Title, f.Text) || contains(run.WorkflowID, f.Text)
	}
	return text && (f.Goal == "" || g.Goal == f.Goal) && (f.For == "" || contains(g.For, f.For)) && (f.Slot == "" || g.SlotID == f.Slot)
}

// groupsOf gathers what waits by question, the longest waiting first.
func groupsOf(runs []answering.Run, f filter) []group {
	at := map[string]int{}
	var groups []group
	for _, run := range runs {
		for _, q := range run.Memo.Questions {
			i, known := at[q.Key]
			if !known {
				i = len(groups)
				at[q.Key] = i
				groups = append(groups, group{Key: q.Key, SlotID: q.SlotID, Type: q.Type, Text: q.Text, Goal: run.Memo.Goal, Since: q.AskedAt, WorkflowID: run.WorkflowID})
			}
			groups[i].add(run, q)
		}
	}
	groups = slices.DeleteFunc(groups, func(g group) bool { return !f.takes(g) })
	slices.SortStableFunc(groups, func(a, b group) int { return a.Since.Compare(b.Since) })
	return groups
}

func (g *group) add(run answering.Run, q workflows.MemoQuestion) {
	g.Runs = append(g.Runs, groupRun{WorkflowID: run.WorkflowID, Title: titleOf(run), Since: q.AskedAt})
	if q.AskedAt.Before(g.Since) {
		g.Since = q.AskedAt
	}
	if q.Deadline != nil && (g.Deadline == nil || q.Deadline.Before(*g.Deadline)) {
		g.Deadline = q.Deadline
	}
	if q.For != "" {
		g.For = q.For
	}
}

func titleOf(run answering.Run) string {
	if run.Memo.Name != "" {
		return run.Memo.Name
	}
	return run.WorkflowID
}

// running is an open run with where it stands.
type running struct {
	answering.Listed
	Step answering.Step
}

// listPage is everything on the first page.
type listPage struct {
	Title   string
	Rows    []row
	Shared  []group // questions that several runs ask among others
	More    int     // rows that do not fit
	Total   int     // runs that wait, unfiltered
	Running []running
	Ended   []answering.Listed
	Filter  filter
	Goals   []string
	Sent    string // how many answers were just sent
	To      string
	Person  string
	CanExit bool
}

func (in *Inbox) showList(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	page := listPage{Title: "Inbox", Filter: filterOf(r), Sent: r.URL.Query().Get("sent"), To: r.URL.Query().Get("to"), Person: personOf(ctx), CanExit: in.cfg.Token != ""}
	runs, err := in.board.Waiting(ctx, waitingLimit)
	if err != nil {
		return err
	}
	page.Total = len(runs)
	for _, run := range runs {
		if !slices.Contains(page.Goals, run.Memo.Goal) {
			page.Goals = append(page.Goals, run.Memo.Goal)
		}
	}
	page.Rows, page.Shared = rowsOf(runs, page.Filter)
	if len(page.Rows) > rowLimit {
		page.More = len(page.Rows) - rowLimit
		page.Rows = page.Rows[:rowLimit]
	}
	if page.Running, err = in.runningNow(ctx); err != nil {
		return err
	}
	if page.Ended, err = in.board.Recent(ctx, false, recentLimit); err != nil {
		return err
	}
	in.render(w, http.StatusOK, "list", page)
	return nil
}

func (in *Inbox) runningNow(ctx context.Context) ([]running, error) {
	open, err := in.board.Recent(ctx, true, runningLimit)
	if err != nil {
		return nil, err
	}
	out := make([]running, len(open))
	for i, run := range open {
		out[i].Listed = run
		if step, err := in.board.Progress(ctx, run); err == nil {
			out[i].Step = step // a courtesy
		}
	}
	return out, nil
}
