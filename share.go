package trellis

import (
	"slices"
	"strings"
	"time"
)

// ResourceShare lets other accounts use resources of its owner (AWS RAM).
type ResourceShare struct {
	Meta
	Name                    string           `json:"name"`
	AllowExternalPrincipals bool             `json:"allowExternalPrincipals"`
	Status                  string           `json:"status"`              // ACTIVE or DELETED
	Resources               []string         `json:"resources,omitempty"` // ARNs
	Principals              []SharePrincipal `json:"principals,omitempty"`
	Permissions             []string         `json:"permissions,omitempty"` // ARNs of RAM permissions, one a resource type
	// PermissionVersions are the versions of the permissions, by ARN. One that is absent is the default version.
	PermissionVersions map[string]int `json:"permissionVersions,omitempty"`
	// RetainOnLeave keeps accounts of the owner's organization in the share when they leave it (RAM API, ResourceShareConfiguration).
	RetainOnLeave bool `json:"retainOnLeave,omitempty"`
}

// InvitationLife is how long an invitation waits for its answer (AWS RAM user guide, accepting and rejecting invitations).
const InvitationLife = 7 * 24 * time.Hour

// SharePrincipal is an account, an organization or an organizational unit that a share is for.
type SharePrincipal struct {
	Principal string `json:"principal"` // 12 digits or an organizations ARN
	// Accepted is false while an account outside the owner's organization has not accepted its invitation.
	Accepted bool `json:"accepted"`
	// Rejected is set when the account has refused the invitation: the share does not reach it.
	Rejected bool      `json:"rejected,omitempty"`
	AddedAt  time.Time `json:"addedAt,omitzero"`
	// External is true for an account outside the owner's organization.
	External bool `json:"external,omitempty"`
}

// Expired tells whether the invitation of an account was not answered in time.
func (sp SharePrincipal) Expired(now time.Time) bool {
	return !sp.Accepted && !sp.Rejected && now.Sub(sp.AddedAt) >= InvitationLife
}

// Kind is KindResourceShare.
func (*ResourceShare) Kind() Kind { return KindResourceShare }

// ARN is arn:aws:ram:region:account:resource-share/uuid.
func (s *ResourceShare) ARN(region string) string {
	return ARN{"aws", "ram", region, s.Account, "resource-share/" + s.ID}.String()
}

// Terms are the accounts, organizations and organizational units that the share is for, accepted or not: 111122223333, o-… or
// o-…/ou-….
func (s *ResourceShare) Terms() []string {
	terms := make([]string, 0, len(s.Principals))
	for _, sp := range s.Principals {
		if org, unit, ok := OrganizationPrincipal(sp.Principal); ok {
			terms = append(terms, OrganizationTerm(org, unit))
		} else if IsAccountID(sp.Principal) {
			terms = append(terms, sp.Principal)
		}
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// OrganizationTerm is what the shares for an organization, or a unit of it, are found by.
func OrganizationTerm(org, unit string) string {
	if unit == "" {
		return org
	}
	return org + "/" + unit
}

// OrganizationPrincipal takes the ARN of an organization or organizational unit apart:
// arn:aws:organizations::ACCOUNT:organization/o-… or …:ou/o-…/ou-….
func OrganizationPrincipal(principal string) (org, unit string, ok bool) {
	a, err := ParseARN(principal)
	if err != nil || a.Service != "organizations" {
		return "", "", false
	}
	parts := strings.Split(a.Resource, "/")
	switch {
	case len(parts) == 2 && parts[0] == "organization":
		return parts[1], "", true
	case len(parts) == 3 && parts[0] == "ou":
		return parts[1], parts[2], true
	}
	return "", "", false
}
