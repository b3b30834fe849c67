package engines_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

func TestPageRanges(t *testing.T) {
	for text, want := range map[string][]int{
		"": {1, 2, 3, 4, 5}, " ": {1, 2, 3, 4, 5}, "3": {3}, "2-4": {2, 3, 4}, "4-": {4, 5}, "5,1-2": {1, 2, 5}, "1-99": {1, 2, 3, 4, 5}, " 2 - 3 , 3": {2, 3},
	} {
		t.Run(text, func(t *testing.T) {
			pages, err := engines.ParsePageRange(text)
			require.NoError(t, err, text)
			got, err := pages.Select(5)
			require.NoError(t, err, text)
			assert.Equal(t, want, got, text)
		})
	}
	for _, text := range []string{"0", "-3", "a", "3-1", "1,,2", "1-2-3", ",", "99999999999999999999"} {
		_, err := engines.ParsePageRange(text)
		require.Error(t, err, text)
	}
	pages, err := engines.ParsePageRange("6-")
	require.NoError(t, err)
	_, err = pages.Select(5)
	require.ErrorContains(t, err, "5 pages")
}

func FuzzParsePageRange(f *testing.F) {
	f.Add("1-5,7-")
	f.Fuzz(func(t *testing.T, text string) {
		pages, err := engines.ParsePageRange(text)
		if err != nil {
			return
		}
		got, err := pages.Select(20)
		if err != nil {
			return
		}
		last := 0
		for _, page := range got {
			if page <= last || page > 20 {
				t.Fatalf("%q selects %v", text, got)
			}
			last = page
		}
	})
}

func TestRegistry(t *testing.T) {
	route := engines.Route{Source: "a", Target: "b", Quality: engines.Exact}
	closed := 0
	engine := func(name string, err error, routes ...engines.Route) engines.Engine {
		return engines.Engine{
			Name: name, Package: name + "-package", Routes: routes, Version: func(context.Context) (string, error) { return "", err },
			Close: func() error { closed++; return nil },
		}
	}
	other := engines.Route{Source: "a", Target: "c"}
	r := engines.NewRegistry(t.Context(), engine("missing", errors.New("not here"), route, other), engine("first", nil, route), engine("second", nil, route))
	found, got, err := r.Find("a", "b")
	require.NoError(t, err)
	assert.Equal(t, "first", found.Name, "in the order given, of those that run here")
	assert.Equal(t, route, got)
	_, _, err = r.Find("a", "c")
	require.ErrorContains(t, err, "installing missing-package")
	_, _, err = r.Find("x", "y")
	require.ErrorContains(t, err, "no engine here converts x to y")
	assert.Equal(t, []engines.OfferedRoute{{Route: route, Engine: "first", Options: []option.Option{}}}, r.Offered())
	assert.Equal(t, []engines.UnavailableRoute{{Route: other, Package: "missing-package"}}, r.Unavailable())
	require.NoError(t, r.Close())
	assert.Equal(t, 2, closed)
}

// An input that the preferred engine refuses or fails on goes to the next. A fault that is not the input's does not.
func TestTheNextEngineTakesWhatOneRefuses(t *testing.T) {
	route := engines.Route{Source: "a", Target: "b", Quality: engines.Exact}
	asked := []string{}
	engine := func(name string, answer error) engines.Engine {
		return engines.Engine{Name: name, Routes: []engines.Route{route}, Convert: func(_ context.Context, in engines.Request) (engines.Result, error) {
			asked = append(asked, name)
			left, err := os.ReadDir(in.OutDir)
			require.NoError(t, err)
			assert.Empty(t, left, "what was written before a refusal is gone")
			require.NoError(t, os.WriteFile(filepath.Join(in.OutDir, name), nil, 0o600))
			return engines.Result{Warnings: []string{name}}, answer
		}}
	}
	reserve := func(e engines.Engine) engines.Engine {
		e.Routes = []engines.Route{{Source: "a", Target: "b", Quality: engines.BestEffort, Reserve: true}}
		return e
	}
	refusal, failure := engines.Errorf(engines.CodeUnsupportedInput, "first word"), engines.Errorf(engines.CodeConversionFailed, "broke")
	fault := errors.New("no space left")
	picky := engine("picky", nil)
	degrade := picky.Convert
	picky.Convert = func(ctx context.Context, in engines.Request) (engines.Result, error) {
		result, err := degrade(ctx, in)
		if in.Helped {
			return engines.Result{}, refusal
		}
		return result, err
	}
	for name, test := range map[string]struct {
		engines []engines.Engine
		asked   []string
		err     error
	}{
		"taken by the second": {[]engines.Engine{engine("1", refusal), engine("2", nil), engine("3", nil)}, []string{"1", "2"}, nil},
		"all refuse":          {[]engines.Engine{engine("1", refusal), engine("2", engines.Errorf(engines.CodeUnsupportedInput, "last word"))}, []string{"1", "2", "1", "2"}, refusal},
		"degraded by one":     {[]engines.Engine{engine("1", refusal), picky}, []string{"1", "picky", "1", "picky"}, nil},
		"alone":               {[]engines.Engine{engine("1", refusal)}, []string{"1"}, refusal},
		"a reserve":           {[]engines.Engine{reserve(engine("r", nil)), engine("1", refusal)}, []string{"1", "r"}, nil},
		"the first fails":     {[]engines.Engine{engine("1", failure), engine("2", nil)}, []string{"1", "2"}, nil},
		"the second fails":    {[]engines.Engine{engine("1", refusal), engine("2", failure)}, []string{"1", "2", "1"}, refusal},
		"all fail":            {[]engines.Engine{engine("1", failure), engine("2", refusal)}, []string{"1", "2", "2"}, failure},
		"a fault of the disk": {[]engines.Engine{engine("1", fault), engine("2", nil)}, []string{"1"}, fault},
	} {
		t.Run(name, func(t *testing.T) {
			asked = []string{}
			found, _, err := engines.NewRegistry(t.Context(), test.engines...).Find("a", "b")
			require.NoError(t, err)
			_, err = found.Convert(t.Context(), engines.Request{OutDir: t.TempDir()})
			assert.Equal(t, test.asked, asked, name)
			if test.err == nil {
				assert.NoError(t, err, name)
			} else {
				assert.Equal(t, test.err, err, name)
			}
		})
	}
}

// Who failed, and how, is in a note beside those of the engine that did it.
func TestTheNextEngineNamesWhoFailed(t *testing.T) {
	engine := func(name string, result engines.Result, err error) engines.Engine {
		return engines.Engine{
			Name: name, Routes: []engines.Route{{Source: "a", Target: "b"}},
			Convert: func(context.Context, engines.Request) (engines.Result, error) { return result, err },
		}
	}
	found, _, err := engines.NewRegistry(t.Context(),
		engine("program", engines.Result{}, engines.Errorf(engines.CodeConversionFailed, "it took more than 2 GB")),
		engine("built-in", engines.Result{Warnings: []string{"its own"}}, nil),
	).Find("a", "b")
	require.NoError(t, err)

	result, err := found.Convert(t.Context(), engines.Request{OutDir: t.TempDir()})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"best_effort: program failed on this file, and another engine converted it: it took more than 2 GB", "its own",
	}, result.Warnings)
}

func TestStatuses(t *testing.T) {
	ab, ac, ad := engines.Route{Source: "a", Target: "b"}, engines.Route{Source: "a", Target: "c"}, engines.Route{Source: "a", Target: "d"}
	version := func(context.Context) (string, error) { return "Program 7", nil }
	missing := func(context.Context) (string, error) { return "", errors.New("not here") }
	r := engines.NewRegistry(t.Context(),
		engines.Engine{Name: "gone", Package: "gone-tools", Routes: []engines.Route{ab, ad}, Version: missing},
		engines.Engine{Name: "built in", Routes: []engines.Route{ab}},
		engines.Engine{Name: "found", Package: "found-tools", Routes: []engines.Route{ab, ac}, Version: version},
	)
	assert.Equal(t, []engines.Status{
		{Name: "built in", Routes: 1, Serves: 1},
		{Name: "found", Package: "found-tools", Version: "Program 7", Routes: 2, Serves: 1, Adds: 1},
		{Name: "gone", Package: "gone-tools", Missing: true, Routes: 2, Adds: 1},
	}, r.Statuses(t.Context()))
}
