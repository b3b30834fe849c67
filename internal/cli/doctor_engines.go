package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/convilyn/convilyn-temporal/internal/term"
)

// Engine is one of the local conversion service, as doctor tells of it.
type Engine struct {
	Name    string `json:"engine"`
	Version string `json:"version,omitempty"` // empty for built-ins, and where it is missing
	Found   bool   `json:"found"`
	Install string `json:"install,omitempty"` // what brings it; empty for built-ins
	Routes  int    `json:"routes"`            // pairs that it converts, alone or where others refuse
	Serves  int    `json:"serves"`            // pairs that come to it first
	Adds    int    `json:"adds"`              // pairs that nothing else here converts
}

// versionWidth is what the table shows of a program's words about itself, in columns.
const versionWidth = 44

var engineList = list[Engine]{
	whole: []string{"ENGINE", "INSTALL"}, heading: []string{"ENGINE", "VERSION", "SERVES", "ALONE", "INSTALL"},
	cells: func(e Engine) []string {
		version, serves, alone, install := e.Version, plural(e.Serves, "pair", "pairs"), strconv.Itoa(e.Adds), "-"
		switch {
		case !e.Found:
			version, serves, alone, install = "missing", "-", fmt.Sprintf("would add %d, help with %d", e.Adds, e.Routes-e.Adds), e.Install
		case version == "":
			version = "built in"
		}
		return []string{e.Name, term.Cell(version, versionWidth), serves, alone, install}
	},
}

// printEngines ends what doctor says: a missing engine is no fault.
func (e *Env) printEngines(ctx context.Context, asJSON bool) error {
	if e.Engines == nil {
		return nil
	}
	found := e.Engines(ctx)
	if len(found) == 0 {
		return nil
	}
	if !asJSON {
		_, _ = fmt.Fprintln(e.Stdout)
	}
	return printList(e, engineList, found, asJSON)
}
