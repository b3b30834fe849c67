package inbox

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// listPage is what waits, runs and has ended.
type listPage struct {
	frame
	Filter  filter
	Goals   []string // to filter by, as the labels
	Labels  []string
	Groups  []group
	Waiting int // questions, before the filter
	More    int // questions that did not fit into a run's memo
	Batches []pageRun
	Watches []pageRun
	Running []pageRun
	Ended   []pageRun
	Flash   flash
}

func (in *Inbox) showList(w http.ResponseWriter, r *http.Request) {
	s, err := in.look(r.Context())
	if err != nil {
		in.fail(w, r, err)
		return
	}
	p := listPage{frame: in.frame(r, "Inbox")}
	p.Version = s.version
	p.Filter = filter{Text: cut(r.FormValue("q"), 200), Goal: r.FormValue("goal"), Mine: cut(r.FormValue("mine"), 200), Label: cut(r.FormValue("label"), 200)}
	p.Groups = grouped(s.waiting, p.Filter)
	for _, run := range s.waiting {
		p.Waiting += len(run.Memo.Questions)
		p.More += run.Memo.More
		if goal := run.Memo.Goal; goal != "" && !slices.Contains(p.Goals, goal) {
			p.Goals = append(p.Goals, goal)
		}
	}
	slices.Sort(p.Goals)

	p.Labels = labelsOf(s)
	p.Batches, p.Watches, p.Ended = p.Filter.picked(s.batches), p.Filter.picked(s.watches), p.Filter.picked(s.ended)
	for _, run := range p.Filter.picked(s.running) {
		if run.State() != workflows.StateWaiting {
			p.Running = append(p.Running, run)
		}
	}
	in.render(w, http.StatusOK, "list", p)
}

// groupPage is one question of many runs.
type groupPage struct {
	frame
	Group   group
	Field   *field
	Settled bool // its runs have the answer, and lists do not know yet
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
	for _, g := range grouped(s.waiting, filter{}) {
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
		if q, id, err := in.sample(r, key, ids); err == nil {
			q.Round = 0 // rounds differ between runs; the key says that it is the same question
			f := in.fieldOf(q, 1, previewPath(id))
			if p.Group.Same() {
				f.Loss = in.lossOf(id, q)
			} else {
				f.Text = groupText(q)
			}
			p.Field = &f
		} else if errors.Is(err, errGone) {
			p.Settled, p.Group.Runs = true, nil
		}
	}
	code := http.StatusOK
	if len(ids) == 0 && len(p.Flash.Outcomes) == 0 {
		code = http.StatusNotFound
	}
	in.render(w, code, "group", p)
}

// live is a socket of a page, of one run or of everything.
func (in *Inbox) live(w http.ResponseWriter, r *http.Request) {
	in.keepTelling(w, r, r.URL.Query().Get("run"))
}

// keepTelling says which version of a page is the newest: first what is, then what changes.
func (in *Inbox) keepTelling(w http.ResponseWriter, r *http.Request, id string) {
	watcher := in.hub.join(id)
	if watcher == nil {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer in.hub.leave(watcher)
	socket, err := in.upgrader.Upgrade(w, r, nil) // refuses other origins
	if err != nil {
		return // it has answered
	}
	defer func() { _ = socket.Close() }()
	socket.SetReadLimit(512)
	go func() {
		for {
			if _, _, err := socket.ReadMessage(); err != nil {
				in.hub.leave(watcher) // ends the loop below
				return
			}
		}
	}()
	beats, stop := in.hub.beats()
	defer stop()
	for {
		var said liveUpdate
		open := true
		select {
		case said, open = <-watcher.updates:
		case <-beats:
			said = in.hub.state()
		}
		if !open {
			break
		}
		_ = socket.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err := socket.WriteJSON(said); err != nil {
			return
		}
	}
	_ = socket.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second))
}
