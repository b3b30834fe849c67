package engines_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// taking is an engine that writes what it was asked for, after what was there before.
func taking(name, source, target string, names ...string) engines.Engine {
	return engines.Engine{
		Name: name, Routes: []engines.Route{{Source: source, Target: target}},
		Options: func(string, string) []option.Option { return option.Of(names...) },
		Convert: func(_ context.Context, in engines.Request) (engines.Result, error) {
			before, err := os.ReadFile(in.InputPath)
			if err != nil {
				return engines.Result{}, err
			}
			path := filepath.Join(in.OutDir, name)
			said := string(before) + name + " " + in.Options.String() + ";"
			if len(in.Pages) > 0 {
				said += " and pages;"
			}
			return engines.Result{Files: []engines.File{{Path: path}}, Warnings: []string{name}}, os.WriteFile(path, []byte(said), 0o600)
		},
	}
}

// An engine is asked for what it takes, the finisher for the rest; one that takes less than is asked for is left out.
func TestRegistry_DividesOptions(t *testing.T) {
	r := engines.NewRegistry(t.Context(),
		taking("plain", "md", "pdf"), taking("able", "md", "pdf", option.NamePaper, option.NamePages),
		taking("finisher", "pdf", "pdf", option.NameHeader, option.NamePages))
	assert.Len(t, r.Offered(), 1, "finishing is nothing to offer")
	assert.Empty(t, r.Options("md", "epub"))
	names := []string{}
	for _, o := range r.Options("md", "pdf") {
		names = append(names, o.Name)
	}
	assert.Equal(t, []string{"header", "pages", "paper"}, names)

	first := engines.PageRange{{First: 1}}
	for name, test := range map[string]struct {
		options option.Values
		pages   engines.PageRange
		want    string
	}{
		"nothing":       {nil, nil, "plain ;"},
		"the finisher":  {option.Values{"header": "h"}, first, "plain ;finisher header=h; and pages;"},
		"an engine":     {option.Values{"paper": "A4"}, first, "able paper=A4; and pages;"},
		"both of these": {option.Values{"paper": "A4", "header": "h"}, nil, "able paper=A4;finisher header=h;"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			in := engines.Request{
				Source: "md", Target: "pdf", InputPath: filepath.Join(dir, "in"), OutDir: filepath.Join(dir, "out"), Options: test.options, Pages: test.pages,
			}
			require.NoError(t, os.WriteFile(in.InputPath, nil, 0o600))
			require.NoError(t, os.Mkdir(in.OutDir, 0o700))
			engine, _, err := r.Find("md", "pdf", in.Asked()...)
			require.NoError(t, err)
			out, err := engine.Convert(t.Context(), in)
			require.NoError(t, err)
			got, err := os.ReadFile(out.Files[0].Path)
			require.NoError(t, err)
			assert.Equal(t, test.want, string(got))
			left, err := os.ReadDir(in.OutDir)
			require.NoError(t, err)
			assert.Len(t, left, 1)
		})
	}

	_, _, err := r.Find("md", "pdf", "papre")
	require.ErrorContains(t, err, "md to pdf takes no option papre; did you mean paper?")
	apart := engines.NewRegistry(t.Context(), taking("one", "md", "pdf", option.NamePaper), taking("two", "md", "pdf", option.NameHeader))
	_, _, err = apart.Find("md", "pdf", option.NamePaper, option.NameHeader)
	require.ErrorContains(t, err, "no engine here takes the options header, paper of md to pdf together")
}
