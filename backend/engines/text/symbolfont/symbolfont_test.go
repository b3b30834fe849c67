package symbolfont_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/symbolfont"
)

func TestRune(t *testing.T) {
	for name, test := range map[string]struct {
		font string
		code rune
		want rune
	}{
		"a ticked box":       {"Wingdings", 0xF0FE, '☑'},
		"a crossed box":      {"wingdings", 0xF0FD, '☒'},
		"a box":              {"Wingdings", 0xA8, '☐'},
		"a tick":             {"Wingdings", 0xF0FC, '✓'},
		"another ticked box": {"Wingdings 2", 0xF052, '☑'},
		"at most":            {"Symbol", 0xF0A3, '≤'},
		"alpha":              {"Symbol", 'a', 'α'},
		"an arrow":           {"Wingdings 3", 0xF067, '🡒'},
		"a space":            {"Symbol", ' ', ' '},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := symbolfont.Rune(test.font, test.code)
			assert.True(t, ok)
			assert.Equal(t, string(test.want), string(got))
		})
	}
	for name, test := range map[string]struct {
		font string
		code rune
	}{"another font": {"Arial", 'a'}, "no such code": {"Symbol", 0xF07F}, "below": {"Symbol", 9}, "far above": {"Wingdings", 0x1F600}, "negative": {"Symbol", -1}} {
		t.Run(name, func(t *testing.T) {
			_, ok := symbolfont.Rune(test.font, test.code)
			assert.False(t, ok)
		})
	}
	assert.True(t, symbolfont.Known(" SYMBOL"))
	assert.False(t, symbolfont.Known("Segoe UI Symbol"))
}
