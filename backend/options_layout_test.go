package backend_test

import (
	"fmt"
	"image"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/chromium"
	"github.com/convilyn/convilyn-temporal/backend/engines/finish"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// printed is what a registry makes of a document with options: how large its first page is drawn, and the text of each page.
func printed(t *testing.T, options option.Values, all ...engines.Engine) (first image.Point, text []string) {
	t.Helper()
	engine, _, err := engines.NewRegistry(t.Context(), append(all, finish.New())...).Find("html", "pdf", options.Names()...)
	require.NoError(t, err)
	content := "<p>" + strings.Repeat("word ", 700) + "</p>"
	out, err := testkit.Convert(t, engine, "html", "pdf", []byte(content), func(in *engines.Request) { in.Options = options })
	require.NoError(t, err)
	pages := testkit.PDFPages(t, testkit.PDF(t), out.Data[0], func(in *engines.Request) { in.Pages = engines.PageRange{{First: 1, Last: 1}} })
	return pages[0].Bounds().Size(), strings.Split(testkit.PDFText(t, testkit.PDF(t), out.Data[0]), "\f")
}

// Pages are drawn at 150 dots an inch: A4 is 1240 x 1754 of them.
func TestLayout_OfPages(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	for _, engine := range []engines.Engine{text.New(), chromium.New()} {
		t.Run(engine.Name, func(t *testing.T) {
			if engine.Version != nil {
				engine = testkit.Needed(t, engine, "CONVILYN_TEST_CHROMIUM")
			}
			for name, test := range map[string]struct {
				options option.Values
				size    image.Point
			}{
				"nothing asked": {nil, image.Pt(1240, 1754)},
				"paper":         {option.Values{"paper": "A5"}, image.Pt(874, 1240)},
				"own size":      {option.Values{"paper": "100x150mm"}, image.Pt(591, 886)},
				"landscape":     {option.Values{"landscape": "true"}, image.Pt(1754, 1240)},
				"both":          {option.Values{"paper": "Letter", "landscape": "true"}, image.Pt(1650, 1275)},
			} {
				t.Run(name, func(t *testing.T) {
					first, _ := printed(t, test.options, engine)
					assert.InDelta(t, test.size.X, first.X, 2)
					assert.InDelta(t, test.size.Y, first.Y, 2)
				})
			}
			_, narrow := printed(t, option.Values{"margins": "5mm"}, engine)
			_, wide := printed(t, option.Values{"margins": "60mm,50mm,60mm,50mm", "footer": "sheet {page} of {pages}"}, engine)
			assert.Greater(t, len(wide), len(narrow))
			assert.Contains(t, wide[0], fmt.Sprintf("sheet 1 of %d", len(wide)))

			registry := engines.NewRegistry(t.Context(), engine, finish.New())
			found, _, err := registry.Find("html", "pdf", "margins")
			require.NoError(t, err)
			_, err = testkit.Convert(t, found, "html", "pdf", []byte("<p>x"), func(in *engines.Request) { in.Options = option.Values{"paper": "A6", "margins": "70mm"} })
			require.ErrorContains(t, err, "leaves less than 30 mm to print on")
		})
	}
}

func TestLayout_Scale(t *testing.T) {
	engine := testkit.Needed(t, chromium.New(), "CONVILYN_TEST_CHROMIUM")
	_, small := printed(t, option.Values{"scale": "50"}, engine)
	_, large := printed(t, option.Values{"scale": "200"}, engine)
	assert.Greater(t, len(large), 2*len(small))
}
