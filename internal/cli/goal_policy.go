package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// policyRequest is the policy of a goal as typed; flags change the default policy of the file.
type policyRequest struct {
	file        string
	confirm     string
	stuckAfter  time.Duration
	remindAfter time.Duration
	deadline    time.Duration
	onDeadline  string
	acceptAbove float64 // acceptUnset where not given
}

const acceptUnset = -1

// said is how a field of the default policy was given: by its flag, or in the file.
func (r policyRequest) said(field string) string {
	flags := map[string]bool{
		"remind_after": r.remindAfter != 0, "deadline": r.deadline != 0, "on_deadline": r.onDeadline != "", "accept_above": r.acceptAbove != acceptUnset,
	}
	if flags[field] {
		return "--" + strings.ReplaceAll(field, "_", "-")
	}
	return "the default policy: " + field
}

func (r policyRequest) read() (questions.Policies, error) {
	var p questions.Policies
	if r.file != "" {
		data, err := os.ReadFile(r.file)
		if err != nil {
			return p, fmt.Errorf("--policy: %w", err)
		}
		if p, err = parsePolicies(data); err != nil {
			return p, fmt.Errorf("--policy %s: %w", r.file, err)
		}
	}
	if r.confirm != "" {
		p.Confirm = r.confirm
	}
	if r.stuckAfter != 0 {
		p.StuckAfter = workflows.Duration(r.stuckAfter)
	}
	if r.remindAfter != 0 {
		p.Default.RemindAfter = workflows.Duration(r.remindAfter)
	}
	if r.deadline != 0 {
		p.Default.Deadline = workflows.Duration(r.deadline)
	}
	if r.onDeadline != "" && !slices.Contains(onDeadlines, r.onDeadline) {
		return p, notOneOf("on-deadline", r.onDeadline, onDeadlines)
	}
	if r.onDeadline != "" {
		p.Default.OnDeadline = r.onDeadline
	}
	if r.acceptAbove != acceptUnset {
		p.Default.AcceptAbove = &r.acceptAbove
	}
	faults := []error{checkPolicy(r.said, p.Default)}
	if !slices.Contains([]string{"", questions.ConfirmAuto, questions.ConfirmAsk}, p.Confirm) {
		faults = append(faults, fmt.Errorf("--confirm, or confirm in the policy file: %q is not auto or ask", p.Confirm))
	}
	if after := time.Duration(p.StuckAfter); after != 0 && after < stuckLeast {
		faults = append(faults, fmt.Errorf("--stuck-after, or stuck_after in the policy file, must be a minute or more, got %s", after))
	}
	for slot, policy := range p.Slots {
		faults = append(faults, checkPolicy(func(field string) string { return "the policy of " + slot + ": " + field }, policy), checkOwn(slot, policy))
	}
	return p, errors.Join(faults...)
}

var onDeadlines = []string{questions.DeadlineFail, questions.DeadlineCancel, questions.DeadlineDefault}

// stuckLeast is well above the time in which a job of the local service shows that it is alive.
const stuckLeast = time.Minute

// checkOwn refuses a default for a question that the run itself asks, unless it is harmless: the run would not take it.
func checkOwn(slotID string, p questions.Policy) error {
	harmless := goal.Harmless(slotID)
	switch {
	case p.OnDeadline != questions.DeadlineDefault || !questions.Own(slotID) || p.AtDeadline(slotID, harmless...) == questions.DeadlineDefault:
		return nil
	case len(harmless) == 0:
		return fmt.Errorf("the policy of %s: nothing but a person answers it; on_deadline may be fail or cancel", slotID)
	case slotID == goal.SlotConfirm:
		return fmt.Errorf("the policy of %s: its default may be %s alone, which spends nothing; 'confirm: auto' confirms without a question", slotID, strings.Join(harmless, " or "))
	default:
		return fmt.Errorf("the policy of %s: its default may be %s", slotID, strings.Join(harmless, " or "))
	}
}

// checkPolicy names fields as said does.
func checkPolicy(said func(field string) string, p questions.Policy) error {
	above := p.AcceptAbove
	switch {
	case p.OnDeadline != "" && !slices.Contains(onDeadlines, p.OnDeadline):
		return fmt.Errorf("%s %q is not fail, cancel or default", said("on_deadline"), p.OnDeadline)
	case p.OnDeadline != "" && p.Deadline == 0:
		return fmt.Errorf("%s %s needs a deadline; add --deadline, or deadline in the policy file", said("on_deadline"), p.OnDeadline)
	case p.OnDeadline == questions.DeadlineDefault && len(p.Default) == 0:
		return fmt.Errorf("%s default needs a default; give it with --policy FILE", said("on_deadline"))
	case above != nil && !(*above >= 0 && *above <= 1):
		return fmt.Errorf("%s %v is not from 0 to 1", said("accept_above"), *above)
	case p.EscalateAfter != 0 && p.EscalateTo == "":
		return fmt.Errorf("%s needs escalate_to", said("escalate_after"))
	}
	for field, after := range map[string]workflows.Duration{
		"remind_after": p.RemindAfter, "deadline": p.Deadline, "accept_after": p.AcceptAfter, "escalate_after": p.EscalateAfter,
	} {
		if after < 0 {
			return fmt.Errorf("%s must be 0 or more, got %s", said(field), time.Duration(after))
		}
	}
	return nil
}

// parsePolicies reads JSON or YAML; its errors name the line.
func parsePolicies(data []byte) (questions.Policies, error) {
	var p questions.Policies
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return p, err
	}
	if len(document.Content) == 0 {
		return p, nil
	}
	err := eachField(document.Content[0], func(key, value *yaml.Node) error {
		switch key.Value {
		case "confirm", "stuck_after":
			return decodeField(key, value, &p)
		case "default":
			return parsePolicy(value, &p.Default)
		case "slots":
			p.Slots = map[string]questions.Policy{}
			return eachField(value, func(slot, value *yaml.Node) error {
				var one questions.Policy
				err := parsePolicy(value, &one)
				p.Slots[slot.Value] = one
				return err
			})
		}
		return fmt.Errorf("line %d: unknown field %q; there are confirm, stuck_after, default and slots", key.Line, key.Value)
	})
	return p, err
}

func parsePolicy(node *yaml.Node, into *questions.Policy) error {
	known := policyFields()
	return eachField(node, func(key, value *yaml.Node) error {
		if !slices.Contains(known, key.Value) {
			return fmt.Errorf("line %d: unknown field %q; there are %s", key.Line, key.Value, strings.Join(known, ", "))
		}
		return decodeField(key, value, into)
	})
}

// decodeField reads one field as JSON would have it.
func decodeField(key, value *yaml.Node, into any) error {
	if value.Tag == "!!timestamp" {
		value.Tag = "!!str" // a date is an answer, not a moment
	}
	var decoded any
	err := value.Decode(&decoded)
	var field []byte
	if err == nil {
		field, err = json.Marshal(map[string]any{key.Value: decoded})
	}
	if err == nil {
		err = json.Unmarshal(field, into)
	}
	if err != nil {
		return fmt.Errorf("line %d: %s: %w", key.Line, key.Value, err)
	}
	return nil
}

func eachField(node *yaml.Node, do func(key, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: fields and values are expected", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if err := do(node.Content[i], node.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func policyFields() []string {
	var names []string
	for field := range reflect.TypeFor[questions.Policy]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
