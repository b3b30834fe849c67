package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// goalRequest is a goal start command as typed.
type goalRequest struct {
	args    []string // WORKFLOW FILE..., or FILE... with text
	text    string
	slots   []string // K=V
	answers string   // file
	output  string
	onExist string
	name    string
	labels  labels
	policy  policyRequest
	retries int // below 0 where not given
	by      string
}

const (
	userWorkflowPrefix = "uw_"
	goalPrefix         = "goal_lane."
	goalTextLeast      = 3
	goalTextMost       = 2000
)

// planGoal checks everything that can be checked without the service, and reports every fault at once.
func planGoal(r goalRequest) (goalItem, error) {
	var faults []error
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var g goalItem
	files, err := g.what(r)
	note(err)
	note(g.addFiles(files))
	note(g.addAnswers(r))
	note(g.addLabels(r.labels))
	note(g.to(r))
	g.input.Policy, err = r.policy.read()
	note(err)
	if r.retries >= 0 {
		g.input.MaxRetries = &r.retries
	}
	g.name, g.input.Name, g.input.StartedBy = r.name, r.name, r.by
	if len(faults) > 0 {
		return g, &Failure{Code: ExitUsage, Err: errors.Join(faults...)}
	}
	return g, nil
}

// what takes the goal off the arguments and returns the files.
func (g *goalItem) what(r goalRequest) ([]string, error) {
	if r.text != "" {
		g.goal, g.input.GoalText = r.text, r.text
		switch n := utf8.RuneCountInString(r.text); {
		case n < goalTextLeast || n > goalTextMost:
			return r.args, fmt.Errorf("--text has %d characters; the API takes %d to %d", n, goalTextLeast, goalTextMost)
		case len(r.args) == 0:
			return nil, errors.New("a goal in words needs a file; name at least one")
		}
		return r.args, nil
	}
	if len(r.args) == 0 {
		return nil, errors.New("no goal; name one of 'goal catalog', or say it with --text")
	}
	g.setGoal(r.args[0])
	return r.args[1:], nil
}

func (g *goalItem) setGoal(id string) {
	g.goal = id
	if strings.HasPrefix(id, userWorkflowPrefix) {
		g.input.UserWorkflowID = id
	} else {
		g.input.WorkflowID = id
	}
}

func (g *goalItem) addFiles(paths []string) error {
	var faults []error
	for _, path := range paths {
		absolute, err := readableFile(path)
		var sum string
		if err == nil {
			sum, err = hashFile(absolute)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		g.paths = append(g.paths, path)
		g.input.Files = append(g.input.Files, goal.File{Source: fileURL(absolute), Name: filepath.Base(absolute), SHA256: sum})
	}
	return errors.Join(faults...)
}

// addAnswers takes --answers, then --slot, which wins.
func (g *goalItem) addAnswers(r goalRequest) error {
	values := map[string]json.RawMessage{}
	if r.answers != "" {
		data, err := os.ReadFile(r.answers)
		if err != nil {
			return fmt.Errorf("--answers: %w", err)
		}
		if err := json.Unmarshal(data, &values); err != nil {
			return fmt.Errorf("--answers %s is not a JSON object of slots and values: %w", r.answers, err)
		}
	}
	var faults []error
	for _, pair := range r.slots {
		slotID, text, ok := strings.Cut(pair, "=")
		if !ok || slotID == "" {
			faults = append(faults, fmt.Errorf("--slot %q is not SLOT=VALUE", pair))
			continue
		}
		value, err := parseValue(slot.Slot{}, text)
		if err != nil {
			faults = append(faults, fmt.Errorf("--slot %s: %w", slotID, err))
			continue
		}
		values[slotID] = value
	}
	for slotID, value := range values {
		if questions.Own(slotID) {
			faults = append(faults, fmt.Errorf("%s is asked by the run itself and cannot be answered at its start; see --confirm and --policy", slotID))
			continue
		}
		g.input.Answers = append(g.input.Answers, questions.Answer{SlotID: slotID, Value: value, AnsweredBy: r.by, Channel: questions.ChannelStart})
		var source string
		if json.Unmarshal(value, &source) == nil && strings.HasPrefix(source, "file://") {
			sum, err := hashURL(source)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", slotID, err))
			}
			g.sums = append(g.sums, sum)
		}
	}
	slices.Sort(g.sums)
	slices.SortFunc(g.input.Answers, func(a, b questions.Answer) int { return strings.Compare(a.SlotID, b.SlotID) })
	return errors.Join(faults...)
}

func hashURL(source string) (string, error) {
	at, err := url.Parse(source)
	if err != nil {
		return "", fmt.Errorf("%q is not a file:// URL", source)
	}
	path, err := readableFile(at.Path)
	if err != nil {
		return "", err
	}
	return hashFile(path)
}

// addLabels hands those of the form KEY=VALUE to the run, too.
func (g *goalItem) addLabels(marks labels) error {
	for _, mark := range marks {
		if key, value, ok := strings.Cut(mark, "="); ok && key != "" {
			if g.input.Labels == nil {
				g.input.Labels = map[string]string{}
			}
			g.input.Labels[key] = value
		}
	}
	return marks.check()
}

func (g *goalItem) to(r goalRequest) error {
	if r.onExist != onExistFail && r.onExist != onExistOverwrite {
		return notOneOf("on-exist", r.onExist, []string{onExistFail, onExistOverwrite})
	}
	folder, err := filepath.Abs(r.output)
	if err != nil {
		return fmt.Errorf("-o %s: %w", r.output, err)
	}
	g.input.To = goal.Destination{Folder: fileURL(folder), OnExist: r.onExist}
	return writableFolder(folder)
}

// settle checks the goal against the catalog, where there is one, and names the run.
func (g *goalItem) settle(catalog *client.Catalog) error {
	if catalog == nil && g.input.WorkflowID != "" && !strings.Contains(g.input.WorkflowID, ".") {
		return Usagef("%q cannot be looked up without the catalog; write the whole id, such as %s%s", g.input.WorkflowID, goalPrefix, g.input.WorkflowID)
	}
	if g.input.WorkflowID != "" && catalog != nil {
		entry, err := findGoal(catalog, g.input.WorkflowID)
		if err != nil {
			return err
		}
		if err := g.fits(entry); err != nil {
			return err
		}
		g.setGoal(entry.WorkflowID)
	}
	var err error
	g.workflowID, err = goalID(*g)
	tellApart(g.input.Files, g.paths)
	return err
}

// tellApart adds its folder to the name of each file that has the name of another: questions and outputs name files by it.
// The run is named by the names before.
func tellApart(files []goal.File, paths []string) {
	count := map[string]int{}
	for _, file := range files {
		count[file.Name]++
	}
	taken := map[string]bool{}
	for i := range files {
		name := files[i].Name
		if count[name] > 1 {
			ext := filepath.Ext(name)
			folder := filepath.Dir(paths[i])
			if absolute, err := filepath.Abs(paths[i]); err == nil {
				folder = filepath.Dir(absolute)
			}
			name = fmt.Sprintf("%s (%s)%s", strings.TrimSuffix(name, ext), filepath.Base(folder), ext)
			for n := 2; taken[name]; n++ {
				name = fmt.Sprintf("%s (%s %d)%s", strings.TrimSuffix(files[i].Name, ext), filepath.Base(folder), n, ext)
			}
		}
		taken[name] = true
		files[i].Name = name
	}
}

// findGoal takes an exact id, or what stands after the dot of one alone.
func findGoal(catalog *client.Catalog, id string) (client.CatalogEntry, error) {
	var found []client.CatalogEntry
	for _, entry := range catalog.Workflows {
		if entry.WorkflowID == id {
			return entry, nil
		}
		if strings.HasSuffix(entry.WorkflowID, "."+id) {
			found = append(found, entry)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		var names []string
		for _, entry := range catalog.Workflows {
			names = append(names, entry.WorkflowID, entry.WorkflowID[strings.LastIndexByte(entry.WorkflowID, '.')+1:])
		}
		return client.CatalogEntry{}, Usagef("no goal is called %q%s; see 'goal catalog'", id, didYouMean(id, names))
	}
	return client.CatalogEntry{}, Usagef("%q may be %s or %s; write the whole id", id, found[0].WorkflowID, found[1].WorkflowID)
}

// fits checks the files against what the goal takes.
func (g *goalItem) fits(entry client.CatalogEntry) error {
	var faults []error
	if least := entry.MinFileCount; least != nil && len(g.paths) < *least {
		faults = append(faults, fmt.Errorf("%s takes %s at least, and %d came", entry.WorkflowID, term.Plural(*least, "file", "files"), len(g.paths)))
	}
	var formats []string
	for _, format := range entry.SupportedInputFormats {
		formats = append(formats, client.NormalizeFormat(format))
	}
	for _, path := range g.paths {
		if format, known := client.FormatOf(path); len(formats) > 0 && (!known || !slices.Contains(formats, format)) {
			faults = append(faults, fmt.Errorf("%s: %s takes %s", path, entry.WorkflowID, strings.Join(formats, ", ")))
		}
		if info, err := os.Stat(path); entry.MaxInputSizeBytes != nil && err == nil && info.Size() > *entry.MaxInputSizeBytes {
			faults = append(faults, fmt.Errorf("%s has %s; %s takes %s at most", path, term.Bytes(info.Size()), entry.WorkflowID, term.Bytes(*entry.MaxInputSizeBytes)))
		}
	}
	if len(faults) > 0 {
		return &Failure{Code: ExitUsage, Err: errors.Join(faults...)}
	}
	return nil
}

// goalID names the work by what goes in and where the outputs go, so that the same command finds the same run.
func goalID(g goalItem) (string, error) {
	answers := map[string]json.RawMessage{}
	for _, answer := range g.input.Answers {
		answers[answer.SlotID] = answer.Value
	}
	data, err := json.Marshal([]any{
		g.input.WorkflowID, g.input.UserWorkflowID, g.input.GoalText, g.input.Files, answers, g.sums, g.input.To.Folder,
	})
	if err != nil {
		return "", fmt.Errorf("name the run: %w", err)
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("goal-%s-%s", slug(strings.TrimPrefix(g.goal, goalPrefix)), hex.EncodeToString(sum[:6])), nil
}
