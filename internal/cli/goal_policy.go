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
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// policyRequest is the policy of a goal as typed; flags change the default policy of the file.
type policyRequest struct {
	file        string
	remindAfter time.Duration
	deadline    time.Duration
	onDeadline  string
	acceptAbove float64 // below 0 where not given
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
	if r.remindAfter != 0 {
		p.Default.RemindAfter = workflows.Duration(r.remindAfter)
	}
	if r.deadline != 0 {
		p.Default.Deadline = workflows.Duration(r.deadline)
	}
	if r.onDeadline != "" {
		p.Default.OnDeadline = r.onDeadline
	}
	if r.acceptAbove >= 0 {
		p.Default.AcceptAbove = &r.acceptAbove
	}
	faults := []error{checkPolicy("the default policy", p.Default)}
	for slot, policy := range p.Slots {
		faults = append(faults, checkPolicy("the policy of "+slot, policy))
	}
	return p, errors.Join(faults...)
}

func checkPolicy(name string, p questions.Policy) error {
	switch {
	case p.OnDeadline != "" && !slices.Contains([]string{questions.DeadlineFail, questions.DeadlineCancel, questions.DeadlineDefault}, p.OnDeadline):
		return fmt.Errorf("%s: on_deadline %q is not fail, cancel or default", name, p.OnDeadline)
	case p.OnDeadline != "" && p.Deadline == 0:
		return fmt.Errorf("%s: on_deadline needs a deadline", name)
	case p.OnDeadline == questions.DeadlineDefault && len(p.Default) == 0:
		return fmt.Errorf("%s: on_deadline default needs a default; give it with --policy FILE", name)
	case p.AcceptAbove != nil && (*p.AcceptAbove < 0 || *p.AcceptAbove > 1):
		return fmt.Errorf("%s: accept_above %v is not from 0 to 1", name, *p.AcceptAbove)
	case p.EscalateAfter != 0 && p.EscalateTo == "":
		return fmt.Errorf("%s: escalate_after needs escalate_to", name)
	case p.RemindAfter < 0 || p.Deadline < 0:
		return fmt.Errorf("%s: times must be 0 or more", name)
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
		return fmt.Errorf("line %d: unknown field %q; there are default and slots", key.Line, key.Value)
	})
	return p, err
}

func parsePolicy(node *yaml.Node, into *questions.Policy) error {
	known := policyFields()
	return eachField(node, func(key, value *yaml.Node) error {
		if !slices.Contains(known, key.Value) {
			return fmt.Errorf("line %d: unknown field %q; there are %s", key.Line, key.Value, strings.Join(known, ", "))
		}
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
	})
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
