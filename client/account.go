package client

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// PathBalance is where the account's credits are.
const PathBalance = "/api/v1/credits/balance"

var errNoBalance = errors.New("it is missing")

// Account is what the service knows of the owner of the key.
type Account struct{ c *connection }

// Balance is the credits of an account. Parts that are nil are not known.
type Balance struct {
	Credits    int64      `json:"credits"` // all that can be spent
	OfPeriod   *int64     `json:"of_period,omitempty"`
	OfTopUps   *int64     `json:"of_top_ups,omitempty"`
	PeriodEnds *time.Time `json:"period_ends,omitempty"`
}

// UnmarshalJSON reads today's wire.
func (b *Balance) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	credits, known := f.wholeIfAny("balanceCredits", "balance_credits")
	if !known && f.err == nil {
		f.fail("balanceCredits", errNoBalance)
	}
	*b = Balance{
		Credits: credits, OfPeriod: optionalNumber(&f, "periodCredits", "period_credits"), OfTopUps: optionalNumber(&f, "topupCredits", "topup_credits"),
		PeriodEnds: f.timePointer("periodEnd", "period_end"),
	}
	return f.err
}

// Balance reads the credits of the account: GET /api/v1/credits/balance. The local service has none.
func (s *Account) Balance(ctx context.Context, opts ...CallOption) (*Balance, error) {
	balance := new(Balance)
	r := request{method: http.MethodGet, route: PathBalance, path: PathBalance, options: newCallOptions(opts)}
	if err := s.c.do(ctx, r, balance); err != nil {
		return nil, err
	}
	return balance, nil
}
