package login

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// attempts bounds wrong tokens by address: ten at once, then one in six seconds.
type attempts struct {
	mu   sync.Mutex
	seen map[string]*rate.Limiter
}

const maxAddresses = 4096

func newAttempts() *attempts { return &attempts{seen: map[string]*rate.Limiter{}} }

// allow reports whether a try is looked at. A right one costs nothing, but is refused while the address is locked out.
func (a *attempts) allow(r *http.Request, now time.Time, right bool) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	limiter := a.seen[host]
	if limiter == nil {
		if right {
			return true
		}
		if len(a.seen) >= maxAddresses {
			clear(a.seen)
		}
		limiter = rate.NewLimiter(rate.Every(6*time.Second), 10)
		a.seen[host] = limiter
	}
	if right {
		return limiter.TokensAt(now) >= 1
	}
	return limiter.AllowN(now, 1)
}
