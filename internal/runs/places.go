package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// Places are the files that a run is to read and write by its input.
func Places(input any) []roots.Place {
	var all []roots.Place
	add := func(path string, of roots.Of, write bool) {
		if filepath.IsAbs(path) {
			all = append(all, roots.Place{Path: path, Of: of, Write: write})
		}
	}
	switch in := input.(type) {
	case convert.Input:
		add(pathOf(in.Source), roots.File, false)
		add(pathOf(in.To.Folder), roots.Folder, true)
		all = append(all, passwordPlaces(in.Options)...)
	case goal.Input:
		for _, file := range in.Files {
			add(pathOf(file.Source), roots.File, false)
		}
		for _, answer := range in.Answers {
			all = append(all, answerPlaces(answer)...)
		}
		add(pathOf(in.To.Folder), roots.Folder, true)
	case batch.Input:
		all = batchPlaces(in.Spec, in.Plan)
	case watch.Input:
		all = batchPlaces(in.Spec, nil)
	}
	return all
}

// passwordPlaces are the files of passwords that options name.
func passwordPlaces(options option.Values) []roots.Place {
	_, secret := options.Split()
	var places []roots.Place
	for _, name := range secret.Names() {
		if path, named := option.FileOf(secret[name]); named && filepath.IsAbs(path) {
			places = append(places, roots.Place{Path: path, Of: roots.File})
		}
	}
	return places
}

// PlacesOf are those of a run that was started before they were kept.
func (c *Client) PlacesOf(ctx context.Context, r Run) ([]roots.Place, error) {
	if r.Kind == nil {
		return nil, nil
	}
	return r.Kind.places(ctx, c, r)
}

// batchPlacesOf are those of a batch, with what its plan names.
func batchPlacesOf(ctx context.Context, c *Client, r Run) ([]roots.Place, error) {
	var in batch.Input
	if err := c.Input(ctx, r, &in); err != nil {
		return nil, err
	}
	places := Places(in)
	if in.Resume != nil {
		in.Plan = in.Resume.Plan
	}
	if in.Plan == nil {
		return places, nil
	}
	places = append(places, roots.Place{Path: in.Plan.Folder, Of: roots.Tree, Write: true})
	folders, err := in.Plan.Elsewhere()
	if err != nil {
		return places, nil //nolint:nilerr // a plan that is gone names nothing
	}
	return append(places, Folders(folders)...), nil
}

// Folders may be read, with the files in them.
func Folders(paths []string) []roots.Place {
	places := make([]roots.Place, len(paths))
	for i, path := range paths {
		places[i] = roots.Place{Path: path, Of: roots.Folder}
	}
	return places
}

// Listed are the folders, outside of its own, of what a manifest lists now. There are none for sources of other kinds, and none
// for a manifest with faults, which its first run tells.
func Listed(ctx context.Context, spec manifest.Spec) ([]roots.Place, error) {
	if info, err := os.Stat(spec.Source); err != nil || info.IsDir() {
		return nil, nil //nolint:nilerr // a folder, a pattern, or nothing yet
	}
	folders, err := manifest.Elsewhere(ctx, spec)
	var faults *manifest.Faults
	if err != nil && !errors.As(err, &faults) {
		return nil, fmt.Errorf("read the manifest %s: %w", spec.Source, err)
	}
	return Folders(folders), nil
}

func placesOf[T any](ctx context.Context, c *Client, r Run) ([]roots.Place, error) {
	var in T
	if err := c.Input(ctx, r, &in); err != nil {
		return nil, err
	}
	return Places(in), nil
}

// batchPlaces has the folder of a manifest, whose lines may name anything in it.
func batchPlaces(spec manifest.Spec, plan *manifest.Plan) []roots.Place {
	root := manifest.Root(spec.Source)
	if plan != nil && plan.Root != "" {
		root = plan.Root
	}
	places := []roots.Place{{Path: root, Of: roots.Tree}, {Path: spec.Output, Of: roots.Tree, Write: true}}
	if plan != nil && plan.Output != spec.Output {
		places = append(places, roots.Place{Path: plan.Output, Of: roots.Tree, Write: true})
	}
	return append(places, passwordPlaces(spec.Options)...)
}

// answerPlaces are the files that an answer names.
func answerPlaces(answer questions.Answer) []roots.Place {
	var one string
	var many []string
	if json.Unmarshal(answer.Value, &one) == nil {
		many = []string{one}
	} else if json.Unmarshal(answer.Value, &many) != nil {
		return nil
	}
	var places []roots.Place
	for _, text := range many {
		if path := pathOf(text); path != "" {
			places = append(places, roots.Place{Path: path, Of: roots.File})
		}
	}
	return places
}

// pathOf is the path of a file:// URL; empty for anything else.
func pathOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "file" || !strings.HasPrefix(u.Path, "/") {
		return ""
	}
	return filepath.Clean(u.Path)
}

// name has the workers of this machine allow what a command has named.
func (c *Client) name(places []roots.Place) error {
	if c.Name == nil || len(places) == 0 {
		return nil
	}
	return c.Name(places...)
}
