package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/certificate"
)

// anywhere is what IAM Roles Anywhere knows at one revision: immutable, except that it remembers the chains that it has
// verified, and handed from Directory to Directory while none of its nouns changes.
type anywhere struct {
	anchors  map[string]*trellis.TrustAnchor
	profiles map[string]*trellis.AnywhereProfile
	lists    map[string]*trellis.RevocationList

	bundles map[*trellis.TrustAnchor][]*x509.Certificate
	revoked map[*trellis.RevocationList]*certificate.Revoked
	trusts  map[string]*accountTrust // by account
	chains  *recent[verifiedChain]   // by account and digest
}

// accountTrust are the enabled trust anchors of an account.
type accountTrust struct {
	all *certificate.Anchor // of all together: what it refuses each of them refuses
	one []namedAnchor       // each by itself, in the order of their ids
}

// namedAnchor is one of them.
type namedAnchor struct {
	noun *trellis.TrustAnchor
	*certificate.Anchor
}

// verifiedChain is a chain that leads to some trust anchors until one of its certificates ends.
type verifiedChain struct {
	anchors []*trellis.TrustAnchor
	until   time.Time
}

// newAnywhere makes that of a state. It returns prev itself when nothing has changed, and else takes over what prev, which
// may be nil, has parsed. A trust anchor or list that can't be read trusts nobody: its account's certificates are all refused.
func newAnywhere(st *trellis.State, prev *anywhere) *anywhere {
	if prev != nil && prev.same(st) {
		return prev
	}
	a := &anywhere{anchors: byKey[*trellis.TrustAnchor](st), profiles: byKey[*trellis.AnywhereProfile](st), lists: byKey[*trellis.RevocationList](st),
		bundles: map[*trellis.TrustAnchor][]*x509.Certificate{}, revoked: map[*trellis.RevocationList]*certificate.Revoked{},
		trusts: map[string]*accountTrust{}, chains: newRecent[verifiedChain](sessionsRemembered)}
	if prev == nil {
		prev = &anywhere{}
	}
	broken := map[string]bool{}
	for _, n := range a.anchors {
		b, ok := prev.bundles[n]
		if !ok {
			b, _ = certificate.ParseBundle([]byte(n.CertificatePEM), time.Time{})
		}
		a.bundles[n] = b
		broken[n.Account] = broken[n.Account] || b == nil
	}
	for _, n := range a.lists {
		r, ok := prev.revoked[n]
		if !ok {
			r, _ = certificate.ParseCRL(n.RevocationList)
		}
		a.revoked[n] = r
		broken[n.Account] = broken[n.Account] || r == nil
	}
	for _, n := range a.anchors {
		if broken[n.Account] || !n.Enabled {
			continue
		}
		if a.trusts[n.Account] == nil {
			a.trusts[n.Account] = &accountTrust{}
		}
		a.trusts[n.Account].one = append(a.trusts[n.Account].one, namedAnchor{n, certificate.NewAnchor(a.bundles[n], a.listsOf(n))})
	}
	for _, t := range a.trusts {
		slices.SortFunc(t.one, func(x, y namedAnchor) int { return strings.Compare(x.noun.ID, y.noun.ID) })
		var bundle []*x509.Certificate
		for _, o := range t.one {
			bundle = append(bundle, a.bundles[o.noun]...)
		}
		t.all = certificate.NewAnchor(bundle, nil)
	}
	return a
}

// listsOf are the enabled lists of a trust anchor.
func (a *anywhere) listsOf(n *trellis.TrustAnchor) (lists []*certificate.Revoked) {
	for _, l := range a.lists {
		if l.Account == n.Account && l.TrustAnchorID == n.ID && l.Enabled {
			lists = append(lists, a.revoked[l])
		}
	}
	return lists
}

// same tells whether a state has the very same nouns.
func (a *anywhere) same(st *trellis.State) bool {
	return sameNouns(a.anchors, st) && sameNouns(a.profiles, st) && sameNouns(a.lists, st)
}

// verify finds the account's trust anchors that a client's chain leads to. A chain is verified once.
func (a *anywhere) verify(account string, chain []*x509.Certificate, now time.Time) (verifiedChain, error) {
	digest := sha256.New()
	for _, c := range chain {
		digest.Write(c.Raw)
	}
	key := account + string(digest.Sum(nil))
	if v, ok := a.chains.get(key); ok && now.Before(v.until) {
		return v, nil
	}
	t := a.trusts[account]
	if t == nil {
		return verifiedChain{}, errors.New("the account has no trust anchor that is enabled and can be read")
	}
	if _, err := t.all.Verify(chain[0], chain[1:], x509.ExtKeyUsageClientAuth, now); err != nil {
		return verifiedChain{}, err
	}
	var v verifiedChain
	var why error
	for _, o := range t.one {
		until, err := o.Verify(chain[0], chain[1:], x509.ExtKeyUsageClientAuth, now)
		if err != nil {
			if why == nil || errors.Is(err, certificate.ErrRevoked) {
				why = err
			}
			continue
		}
		v.anchors = append(v.anchors, o.noun)
		if v.until.IsZero() || until.Before(v.until) {
			v.until = until
		}
	}
	if len(v.anchors) == 0 {
		return verifiedChain{}, why
	}
	a.chains.add(key, v)
	return v, nil
}

// CertificateCaller is the caller that the holder of a client's certificate is by a profile (its ARN), and until when: that of
// the first role of the profile, in its order, whose trust policy takes the certificate, as CreateSession would give it. The
// chain begins with the client's certificate, whose key the client has proven to have, and must lead to an enabled trust
// anchor of the profile's account. It compiles policies, so that who calls often keeps the answer, and drops it with the
// Directory. The error is for the operator.
func (d *Directory) CertificateCaller(profileARN string, chain []*x509.Certificate) (*authpolicy.Caller, time.Time, error) {
	p := d.anywhere.profile(profileARN)
	switch {
	case len(chain) == 0:
		return nil, time.Time{}, errors.New("no certificate")
	case p == nil:
		return nil, time.Time{}, errors.New("the profile does not exist")
	case !p.Enabled:
		return nil, time.Time{}, errors.New("the profile is not enabled")
	}
	v, err := d.anywhere.verify(p.Account, chain, d.now())
	if err != nil {
		return nil, time.Time{}, err
	}
	region := arnRegion(profileARN)
	err = errors.New("the profile has no role")
	for _, role := range p.RoleARNs {
		for _, n := range v.anchors {
			ask, bad := anywhereAsk(n, p, role, chain[0], region)
			if bad != nil {
				return nil, time.Time{}, bad
			}
			var c *authpolicy.Caller
			if c, err = d.ServiceCaller(ask); err == nil {
				return c, v.until, nil
			}
		}
	}
	return nil, time.Time{}, err
}

// profile finds a profile by its ARN, nil when there is none.
func (a *anywhere) profile(arn string) *trellis.AnywhereProfile {
	p, err := trellis.ParseARN(arn)
	if err != nil {
		return nil
	}
	n := a.profiles[p.Account+"/"+trellis.LastPart(p.Resource)]
	if n == nil || n.ARN(p.Region) != arn {
		return nil
	}
	return n
}

// arnRegion is the region of an ARN.
func arnRegion(arn string) string {
	a, _ := trellis.ParseARN(arn) // who asks has parsed it
	return a.Region
}
