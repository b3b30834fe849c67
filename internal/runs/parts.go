package runs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/internal/roots"
)

// Part is a file that an ended run has left in a folder of outputs: of an output that it did not put in its place.
type Part struct {
	Folder, Name string // the name is in the folder
	Bytes        int64
}

// Path is where it is.
func (p Part) Path() string { return filepath.Join(p.Folder, p.Name) }

// Remove removes it from its folder, wherever links may lead.
func (p Part) Remove() error {
	root, err := os.OpenRoot(p.Folder)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // holds the folder only
	return root.Remove(p.Name)
}

// Parts finds what a run has left in the folders that it was to write to. Names of parts have the id of the run that makes them, so
// that those of others are not taken for its own. There are none of a run whose input cannot be read.
func (c *Client) Parts(ctx context.Context, k Kept) ([]Part, error) {
	var prefixes []string
	for _, execution := range k.all {
		if id := execution.GetRunId(); id != "" {
			prefixes = append(prefixes, ".convilyn-"+id+"-")
		}
	}
	places, err := c.PlacesOf(ctx, k.Run)
	if err != nil {
		return nil, ctx.Err() // it is sealed, or gone
	}

	var found []Part
	for _, place := range places {
		if !place.Write {
			continue
		}
		left, err := partsIn(place, prefixes)
		if err != nil {
			return found, err
		}
		for _, part := range left {
			if !slices.Contains(found, part) {
				found = append(found, part)
			}
		}
	}
	return found, nil
}

// partsIn looks into a place. A folder that is gone has none, and neither has one that cannot be read.
func partsIn(place roots.Place, prefixes []string) ([]Part, error) {
	root, err := os.OpenRoot(place.Path)
	if err != nil {
		return nil, nil
	}
	defer root.Close() //nolint:errcheck // holds the folder only
	var found []Part
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && name != "." && place.Of != roots.Tree {
			return fs.SkipDir
		}
		base := filepath.Base(name)
		ours := slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(base, prefix) })
		if err != nil || !ours || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // as above
		}
		info, err := entry.Info()
		if err == nil {
			found = append(found, Part{Folder: place.Path, Name: name, Bytes: info.Size()})
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return found, err
}
