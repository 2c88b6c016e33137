package identity

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// ServiceSession is a session of a role that a service of AWS asks for, to hand it to a workload that the service
// vouches for: EC2 for an instance, EKS for a pod, Roles Anywhere for the holder of a certificate.
type ServiceSession struct {
	RoleARN         string
	Service         string // for example pods.eks.amazonaws.com
	SessionName     string
	Tags            map[string]string
	TransitiveTags  []string // keys of Tags that go on to sessions made with this one
	Policy          string   // session policy
	PolicyARNs      []string // managed policies as session policies
	DurationSeconds int      // 0: an hour
	SourceIdentity  string
	X509            *trellis.X509 // of the certificate that vouches
	// Context holds condition keys by lower-case name for the trust policy's decision, for example aws:sourcearn.
	Context map[string][]string
	// Holds are those that hold for all that is done with the session, for example ec2:roledelivery.
	Holds map[string][]string
}

// request is the session that is asked for.
func (ss *ServiceSession) request() *sessionRequest {
	return &sessionRequest{action: "sts:AssumeRole", name: ss.SessionName, seconds: ss.DurationSeconds, tags: ss.Tags,
		transitive: ss.TransitiveTags, policy: ss.Policy, policyARNs: ss.PolicyARNs, sourceIdentity: ss.SourceIdentity,
		x509: ss.X509, context: ss.Holds, keys: ss.Context}
}

// refused is the answer to a service that the role does not trust, or that asks for a role that does not exist.
func (ss *ServiceSession) refused(action string) *trellis.Error {
	return trellis.NewError(403, "AccessDenied", "%s is not authorized to perform: %s on resource: %s", ss.Service, action, ss.RoleARN)
}

// serviceCaller is a service as trust policies see it. It has no policies of its own.
func serviceCaller(service string) *authpolicy.Caller {
	return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalService, Service: service, ARN: service, PolicyARN: service}}
}

// SessionForService makes a session of a role for a service that hands it on. The role's trust policy must allow the
// service sts:AssumeRole, and sts:TagSession and sts:SetSourceIdentity when there are tags and a source identity.
func (i *Identity) SessionForService(ctx context.Context, ss ServiceSession) (*Credentials, error) {
	q := ss.request()
	if err := q.check(); err != nil {
		return nil, err
	}
	return i.session(ctx, q, ss.RoleARN, serviceCaller(ss.Service), ss.refused)
}

// ServiceCaller is the caller that SessionForService's session would make, for those whom the network vouches for,
// who so need no token. It is as of now: its TokenIssuedAt is the present. It compiles the trust policy and the
// session policy, so that who calls often keeps the answer, and drops it with the Directory. Errors are of type
// *trellis.Error. What ss refers to is kept.
func (d *Directory) ServiceCaller(ss ServiceSession) (*authpolicy.Caller, error) {
	q := ss.request()
	if err := q.check(); err != nil {
		return nil, err
	}
	r := d.role(ss.RoleARN)
	if r == nil {
		return nil, ss.refused(q.action)
	}
	now := d.now()
	if action := q.refusal(d, r, serviceCaller(ss.Service), now); action != "" {
		return nil, ss.refused(action)
	}
	return d.sessionCaller(r, &session{Account: r.Account, RoleName: r.Name, RoleID: r.ID, Name: q.name, Tags: q.tags, TransitiveTags: q.transitive,
		Policy: q.policy, PolicyARNs: q.policyARNs, SourceIdentity: q.sourceIdentity, X509: q.x509, Context: q.context, IssuedAt: now.UTC()}), nil
}

// role finds a role of an active account by its ARN; nil when there is none.
func (d *Directory) role(arn string) *trellis.Role {
	a, err := trellis.ParseARN(arn)
	if err != nil {
		return nil
	}
	r := d.nouns.roles[a.Account+"/"+trellis.LastPart(a.Resource)]
	if r == nil || r.ARN() != arn || !d.accountActive(r.Account) {
		return nil
	}
	return r
}
