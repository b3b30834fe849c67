package activities

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// catalogue counts how often it is asked.
type catalogue struct {
	asked atomic.Int32
	gate  chan struct{} // nil for an answer at once
	list  *client.SupportList
	err   error
}

func (c *catalogue) Support(ctx context.Context, _ client.Family) (*client.SupportList, error) {
	c.asked.Add(1)
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return c.list, c.err
}

var mdToHTML = &client.SupportList{
	Routes:      []client.Route{{Source: "md", Target: "html"}, {Source: "md", Target: "pdf"}},
	Unavailable: []client.UnavailableRoute{{Source: "md", Target: "odt", Install: "libreoffice"}},
}

func pair(source, target string) client.CreateParams {
	return client.CreateParams{SourceFormat: source, TargetFormat: target}
}

// What a service does not list it would leave out without a word.
func TestOffered_RefusesOptionsByName(t *testing.T) {
	listed := &client.SupportList{Routes: []client.Route{{Source: "md", Target: "pdf", Options: option.Of(option.NamePages, option.NamePaper)}, {Source: "pdf", Target: "png", Options: []option.Option{}}}}
	hosted := &client.SupportList{Routes: []client.Route{{Source: "md", Target: "pdf"}, {Source: "pdf", Target: "png"}}}
	for name, test := range map[string]struct {
		list *client.SupportList
		ask  client.CreateParams
		says string // empty where it is taken
	}{
		"listed":                  {listed, client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", PageRange: "1", Options: option.Values{"paper": "A4"}}, ""},
		"not listed":              {listed, client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", Options: option.Values{"papre": "A4"}}, "md to pdf takes no option papre; did you mean paper? (it takes pages, paper)"},
		"value":                   {listed, client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", Options: option.Values{"paper": "A99"}}, `option paper: "A99" is not one of A3, A4`},
		"none at all":             {listed, client.CreateParams{SourceFormat: "pdf", TargetFormat: "png", PageRange: "1"}, "pdf to png takes no option pages"},
		"contract":                {hosted, client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", PageRange: "1", Quality: "high"}, ""},
		"beyond the contract":     {hosted, client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", Options: option.Values{"paper": "A4", "landscape": "true"}}, "this service does not take landscape, paper"},
		"pages of pictures":       {hosted, client.CreateParams{SourceFormat: "pdf", TargetFormat: "png", PageRange: "1"}, "this service does not take pages"},
		"a list as none we know":  {&client.SupportList{Routes: []client.Route{{}}}, client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", Options: option.Values{"paper": "A4"}}, "this service does not take paper"},
		"an empty list":           {&client.SupportList{}, client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", Options: option.Values{"paper": "A4"}}, "this service does not take paper"},
		"a service without lists": {nil, client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", Options: option.Values{"paper": "A4"}}, "does not answer which options it takes"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &offered{support: &catalogue{list: test.list}, now: time.Now}
			refuses(t, test.says, test.list == nil, o.check(t.Context(), test.ask))
		})
	}
}

// refuses expects an error with these words, or none where they are empty.
func refuses(t *testing.T, says string, retry bool, err error) {
	t.Helper()
	if says == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorContains(t, err, says)
	var local *localError
	require.ErrorAs(t, err, &local)
	assert.Equal(t, retry, local.retry)
}

// A document with macros is no docx to a service that does not say that it reads such.
func TestOffered_RefusesVariantsByName(t *testing.T) {
	routes := []client.Route{{Source: "docx", Target: "pdf"}, {Source: "odt", Target: "pdf"}}
	hosted, local := &client.SupportList{Routes: routes}, &client.SupportList{Routes: routes, Variants: client.Variants()}
	for name, test := range map[string]struct {
		list         *client.SupportList
		file, source string
		says         string // empty where it is taken
	}{
		"hosted, docm":  {hosted, "plan.DOCM", "docx", "the service does not read docm, and plan.DOCM is not sent; save it as docx"},
		"hosted, fodt":  {hosted, "a.fodt", "odt", "the service does not read fodt, and a.fodt is not sent; save it as odt"},
		"hosted, docx":  {hosted, "plan.docx", "docx", ""},
		"hosted, alias": {hosted, "a.htm", "html", ""},
		"hosted, named": {hosted, "a.docm", "odt", ""}, // somebody has said what it is
		"local, docm":   {local, "plan.docm", "docx", ""},
		"no answer":     {nil, "plan.docm", "docx", "does not answer whether it reads docm"},
		"nothing asked": {nil, "plan.docx", "docx", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := &offered{support: &catalogue{list: test.list}, now: time.Now}
			refuses(t, test.says, test.list == nil, o.reads(t.Context(), test.file, test.source, "pdf"))
		})
	}
}

func TestPairsThatAreNotOffered(t *testing.T) {
	o := &offered{support: &catalogue{list: mdToHTML}, now: time.Now}
	require.NoError(t, o.check(t.Context(), pair("md", "html")))
	require.NoError(t, o.check(t.Context(), pair("", "html")), "not told what it is converted from")
	require.ErrorContains(t, o.check(t.Context(), pair("md", "epub")), "does not convert md to epub; it makes html, pdf of it")
	require.ErrorContains(t, o.check(t.Context(), pair("md", "odt")), "needs libreoffice to convert md to odt")
	require.ErrorContains(t, o.check(t.Context(), pair("rtf", "pdf")), "converts no rtf files")
	for _, unknown := range []*catalogue{
		{list: &client.SupportList{}},
		{err: errors.New("404")},
		{list: &client.SupportList{Routes: []client.Route{{}}}}, // rows whose fields have names unknown to us
		{list: &client.SupportList{Routes: []client.Route{{Source: "md", Target: "documents"}}}},
		{list: &client.SupportList{Routes: []client.Route{{Source: ".MD", Target: "EPUB"}}}},
	} {
		o = &offered{support: unknown, now: time.Now}
		require.NoError(t, o.check(t.Context(), pair("md", "epub")), "a service that does not tell is taken to convert it")
	}
}

func TestTheServiceIsAskedOnce(t *testing.T) {
	for name, c := range map[string]*catalogue{"answers": {list: mdToHTML}, "fails": {err: errors.New("down")}} {
		t.Run(name, func(t *testing.T) {
			c.gate = make(chan struct{})
			clock := testkit.NewClock()
			o := &offered{support: c, now: clock.Now}
			var waiting sync.WaitGroup
			for range 20 {
				waiting.Go(func() { assert.NoError(t, o.check(t.Context(), pair("md", "html"))) })
			}
			close(c.gate)
			waiting.Wait()
			assert.EqualValues(t, 1, c.asked.Load(), name)
			clock.Advance(offeredFor)
			require.NoError(t, o.check(t.Context(), pair("md", "html")))
			assert.EqualValues(t, 2, c.asked.Load(), "%s: not for ever", name)
		})
	}
}

func TestWhoLeavesDoesNotWait(t *testing.T) {
	c := &catalogue{list: mdToHTML, gate: make(chan struct{})}
	o := &offered{support: c, now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, o.check(ctx, pair("md", "html")))
	close(c.gate)
	require.NoError(t, o.check(t.Context(), pair("md", "html")))
}
