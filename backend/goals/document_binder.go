package goals

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

func documentBinder() Goal {
	return Goal{
		ID: "goal_lane.document_binder", Name: "Document binder",
		Description:   "Binds documents and pictures into one PDF with a cover, a table of contents, page numbers and bookmarks.",
		Types:         []string{"document", "image"},
		Formats:       strings.Fields("pdf docx md txt html csv xlsx png jpg gif bmp tiff webp heic"),
		MinFiles:      1,
		MaxFiles:      100,
		RequiredSlots: 4,
		Slots:         strings.Fields("title order paper cover"),
		Words:         strings.Fields("bind binder binding combine merge join collate pdf document documents cover booklet dossier bookmarks"),
		Run:           bindDocuments,
	}
}

const (
	coverApprove = "approve"
	coverRetitle = "change_title"
	coverNone    = "no_cover"
)

func bindDocuments(ctx context.Context, t *Task) error {
	title, err := titleSlot(ctx, t)
	if err != nil {
		return err
	}
	if err := t.Ask(title, orderSlot(t), paperSlot()); err != nil {
		return err
	}
	if _, missing := text.Drawable(t.String("title")); missing != "" {
		return refuseTitle(ctx, t, missing)
	}
	if err := t.Ready(); err != nil {
		return err
	}
	chapters, err := readChapters(ctx, t)
	if err != nil {
		return err
	}
	cover, err := makeCover(ctx, t, chapters)
	if err != nil {
		return err
	}
	if err := t.Checkpoint(coverSlot(), File{Path: filepath.Join(cover, coverPicture), Name: "cover.png", Mime: "image/png", Type: "image", Description: "The cover"}); err != nil {
		return err
	}
	if t.String("cover") == coverRetitle {
		return t.Retake([]string{"title", "cover"}, stepCover, stepRefused)
	}
	t.Report(80, "binding the documents")
	bound, err := t.Step(ctx, "bound", func(_ context.Context, dir string) error {
		sheets := chapters
		if t.String("cover") != coverNone {
			sheets = append([]chapter{{path: filepath.Join(cover, coverDocument), title: t.String("title"), cover: true, pages: 1}}, chapters...)
		}
		return bind(filepath.Join(dir, "binder.pdf"), sheets, paperSizes[t.String("paper")])
	})
	if err != nil {
		return err
	}
	t.Deliver(File{
		Path: filepath.Join(bound, "binder.pdf"), Name: fileName(t.String("title"), "binder") + ".pdf", Mime: "application/pdf", Type: "document",
		Description: plural(len(chapters), "document") + " bound into one",
	})
	t.Closing = "Bound " + plural(len(chapters), "document") + " into one PDF of " + plural(pagesOf(chapters), "numbered page") + "."
	return nil
}

// titleSlot suggests the first document's heading, or else its name.
func titleSlot(ctx context.Context, t *Task) (Slot, error) {
	slot := Free(slot.Text, "title", "What is the title on the cover?")
	if _, answered := t.Answers["title"]; answered {
		return slot, nil
	}
	if missing := refusedLetters(t); missing != "" {
		slot.Question = "The title had letters that no font here draws: " + missing + ". Which title, in Latin, Greek or Cyrillic letters, is on the cover?"
		return slot, nil
	}
	idea, err := t.Step(ctx, "title-idea", func(ctx context.Context, dir string) error {
		return writeIdea(ctx, t, dir)
	})
	if err != nil {
		return slot, err
	}
	return slot.Suggest(readLine(filepath.Join(idea, ideaFile)), 0.6), nil
}

func orderSlot(t *Task) Slot {
	options := make([]client.SlotOption, len(t.Inputs))
	ids := make([]string, len(t.Inputs))
	for i, in := range t.Inputs {
		options[i], ids[i] = client.SlotOption{Value: in.FileID, Label: in.Name}, in.FileID
	}
	question := "In which order are the documents bound? Name all of them in order; those left out are not bound."
	return MultiChoice("order", question, options...).Suggest(ids, 0.5)
}

func paperSlot() Slot {
	return Choice("paper", "On which paper? Every page is fitted to it.",
		client.SlotOption{Value: "a4", Label: "A4"}, client.SlotOption{Value: "letter", Label: "US Letter"}).Suggest("a4", 0.8)
}

func coverSlot() Slot {
	return Choice("cover", "Is the cover right?",
		client.SlotOption{Value: coverApprove, Label: "Yes, bind it"},
		client.SlotOption{Value: coverRetitle, Label: "No, change the title"},
		client.SlotOption{Value: coverNone, Label: "Bind without a cover"}).Suggest(coverApprove, 0.7)
}
