package goals

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	reportData = "report.json"
	reportPage = "report.md"
)

// redactionReport says what was done and holds none of the values.
type redactionReport struct {
	Files []redactedFile `json:"files"`
}

type redactedFile struct {
	Name   string   `json:"name"`
	Stored string   `json:"stored"` // its name in the step's folder
	SHA256 string   `json:"sha256"`
	Counts counts   `json:"counts"`
	Unseen []string `json:"unseen"`
}

func (f redactedFile) hits() int {
	n := 0
	for _, places := range f.Counts {
		n += places
	}
	return n
}

func (r redactionReport) allHits() int {
	n := 0
	for _, f := range r.Files {
		n += f.hits()
	}
	return n
}

// writeRedacted writes the copies and the report.
func writeRedacted(ctx context.Context, t *Task, found *searched, plan redaction, dir string) error {
	var report redactionReport
	names := map[string]bool{"redaction-report.md": true}
	for i, file := range found.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		in := t.Inputs[file.Index]
		t.Report(10+80*i/len(found.Files), "redacting "+in.Name)
		one, err := writeCopy(in, plan, filepath.Join(dir, fmt.Sprintf("copy-%d", i)))
		if err != nil {
			return err
		}
		base, _, err := redaction{chosen: plan.chosen, style: styleLabel}.text(stem(in.Name))
		if err != nil {
			return err
		}
		one.Unseen = file.Unseen
		one.Name = unusedFile(names, fileName(base, "document"), "."+in.Format)
		report.Files = append(report.Files, one)
	}
	return errors.Join(
		writeJSON(filepath.Join(dir, reportData), report),
		os.WriteFile(filepath.Join(dir, reportPage), []byte(report.html()), 0o600))
}

// unusedFile numbers a file name before its extension where it is taken.
func unusedFile(taken map[string]bool, base, extension string) string {
	name := base + extension
	for n := 2; taken[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s (%d)%s", base, n, extension)
	}
	taken[strings.ToLower(name)] = true
	return name
}

// writeCopy writes one copy and reads it again: nothing that was to go may be left.
func writeCopy(in Input, plan redaction, path string) (redactedFile, error) {
	document, err := openRedactable(in)
	if err != nil {
		return redactedFile{}, fmt.Errorf("read %s again: %w", in.Name, err)
	}
	done, err := document.write(path, plan)
	if err != nil {
		return redactedFile{}, fmt.Errorf("redact %s: %w", in.Name, err)
	}
	again := in
	again.Path = path
	written, err := openRedactable(again)
	if err != nil {
		return redactedFile{}, fmt.Errorf("check the copy of %s: %w", in.Name, err)
	}
	for _, text := range written.texts() {
		if len(plan.among(text)) > 0 {
			return redactedFile{}, &Failure{Code: CodeUnusable, Message: in.Name + ": " + errRemains.Error(), Reason: "NOT_REDACTED", Action: "none"}
		}
	}
	data, err := os.ReadFile(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return redactedFile{}, fmt.Errorf("read the copy of %s: %w", in.Name, err)
	}
	sum := sha256.Sum256(data)
	return redactedFile{Stored: filepath.Base(path), SHA256: hex.EncodeToString(sum[:]), Counts: done}, nil
}

// page is the report for people.
func (r redactionReport) html() string {
	var b strings.Builder
	b.WriteString("# Redaction report\n\n| File |")
	for _, k := range kinds {
		fmt.Fprintf(&b, " %ss |", k)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(kinds)) + "\n")
	cell := strings.NewReplacer("|", `\|`, "<", "&lt;", "`", "\\`", "[", `\[`)
	for _, f := range r.Files {
		fmt.Fprintf(&b, "| %s |", cell.Replace(f.Name))
		for _, k := range kinds {
			fmt.Fprintf(&b, " %d |", f.Counts[k])
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\n%s redacted in all. SHA-256 of the copies:\n\n", plural(r.allHits(), "place"))
	for _, f := range r.Files {
		fmt.Fprintf(&b, "- %s: `%s`\n", cell.Replace(f.Name), f.SHA256)
	}
	for _, f := range r.Files {
		for _, part := range f.Unseen {
			fmt.Fprintf(&b, "\nNot searched in %s: %s.\n", cell.Replace(f.Name), cell.Replace(part))
		}
	}
	return b.String()
}
