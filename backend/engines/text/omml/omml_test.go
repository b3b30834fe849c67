package omml_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/omml"
	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
)

func TestText(t *testing.T) {
	r := func(text string) string { return "<m:r><m:t>" + text + "</m:t></m:r>" }
	e := func(name, content string) string { return "<m:" + name + ">" + content + "</m:" + name + ">" }
	for name, test := range map[string]struct{ formula, want string }{
		"a half":              {e("f", e("num", r("1"))+e("den", r("2"))), "1/2"},
		"a fraction of sums":  {e("f", e("num", r("a+b"))+e("den", r("2c"))), "(a+b)/(2c)"},
		"a power":             {e("sSup", e("e", r("10"))+e("sup", r("6"))), "10^6"},
		"a power with a sum":  {e("sSup", e("e", r("x"))+e("sup", r("n+1"))), "x^(n+1)"},
		"a negative power":    {e("sSup", e("e", r("10"))+e("sup", r("-3"))), "10^-3"},
		"an index":            {e("sSub", e("e", r("x"))+e("sub", r("i"))), "x_i"},
		"a root":              {e("rad", e("radPr", `<m:degHide m:val="1"/>`)+e("deg", "")+e("e", r("x+1"))), "√(x+1)"},
		"a cube root":         {e("rad", e("deg", r("3"))+e("e", r("x"))), "∛(x)"},
		"a sum":               {e("nary", e("naryPr", `<m:chr m:val="∑"/>`)+e("sub", r("i=1"))+e("sup", r("n"))+e("e", r("i"))), "∑_(i=1)^n i"},
		"brackets":            {e("d", e("dPr", `<m:begChr m:val="["/><m:endChr m:val="]"/>`)+e("e", r("a"))), "[a]"},
		"a bracket left away": {e("d", e("dPr", `<m:begChr m:val="{"/><m:endChr m:val=""/>`)+e("e", r("a"))), "{a"},
		"a matrix":            {e("m", e("mr", e("e", r("a"))+e("e", r("b")))+e("mr", e("e", r("c"))+e("e", r("d")))), "[a, b; c, d]"},
		"a function":          {e("func", e("fName", r("sin"))+e("e", r("x"))), "sin x"},
		"slanted letters":     {r("𝑎=𝛼+𝟐"), "a=α+2"},
		"something new":       {e("new", r("x")), "x"},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := ooxml.ParseXML(strings.NewReader("<m:oMath>" + test.formula + "</m:oMath>"))
			require.NoError(t, err)
			assert.Equal(t, test.want, omml.Text(root.Child("oMath")))
		})
	}
}
