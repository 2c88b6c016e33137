package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// certificateName is the name in the certificates of the sidecars.
const certificateName = "sidecar.bench.test"

// What Envoy's token says.
const (
	tokenIssuer  = "bench"
	tokenSubject = "arn:aws:iam::444455556666:role/checkout"
)

// certificates are an authority, and a certificate and key for each of "client" and "server" (P-256, as meshes use) and
// for "listener" (RSA with 2048 bits, as most of ACM are), with which all contestants serve TLS.
type certificates struct {
	authority string
	pair      map[string][2]string // certificate and key, PEM
}

// newCertificates makes them for this run.
func newCertificates() (*certificates, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, fmt.Errorf("certificate of the authority: %w", err)
	}
	cs := &certificates{authority: block("CERTIFICATE", der), pair: map[string][2]string{}}
	for i, name := range []string{"client", "server", "listener"} {
		domain := certificateName
		if name == "listener" {
			domain = serviceHost
		}
		key, err := newKey(name)
		if err != nil {
			return nil, err
		}
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 2)), Subject: pkix.Name{CommonName: name}, DNSNames: []string{domain},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
		if err != nil {
			return nil, fmt.Errorf("certificate of the %s: %w", name, err)
		}
		keyDER, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		cs.pair[name] = [2]string{block("CERTIFICATE", der), block("PRIVATE KEY", keyDER)}
	}
	return cs, nil
}

// newKey makes the private key of a certificate.
func newKey(name string) (crypto.Signer, error) {
	if name == "listener" {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// block is PEM.
func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// context is Envoy's TLS context of one side: TLS 1.3, its own certificate, the other's verified.
func (c *certificates) context(name string) object {
	p := c.pair[name]
	return object{"tls_params": object{"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
		"tls_certificates":   list{object{"certificate_chain": object{"inline_string": p[0]}, "private_key": object{"inline_string": p[1]}}},
		"validation_context": object{"trusted_ca": object{"inline_string": c.authority}}}
}

// write writes the certificate of the listener with its key into one file.
func (c *certificates) write(b *bench) (file string, err error) {
	p := c.pair["listener"]
	return b.write("listener.pem", p[0]+p[1])
}

// token is a JSON web token (RS256) and the key set that verifies it.
type token struct{ text, keys string }

// newToken makes one for this run.
func newToken() (token, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return token{}, err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	keys, err := json.Marshal(object{"keys": list{object{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}}})
	if err != nil {
		return token{}, err
	}
	head, _ := json.Marshal(object{"alg": "RS256", "kid": "k", "typ": "JWT"})
	claims, err := json.Marshal(object{"iss": tokenIssuer, "sub": tokenSubject, "iat": time.Now().Unix(), "exp": time.Now().Add(24 * time.Hour).Unix()})
	if err != nil {
		return token{}, err
	}
	text := b64(head) + "." + b64(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return token{}, fmt.Errorf("sign a token: %w", err)
	}
	return token{text + "." + b64(signature), string(keys)}, nil
}
