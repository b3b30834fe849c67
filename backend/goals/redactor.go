package goals

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
)

func redactor() Goal {
	return Goal{
		ID: "goal_lane.redactor", Name: "Redactor",
		Description:   "Finds e-mail addresses, phone numbers, card numbers and IBANs in texts and Word documents, and blacks out those that are chosen.",
		Types:         []string{"document"},
		Formats:       []string{"txt", "md", "csv", "docx"},
		MinFiles:      1,
		MaxFiles:      100,
		RequiredSlots: 2, // unless nothing is found
		Slots:         strings.Fields("findings style"),
		Words:         strings.Fields("redact redactor redaction anonymize anonymise anonymous black out remove hide personal private privacy gdpr pii email phone iban card sensitive"),
		Run:           runRedactor,
	}
}

func runRedactor(ctx context.Context, t *Task) error {
	found, err := searchInputs(ctx, t)
	if err != nil {
		return err
	}
	if len(found.Values) > 0 {
		if err := t.Ask(findingsSlot(found), styleSlot()); err != nil {
			return err
		}
	}
	if err := t.Ready(); err != nil {
		return err
	}
	plan := newRedaction(t.Strings("findings"), t.String("style"))
	dir, err := t.Step(ctx, "redacted", func(ctx context.Context, dir string) error {
		return writeRedacted(ctx, t, found, plan, dir)
	})
	if err != nil {
		return err
	}
	var report redactionReport
	if err := readJSON(filepath.Join(dir, reportData), &report); err != nil {
		return err
	}
	for _, one := range report.Files {
		format := filepath.Ext(one.Name)
		t.Deliver(File{
			Path: filepath.Join(dir, one.Stored), Name: one.Name, Mime: client.ContentType(strings.TrimPrefix(format, ".")), Type: redactedTypes[format],
			Description: plural(one.hits(), "place") + " redacted",
		})
	}
	t.Deliver(File{
		Path: filepath.Join(dir, reportPage), Name: "redaction-report.md", Mime: client.ContentType("md"), Type: "text",
		Description: "What was redacted, by kind and file, without the values",
	})
	t.Closing = fmt.Sprintf("Redacted %s in %s.", plural(report.allHits(), "place"), plural(len(report.Files), "file"))
	if len(found.Values) == 0 {
		t.Closing = "Found no e-mail addresses, phone numbers, card numbers or IBANs; the copies are unchanged."
	}
	return nil
}

var redactedTypes = map[string]string{".docx": "document", ".csv": "csv", ".txt": "text", ".md": "text"}

// maxFindings is as many values as are put up for choice one by one; beyond them, whole kinds are.
const maxFindings = 200

func findingsSlot(found *searched) Slot {
	var options []client.SlotOption
	var sure, all []string
	question := "What is to be redacted? All places of a value are, however it is written."
	if len(found.Values) > maxFindings {
		question = fmt.Sprintf("There are %d different findings, too many to list. Which kinds are to be redacted, all of them?", len(found.Values))
		for _, k := range kinds {
			if n := found.count(k); n > 0 {
				options = append(options, client.SlotOption{Value: allOf(k), Label: "all " + plural(n, string(k))})
				all = append(all, allOf(k))
			}
		}
		return MultiChoice("findings", question, options...).Suggest(all, 0.5)
	}
	for _, v := range found.Values {
		options = append(options, client.SlotOption{Value: v.ID, Label: v.Label})
		all = append(all, v.ID)
		if v.Sure {
			sure = append(sure, v.ID)
		}
	}
	slot := MultiChoice("findings", question, options...)
	if len(sure) == 0 {
		return slot.Suggest(all, 0.3)
	}
	return slot.Suggest(sure, 0.6+0.3*float64(len(sure))/float64(len(all)))
}

func styleSlot() Slot {
	return Choice("style", "What is to be in their place?",
		client.SlotOption{Value: styleBlocks, Label: blocks},
		client.SlotOption{Value: styleLabel, Label: "the kind, such as [e-mail]"}).Suggest(styleLabel, 0.6)
}
