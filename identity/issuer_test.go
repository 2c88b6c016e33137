package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is an OIDC issuer on this host's loopback, whose keys and answers tests choose.
type Issuer struct {
	URL        string
	Thumbprint string       // of its certificate; empty by http
	Asked      atomic.Int64 // how often its discovery document was asked for
	// Answer answers instead of the issuer when it is not nil and says so.
	Answer atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]

	t    testing.TB
	mu   sync.Mutex
	keys []jose.JSONWebKey // private; the last one signs
}

// NewIssuer starts an issuer with one key of ES256, by https when secure.
func NewIssuer(t testing.TB, secure bool) *Issuer {
	is := &Issuer{t: t}
	server := httptest.NewUnstartedServer(is)
	if secure {
		server.StartTLS()
		sum := sha1.Sum(server.Certificate().Raw)
		is.Thumbprint = hex.EncodeToString(sum[:])
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	is.URL = server.URL + "/cluster"
	is.Rotate(newSigner(t), "first", jose.ES256)
	return is
}

// newSigner makes a private key.
func newSigner(t testing.TB) crypto.Signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Rotate adds a key that signs from now on.
func (is *Issuer) Rotate(k any, id string, alg jose.SignatureAlgorithm) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.keys = append(is.keys, jose.JSONWebKey{Key: k, KeyID: id, Algorithm: string(alg), Use: "sig"})
}

// Forget takes the oldest key away.
func (is *Issuer) Forget() {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.keys = is.keys[1:]
}

// ServeHTTP answers the discovery document and the keys.
func (is *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/cluster/.well-known/openid-configuration" {
		is.Asked.Add(1)
	}
	if answer := is.Answer.Load(); answer != nil && (*answer)(w, r) {
		return
	}
	switch r.URL.Path {
	case "/cluster/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": is.URL, "jwks_uri": is.URL + "/keys"})
	case "/cluster/keys":
		is.mu.Lock()
		defer is.mu.Unlock()
		set := jose.JSONWebKeySet{}
		for _, k := range is.keys {
			set.Keys = append(set.Keys, k.Public())
		}
		_ = json.NewEncoder(w).Encode(set)
	default:
		http.NotFound(w, r)
	}
}

// Token signs claims with the newest key. What every token needs is filled in; nil takes a claim away.
func (is *Issuer) Token(now time.Time, claims map[string]any) string {
	is.mu.Lock()
	k := is.keys[len(is.keys)-1]
	is.mu.Unlock()
	return Sign(is.t, k, Claims(is.URL, now, claims))
}

// Claims are those of a token of an issuer for sts.amazonaws.com, with others over them.
func Claims(issuer string, now time.Time, others map[string]any) map[string]any {
	all := map[string]any{"iss": issuer, "sub": "system:serviceaccount:shop:till", "aud": []string{"sts.amazonaws.com"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(all, others)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// Sign signs claims with a key.
func Sign(t testing.TB, k jose.JSONWebKey, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
