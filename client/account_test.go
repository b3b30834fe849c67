package client

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBalance(t *testing.T) {
	for name, test := range map[string]struct {
		body    string
		credits int64
		known   bool
	}{
		"all of it":    {`{"balanceCredits":640,"periodCredits":600,"topupCredits":40,"periodEnd":"2026-10-01T00:00:00Z","lastGrantAt":null,"freeTierMonthSpentCredits":3.75}`, 640, true},
		"nothing left": {`{"balanceCredits":0,"periodEnd":"2026-10-01T00:00:00Z"}`, 0, true},
		"as text":      {`{"balanceCredits":"7"}`, 7, true},
		"none named":   {`{"balanceMicroU":640}`, 0, false},
		"no object":    {`[]`, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, answer(200, test.body))
			c, _ := newTestClient(t, a)
			balance, err := c.Account.Balance(t.Context())
			if !test.known {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.credits, balance.Credits)
			sent := a.requests()[0]
			assert.Equal(t, http.MethodGet, sent.method)
			assert.Equal(t, PathBalance, sent.path)
		})
	}
	a := newAPI(t, answer(404, `{"code":"NOT_FOUND","message":"no"}`))
	c, _ := newTestClient(t, a)
	_, err := c.Account.Balance(t.Context())
	assert.True(t, IsNotFound(err))
}
