package goals

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

func tableExtractor() Goal {
	return Goal{
		ID: "goal_lane.table_extractor", Name: "Table extractor",
		Description:   "Takes sheets out of Excel workbooks and CSV files, each as CSV, JSON or Markdown, with values as the sheet shows them.",
		Types:         []string{"document"},
		Formats:       []string{"xlsx", "csv"},
		MinFiles:      1,
		MaxFiles:      20,
		RequiredSlots: 3,
		Slots:         strings.Fields("sheets header_row formats"),
		Words:         strings.Fields("table tables sheet sheets extract extractor excel workbook spreadsheet csv json markdown xlsx rows data"),
		Run:           extractTables,
	}
}

func extractTables(ctx context.Context, t *Task) error {
	sheets, err := readSheets(ctx, t)
	if err != nil {
		return err
	}
	if err := t.Ask(sheetsSlot(sheets), headerSlot(sheets), formatsSlot()); err != nil {
		return err
	}
	if err := t.Ready(); err != nil {
		return err
	}
	header := int(t.Number("header_row"))
	var chosen []sheet
	for _, s := range sheets {
		switch {
		case !isChosen(t, "sheets", s.id):
		case len(s.Rows) < max(header, 1):
			t.Lacks("%s has %s, and so no headings in row %d", s.label, plural(len(s.Rows), "row"), header)
		default:
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return Unusable("no chosen sheet has headings in row %d: %s", header, strings.Join(t.Missing, "; "))
	}
	dir, err := t.Step(ctx, "extracted", func(ctx context.Context, dir string) error {
		return writeSheets(ctx, t, chosen, header, dir)
	})
	if err != nil {
		return err
	}
	for _, s := range chosen {
		if header > 1 {
			t.Warnings = append(t.Warnings, "truncated: "+s.label+": what is above the headings in row "+decimal(header)+" was left out")
		}
		for _, format := range t.Strings("formats") {
			name := s.file + "." + tableExtensions[format]
			t.Deliver(File{
				Path: filepath.Join(dir, name), Name: name, Mime: client.ContentType(tableExtensions[format]), Type: tableTypes[format],
				Description: s.label + " as " + tableNames[format],
			})
		}
	}
	t.Closing = "Extracted " + plural(len(chosen), "sheet") + " into " + plural(len(t.Files), "file") + "."
	return nil
}

func sheetsSlot(sheets []sheet) Slot {
	options := make([]client.SlotOption, len(sheets))
	var filled []string
	for i, s := range sheets {
		options[i] = client.SlotOption{Value: s.id, Label: s.label + " (" + s.extent() + ")"}
		if len(s.Rows) > 0 {
			filled = append(filled, s.id)
		}
	}
	return MultiChoice("sheets", "Which sheets do you want?", options...).Suggest(filled, 0.8)
}

func headerSlot(sheets []sheet) Slot {
	row, sure := commonHeader(sheets)
	question := "Which row holds the headings? 0 if there are none; what is above it is left out."
	return Free(slot.Number, "header_row", question).Within(0, maxHeaderRow).Suggest(row, sure)
}

func formatsSlot() Slot {
	return MultiChoice("formats", "In which formats?",
		client.SlotOption{Value: "csv", Label: "CSV"}, client.SlotOption{Value: "json", Label: "JSON, one object a row"},
		client.SlotOption{Value: "markdown", Label: "Markdown"}).Suggest([]string{"csv"}, 0.5)
}
