package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/trellis-project/trellis"
)

// Bounds of an issuer's keys. Those of RSA keep verifying cheap: the issuer chooses its keys.
const (
	maxKeys    = 200 // AWS takes 100 of RSA and 100 of elliptic curves (IAM user guide, OIDC identity providers)
	minRSABits = 2048
	maxRSABits = 8192
	maxKeyID   = 255
)

// tokenKeys verifies one token with the keys of its provider, as go-oidc asks for it.
type tokenKeys struct {
	issuers  *issuers
	provider *trellis.OIDCProvider
	refused  error // what the client is told, when keys are not to be had
	failure  error // why, for the operator
	verified bool  // a key fitted
}

// VerifySignature returns the payload of a token that one of the issuer's keys has signed.
func (k *tokenKeys) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, tokenAlgorithms)
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Header
	keys, err := k.issuers.keys(ctx, k.provider, header.KeyID)
	if err != nil {
		k.failure, k.refused = err, issuerError(err)
		return nil, err
	}
	for n := range keys {
		if keys[n].Algorithm != "" && keys[n].Algorithm != header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(&keys[n]); err == nil {
			k.verified = true
			return payload, nil
		}
	}
	return nil, errors.New("no key of the issuer fits")
}

// parseKeys reads a JSON Web Key Set (RFC 7517, section 5). Keys that can't verify are left out, as the RFC wants it.
func parseKeys(text []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxKeys {
		return nil, errors.New("the issuer has too many keys")
	}
	var keys []jose.JSONWebKey
	for _, one := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(one) == nil && verifies(&k) {
			keys = append(keys, jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: k.Algorithm}) // not the certificates
		}
	}
	return keys, nil
}

// verifies tells whether a key is one that tokens may be verified with.
func verifies(k *jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" || len(k.KeyID) > maxKeyID || !k.IsPublic() || !k.Valid() {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return bits >= minRSABits && bits <= maxRSABits
	case *ecdsa.PublicKey:
		return true
	}
	return false
}

// byID are the keys of an id; all keys when a token names none.
func byID(keys []jose.JSONWebKey, id string) []jose.JSONWebKey {
	if id == "" {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k jose.JSONWebKey) bool { return k.KeyID != id })
}
