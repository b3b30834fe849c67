package runs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AmbiguousError is a text that names several runs.
type AmbiguousError struct {
	Text  string
	Found []Run // newest first, one each id
	More  bool  // there are more than these
}

func (e *AmbiguousError) Error() string { return fmt.Sprintf("%q names several runs", e.Text) }

const (
	foundMost = 10 // runs that a text may name, before no more are looked for
	// namedMost is how many runs are looked through for a name.
	namedMost = 10_000
)

// Find looks for the run that a text names: by its id, by the beginning of its id, or by its name. An id counts before all
// others. It is ErrNoSuchRun where there is none, and an AmbiguousError where there are several.
func (c *Client) Find(ctx context.Context, text string) (Description, error) {
	d, err := c.Describe(ctx, text)
	if text == "" || !errors.Is(err, ErrNoSuchRun) {
		return d, err
	}

	found := AmbiguousError{Text: text}
	add := func(r Run) bool {
		if !slices.ContainsFunc(found.Found, func(other Run) bool { return other.ID == r.ID }) {
			found.Found = append(found.Found, r)
		}
		found.More = len(found.Found) > foundMost
		return !found.More
	}
	if !strings.ContainsAny(text, `'\`) { // no id of ours has these
		if _, scanErr := c.scan(ctx, Filter{IDPrefix: text}, everything, add); scanErr != nil {
			return Description{}, scanErr
		}
	}
	if !found.More {
		left := namedMost
		_, scanErr := c.scan(ctx, Filter{}, everything, func(r Run) bool {
			left--
			if r.Sealed == nil && r.Name == text && !add(r) {
				return false
			}
			return left > 0
		})
		if scanErr != nil {
			return Description{}, scanErr
		}
	}

	switch len(found.Found) {
	case 0:
		return Description{}, err
	case 1:
		return c.Describe(ctx, found.Found[0].ID)
	}
	slices.SortStableFunc(found.Found, func(a, b Run) int { return b.StartedAt.Compare(a.StartedAt) })
	found.Found = found.Found[:min(len(found.Found), foundMost)]
	return Description{}, &found
}
