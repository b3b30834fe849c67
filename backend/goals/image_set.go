package goals

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

func imageSet() Goal {
	return Goal{
		ID: "goal_lane.image_set", Name: "Image set",
		Description:   "Makes pictures in several sizes and one format, shows a contact sheet, and packs all into a ZIP.",
		Types:         []string{"image"},
		Formats:       strings.Fields("png jpg gif bmp tiff webp heic"),
		MinFiles:      1,
		MaxFiles:      100,
		RequiredSlots: 4,
		Slots:         strings.Fields("sizes format quality rating contact_sheet"),
		Words:         strings.Fields("image images picture pictures photo photos resize sizes thumbnail thumbnails contact gallery web jpg png webp"),
		Run:           makeImageSet,
	}
}

const sheetChange = "change"

func makeImageSet(ctx context.Context, t *Task) error {
	if err := t.Ask(sizesSlot(), formatSlot(), qualitySlot()); err != nil {
		return err
	}
	if err := t.Ready(); err != nil {
		return err
	}
	pictures, err := makePictures(ctx, t)
	if err != nil {
		return err
	}
	sheet, err := makeContactSheet(ctx, t, pictures)
	if err != nil {
		return err
	}
	err = t.Ask(ratingSlot(), contactSlot())
	if errors.Is(err, ErrWaiting) {
		t.Approve = append(t.Approve, Approval{SlotID: "contact_sheet", File: sheet})
	}
	if err != nil {
		return err
	}
	if t.String("contact_sheet") == sheetChange {
		return t.Retake([]string{"sizes", "format", "quality", "contact_sheet"}, imageSteps(t)...)
	}
	t.Report(95, "packing the pictures")
	packed, err := t.Step(ctx, "packed", func(_ context.Context, dir string) error {
		return pack(filepath.Join(dir, "images.zip"), pictures, sheet, t.String("format"), int(t.Number("rating")))
	})
	if err != nil {
		return err
	}
	count := 0
	for _, p := range pictures {
		count += len(p.files)
	}
	t.Deliver(File{
		Path: filepath.Join(packed, "images.zip"), Name: "images.zip", Mime: client.ContentType("zip"), Type: "zip",
		Description: plural(count, "picture") + " and the contact sheet",
	}, sheet)
	t.Closing = fmt.Sprintf("Made %s of %s.", plural(count, "picture"), plural(len(pictures), "original"))
	return nil
}

func sizesSlot() Slot {
	option := func(value string) client.SlotOption {
		return client.SlotOption{Value: value, Label: value + " pixels"}
	}
	return MultiChoice("sizes", "In which sizes? The number is the longest side; no picture is enlarged.",
		option("320"), option("640"), option("1280"), option("1920"), client.SlotOption{Value: sizeOriginal, Label: "as it is"},
	).Suggest([]string{"640", "1280"}, 0.5)
}

func formatSlot() Slot {
	return Choice("format", "In which format?",
		client.SlotOption{Value: "jpg", Label: "JPEG: photos, read everywhere"},
		client.SlotOption{Value: "png", Label: "PNG: no loss, keeps transparency"},
		client.SlotOption{Value: "webp", Label: "WebP: small, keeps transparency"}).Suggest("jpg", 0.6)
}

func qualitySlot() Slot {
	return Free(slot.Number, "quality", "Which quality, from 1 to 100? PNG has no use for it.").Within(1, 100).Suggest(80, 0.8)
}

// ratingSlot is asked along with the contact sheet and does not hold the job up.
func ratingSlot() Slot {
	return Free(slot.Rating, "rating", "How many stars do the pictures get? They are written into the files, where photo programs show them.").Optional()
}

func contactSlot() Slot {
	return Choice("contact_sheet", "Are the pictures right?",
		client.SlotOption{Value: "approve", Label: "Yes, pack them"},
		client.SlotOption{Value: sheetChange, Label: "No, change sizes, format or quality"}).Suggest("approve", 0.7)
}
