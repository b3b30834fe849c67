package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/store"
)

// keyring knows the accepted keys by their hashes, which are also the names of the accounts.
type keyring struct {
	first    string
	accounts map[string]bool
}

func account(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:12])
}

// loadKeys takes the keys, or one that is made once and kept.
func loadKeys(keys []string, folder store.Folder) (keyring, error) {
	if len(keys) == 0 {
		key, err := folder.Secret("key", "ck_local_", 24)
		if err != nil {
			return keyring{}, err
		}
		keys = []string{key}
	}
	ring := keyring{first: keys[0], accounts: map[string]bool{}}
	for _, key := range keys {
		ring.accounts[account(key)] = true
	}
	return ring, nil
}

// signer vouches for storage links of this service.
type signer struct{ secret []byte }

func loadSigner(folder store.Folder) (signer, error) {
	secret, err := folder.Secret(store.SigningKey, "", 32)
	return signer{secret: []byte(secret)}, err
}

func (s signer) sign(text string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func (s signer) verify(text, signature string) bool {
	return hmac.Equal([]byte(s.sign(text)), []byte(signature))
}

// grant allows one upload of one file.
type grant struct {
	Key     string    `json:"key"`
	FileID  string    `json:"file_id"`
	MaxSize int64     `json:"max_size"`
	Expires time.Time `json:"expires"`
}

// fields are the form fields that carry a grant.
func (s signer) fields(g grant, contentType string) (map[string]string, error) {
	data, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("encode a grant: %w", err)
	}
	policy := base64.StdEncoding.EncodeToString(data)
	return map[string]string{"key": g.Key, "Content-Type": contentType, "policy": policy, "x-amz-signature": s.sign("upload " + policy)}, nil
}

var (
	errForged  = errors.New("SignatureDoesNotMatch")
	errExpired = errors.New("AccessDenied")
)

func (s signer) grantOf(fields map[string]string, now time.Time) (grant, error) {
	var g grant
	policy := fields["policy"]
	if !s.verify("upload "+policy, fields["x-amz-signature"]) {
		return g, errForged
	}
	data, err := base64.StdEncoding.DecodeString(policy)
	if err != nil || json.Unmarshal(data, &g) != nil || fields["key"] != g.Key {
		return g, errForged
	}
	if now.After(g.Expires) {
		return g, errExpired
	}
	return g, nil
}

// Storage routes of this service; the API hands them out as presigned URLs.
const (
	pathStorageUpload = "/storage/upload"
	pathStorageResult = "/storage/results/{job_id}/{index}"
	// pathStorageArtifact is where files of goal jobs are.
	pathStorageArtifact = "/storage/goals/{job_id}/{artifact_id}"
)

// resultLink is a link to one result file.
func (s signer) resultLink(base, jobID string, index int, expires time.Time) string {
	return s.link(base, fmt.Sprintf("/storage/results/%s/%d", jobID, index), expires)
}

// artifactLink is a link to one artifact of a goal job.
func (s signer) artifactLink(base, jobID, artifactID string, expires time.Time) string {
	return s.link(base, "/storage/goals/"+jobID+"/"+artifactID, expires)
}

func (s signer) link(base, path string, expires time.Time) string {
	until := strconv.FormatInt(expires.Unix(), 10)
	query := url.Values{"expires": {until}, "signature": {s.sign("result " + path + " " + until)}}
	return base + path + "?" + query.Encode()
}

func (s signer) checkResultLink(u *url.URL, now time.Time) error {
	until := u.Query().Get("expires")
	if !s.verify("result "+u.Path+" "+until, u.Query().Get("signature")) {
		return errForged
	}
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || now.Unix() > seconds {
		return errExpired
	}
	return nil
}
