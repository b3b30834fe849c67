package pdf_test

import (
	"bytes"
	"image"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func TestOptions_ResolutionOfPages(t *testing.T) {
	document, err := testkit.Convert(t, text.New(), "md", "pdf", []byte("# A4"))
	require.NoError(t, err)
	for dpi, width := range map[string]int{"": 1240, "72": 595, "300": 2480} {
		t.Run(dpi, func(t *testing.T) {
			out, err := testkit.Convert(t, testkit.PDF(t), "pdf", "png", document.Data[0], func(in *engines.Request) {
				if dpi != "" {
					in.Options = option.Values{option.NameDPI: dpi}
				}
			})
			require.NoError(t, err)
			page, _, err := image.DecodeConfig(bytes.NewReader(out.Data[0]))
			require.NoError(t, err)
			assert.InDelta(t, width, page.Width, 2)
			if dpi != "" {
				assert.Contains(t, out.Warnings[0], "drawn at "+dpi+" dots an inch")
			}
		})
	}
}
