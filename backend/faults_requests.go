package backend

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// requestAnswer is what happens to a request; exactly one kind, and a delay may come with any.
type requestAnswer struct {
	Status     int           `yaml:"status"`
	RetryAfter *int          `yaml:"retry_after"` // seconds
	Code       string        `yaml:"code"`
	Envelope   string        `yaml:"envelope"` // of the error: one of the envelopes; flat where empty
	Delay      time.Duration `yaml:"delay"`
	CutBody    bool          `yaml:"cut_body"`   // send half of the reply, then drop the connection
	ShortBody  bool          `yaml:"short_body"` // send half of a reply as if it were the whole, where its length is known before
	// CorruptBody sends as many bytes as there are, some of them others, under the headers of the right ones.
	CorruptBody bool  `yaml:"corrupt_body"`
	WrongSize   int64 `yaml:"wrong_size"` // added to the sizes of files in a reply of the API, in bytes
	Trickle     int   `yaml:"trickle"`    // send the reply with so many bytes a second
	LoseReply   bool  `yaml:"lose_reply"` // do the work, then drop the connection
}

const requestKinds = "a status, cut_body, short_body, corrupt_body, wrong_size, trickle, lose_reply"

// envelopes are the shapes that errors of the API come in.
var envelopes = map[string]func(code, message string) any{
	"":     func(code, message string) any { return client.WireError{Code: code, Message: message} },
	"flat": func(code, message string) any { return client.WireError{Code: code, Message: message} },
	"detail": func(code, message string) any {
		return map[string]any{"detail": client.WireError{Code: code, Message: message}}
	},
	"text": func(_, message string) any { return map[string]any{"detail": message} },
	"list": func(_, message string) any {
		return map[string]any{"detail": []any{map[string]any{"loc": []string{"body"}, "msg": message, "type": "fault"}}}
	},
	"error": func(code, message string) any {
		return map[string]any{"error": client.WireError{Code: code, Message: message}}
	},
	"html":  nil, // as a proxy in front of the service answers
	"empty": nil,
}

func (a requestAnswer) check() error {
	kinds := 0
	for _, set := range []bool{a.Status != 0, a.CutBody, a.ShortBody, a.CorruptBody, a.WrongSize != 0, a.Trickle != 0, a.LoseReply} {
		if set {
			kinds++
		}
	}
	_, known := envelopes[a.Envelope]
	switch {
	case a.Status != 0 && (a.Status < 400 || a.Status > 599):
		return errors.New("status must be from 400 to 599")
	case kinds > 1:
		return errors.New(requestKinds + " exclude each other")
	case kinds == 0 && a.Delay <= 0:
		return errors.New("answer must name " + requestKinds + " or a delay")
	case a.Trickle < 0:
		return errors.New("trickle must be a number of bytes a second")
	case !known:
		return fmt.Errorf("envelope %q is not one of %s", a.Envelope, strings.Join(slices.Sorted(maps.Keys(envelopes))[1:], ", "))
	case a.Status == 0 && (a.Envelope != "" || a.Code != "" || a.RetryAfter != nil):
		return errors.New("envelope, code and retry_after belong to a status")
	}
	return nil
}

// around commits the faults; without any it is next itself.
func (f *Faults) around(next http.Handler) http.Handler {
	if f == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, strikes, leave := f.draw(r)
		defer leave()
		if !strikes {
			next.ServeHTTP(w, r)
			return
		}
		if answer.Delay > 0 && f.sleep(r.Context(), answer.Delay) != nil {
			return
		}
		switch {
		case answer.Status != 0:
			answer.refuse(w, r)
		case answer.LoseReply:
			// The client's leaving must not break off the work whose reply is to be lost.
			next.ServeHTTP(&deafWriter{header: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case answer.CutBody:
			next.ServeHTTP(&cuttingWriter{ResponseWriter: w}, r)
		case answer.ShortBody:
			next.ServeHTTP(&shorteningWriter{ResponseWriter: w}, r)
		case answer.CorruptBody:
			next.ServeHTTP(&corruptingWriter{ResponseWriter: w, random: f.fork()}, r)
		case answer.WrongSize != 0:
			held := &heldWriter{header: w.Header()}
			next.ServeHTTP(held, r)
			held.send(w, answer.WrongSize)
		case answer.Trickle > 0:
			pause := func(d time.Duration) error { return f.sleep(r.Context(), d) }
			next.ServeHTTP(&tricklingWriter{ResponseWriter: w, rate: answer.Trickle, pause: pause}, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (a requestAnswer) refuse(w http.ResponseWriter, r *http.Request) {
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
		writeJSON(w, a.Status, envelopes[a.Envelope](code, message))
	}
}
