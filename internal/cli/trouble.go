package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

const (
	// listLooksFor is how long a list waits for what is known of its open runs.
	listLooksFor = 5 * time.Second
	// listLooksMost is how many open runs of a list are looked at, the newest first.
	listLooksMost = 200
	// visibleTroubles is how many a screen shows at once.
	visibleTroubles = 3
)

// troubles are those of the open runs of a list. What was not looked at is told, or its row would look fine.
func (e *Env) troubles(ctx context.Context, s *Session, listed []runs.Run) map[string][]runs.Trouble {
	ctx, cancel := context.WithTimeout(ctx, listLooksFor)
	defer cancel()
	var open []runs.Run
	for _, r := range listed {
		if r.Open() {
			open = append(open, r)
		}
	}
	found := s.runs().Troubles(ctx, open[:min(len(open), listLooksMost)])
	switch {
	case ctx.Err() != nil:
		e.printf("Temporal is slow: not every open run was looked at for trouble")
	case len(open) > listLooksMost:
		e.printf("the newest %d of %d open runs were looked at for trouble", listLooksMost, len(open))
	}
	return found
}

// troubleLines are troubles in full, the most frequent first.
func troubleLines(troubles []runs.Trouble) []string {
	now := time.Now()
	lines := make([]string, 0, len(troubles))
	for _, t := range troubles {
		lines = append(lines, t.Text(now))
	}
	return lines
}

// troubleView are the lines of a screen.
func troubleView(troubles []runs.Trouble) []string {
	lines := troubleLines(troubles[:min(len(troubles), visibleTroubles)])
	for i := range lines {
		lines[i] = "trouble: " + lines[i]
	}
	if more := len(troubles) - visibleTroubles; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}

// troubleMark is the first of them in a few words.
func troubleMark(troubles []runs.Trouble) string {
	if len(troubles) == 0 {
		return "-"
	}
	mark := term.Cell(troubles[0].Mark(), 40)
	if more := len(troubles) - 1; more > 0 {
		mark += fmt.Sprintf(" and %d more", more)
	}
	return mark
}
