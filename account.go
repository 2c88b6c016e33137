package trellis

import (
	"strings"
	"time"
)

// Account owns nouns. One of them, the management account, exists from the first start.
type Account struct {
	ID        string          `json:"id"` // 12 digits
	Name      string          `json:"name"`
	Email     string          `json:"email"`
	Status    string          `json:"status"` // ACTIVE or SUSPENDED
	CreatedAt time.Time       `json:"createdAt"`
	OrgID     string          `json:"orgId,omitempty"`    // o-…, empty outside of an organization
	ParentID  string          `json:"parentId,omitempty"` // r-… or ou-…
	RequestID string          `json:"requestId,omitempty"`
	JoinedAt  time.Time       `json:"joinedAt,omitzero"` // of an account that was invited; others joined when they were made
	Alias     string          `json:"alias,omitempty"`   // unique among all accounts
	Passwords *PasswordPolicy `json:"passwords,omitempty"`
	// MetadataDefaults are for new instances whose launch says nothing (EC2 user guide, "Order of precedence for instance
	// metadata options"). TokensEnforced refuses instances that need no token, whatever a request says.
	MetadataDefaults MetadataOptions `json:"metadataDefaults,omitzero"`
	TokensEnforced   bool            `json:"tokensEnforced,omitempty"`
	// Delegations are the services that the account is delegated administrator of in its organization, with since when.
	Delegations map[string]time.Time `json:"delegations,omitempty"`
	Tags        map[string]string    `json:"tags,omitempty"`
}

// PasswordPolicy is what an account asks of its users' passwords: a record, as users have no passwords here (IAM API
// reference, PasswordPolicy).
type PasswordPolicy struct {
	MinimumLength   int   `json:"minimumLength"`
	Symbols         bool  `json:"symbols,omitempty"`
	Numbers         bool  `json:"numbers,omitempty"`
	Uppercase       bool  `json:"uppercase,omitempty"`
	Lowercase       bool  `json:"lowercase,omitempty"`
	UsersMayChange  bool  `json:"usersMayChange,omitempty"`
	MaxAgeDays      int   `json:"maxAgeDays,omitempty"`      // 0: passwords don't expire
	ReusePrevention int   `json:"reusePrevention,omitempty"` // how many earlier ones are refused
	HardExpiry      *bool `json:"hardExpiry,omitempty"`
}

// IsAccountID tells whether s is the 12 digits of an account.
func IsAccountID(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// Kind is KindAccount.
func (*Account) Kind() Kind { return KindAccount }

// Key is the account's id.
func (a *Account) Key() string { return a.ID }

// FailedAccount is what became of a CreateAccount that made none.
type FailedAccount struct {
	RequestID string    `json:"requestId"` // car-…
	Name      string    `json:"name"`
	At        time.Time `json:"at"`
	Reason    string    `json:"reason"` // for example EMAIL_ALREADY_EXISTS
}

// Organization joins accounts under a management account.
type Organization struct {
	ID                  string    `json:"id"` // o- and 10 to 32 characters
	ManagementAccountID string    `json:"managementAccountId"`
	RootID              string    `json:"rootId"`     // r- and 4 to 32 characters
	FeatureSet          string    `json:"featureSet"` // ALL or CONSOLIDATED_BILLING
	CreatedAt           time.Time `json:"createdAt"`
	SharingEnabled      bool      `json:"sharingEnabled"` // RAM's EnableSharingWithAwsOrganization
	// FailedAccounts are the last CreateAccounts that failed, the oldest first.
	FailedAccounts []FailedAccount `json:"failedAccounts,omitempty"`
	// PolicyTypes are the types of policies that are enabled: SERVICE_CONTROL_POLICY and RESOURCE_CONTROL_POLICY.
	PolicyTypes []string          `json:"policyTypes,omitempty"`
	RootTags    map[string]string `json:"rootTags,omitempty"`
}

// Kind is KindOrganization.
func (*Organization) Kind() Kind { return KindOrganization }

// Key is the organization's id.
func (o *Organization) Key() string { return o.ID }

// OrganizationalUnit is a folder of accounts.
type OrganizationalUnit struct {
	ID        string            `json:"id"` // ou-…
	OrgID     string            `json:"orgId"`
	ParentID  string            `json:"parentId"` // r-… or ou-…
	Name      string            `json:"name"`     // unique below its parent
	CreatedAt time.Time         `json:"createdAt"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// Kind is KindOrganizationalUnit.
func (*OrganizationalUnit) Kind() Kind { return KindOrganizationalUnit }

// Key is org/id.
func (u *OrganizationalUnit) Key() string { return u.OrgID + "/" + u.ID }

// OrganizationPolicy bounds what the accounts of an organization may do (service control policy), or what may be done
// with what they own (resource control policy). Organizations API reference, Policy.
type OrganizationPolicy struct {
	ID          string            `json:"id"` // p-…
	OrgID       string            `json:"orgId"`
	Type        string            `json:"type"` // SERVICE_CONTROL_POLICY or RESOURCE_CONTROL_POLICY
	Name        string            `json:"name"` // unique among those of its type
	Description string            `json:"description,omitempty"`
	Text        string            `json:"text"`
	AWSManaged  bool              `json:"awsManaged,omitempty"` // FullAWSAccess and RCPFullAWSAccess
	Targets     []string          `json:"targets,omitempty"`    // what it is attached to: r-…, ou-… or an account, sorted
	CreatedAt   time.Time         `json:"createdAt"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// Kind is KindOrganizationPolicy.
func (*OrganizationPolicy) Kind() Kind { return KindOrganizationPolicy }

// Key is org/id.
func (p *OrganizationPolicy) Key() string { return p.OrgID + "/" + p.ID }

// User is a person or program with long-lived credentials.
type User struct {
	Meta                 // ID is AIDA…
	Name     string      `json:"name"` // unique in its account, not case-sensitive
	Path     string      `json:"path"` // begins and ends with /
	Inline   []PolicyDoc `json:"inline,omitempty"`
	Attached []string    `json:"attached,omitempty"` // ARNs of managed policies
	Boundary string      `json:"boundary,omitempty"` // ARN of the managed policy that is the permissions boundary
	Groups   []string    `json:"groups,omitempty"`   // names of groups of the account
}

// Kind is KindUser.
func (*User) Kind() Kind { return KindUser }

// Key is account/name.
func (u *User) Key() string { return u.Account + "/" + u.Name }

// ARN is arn:aws:iam::account:user/path/name.
func (u *User) ARN() string { return IAMARN(u.Account, "user"+u.Path+u.Name) }

// Role is an identity that others take on for a while.
type Role struct {
	Meta                          // ID is AROA…
	Name              string      `json:"name"` // unique in its account
	Path              string      `json:"path"`
	Description       string      `json:"description,omitempty"`
	TrustPolicy       string      `json:"trustPolicy"` // who may assume it
	MaxSessionSeconds int         `json:"maxSessionSeconds"`
	Inline            []PolicyDoc `json:"inline,omitempty"`
	Attached          []string    `json:"attached,omitempty"` // ARNs of managed policies
	Boundary          string      `json:"boundary,omitempty"` // ARN of the managed policy that is the permissions boundary
}

// Kind is KindRole.
func (*Role) Kind() Kind { return KindRole }

// Key is account/name.
func (r *Role) Key() string { return r.Account + "/" + r.Name }

// ARN is arn:aws:iam::account:role/path/name.
func (r *Role) ARN() string { return IAMARN(r.Account, "role"+r.Path+r.Name) }

// PolicyDoc is an inline policy.
type PolicyDoc struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// ManagedPolicy is a policy that users and roles attach by its ARN. The account of AWS's own is "aws".
type ManagedPolicy struct {
	Meta               // ID is ANPA…
	Name        string `json:"name"` // unique in its account
	Path        string `json:"path"`
	Description string `json:"description,omitempty"`
	Text        string `json:"text"` // of the default version
	VersionID   string `json:"versionId"`
	// Versions are all versions, oldest first; empty: the default one, made with the policy, is the only one.
	Versions    []PolicyVersion `json:"versions,omitempty"`
	NextVersion int             `json:"nextVersion,omitempty"` // number of the next version; 0: 2
}

// PolicyVersion is a version of a ManagedPolicy.
type PolicyVersion struct {
	ID        string    `json:"id"` // v1, v2, …
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt"`
}

// Kind is KindManagedPolicy.
func (*ManagedPolicy) Kind() Kind { return KindManagedPolicy }

// Key is account/name.
func (p *ManagedPolicy) Key() string { return p.Account + "/" + p.Name }

// ARN is arn:aws:iam::account:policy/path/name.
func (p *ManagedPolicy) ARN() string { return IAMARN(p.Account, "policy"+p.Path+p.Name) }

// AccessKey is a long-lived credential of a user.
type AccessKey struct {
	ID        string    `json:"id"` // AKIA…
	Account   string    `json:"account"`
	UserName  string    `json:"userName"`
	Secret    Secret    `json:"secret"`
	Status    string    `json:"status"` // Active or Inactive
	CreatedAt time.Time `json:"createdAt"`
}

// Kind is KindAccessKey.
func (*AccessKey) Kind() Kind { return KindAccessKey }

// Key is the access key id: a signature names nothing else.
func (k *AccessKey) Key() string { return k.ID }

// Secrets is the secret access key.
func (k *AccessKey) Secrets() []*Secret { return []*Secret{&k.Secret} }
