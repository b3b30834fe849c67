package sealing

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// What the metadata of a sealed payload says.
const (
	Encoding      = "binary/encrypted"
	MetadataKeyID = "encryption-key-id"
)

// ErrTampered is a sealed payload that was changed since, or sealed by another key of the same id.
var ErrTampered = errors.New("it was changed since, or sealed by another key of that name")

// MissingKeyError is a sealed payload whose key is not here.
type MissingKeyError struct {
	ID   string
	Path string // of the keys that are here, empty where there are none
}

func (e *MissingKeyError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("it is sealed with key %s, and no keys are here; name the file that holds it: CONVILYN_ENCRYPTION_KEY_FILE, or --encryption-key-file", e.ID)
	}
	return fmt.Sprintf("it is sealed with key %s, which is not in %s; add its line there", e.ID, e.Path)
}

// Encode seals payloads, whole, for converter.PayloadCodec. Those that are sealed already stay as they are.
func (k *Keys) Encode(payloads []*common.Payload) ([]*common.Payload, error) {
	if k.Sealer() == "" {
		return payloads, nil
	}
	out := make([]*common.Payload, len(payloads))
	for i, payload := range payloads {
		if payload == nil || IsSealed(payload) {
			out[i] = payload
			continue
		}
		sealed, err := k.seal(payload)
		if err != nil {
			return nil, err
		}
		out[i] = sealed
	}
	return out, nil
}

// Decode opens payloads for converter.PayloadCodec. Those that are not sealed stay as they are: older histories go on,
// and strangers may signal in plain JSON.
func (k *Keys) Decode(payloads []*common.Payload) ([]*common.Payload, error) {
	out := make([]*common.Payload, len(payloads))
	for i, payload := range payloads {
		opened, err := k.Open(payload)
		if err != nil {
			return nil, err
		}
		out[i] = opened
	}
	return out, nil
}

// IsSealed tells a sealed payload from others.
func IsSealed(payload *common.Payload) bool {
	return string(payload.GetMetadata()[converter.MetadataEncoding]) == Encoding
}

// SealedWith is the id of the key that sealed a payload, safe to show.
func SealedWith(payload *common.Payload) string {
	id := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, string(payload.GetMetadata()[MetadataKeyID]))
	if runes := []rune(id); len(runes) > 64 {
		id = string(runes[:64])
	}
	if id == "" {
		return "(unnamed)"
	}
	return id
}

// SealedMemo is a payload of a memo that could not be opened; nil where there is none.
func SealedMemo(memo *common.Memo) *common.Payload {
	for _, payload := range memo.GetFields() {
		if IsSealed(payload) {
			return payload
		}
	}
	return nil
}

func (k *Keys) seal(payload *common.Payload) (*common.Payload, error) {
	plain, err := proto.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("seal a payload: %w", err)
	}
	id := k.Sealer()
	aead := k.aeads[id]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return &common.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(Encoding), MetadataKeyID: []byte(id)},
		Data:     aead.Seal(nonce, nonce, plain, bound(id)),
	}, nil
}

// Open opens one payload. Its errors are a MissingKeyError, or wrap ErrTampered.
func (k *Keys) Open(payload *common.Payload) (*common.Payload, error) {
	if !IsSealed(payload) {
		return payload, nil
	}
	id := string(payload.GetMetadata()[MetadataKeyID])
	if k == nil || k.aeads[id] == nil {
		return nil, &MissingKeyError{ID: SealedWith(payload), Path: k.Path()}
	}
	aead, data := k.aeads[id], payload.GetData()
	if len(data) < aead.NonceSize() {
		return nil, fmt.Errorf("open what key %s sealed: %w", id, ErrTampered)
	}
	plain, err := aead.Open(nil, data[:aead.NonceSize()], data[aead.NonceSize():], bound(id))
	if err != nil {
		return nil, fmt.Errorf("open what key %s sealed: %w", id, ErrTampered)
	}
	var out common.Payload
	if err := proto.Unmarshal(plain, &out); err != nil {
		return nil, fmt.Errorf("read what key %s sealed: %w", id, err)
	}
	return &out, nil
}

// bound is the additional data: a sealed payload under another key's name does not open.
func bound(id string) []byte { return []byte(Encoding + "\x00" + id) }
