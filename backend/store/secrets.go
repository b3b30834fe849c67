package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// SigningKey is the file of the secret from which all of a service's own are derived.
const SigningKey = "signing.key"

// derived is a key of its own for one purpose.
func (f Folder) derived(purpose string) ([]byte, error) {
	secret, err := f.Secret(SigningKey, "", 32)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return key, nil
}

// sealer keeps the passwords of jobs that wait. The records of a job hold them sealed until it ends: a backup of the database
// alone tells nobody.
func (f Folder) sealer() (cipher.AEAD, error) {
	key, err := f.derived("passwords of jobs")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealed is nil for no secrets.
func (f Folder) sealed(jobID string, secrets option.Values) ([]byte, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	aead, err := f.sealer()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("encode secrets: %w", err)
	}
	return aead.Seal(nil, nil, text, []byte(jobID)), nil //nolint:gosec // this cipher draws its nonces itself
}

// Secrets are those that a job was queued with, nil where there are none.
func (s *Store) Secrets(ctx context.Context, jobID string) (option.Values, error) {
	var data []byte
	if err := s.db.QueryRowContext(ctx, `SELECT secrets FROM jobs WHERE id = ?`, jobID).Scan(&data); err != nil {
		return nil, fmt.Errorf("read a job: %w", err)
	}
	if len(data) == 0 {
		return nil, nil
	}
	aead, err := s.sealer()
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, nil, data, []byte(jobID))
	if err != nil {
		return nil, errors.New("the passwords of the job cannot be read: the key of the service has changed since they were given")
	}
	var secrets option.Values
	if err := json.Unmarshal(text, &secrets); err != nil {
		return nil, errors.New("the passwords of the job cannot be read")
	}
	return secrets, nil
}

// maskedHash is what is kept of the hash of a request: what is sent with a password must not be found by trying passwords.
func (f Folder) maskedHash(hash string) (string, error) {
	key, err := f.derived("hashes of requests")
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(hash))
	return hex.EncodeToString(mac.Sum(nil)), nil
}
