// Package link makes links by which one question can be answered once, by whoever holds the link.
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

// Claim is what a link allows: one answer to one question of one run.
type Claim struct {
	WorkflowID string    `json:"w"`
	SlotID     string    `json:"s"`
	Round      int       `json:"r"` // of the question; a link is no good for the next round
	Key        string    `json:"k"` // names the one answer, so that a second use finds the first
	For        string    `json:"f,omitempty"`
	Expires    time.Time `json:"e"`
}

// Faults of a link.
var (
	ErrForged  = errors.New("the link is forged or damaged")
	ErrExpired = errors.New("the link has expired")
)

// SecretMin is the shortest secret, in bytes.
const SecretMin = 32

// maxToken bounds what is looked at.
const maxToken = 4096

var encoding = base64.RawURLEncoding

// Sign makes the token of a link.
func Sign(secret []byte, c Claim) string {
	data, _ := json.Marshal(c) // plain data always encodes
	payload := encoding.EncodeToString(data)
	return payload + "." + mac(secret, payload)
}

// Verify reads a token. Its errors are ErrForged and ErrExpired; the claim of an expired one is returned, too.
func Verify(secret []byte, token string, now time.Time) (Claim, error) {
	var c Claim
	payload, signature, found := strings.Cut(token, ".")
	if !found || len(token) > maxToken || len(secret) < SecretMin || !hmac.Equal([]byte(signature), []byte(mac(secret, payload))) {
		return c, ErrForged
	}
	data, err := encoding.DecodeString(payload)
	if err != nil || json.Unmarshal(data, &c) != nil || c.WorkflowID == "" || c.SlotID == "" || c.Key == "" {
		return Claim{}, ErrForged
	}
	if !now.Before(c.Expires) {
		return c, ErrExpired
	}
	return c, nil
}

func mac(secret []byte, payload string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("convilyn answer link v1\n" + payload))
	return encoding.EncodeToString(h.Sum(nil))
}
