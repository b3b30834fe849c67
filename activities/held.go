package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
)

// StepReview names the wait for somebody's word on an output, and PlaceHeld, in failures and progress.
const StepReview = "review"

// Held is what a job has made, beside its place and not in it, until somebody has decided.
type Held struct {
	Files  []HeldFile `json:"files"`
	Losses []string   `json:"losses"` // what was measured to be missing, in sentences
	// Differences is the name of a file with the places where words are missing; empty where there is none.
	Differences string `json:"differences,omitempty"`
}

// HeldFile is one file of it. Both names are in the folder of the destination.
type HeldFile struct {
	Part     string `json:"part"` // while it is held
	Name     string `json:"name"` // in its place
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Mimetype string `json:"mimetype,omitempty"`
}

// LossPrefix begins each warning about something that was measured to be missing.
const LossPrefix = client.LossPrefix

const (
	heldPrefix = ".convilyn-"
	heldSuffix = ".part"
	// maxLosses bounds what a question says of losses, in bytes.
	maxLosses = 1500
)

// hold names what was fetched, and leaves it where it is.
func (r *results) hold(prefix string, job *client.ConvertJob, fetched []*client.Downloaded) (*Held, error) {
	held := &Held{Losses: lossesOf(job.Warnings)}
	for i, name := range r.names {
		got := fetched[i]
		held.Files = append(held.Files, HeldFile{Part: filepath.Base(got.Path), Name: name, Size: got.Size, SHA256: got.SHA256, Mimetype: got.Mimetype})
	}
	if len(job.Check.Differences) == 0 {
		return held, nil
	}

	data, err := json.Marshal(job.Check.Differences)
	if err != nil {
		return nil, fmt.Errorf("write the differences: %w", err)
	}
	held.Differences = prefix + "differences" + heldSuffix
	if err := writeNew(r.root, held.Differences, data); err != nil {
		return nil, fmt.Errorf("write the differences: %w", err)
	}
	return held, nil
}

// writeNew writes a file of its own: what has the name, such as a link, gives way and is not written to.
func writeNew(root *os.Root, name string, data []byte) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// lossesOf are the warnings about what was measured to be missing.
func lossesOf(warnings []string) []string {
	var losses []string
	room := maxLosses
	for _, warning := range warnings {
		loss, measured := strings.CutPrefix(warning, LossPrefix)
		if measured && room > 0 {
			losses = append(losses, cut(loss, room))
			room -= len(loss)
		}
	}
	return losses
}

// check refuses names that no step of ours has given: a run can be started by others.
func (h *Held) check() error {
	if h == nil {
		return nil
	}
	names := []string{}
	if h.Differences != "" {
		names = append(names, h.Differences)
	}
	for _, file := range h.Files {
		names = append(names, file.Part)
		if !oneName(file.Name) || file.Name == "." {
			return outputError(CodeBadArgument, "the output %q is no name of a file", file.Name)
		}
	}
	for _, name := range names {
		if !isPart(name) {
			return outputError(CodeBadArgument, "%q is no name of an output that waits", name)
		}
	}
	return nil
}

func isPart(name string) bool {
	return oneName(name) && strings.HasPrefix(name, heldPrefix) && strings.HasSuffix(name, heldSuffix)
}

// discardHeld removes what is held in a folder.
func (a *Activities) discardHeld(folder string, held *Held) {
	if held == nil || held.check() != nil {
		return
	}
	root, err := a.open(folder, false)
	if err != nil {
		return
	}
	defer root.Close() //nolint:errcheck // holds the folder only
	for _, file := range held.Files {
		_ = client.RemovePartIn(root, file.Part)
	}
	held.discardDifferences(root)
}

func (h *Held) discardDifferences(root *os.Root) {
	if h.Differences != "" {
		_ = root.Remove(h.Differences)
	}
}

// PlaceHeldInput is what somebody has decided to keep.
type PlaceHeldInput struct {
	To   Destination `json:"to"`
	Held Held        `json:"held"`
}

// PlaceHeldResult is where it is now.
type PlaceHeldResult struct {
	Outputs  []Output `json:"outputs"`
	Attempts int      `json:"attempts"`
}

// PlaceHeld puts outputs in place that were held. An output that is already there with the same content is ours, from an attempt
// that died before it could say so.
func (a *Activities) PlaceHeld(ctx context.Context, in PlaceHeldInput) (PlaceHeldResult, error) {
	work, attempt := startAttempt(ctx, StepReview)
	defer attempt.end()
	outputs, err := a.placeHeld(in)
	if err != nil {
		return PlaceHeldResult{}, attempt.failed(work, StepReview, err)
	}
	return PlaceHeldResult{Outputs: outputs, Attempts: attemptOf(ctx)}, nil
}

func (a *Activities) placeHeld(in PlaceHeldInput) ([]Output, error) {
	folder, err := a.destination(in.To, "")
	if err == nil {
		err = in.Held.check()
	}
	if err != nil {
		return nil, err
	}
	out := results{folder: folder, onExist: in.To.OnExist, former: named(folder, in.To.Replace)}
	if out.root, err = a.open(folder, true); err != nil {
		return nil, err
	}
	defer out.root.Close() //nolint:errcheck // holds the folder only

	var parts []*client.Downloaded
	for _, file := range in.Held.Files {
		if !out.has(file.Part, file.Size, file.SHA256) { // it may have waited for days
			if !out.has(file.Name, file.Size, file.SHA256) {
				return nil, outputError(CodeHeldGone, "the output that waited as %s is gone or has changed; convert the file again", out.path(file.Part))
			}
			_ = client.RemovePartIn(out.root, file.Part) // else it would replace what is in place
		}
		parts = append(parts, &client.Downloaded{Path: file.Part, Size: file.Size, SHA256: file.SHA256, Mimetype: file.Mimetype})
		out.names = append(out.names, file.Name)
	}
	placed, err := out.place(parts)
	if err != nil {
		return nil, err
	}
	in.Held.discardDifferences(out.root)
	return placed, nil
}
