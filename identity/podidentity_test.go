package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/identity"
)

// podTrust is the trust policy of a role for pods (EKS user guide, pod-id-role).
const podTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`

// pods is a world with a cluster whose service account till, in the namespace shop, has the role checkout.
type pods struct {
	*world
	issuer      *identity.Issuer
	admin       *authpolicy.Caller
	association *trellis.PodIdentityAssociation
}

// newPods makes it.
func newPods(t *testing.T, secure bool) *pods {
	t.Helper()
	p := &pods{world: newWorld(t), issuer: identity.NewIssuer(t, secure)}
	p.admin = p.world.admin()
	p.role("checkout", podTrust)
	p.role("cluster", podTrust)
	tags := map[string]string{identity.IssuerTag: p.issuer.URL}
	if secure {
		tags[identity.ThumbprintTag] = p.issuer.Thumbprint
	}
	_, _, err := p.identity.CreateCluster(t.Context(), p.admin, "", trellis.Cluster{Meta: trellis.Meta{ID: "orders", Tags: tags}, RoleARN: trellis.IAMARN("111122223333", "role/cluster")})
	p.must(err)
	p.association = p.associate(trellis.PodIdentityAssociation{})
	return p
}

// role makes a role.
func (p *pods) role(name, trust string) {
	p.t.Helper()
	_, _, err := p.identity.CreateRole(p.t.Context(), p.admin, trellis.Role{Name: name, TrustPolicy: trust})
	p.must(err)
}

// associate makes an association of shop/till with checkout, unless a says other things.
func (p *pods) associate(a trellis.PodIdentityAssociation) *trellis.PodIdentityAssociation {
	p.t.Helper()
	a.ClusterName = "orders"
	if a.Namespace == "" {
		a.Namespace, a.ServiceAccount = "shop", "till"
	}
	if a.RoleARN == "" {
		a.RoleARN = trellis.IAMARN("111122223333", "role/checkout")
	}
	made, _, err := p.identity.CreatePodIdentityAssociation(p.t.Context(), p.admin, "", a)
	p.must(err)
	return made
}

// token is the token of a pod of shop/till, with other claims over it.
func (p *pods) token(claims map[string]any) string {
	return p.issuer.Token(p.now(), podClaims("shop", "till", claims))
}

// podClaims are those that kube-apiserver gives the token of a pod, with others over them.
func podClaims(namespace, account string, others map[string]any) map[string]any {
	all := map[string]any{"aud": []string{"pods.eks.amazonaws.com"}, "sub": "system:serviceaccount:" + namespace + ":" + account, "jti": "d3b0aa1c-6b2b-4f0e-9d5c-0a1e4e3d0b7a",
		"kubernetes.io": map[string]any{"namespace": namespace, "node": map[string]any{"name": "node-1", "uid": "9a8b7c6d-0000-4000-8000-000000000001"},
			"pod":            map[string]any{"name": account + "-7c9d8f6b5c-x2x9q", "uid": "1f0e2d3c-0000-4000-8000-000000000002"},
			"serviceaccount": map[string]any{"name": account, "uid": "0c1d2e3f-0000-4000-8000-000000000003"}}}
	maps.Copy(all, others)
	return all
}

// assume asks EKS Auth as the administrator, who stands for a node's role.
func (p *pods) assume(token string) (*identity.PodSession, error) {
	return p.identity.AssumeRoleForPodIdentity(p.t.Context(), p.admin, "orders", token)
}

// TestPodSession looks at the session that a pod gets.
func TestPodSession(t *testing.T) {
	for _, secure := range []bool{false, true} {
		p := newPods(t, secure)
		s, err := p.assume(p.token(nil))
		p.must(err)
		if s.Association.ID != p.association.ID || len(s.AssumedRoleARN) != len("arn:aws:sts::111122223333:assumed-role/checkout/")+64 ||
			!strings.HasPrefix(s.AssumedRoleARN, "arn:aws:sts::111122223333:assumed-role/checkout/eks-orders-till-7c9d8f6b5c-x2x9q-") {
			t.Errorf("session: %s by %+v", s.AssumedRoleARN, s.Association)
		}
		want := map[string]string{"eks-cluster-arn": "arn:aws:eks:eu-west-1:111122223333:cluster/orders", "eks-cluster-name": "orders", "kubernetes-namespace": "shop",
			"kubernetes-service-account": "till", "kubernetes-pod-name": "till-7c9d8f6b5c-x2x9q", "kubernetes-pod-uid": "1f0e2d3c-0000-4000-8000-000000000002"}
		who := p.session(s.Credentials).Principal
		if !maps.Equal(who.Tags, want) || !slices.Equal(slices.Sorted(slices.Values(who.TransitiveTags)), slices.Sorted(maps.Keys(want))) || who.PolicyARN != "arn:aws:iam::111122223333:role/checkout" {
			t.Errorf("principal: %+v", who)
		}
		inVPC, err := p.identity.AgentSession(t.Context(), "111122223333", p.token(nil))
		p.must(err)
		if inVPC.Association.ID != p.association.ID || inVPC.AccessKeyID == s.AccessKeyID {
			t.Errorf("the agent's session: %+v", inVPC)
		}
	}
}

// TestPodTokens asks with tokens that are refused.
func TestPodTokens(t *testing.T) {
	p := newPods(t, false)
	stranger := identity.NewIssuer(t, false)
	for _, c := range []struct{ name, token, code string }{
		{"its own", p.token(nil), ""},
		{"several audiences", p.token(map[string]any{"aud": []string{"x", "pods.eks.amazonaws.com"}}), ""},
		{"an audience that is a text", p.token(map[string]any{"aud": "pods.eks.amazonaws.com"}), ""},
		{"for another audience", p.token(map[string]any{"aud": []string{"sts.amazonaws.com"}}), "InvalidTokenException"},
		{"expired", p.token(map[string]any{"exp": p.now().Add(-time.Second).Unix()}), "ExpiredTokenException"},
		{"not valid yet", p.token(map[string]any{"nbf": p.now().Add(time.Hour).Unix()}), "InvalidTokenException"},
		{"without an expiry", p.token(map[string]any{"exp": nil}), "InvalidTokenException"},
		{"of no pod", p.token(map[string]any{"kubernetes.io": nil}), "InvalidTokenException"},
		{"with another form of the claim", p.token(map[string]any{"kubernetes.io": []string{"shop"}}), "InvalidTokenException"},
		{"of a service account without a pod", p.token(map[string]any{"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]any{"name": "till", "uid": "u"}}}), "InvalidTokenException"},
		{"whose subject is another's", p.token(map[string]any{"sub": "system:serviceaccount:shop:manager"}), "InvalidTokenException"},
		{"whose claim is another's", p.token(map[string]any{"kubernetes.io": podClaims("shop", "manager", nil)["kubernetes.io"]}), "InvalidTokenException"},
		{"of another issuer", stranger.Token(p.now(), podClaims("shop", "till", nil)), "InvalidTokenException"},
		{"signed by another issuer", stranger.Token(p.now(), podClaims("shop", "till", map[string]any{"iss": p.issuer.URL})), "InvalidTokenException"},
		{"without a signature", "eyJhbGciOiJub25lIn0." + strings.Split(p.token(nil), ".")[1] + ".", "InvalidTokenException"},
		{"cut short", p.token(nil)[:100], "InvalidTokenException"},
		{"nothing", "", "InvalidTokenException"},
		{"of a service account without an association", p.issuer.Token(p.now(), podClaims("shop", "guest", nil)), "ResourceNotFoundException"},
		{"of another namespace", p.issuer.Token(p.now(), podClaims("bank", "till", nil)), "ResourceNotFoundException"},
	} {
		_, err := p.assume(c.token)
		if c.code == "" {
			p.must(err)
			continue
		}
		wantCode(t, c.name, err, c.code)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	p.must(err)
	p.issuer.Rotate(key, "second", jose.RS256)
	_, err = p.assume(p.token(nil))
	p.must(err)

	_, err = p.identity.AgentSession(t.Context(), "444455556666", p.token(nil))
	wantCode(t, "another account's agent", err, "ResourceNotFoundException")
	_, err = p.identity.AgentSession(t.Context(), "111122223333", stranger.Token(p.now(), podClaims("shop", "till", nil)))
	wantCode(t, "an issuer without a cluster", err, "ResourceNotFoundException")
	nobody := p.user(p.admin, "nobody", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks:*","Resource":"*"}}`)
	_, err = p.identity.AssumeRoleForPodIdentity(t.Context(), nobody, "orders", p.token(nil))
	wantCode(t, "a node without the right", err, "AccessDeniedException")
	_, err = p.identity.AssumeRoleForPodIdentity(t.Context(), p.admin, "payments", p.token(nil))
	wantCode(t, "no such cluster", err, "ResourceNotFoundException")
}

// TestPodIssuerAway asks while the issuer can't be asked, and when its certificate is not trusted.
func TestPodIssuerAway(t *testing.T) {
	p := newPods(t, true)
	broken := func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return true
	}
	p.issuer.Answer.Store(&broken)
	_, err := p.assume(p.token(nil))
	wantCode(t, "an issuer that fails", err, "ServiceUnavailableException")
	p.issuer.Answer.Store(nil)
	p.wait(time.Minute)
	_, err = p.assume(p.token(nil))
	p.must(err)
	_, err = p.identity.UntagEKSResource(t.Context(), p.admin, "arn:aws:eks:eu-west-1:111122223333:cluster/orders", []string{identity.ThumbprintTag})
	p.must(err)
	_, err = p.assume(p.token(nil))
	wantCode(t, "a certificate that nobody vouches for", err, "InvalidTokenException")
}

// TestPodRoles changes what a role and an association allow.
func TestPodRoles(t *testing.T) {
	p := newPods(t, false)
	change := func(c identity.AssociationChange) {
		t.Helper()
		a, _, err := p.identity.UpdatePodIdentityAssociation(t.Context(), p.admin, "orders", p.association.ID, c)
		p.must(err)
		p.association = a
	}
	trust := func(role, text string) {
		t.Helper()
		_, err := p.identity.UpdateAssumeRolePolicy(t.Context(), p.admin, role, text)
		p.must(err)
	}
	// Conditions of the trust policy on the cluster and the session's tags.
	for text, code := range map[string]string{
		`{"aws:RequestTag/kubernetes-namespace":"shop","aws:RequestTag/eks-cluster-name":"orders"}`: "",
		`{"aws:RequestTag/kubernetes-namespace":"bank"}`:                                            "AccessDeniedException",
		`{"aws:SourceArn":"arn:aws:eks:eu-west-1:111122223333:cluster/orders"}`:                     "",
		`{"aws:SourceArn":"arn:aws:eks:eu-west-1:111122223333:cluster/other"}`:                      "AccessDeniedException",
	} {
		trust("checkout", strings.Replace(podTrust, `]}]}`, `],"Condition":{"StringEquals":`+text+`}}]}`, 1))
		_, err := p.assume(p.token(nil))
		if code == "" {
			p.must(err)
			continue
		}
		wantCode(t, text, err, code)
	}
	trust("checkout", strings.Replace(podTrust, `,"sts:TagSession"`, "", 1))
	_, err := p.assume(p.token(nil))
	wantCode(t, "no sts:TagSession", err, "AccessDeniedException")
	change(identity.AssociationChange{DisableSessionTags: new(true)})
	s, err := p.assume(p.token(nil))
	p.must(err)
	if who := p.session(s.Credentials).Principal; len(who.Tags) != 0 || len(who.TransitiveTags) != 0 {
		t.Errorf("tags are disabled: %+v", who)
	}
	trust("checkout", podTrust)

	policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`
	_, err = p.identity.PutInlinePolicy(t.Context(), p.admin, identity.RoleBearer, "checkout", "all", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	p.must(err)
	change(identity.AssociationChange{Policy: &policy})
	s, err = p.assume(p.token(nil))
	p.must(err)
	bounded := p.session(s.Credentials)
	p.must(bounded.Authorize("s3:GetObject", "arn:aws:s3:::orders/x", nil))
	wantCode(t, "beyond the session policy", bounded.Authorize("s3:PutObject", "arn:aws:s3:::orders/x", nil), "AccessDeniedException")

	// A target role, in another account and by the external id alone.
	_, _, _, err = p.identity.CreateOrganization(t.Context(), p.admin, "ALL")
	p.must(err)
	there := p.account("444455556666", "payments")
	target := "arn:aws:iam::444455556666:role/ledger"
	change(identity.AssociationChange{TargetRoleARN: &target, DisableSessionTags: new(false), Policy: new("")})
	_, err = p.assume(p.token(nil))
	wantCode(t, "a target role that is not there", err, "AccessDeniedException")
	ledger := func(external string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/checkout"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"sts:ExternalId":"` + external + `","aws:RequestTag/kubernetes-namespace":"shop"}}}}`
	}
	_, _, err = p.identity.CreateRole(t.Context(), there, trellis.Role{Name: "ledger", TrustPolicy: ledger("another")})
	p.must(err)
	_, err = p.assume(p.token(nil))
	wantCode(t, "another external id", err, "AccessDeniedException")
	_, err = p.identity.UpdateAssumeRolePolicy(t.Context(), there, "ledger", ledger(p.association.ExternalID))
	p.must(err)
	s, err = p.assume(p.token(nil))
	p.must(err)
	if who := p.session(s.Credentials).Principal; who.PolicyARN != target || who.Tags["kubernetes-pod-name"] != "till-7c9d8f6b5c-x2x9q" {
		t.Errorf("in the target role: %+v", who)
	}

	_, _, err = p.identity.DeletePodIdentityAssociation(t.Context(), p.admin, "orders", p.association.ID)
	p.must(err)
	_, err = p.assume(p.token(nil))
	wantCode(t, "without an association", err, "ResourceNotFoundException")
}
