package identity

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/store"
)

// CreateSession is what the holder of a certificate asks for. That the request was signed with its key is proven already.
type CreateSession struct {
	AnchorARN, ProfileARN, RoleARN string
	SessionName                    string // empty: the certificate's number
	DurationSeconds                int    // 0: the profile's
	Leaf                           *x509.Certificate
	Chain                          [][]byte // DER of what came with it, not looked at yet
	SourceIP                       string   // of the request, for conditions
}

// AnywhereSession is a session that was made for the holder of a certificate.
type AnywhereSession struct {
	*Credentials
	SubjectARN string
}

// CreateSession makes a session of a role for the holder of a certificate: the chain must lead to the enabled trust anchor,
// the enabled profile must have the role, and the role must trust IAM Roles Anywhere (IAM Roles Anywhere user guide,
// authentication-create-session). Who asked is remembered as a subject once the chain is good.
func (i *Identity) CreateSession(ctx context.Context, in CreateSession) (*AnywhereSession, error) {
	anchor, profile, lists, err := i.anywhereNouns(ctx, in)
	if err != nil {
		return nil, err
	}
	if !anchor.Enabled {
		return nil, trellis.Denied("Trust anchor is not enabled.")
	}
	err = i.verifyChain(anchor, lists, &in)
	if errors.Is(err, certificate.ErrRevoked) {
		_, _ = i.see(ctx, anchor.Account, in.Leaf, true) // the refusal stands, whether it is remembered or not
		return nil, trellis.Denied("Certificate revoked")
	}
	if err != nil {
		return nil, chainRefusal(err)
	}
	made, err := i.anywhereSession(ctx, anchor, profile, &in)
	subject, notSeen := i.see(ctx, anchor.Account, in.Leaf, err != nil)
	if err != nil {
		return nil, err
	}
	if notSeen != nil {
		return nil, notSeen
	}
	return &AnywhereSession{made, subject.ARN(i.o.Region)}, nil
}

// chainRefusal is what the holder of a certificate that is not trusted gets to know.
func chainRefusal(err error) *trellis.Error {
	if errors.Is(err, certificate.ErrInsufficient) {
		return trellis.Denied("Untrusted certificate. Insufficient certificate")
	}
	return trellis.Denied("Untrusted signing certificate")
}

// anywhereNouns reads the trust anchor with its lists, and the profile, which must be of one account with the role.
func (i *Identity) anywhereNouns(ctx context.Context, in CreateSession) (anchor *trellis.TrustAnchor, profile *trellis.AnywhereProfile, lists []*trellis.RevocationList, err error) {
	a, err := trellis.ParseARN(in.AnchorARN)
	if err != nil || a.Service != "rolesanywhere" || !trellis.IsAccountID(a.Account) {
		return nil, nil, nil, anywhereInvalid("%q is not the ARN of a trust anchor.", in.AnchorARN)
	}
	p, err := trellis.ParseARN(in.ProfileARN)
	if err != nil || p.Service != "rolesanywhere" || p.Account != a.Account {
		return nil, nil, nil, anywhereInvalid("%q is not the ARN of a profile of the trust anchor's account.", in.ProfileARN)
	}
	r, err := trellis.ParseARN(in.RoleARN)
	if err != nil || r.Service != "iam" || r.Account != a.Account || !strings.HasPrefix(r.Resource, "role/") {
		return nil, nil, nil, anywhereInvalid("%q is not the ARN of a role of the trust anchor's account.", in.RoleARN)
	}
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		if anchor, err = anywhereFind[*trellis.TrustAnchor](tx, a.Account, i.o.Region, in.AnchorARN); err != nil {
			return err
		}
		if profile, err = anywhereFind[*trellis.AnywhereProfile](tx, a.Account, i.o.Region, in.ProfileARN); err != nil {
			return err
		}
		lists, err = listsOf(tx, anchor)
		return err
	})
	return anchor, profile, lists, err
}

// verifyChain holds the certificate against the trust anchor.
func (i *Identity) verifyChain(anchor *trellis.TrustAnchor, lists []*trellis.RevocationList, in *CreateSession) error {
	var between []*x509.Certificate
	for _, der := range in.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return anywhereInvalid("X-Amz-X509-Chain holds something that is no certificate.")
		}
		between = append(between, c)
	}
	var revoked []*certificate.Revoked
	for _, l := range lists {
		if !l.Enabled {
			continue
		}
		r, err := certificate.ParseCRL(l.RevocationList)
		if err != nil {
			return err
		}
		revoked = append(revoked, r)
	}
	a, err := openAnchor(anchor, revoked)
	if err != nil {
		return err
	}
	_, err = a.Verify(in.Leaf, between, x509.ExtKeyUsageAny, i.o.Now())
	return err
}

// anywhereSession makes a session once the chain is good.
func (i *Identity) anywhereSession(ctx context.Context, anchor *trellis.TrustAnchor, profile *trellis.AnywhereProfile, in *CreateSession) (*Credentials, error) {
	switch {
	case !profile.Enabled:
		return nil, trellis.Denied("Profile is not enabled.")
	case !slices.Contains(profile.RoleARNs, in.RoleARN):
		return nil, trellis.Denied("Role is not in the profile.")
	case in.SessionName != "" && !profile.AcceptRoleSessionName:
		return nil, trellis.Denied("Not authorized to set roleSessionName.")
	}
	ask, err := anywhereAsk(anchor, profile, in.RoleARN, in.Leaf, i.o.Region)
	if err != nil {
		return nil, err
	}
	if in.SessionName != "" {
		ask.SessionName = in.SessionName
	}
	ask.DurationSeconds = profile.DurationSeconds
	if in.DurationSeconds != 0 {
		ask.DurationSeconds = min(in.DurationSeconds, profile.DurationSeconds)
	}
	if in.SourceIP != "" {
		ask.Context["aws:sourceip"] = []string{in.SourceIP}
	}
	made, err := i.SessionForService(ctx, ask)
	if e, ok := errors.AsType[*trellis.Error](err); ok && e.Status < 500 {
		return nil, anywhereRefusal(e, in.RoleARN)
	}
	return made, err
}

// anywhereRefusal is what IAM Roles Anywhere says when STS refuses.
func anywhereRefusal(e *trellis.Error, roleARN string) *trellis.Error {
	if e.Code == "AccessDenied" {
		return trellis.Denied("Unable to assume role for %s", roleARN)
	}
	return anywhereInvalid("%s", e.Message)
}

// anywhereAsk is the session of a role that a certificate leads to: named by the certificate's number, with the common name
// as source identity and tags by the profile's rules, which the trust policy sees too (IAM Roles Anywhere user guide,
// trust-model).
func anywhereAsk(anchor *trellis.TrustAnchor, profile *trellis.AnywhereProfile, roleARN string, leaf *x509.Certificate, region string) (ServiceSession, error) {
	said, err := certificate.AttributesOf(leaf)
	if err != nil {
		return ServiceSession{}, anywhereInvalid("The certificate can't be read: %s.", err)
	}
	ask := ServiceSession{RoleARN: roleARN, Service: anywhereService, SessionName: certificate.SerialHex(leaf), Tags: said.Tags(profile.AttributeMappings),
		Policy: profile.SessionPolicy, PolicyARNs: slices.Clone(profile.ManagedPolicyARNs), SourceIdentity: said.CommonName(), X509: said.X509(),
		Context: map[string][]string{"aws:sourcearn": {anchor.ARN(region)}, "aws:sourceaccount": {anchor.Account}}}
	for k, v := range ask.Tags {
		ask.Context["aws:principaltag/"+lower(k)] = []string{v}
	}
	return ask, nil
}
