//go:build thorough

package trellistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer is an OIDC issuer by https, made on the spot.
type issuer struct {
	URL, Thumbprint string

	mu   sync.Mutex
	keys []jose.JSONWebKey // the last one signs
}

// newIssuer starts an issuer with one key.
func newIssuer(t *testing.T) *issuer {
	is := new(issuer)
	server := httptest.NewTLSServer(is)
	t.Cleanup(server.Close)
	sum := sha1.Sum(server.Certificate().Raw)
	is.URL, is.Thumbprint = server.URL, hex.EncodeToString(sum[:])
	is.rotate(t, "first")
	return is
}

// rotate signs with another key from now on. Those that came before still open what they have signed.
func (is *issuer) rotate(t *testing.T, id string) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	is.keys = append(is.keys, jose.JSONWebKey{Key: k, KeyID: id, Algorithm: string(jose.ES256), Use: "sig"})
}

// ServeHTTP answers the discovery document and the keys.
func (is *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/.well-known/openid-configuration" {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": is.URL, "jwks_uri": is.URL + "/keys"})
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, k := range is.keys {
		set.Keys = append(set.Keys, k.Public())
	}
	_ = json.NewEncoder(w).Encode(set)
}

// token writes a token for a subject to a file, as a kubelet does, and returns the file's name.
func (is *issuer) token(t *testing.T, subject string) string {
	t.Helper()
	is.mu.Lock()
	k := is.keys[len(is.keys)-1]
	is.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{"iss": is.URL, "sub": subject, "aud": []string{"sts.amazonaws.com"}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestWebIdentity gives roles to plain boto3 by tokens of an issuer, rotates the issuer's key, and revokes sessions as
// the console does and by deleting the role: each bites with the answer of the API.
func TestWebIdentity(t *testing.T) {
	t.Parallel()
	tr, is := Start(t), newIssuer(t)
	tr.Call(t, "", "iam", "CreateOpenIDConnectProvider", map[string]any{"Url": is.URL, "ClientIDList": []any{"sts.amazonaws.com"}, "ThumbprintList": []any{is.Thumbprint}})
	id := strings.TrimPrefix(is.URL, "https://")
	arn := func(role string) string { return "arn:aws:iam::111122223333:role/" + role }
	for _, name := range []string{"till", "office"} {
		makeRole(t, tr, "", name)
		tr.Call(t, "", "iam", "UpdateAssumeRolePolicy", map[string]any{"RoleName": name, "PolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
			"Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/` + id + `"},"Action":"sts:AssumeRoleWithWebIdentity",
			"Condition":{"StringEquals":{"` + id + `:sub":"system:serviceaccount:shop:` + name + `","` + id + `:aud":"sts.amazonaws.com"}}}]}`})
	}
	p := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 80, "10.0.0.0/16", "", "10.0.0.10")
	_, service, dns := associate(t, tr, "orders", p.vpc, p.group, "", 404) // the service's own answer
	tr.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": service, "authType": "AWS_IAM"})
	tr.Call(t, "", "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": service,
		"policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + arn("till") + `"},"Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`})

	type answer struct {
		Who, Body   string
		Status      int
		Credentials []string
	}
	call := func(args []string, env ...string) (a answer) {
		t.Helper()
		command := append(append([]string{"env", "AWS_DEFAULT_REGION=" + tr.Region}, env...), filepath.Join(venv(t, "boto3"), "bin", "python3"), "-c", mustRead(t, "testdata/webidentity.py"), "http://"+dns+"/v1/orders")
		if err := json.Unmarshal([]byte(tr.Inside(t, p.instances[0], append(command, args...)...)), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	asPod := func(role string) answer {
		t.Helper()
		return call(nil, "AWS_ROLE_ARN="+arn(role), "AWS_ROLE_SESSION_NAME=pod", "AWS_WEB_IDENTITY_TOKEN_FILE="+is.token(t, "system:serviceaccount:shop:"+role))
	}
	with := func(keys []string) answer {
		t.Helper()
		return call([]string{"call alone"}, "AWS_ACCESS_KEY_ID="+keys[0], "AWS_SECRET_ACCESS_KEY="+keys[1], "AWS_SESSION_TOKEN="+keys[2])
	}
	till, office := asPod("till"), asPod("office")
	if till.Status != 404 || till.Who != "arn:aws:sts::111122223333:assumed-role/till/pod" {
		t.Errorf("the role that the service knows: %+v", till)
	}
	if office.Status != 403 || !strings.Contains(office.Body, "because no service-based policy allows") {
		t.Errorf("another role: %d %s", office.Status, office.Body)
	}
	is.rotate(t, "second")
	if a := asPod("till"); a.Status != 404 {
		t.Errorf("after the issuer's key was rotated: %d %s", a.Status, a.Body)
	}
	if a := with(till.Credentials); a.Status != 404 {
		t.Errorf("a session: %d %s", a.Status, a.Body)
	}
	revoked := time.Now().Add(time.Second).UTC()
	tr.Call(t, "", "iam", "PutRolePolicy", map[string]any{"RoleName": "till", "PolicyName": "AWSRevokeOlderSessions",
		"PolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + revoked.Format("2006-01-02T15:04:05.000Z") + `"}}}]}`})
	if a := with(till.Credentials); a.Status != 403 || !strings.Contains(a.Body, "with an explicit deny in an identity-based policy") {
		t.Errorf("a session that was revoked: %d %s", a.Status, a.Body)
	}
	fresh := asPod("till")
	for time.Now().Before(revoked.Add(time.Minute)) && fresh.Status != 404 { // until sessions are younger than the policy
		fresh = asPod("till")
	}
	if fresh.Status != 404 {
		t.Errorf("a session after the revocation: %d %s", fresh.Status, fresh.Body)
	}
	for _, name := range []string{"AWSRevokeOlderSessions", "invoke"} {
		tr.Call(t, "", "iam", "DeleteRolePolicy", map[string]any{"RoleName": "till", "PolicyName": name})
	}
	tr.Call(t, "", "iam", "DeleteRole", map[string]any{"RoleName": "till"})
	if a := with(fresh.Credentials); a.Status != 403 || !strings.Contains(a.Body, "UnrecognizedClientException") {
		t.Errorf("a session whose role is gone: %d %s", a.Status, a.Body)
	}
}
