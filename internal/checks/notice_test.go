package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// writeNotice is the variable that has the test write NOTICE, where the dependencies have changed.
const writeNotice = "CONVILYN_WRITE_NOTICE"

// mains are the programs that NOTICE is about.
var mains = []string{"./standalone", "./worker", "./starter", "./backend/cmd/backend"}

// carried is a module that the programs carry.
type carried struct {
	version  string
	programs []string
	folders  map[string]bool // of its packages that are linked, and its root
}

// modules are those that the programs are built from, by path.
func modules(t *testing.T) map[string]*carried {
	t.Helper()
	all := map[string]*carried{}

	for _, main := range mains {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module", main)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := cmd.Output()
		require.NoError(t, err)

		decoder := json.NewDecoder(strings.NewReader(string(out)))
		for {
			var pkg struct {
				Dir    string
				Module *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			err := decoder.Decode(&pkg)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			if pkg.Module == nil || pkg.Module.Main {
				continue
			}

			one := all[pkg.Module.Path]
			if one == nil {
				one = &carried{version: pkg.Module.Version, folders: map[string]bool{pkg.Module.Dir: true}}
				all[pkg.Module.Path] = one
			}
			one.folders[pkg.Dir] = true
			if name := filepath.Base(main); !slices.Contains(one.programs, name) {
				one.programs = append(one.programs, name)
			}
		}
	}

	return all
}

var (
	licenseFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice)([.-][\w.-]+)?$`)
	copyright   = regexp.MustCompile(`(?im)^\W*copyright (\(c\)|©|\d).*$`)
)

// texts are the licences and notices of a module, by file: at its root, in the folders of its packages, and in lib/
// below them, where some keep compiled code of others.
func (m *carried) texts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}

	for folder := range m.folders {
		for _, pattern := range []string{"*", "lib/*"} {
			paths, err := filepath.Glob(filepath.Join(folder, pattern))
			require.NoError(t, err)

			for _, path := range paths {
				info, err := os.Stat(path)
				require.NoError(t, err)
				if !licenseFile.MatchString(filepath.Base(path)) || strings.HasSuffix(path, ".go") || info.IsDir() {
					continue
				}
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				texts[path] = strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
			}
		}
	}

	return texts
}

// license is the SPDX name of a licence; empty where it is none, or not one of those that we know.
func license(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, known := range []struct{ words, name string }{
		{"GNU LESSER GENERAL PUBLIC LICENSE Version 3", "LGPL-3.0"},
		{"Apache License Version 2.0", "Apache-2.0"},
		{"Mozilla Public License Version 2.0", "MPL-2.0"},
		{"Mozilla Public License, version 2.0", "MPL-2.0"},
		{"SQLite Is Public Domain", "public domain"},
		{"Permission is hereby granted, free of charge", "MIT"},
		{"Permission to use, copy, modify, and", "ISC"},
	} {
		if strings.Contains(text, known.words) {
			return known.name
		}
	}

	switch {
	case !strings.Contains(text, "Redistribution and use in source and binary forms"):
		return ""
	case strings.Contains(text, "endorse or promote"):
		return "BSD-3-Clause"
	default:
		return "BSD-2-Clause"
	}
}

// notice is what NOTICE says: a line for each module, then each text once, below the modules that it is of.
func notice(t *testing.T) string {
	t.Helper()
	all := modules(t)
	owners := map[string][]string{} // of each text
	apache := ""                    // its text, which most repeat
	var list strings.Builder

	for _, path := range slices.Sorted(maps.Keys(all)) {
		module := all[path]
		names := map[string]bool{}

		for _, text := range module.texts(t) {
			if name := license(text); name != "" {
				names[name] = true
				if name == "Apache-2.0" {
					if strings.Contains(text, "[yyyy] [name of copyright owner]") && (apache == "" || len(text) < len(apache) || len(text) == len(apache) && text < apache) {
						apache = text
					}
					text = "Apache-2.0\n" + strings.Join(copyright.FindAllString(text, -1), "\n")
				}
			}
			if !slices.Contains(owners[text], path) {
				owners[text] = append(owners[text], path)
			}
		}
		if len(names) == 0 {
			names["no licence file in the module"] = true
		}

		fmt.Fprintf(&list, "%s %s\n    %s; in %s\n", path, module.version,
			strings.Join(slices.Sorted(maps.Keys(names)), ", "), strings.Join(module.programs, ", "))
	}

	var out strings.Builder
	out.WriteString(noticeHead)
	out.WriteString(list.String())

	texts := slices.SortedFunc(maps.Keys(owners), func(a, b string) int {
		return strings.Compare(owners[a][0]+"\n"+a, owners[b][0]+"\n"+b)
	})
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", strings.Repeat("-", 80), strings.Join(owners[text], "\n"), text)
	}

	fmt.Fprintf(&out, "\n%s\nApache-2.0\n\n%s\n", strings.Repeat("-", 80), apache)

	return out.String()
}

const noticeHead = `This project is licensed under the MIT licence, see LICENSE.

Its programs carry the modules below, Go's standard library and its fonts (BSD-3-Clause, https://go.dev/LICENSE).
The module github.com/klippa-app/go-pdfium carries PDFium as WebAssembly (BSD-3-Clause and Apache-2.0,
https://pdfium.googlesource.com/pdfium/+/refs/heads/main/LICENSE). Programs that engines run, such as
LibreOffice, are not part of this project. The text of the Apache licence is at the end.

This file is written by "` + writeNotice + `=1 go test ./internal/checks -run Notice".

`

func TestNotice_NamesWhatTheProgramsCarry(t *testing.T) {
	testkit.SkipIfShort(t, "it lists the packages of all programs")

	current := notice(t)
	if os.Getenv(writeNotice) != "" {
		require.NoError(t, os.WriteFile(filepath.Join(root, "NOTICE"), []byte(current), 0o644))
	}

	if current != read(t, "NOTICE") { // not compared by assert, which would print both
		t.Errorf("the dependencies have changed; run %s=1 go test ./internal/checks -run Notice", writeNotice)
	}
}
