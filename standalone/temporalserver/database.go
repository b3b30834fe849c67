package temporalserver

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"go.uber.org/dig"
)

// checkDatabase looks whether the file is a database of Temporal, before the server would report that in eighty lines. It
// reads little: a large database costs a start no more than a small one.
func checkDatabase(path string) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=rw")
	if err != nil {
		return fmt.Errorf("open Temporal's database: %w", err)
	}
	defer db.Close() //nolint:errcheck // it was only read

	for _, table := range []string{"cluster_metadata_info", "namespaces", "executions", "executions_visibility"} {
		if _, err := db.ExecContext(context.Background(), "SELECT 1 FROM "+table+" LIMIT 1"); err != nil { //nolint:gosec // names of ours
			return startFault(path, err)
		}
	}
	return nil
}

// startFault is why Temporal did not start, in one line.
func startFault(path string, err error) error {
	cause := dig.RootCause(err)
	text := strings.Join(strings.Fields(cause.Error()), " ")
	for _, sign := range []string{"malformed", "not a database", "no such table", "disk I/O error"} {
		if strings.Contains(text, sign) {
			folder, name := filepath.Split(path)
			return fmt.Errorf("Temporal's database %s is damaged (%s): restore a backup of %s, or move %s* away and start again. "+ //nolint:staticcheck // a name
				"Without it runs are forgotten, also open ones; files are not", path, text, filepath.Clean(folder), name)
		}
	}
	return fmt.Errorf("start Temporal: %s", text)
}
