// Package link makes and reads answer links: whoever holds one may answer one question once, and nothing else.
package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Claim is what a link allows.
type Claim struct {
	WorkflowID string    `json:"w"`
	SlotID     string    `json:"s"`
	Round      int       `json:"r"`           // of the question; a question that is asked again needs another link
	Asked      time.Time `json:"a"`           // when it was asked; another run of the same name asks another question
	Key        string    `json:"k"`           // a nonce; the answer's id is made of it, so that it counts once
	For        string    `json:"f,omitempty"` // whom the link was sent to
	Expires    time.Time `json:"e"`
}

// Faults of links.
var (
	ErrForged  = errors.New("the link is not one of ours")
	ErrExpired = errors.New("the link has expired")
)

// maxToken bounds what is looked at, in bytes.
const maxToken = 8 << 10

var encoding = base64.RawURLEncoding.Strict()

// Sign writes a claim as the last part of a URL: letters, digits, "-", "_" and one ".". It is empty, which is no
// link, where Expires is past the year 9999.
func Sign(secret []byte, c Claim) string {
	c.Expires = c.Expires.UTC().Truncate(time.Second)
	body, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	text := encoding.EncodeToString(body)
	return text + "." + encoding.EncodeToString(sum(secret, text))
}

// Verify reads a claim; ErrForged or ErrExpired. An expired claim is returned along with its error.
func Verify(secret []byte, token string, now time.Time) (Claim, error) {
	text, mark, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxToken || len(secret) == 0 {
		return Claim{}, ErrForged
	}
	given, err := encoding.DecodeString(mark)
	if err != nil || !hmac.Equal(given, sum(secret, text)) {
		return Claim{}, ErrForged
	}
	body, err := encoding.DecodeString(text)
	if err != nil {
		return Claim{}, ErrForged
	}
	var c Claim
	if json.Unmarshal(body, &c) != nil || c.WorkflowID == "" || c.SlotID == "" || c.Key == "" {
		return Claim{}, ErrForged
	}
	if !now.Before(c.Expires) {
		return c, ErrExpired
	}
	return c, nil
}

// sum keeps links apart from whatever else is signed with the same secret.
func sum(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte("answer-link\x00" + text))
	return mac.Sum(nil)
}
