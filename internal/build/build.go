// Package build tells what a program was built from.
package build

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

const unknown = "unknown"

// Info is what --version prints.
type Info struct {
	Program        string `json:"program"`
	Version        string `json:"version"` // of the module; (devel) or unknown for a build outside of version control
	Commit         string `json:"commit"`
	CommittedAt    string `json:"committed_at,omitempty"` // RFC 3339
	Modified       bool   `json:"modified"`               // the working tree had changes that are in no commit
	Go             string `json:"go"`
	Platform       string `json:"platform"`
	TemporalSDK    string `json:"temporal_sdk,omitempty"`
	TemporalServer string `json:"temporal_server,omitempty"` // of a program that contains one
}

// Read describes the running program.
func Read(program string) Info {
	built, _ := debug.ReadBuildInfo()
	return describe(program, built)
}

func describe(program string, built *debug.BuildInfo) Info {
	info := Info{
		Program: program, Version: unknown, Commit: unknown,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if built == nil {
		return info
	}
	info.Version = cmp.Or(built.Main.Version, unknown)

	for _, setting := range built.Settings {
		switch setting.Key {
		case "vcs.revision":
			info.Commit = setting.Value
		case "vcs.time":
			info.CommittedAt = setting.Value
		case "vcs.modified":
			info.Modified = setting.Value == "true"
		}
	}

	for _, module := range built.Deps {
		version := module.Version
		if module.Replace != nil {
			version = module.Replace.Version
		}
		switch module.Path {
		case "go.temporal.io/sdk":
			info.TemporalSDK = version
		case "go.temporal.io/server":
			info.TemporalServer = version
		}
	}
	return info
}

// Print writes the information as a few lines, or as one JSON object.
func (i Info) Print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(i)
	}
	commit := i.Commit
	if i.CommittedAt != "" {
		commit += " of " + i.CommittedAt
	}
	if i.Modified {
		commit += ", modified"
	}
	rows := [][2]string{
		{i.Program, i.Version},
		{"commit", commit},
		{"go", i.Go + " " + i.Platform},
		{"Temporal server", i.TemporalServer},
		{"Temporal SDK", i.TemporalSDK},
	}
	for _, row := range rows {
		if row[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(out, "%-15s  %s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	return nil
}
