package trellis

import "time"

// OIDCProvider is an issuer of tokens whose word an account takes for who somebody is: AssumeRoleWithWebIdentity
// (IAM API reference, CreateOpenIDConnectProvider).
type OIDCProvider struct {
	Meta                 // ID is the issuer without its scheme, for example token.example.com/cluster
	URL         string   `json:"url"`       // as the token's iss has it, https://…
	ClientIDs   []string `json:"clientIds"` // audiences that the account takes tokens for
	Thumbprints []string `json:"thumbprints,omitempty"`
}

// Kind is KindOIDCProvider.
func (*OIDCProvider) Kind() Kind { return KindOIDCProvider }

// ARN is arn:aws:iam::account:oidc-provider/issuer.
func (p *OIDCProvider) ARN() string { return IAMARN(p.Account, "oidc-provider/"+p.ID) }

// TrustAnchor is a certificate authority whose word an account takes for who somebody is (IAM Roles Anywhere API
// reference, TrustAnchorDetail).
type TrustAnchor struct {
	Meta                  // ID is a UUID
	Name           string `json:"name"`
	Alias          string `json:"alias,omitempty"` // unique among the account's trust anchors
	Enabled        bool   `json:"enabled"`
	SourceType     string `json:"sourceType"`     // CERTIFICATE_BUNDLE
	CertificatePEM string `json:"certificatePem"` // the bundle: what a chain must end at
	// Notifications are settings of the account's own; nobody is notified.
	Notifications []ExpiryNotification `json:"notifications,omitempty"`
}

// ExpiryNotification says when to tell of certificates that end soon (IAM Roles Anywhere API reference,
// NotificationSetting).
type ExpiryNotification struct {
	Event     string `json:"event"`   // CA_CERTIFICATE_EXPIRY or END_ENTITY_CERTIFICATE_EXPIRY
	Channel   string `json:"channel"` // ALL
	Enabled   bool   `json:"enabled"`
	Threshold int    `json:"threshold"` // days before the end
}

// Kind is KindTrustAnchor.
func (*TrustAnchor) Kind() Kind { return KindTrustAnchor }

// ARN is arn:aws:rolesanywhere:region:account:trust-anchor/id.
func (a *TrustAnchor) ARN(region string) string {
	return ARN{Partition: "aws", Service: "rolesanywhere", Region: region, Account: a.Account, Resource: "trust-anchor/" + a.ID}.String()
}

// AnywhereProfile says which roles certificates may lead to, and what their sessions may do (IAM Roles Anywhere API
// reference, ProfileDetail).
type AnywhereProfile struct {
	Meta                             // ID is a UUID
	Name                  string     `json:"name"`
	Alias                 string     `json:"alias,omitempty"` // unique among the account's profiles
	CreatedBy             string     `json:"createdBy"`       // ARN of the principal
	Enabled               bool       `json:"enabled"`
	RoleARNs              []string   `json:"roleArns"`
	SessionPolicy         string     `json:"sessionPolicy,omitempty"`
	ManagedPolicyARNs     []string   `json:"managedPolicyArns,omitempty"` // as session policies
	DurationSeconds       int        `json:"durationSeconds"`
	AcceptRoleSessionName bool       `json:"acceptRoleSessionName,omitempty"`
	RequireInstanceProps  bool       `json:"requireInstanceProperties,omitempty"`
	AttributeMappings     []X509Rule `json:"attributeMappings,omitempty"`
}

// X509Rule says which parts of a field of certificates become session tags.
type X509Rule struct {
	Field      string   `json:"field"`      // x509Subject, x509Issuer or x509SAN
	Specifiers []string `json:"specifiers"` // for example CN, OU, URI, Name/CN, or *
}

// Kind is KindAnywhereProfile.
func (*AnywhereProfile) Kind() Kind { return KindAnywhereProfile }

// ARN is arn:aws:rolesanywhere:region:account:profile/id.
func (p *AnywhereProfile) ARN(region string) string {
	return ARN{Partition: "aws", Service: "rolesanywhere", Region: region, Account: p.Account, Resource: "profile/" + p.ID}.String()
}

// RevocationList is a CRL of a trust anchor: certificates that lead to no session any more (IAM Roles Anywhere API
// reference, CrlDetail).
type RevocationList struct {
	Meta                  // ID is a UUID
	Name           string `json:"name"`
	Alias          string `json:"alias,omitempty"` // unique among the account's lists
	Enabled        bool   `json:"enabled"`
	TrustAnchorID  string `json:"trustAnchorId"`
	RevocationList []byte `json:"revocationList"` // DER
}

// Kind is KindRevocationList.
func (*RevocationList) Kind() Kind { return KindRevocationList }

// ARN is arn:aws:rolesanywhere:region:account:crl/id.
func (l *RevocationList) ARN(region string) string {
	return ARN{Partition: "aws", Service: "rolesanywhere", Region: region, Account: l.Account, Resource: "crl/" + l.ID}.String()
}

// AnywhereSubject is whom certificates of one subject name are for, and what was last asked with them (IAM Roles
// Anywhere API reference, SubjectDetail).
type AnywhereSubject struct {
	Meta                             // ID is a UUID made of the account and the name
	Name        string               `json:"name"` // the subject of the certificates (RFC 4514)
	LastSeenAt  time.Time            `json:"lastSeenAt"`
	Credentials []AnywhereCredential `json:"credentials,omitempty"` // the last ones, the newest first
}

// AnywhereCredential is a certificate that a session was asked with.
type AnywhereCredential struct {
	Serial         string    `json:"serial"` // decimal
	Issuer         string    `json:"issuer"`
	CertificatePEM string    `json:"certificatePem"`
	SeenAt         time.Time `json:"seenAt"`
	Failed         bool      `json:"failed,omitempty"` // no session was given
}

// Kind is KindAnywhereSubject.
func (*AnywhereSubject) Kind() Kind { return KindAnywhereSubject }

// ARN is arn:aws:rolesanywhere:region:account:subject/id.
func (s *AnywhereSubject) ARN(region string) string {
	return ARN{Partition: "aws", Service: "rolesanywhere", Region: region, Account: s.Account, Resource: "subject/" + s.ID}.String()
}

// Cluster is a Kubernetes cluster whose service accounts' tokens an account takes for Pod Identity (EKS API reference,
// Cluster). Trellis does not run it.
type Cluster struct {
	Meta                      // ID is the name
	IssuerURL        string   `json:"issuerUrl"`             // of its service accounts' tokens
	Thumbprints      []string `json:"thumbprints,omitempty"` // of certificates that the issuer may show, as OIDCProvider has them
	RoleARN          string   `json:"roleArn,omitempty"`
	Version          string   `json:"version,omitempty"` // of Kubernetes
	SubnetIDs        []string `json:"subnetIds,omitempty"`
	SecurityGroupIDs []string `json:"securityGroupIds,omitempty"`
	PrivateEndpoint  bool     `json:"privateEndpoint,omitempty"` // of the Kubernetes API, as its owner says, like the next two
	PublicEndpoint   bool     `json:"publicEndpoint,omitempty"`
	PublicCIDRs      []string `json:"publicCidrs,omitempty"`
}

// Kind is KindCluster.
func (*Cluster) Kind() Kind { return KindCluster }

// ARN is arn:aws:eks:region:account:cluster/name.
func (c *Cluster) ARN(region string) string {
	return ARN{Partition: "aws", Service: "eks", Region: region, Account: c.Account, Resource: "cluster/" + c.ID}.String()
}

// PodIdentityAssociation gives the pods of a service account a role (EKS API reference, PodIdentityAssociation).
type PodIdentityAssociation struct {
	Meta                      // ID is a- and 17 characters
	ClusterName        string `json:"clusterName"`
	Namespace          string `json:"namespace"`
	ServiceAccount     string `json:"serviceAccount"`
	RoleARN            string `json:"roleArn"`
	TargetRoleARN      string `json:"targetRoleArn,omitempty"` // assumed by RoleARN
	ExternalID         string `json:"externalId,omitempty"`    // of assuming TargetRoleARN
	DisableSessionTags bool   `json:"disableSessionTags,omitempty"`
	Policy             string `json:"policy,omitempty"` // session policy
}

// Kind is KindPodIdentityAssociation.
func (*PodIdentityAssociation) Kind() Kind { return KindPodIdentityAssociation }

// Key is account/cluster/id.
func (a *PodIdentityAssociation) Key() string { return a.Account + "/" + a.ClusterName + "/" + a.ID }

// ARN is arn:aws:eks:region:account:podidentityassociation/cluster/id.
func (a *PodIdentityAssociation) ARN(region string) string {
	return ARN{Partition: "aws", Service: "eks", Region: region, Account: a.Account, Resource: "podidentityassociation/" + a.ClusterName + "/" + a.ID}.String()
}

// SealingKey seals session tokens. The newest one makes them, older ones open what was made with them until the last of
// those has expired, so that keys rotate without ending sessions.
type SealingKey struct {
	ID        string    `json:"id"` // 1, 2, …, in the order of their making
	Secret    Secret    `json:"secret"`
	CreatedAt time.Time `json:"createdAt"`
}

// Kind is KindSealingKey.
func (*SealingKey) Kind() Kind { return KindSealingKey }

// Key is the id.
func (k *SealingKey) Key() string { return k.ID }

// Secrets is the key.
func (k *SealingKey) Secrets() []*Secret { return []*Secret{&k.Secret} }
