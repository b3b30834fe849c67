package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// Handler is next with the faults of requests. Without any it is next itself.
func (f *Faults) Handler(next http.Handler) http.Handler {
	if f == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hit, applies, leave := f.drawRequest(r)
		defer leave()
		if f.forgetful {
			r.Header.Del("Idempotency-Key")
		}
		if applies {
			f.answer(w, r, hit, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// drawRequest decides about one request. leave is to be called when the request is over.
func (f *Faults) drawRequest(r *http.Request) (hit effect, applies bool, leave func()) {
	var entered []*rule
	hit, applies = f.draw(
		func(of *rule) bool { return of.Route != "" && of.matches(r.Method, r.URL.Path) },
		func(of *rule) int {
			if of.inside < *of.Above {
				of.inside++
				entered = append(entered, of)
				return of.inside
			}
			return of.inside + 1
		})
	return hit, applies, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, of := range entered {
			of.inside--
		}
	}
}

// answer has a request answered with a fault.
func (f *Faults) answer(w http.ResponseWriter, r *http.Request, hit effect, next http.Handler) {
	if hit.Delay > 0 && f.Sleep(r.Context(), hit.Delay) != nil {
		return
	}
	switch {
	case hit.Status != 0:
		hit.refuse(w, r)
	case hit.LoseReply:
		// The client's leaving must not break off the work whose reply is to be lost.
		next.ServeHTTP(&discardWriter{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case hit.CutBody:
		next.ServeHTTP(&cuttingWriter{ResponseWriter: w}, r)
	case hit.ShortBody:
		next.ServeHTTP(&shorteningWriter{ResponseWriter: w}, r)
	case hit.CorruptBody:
		next.ServeHTTP(&corruptingWriter{ResponseWriter: w, random: f.fork()}, r)
	case hit.WrongSize != 0:
		held := &heldWriter{header: w.Header()}
		next.ServeHTTP(held, r)
		held.send(w, hit.WrongSize)
	case hit.Trickle > 0:
		pause := func(d time.Duration) error { return f.Sleep(r.Context(), d) }
		next.ServeHTTP(&tricklingWriter{ResponseWriter: w, rate: hit.Trickle, pause: pause}, r)
	default:
		next.ServeHTTP(w, r)
	}
}

func (a requestEffect) refuse(w http.ResponseWriter, r *http.Request) {
	if a.RetryAfter != nil {
		w.Header().Set("Retry-After", strconv.Itoa(*a.RetryAfter))
	}
	if strings.HasPrefix(r.URL.Path, "/storage/") {
		http.Error(w, "<Error><Code>SlowDown</Code><Message>A fault on request.</Message></Error>", a.Status)
		return
	}
	code := a.Code
	if code == "" {
		code = map[int]string{409: "CONFLICT", 429: "RATE_LIMITED", 500: "INTERNAL", 503: "UNAVAILABLE"}[a.Status]
	}
	if code == "" {
		code = "FAULT"
	}
	const message = "A fault on request."
	switch a.Envelope {
	case "empty":
		w.WriteHeader(a.Status)
	case "html":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(a.Status)
		_, _ = io.WriteString(w, "<html><body><h1>"+message+"</h1></body></html>")
	default:
		reply := client.WireError{Code: code, Message: message, UpgradeURL: a.UpgradeURL}
		if a.Details != nil {
			reply.Details = *a.Details
		}
		body, err := json.Marshal(envelopes[a.Envelope](reply))
		if err != nil {
			body = nil // which no envelope comes to
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(a.Status)
		_, _ = w.Write(body)
	}
}
