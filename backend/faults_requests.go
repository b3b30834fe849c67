package backend

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
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
	Trickle    int           `yaml:"trickle"`    // send the reply with so many bytes a second
	LoseReply  bool          `yaml:"lose_reply"` // do the work, then drop the connection
}

const requestKinds = "a status, cut_body, short_body, trickle, lose_reply"

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
	for _, set := range []bool{a.Status != 0, a.CutBody, a.ShortBody, a.Trickle != 0, a.LoseReply} {
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
		answer, strikes := f.draw(r)
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

// deafWriter swallows a reply.
type deafWriter struct{ header http.Header }

func (w *deafWriter) Header() http.Header         { return w.header }
func (w *deafWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *deafWriter) WriteHeader(int)             {}

// cuttingWriter lets half of the announced length through and then drops the connection.
type cuttingWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cuttingWriter) WriteHeader(status int) {
	length, _ := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
	w.left = length / 2
	w.ResponseWriter.WriteHeader(status)
}

func (w *cuttingWriter) Write(p []byte) (int, error) {
	n := min(int64(len(p)), w.left)
	w.left -= n
	_, _ = w.ResponseWriter.Write(p[:n])
	if n < int64(len(p)) {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return len(p), nil
}

// shorteningWriter announces and sends the first half, so that nothing but its size tells what is missing.
type shorteningWriter struct {
	http.ResponseWriter
	left  int64
	begun bool
}

func (w *shorteningWriter) WriteHeader(status int) {
	w.begun, w.left = true, math.MaxInt64
	if length, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64); err == nil {
		w.left = length / 2
		w.Header().Set("Content-Length", strconv.FormatInt(w.left, 10))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *shorteningWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	n := min(int64(len(p)), w.left)
	w.left -= n
	_, err := w.ResponseWriter.Write(p[:n])
	return len(p), err
}

// tricklingWriter sends a tenth of its rate every tenth of a second.
type tricklingWriter struct {
	http.ResponseWriter
	rate  int // bytes a second
	pause func(time.Duration) error
}

func (w *tricklingWriter) Write(p []byte) (int, error) {
	piece, sent := max(1, w.rate/10), 0
	for sent < len(p) {
		n, err := w.ResponseWriter.Write(p[sent:min(sent+piece, len(p))])
		sent += n
		if err == nil {
			err = http.NewResponseController(w.ResponseWriter).Flush()
		}
		if err == nil {
			err = w.pause(time.Duration(float64(n) / float64(w.rate) * float64(time.Second)))
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}
