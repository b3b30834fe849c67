package temporalserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/rpc/encryption"

	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// healthCheck tells that the server is up, and nothing else. Everybody may ask.
const healthCheck = "/grpc.health.v1.Health/Check"

// owner lets in who has the secret, to everything, and nobody else. Temporal's default authorizer would also tell strangers
// about the system.
type owner struct{ sum [sha256.Size]byte }

func newOwner(secret string) owner { return owner{sum: sha256.Sum256([]byte("Bearer " + secret))} }

// GetClaims of a wrong secret are none: an error would be a line in the log for each try.
func (o owner) GetClaims(info *authorization.AuthInfo) (*authorization.Claims, error) {
	given := sha256.Sum256([]byte(info.AuthToken))
	if subtle.ConstantTimeCompare(given[:], o.sum[:]) != 1 {
		return &authorization.Claims{}, nil
	}
	return &authorization.Claims{Subject: "owner", System: authorization.RoleAdmin}, nil
}

// Authorize is asked at the internal frontend, too, whose callers have shown a certificate.
func (owner) Authorize(_ context.Context, caller *authorization.Claims, target *authorization.CallTarget) (authorization.Result, error) {
	if caller != nil && caller.System&authorization.RoleAdmin != 0 || strings.EqualFold(target.APIName, healthCheck) {
		return authorization.Result{Decision: authorization.DecisionAllow}, nil
	}
	return authorization.Result{Decision: authorization.DecisionDeny}, nil
}

// betweenServices has the server's own services show each other a certificate that is in this process alone. The frontend for
// everybody else stays as it is: its callers have the secret.
func betweenServices() (encryption.TLSConfigProvider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for Temporal's services: %w", err)
	}

	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(loopback.Host)},
		// A clock that is set back or forth must not part the services of a process that runs.
		NotBefore: now.AddDate(-50, 0, 0), NotAfter: now.AddDate(50, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for Temporal's services: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for Temporal's services: %w", err)
	}

	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	pair := []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	return &encryption.FixedTLSConfigProvider{
		InternodeServerConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: pair, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool},
		InternodeClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: pair, RootCAs: pool, ServerName: loopback.Host},
	}, nil
}
