package trellis

import "time"

// PrincipalType is what kind of caller made a request.
type PrincipalType string

// The types of principals, as aws:PrincipalType has them.
const (
	PrincipalAnonymous   PrincipalType = "Anonymous"
	PrincipalAccount     PrincipalType = "Account" // the account's root
	PrincipalUser        PrincipalType = "User"
	PrincipalAssumedRole PrincipalType = "AssumedRole"
	PrincipalFederated   PrincipalType = "FederatedUser" // of GetFederationToken
	PrincipalService     PrincipalType = "Service"       // an AWS service, for example ec2.amazonaws.com
	// PrincipalWebIdentity is who shows the token of an OIDC provider to take on a role, as CloudTrail names it.
	PrincipalWebIdentity PrincipalType = "WebIdentityUser"
)

// Principal is who made a request.
type Principal struct {
	Type    PrincipalType
	Account string
	// ARN is how errors and logs name the caller: arn:aws:sts::…:assumed-role/ROLE/SESSION for a role.
	ARN string
	// PolicyARN is the value of aws:PrincipalArn: the role's own ARN for a session of a role, else ARN.
	PolicyARN   string
	UserID      string // AIDA…, or AROA…:SESSION
	SessionName string
	Service     string // of PrincipalService
	OrgID       string
	OrgPath     string            // o-…/r-…/ou-…/, the value of aws:PrincipalOrgPaths
	Tags        map[string]string // of the user or role and the session, the values of aws:PrincipalTag

	// What only sessions have.
	TokenIssuedAt     time.Time // aws:TokenIssueTime; zero for long-lived keys
	SourceIdentity    string    // aws:SourceIdentity, handed on from session to session
	FederatedProvider string    // aws:FederatedProvider: ARN of the provider that a web identity came from
	TransitiveTags    []string  // keys of those Tags that are handed on to the role that is assumed next
	X509              *X509     // of the certificate that the session was made for
}

// X509 is what a client's certificate says of it, as identity headers and access logs have it (VPC Lattice user guide,
// http-targets).
type X509 struct {
	IssuerOU  string
	SubjectCN string
	SANNameCN string // of a directory name among the alternative names
	SANDNS    string // the first
	SANURI    string // the first, for example a SPIFFE id
}
