package faults

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// discardWriter swallows a reply.
type discardWriter struct{ header http.Header }

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *discardWriter) WriteHeader(int)             {}

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

// corruptingWriter changes one byte of each piece.
type corruptingWriter struct {
	http.ResponseWriter
	random *rand.Rand
}

func (w *corruptingWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return w.ResponseWriter.Write(p)
	}
	changed := bytes.Clone(p)
	at := w.random.IntN(len(p))
	changed[at] = ^changed[at]
	return w.ResponseWriter.Write(changed)
}

// heldWriter keeps a reply back until it is complete.
type heldWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *heldWriter) Header() http.Header         { return w.header }
func (w *heldWriter) Write(p []byte) (int, error) { return w.body.Write(p) }
func (w *heldWriter) WriteHeader(status int)      { w.status = status }

// send sends it, with so many bytes more in the sizes that it tells.
func (w *heldWriter) send(to http.ResponseWriter, more int64) {
	body := w.body.Bytes()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var reply any
	if decoder.Decode(&reply) == nil {
		if changed, err := json.Marshal(resized(reply, more)); err == nil {
			body = changed
			w.header.Set("Content-Length", strconv.Itoa(len(body)))
		}
	}
	if w.status != 0 {
		to.WriteHeader(w.status)
	}
	_, _ = to.Write(body)
}

// resized adds to every size of a file in a reply.
func resized(v any, more int64) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = resized(v[i], more)
		}
	case map[string]any:
		for name, member := range v {
			if number, ok := member.(json.Number); ok && slices.Contains([]string{"size", "fileSize", "file_size", "sizeBytes"}, name) {
				if n, err := number.Int64(); err == nil {
					v[name] = n + more
				}
				continue
			}
			v[name] = resized(member, more)
		}
	}
	return v
}
