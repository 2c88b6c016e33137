package trellis

// Group is a set of users with policies in common (IAM API reference, Group). Its members are the users that name it.
type Group struct {
	Meta                 // ID is AGPA…
	Name     string      `json:"name"` // unique in its account, not case-sensitive
	Path     string      `json:"path"` // begins and ends with /
	Inline   []PolicyDoc `json:"inline,omitempty"`
	Attached []string    `json:"attached,omitempty"` // ARNs of managed policies
}

// Kind is KindGroup.
func (*Group) Kind() Kind { return KindGroup }

// Key is account/name.
func (g *Group) Key() string { return g.Account + "/" + g.Name }

// ARN is arn:aws:iam::account:group/path/name.
func (g *Group) ARN() string { return IAMARN(g.Account, "group"+g.Path+g.Name) }

// InstanceProfile hands a role to instances (IAM API reference, InstanceProfile).
type InstanceProfile struct {
	Meta            // ID is AIPA…
	Name     string `json:"name"` // unique in its account
	Path     string `json:"path"`
	RoleName string `json:"roleName,omitempty"` // of the same account; a profile has one role at most
}

// Kind is KindInstanceProfile.
func (*InstanceProfile) Kind() Kind { return KindInstanceProfile }

// Key is account/name.
func (p *InstanceProfile) Key() string { return p.Account + "/" + p.Name }

// ARN is arn:aws:iam::account:instance-profile/path/name.
func (p *InstanceProfile) ARN() string { return IAMARN(p.Account, "instance-profile"+p.Path+p.Name) }
