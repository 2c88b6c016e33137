package trellis

import "time"

// KeyState is where a key stands in its life (KMS API, KeyMetadata).
type KeyState string

// The states of keys.
const (
	KeyEnabled         KeyState = "Enabled"
	KeyDisabled        KeyState = "Disabled"
	KeyPendingDeletion KeyState = "PendingDeletion"
)

// KeySpec is the sort of a key, in KMS's words, for example RSA_2048.
type KeySpec string

// KeySymmetric is the spec of keys that encrypt and decrypt with one secret.
const KeySymmetric KeySpec = "SYMMETRIC_DEFAULT"

// KeyUsage is what a key is for.
type KeyUsage string

// The usages of keys.
const (
	KeyEncrypts      KeyUsage = "ENCRYPT_DECRYPT"
	KeySigns         KeyUsage = "SIGN_VERIFY"
	KeyAuthenticates KeyUsage = "GENERATE_VERIFY_MAC"
	KeyAgrees        KeyUsage = "KEY_AGREEMENT"
)

// Key is a key of KMS.
type Key struct {
	Meta                       // ID is a UUID
	Spec         KeySpec       `json:"spec,omitempty"`  // empty: KeySymmetric, as keys were before there were others
	Usage        KeyUsage      `json:"usage,omitempty"` // empty: KeyEncrypts
	Description  string        `json:"description,omitempty"`
	State        KeyState      `json:"state"`
	Managed      bool          `json:"managed,omitempty"` // by AWS: of an alias/aws/…
	MultiRegion  bool          `json:"multiRegion,omitempty"`
	Policy       string        `json:"policy"`
	Materials    []KeyMaterial `json:"materials"`              // the newest last encrypts; all decrypt. Others than symmetric keys have one
	RotationDays int           `json:"rotationDays,omitempty"` // 0: it is not rotated
	RotationFrom time.Time     `json:"rotationFrom,omitzero"`  // when rotation was enabled, or last took place
	DeletionDate time.Time     `json:"deletionDate,omitzero"`  // of one that is PendingDeletion
	PendingDays  int           `json:"pendingDays,omitempty"`  // likewise: how long it was told to wait
}

// KeyMaterial is what a key encrypts, signs or authenticates with.
type KeyMaterial struct {
	ID       string    `json:"id"`     // 64 hexadecimal digits
	Secret   Secret    `json:"secret"` // hexadecimal: random bytes, or a private key in PKCS #8
	MadeAt   time.Time `json:"madeAt"`
	OnDemand bool      `json:"onDemand,omitempty"` // by RotateKeyOnDemand
}

// Kind is KindKey.
func (*Key) Kind() Kind { return KindKey }

// Secrets are the materials.
func (k *Key) Secrets() []*Secret {
	all := make([]*Secret, len(k.Materials))
	for i := range k.Materials {
		all[i] = &k.Materials[i].Secret
	}
	return all
}

// ARN is arn:aws:kms:region:account:key/….
func (k *Key) ARN(region string) string {
	return ARN{Partition: "aws", Service: "kms", Region: region, Account: k.Account, Resource: "key/" + k.ID}.String()
}

// KeyAlias is another name of a key, which can be given to another key.
type KeyAlias struct {
	Meta         // ID is alias/…
	KeyID string `json:"keyId"`
}

// Kind is KindKeyAlias.
func (*KeyAlias) Kind() Kind { return KindKeyAlias }

// ARN is arn:aws:kms:region:account:alias/….
func (a *KeyAlias) ARN(region string) string {
	return ARN{Partition: "aws", Service: "kms", Region: region, Account: a.Account, Resource: a.ID}.String()
}

// Grant lets a principal use a key without the key's policy naming it (KMS developer guide, grants).
type Grant struct {
	Meta                   // ID is 64 hexadecimal digits; Account is the key's
	KeyID   string         `json:"keyId"`
	Name    string         `json:"name,omitempty"`
	Issuer  string         `json:"issuer"` // the account that made it
	Terms   GrantTerms     `json:"terms"`
	Grantee GrantPrincipal `json:"grantee"`
	Retirer GrantPrincipal `json:"retirer,omitzero"`
}

// GrantPrincipal is who has a grant, or may end it: one of the two.
type GrantPrincipal struct {
	ARN     string `json:"arn,omitempty"`     // of an account, a user, a role or a session
	Service string `json:"service,omitempty"` // for example s3.amazonaws.com
}

// GrantTerms are what a grant allows.
type GrantTerms struct {
	Operations    []string          `json:"operations"`              // for example Decrypt
	ContextEquals map[string]string `json:"contextEquals,omitempty"` // the encryption context must be this
	ContextSubset map[string]string `json:"contextSubset,omitempty"` // likewise, or have more
	SourceARN     string            `json:"sourceArn,omitempty"`     // on whose behalf a request must be
}

// Kind is KindGrant.
func (*Grant) Kind() Kind { return KindGrant }

// Key is account/key/id, so that a prefix lists the grants of one key.
func (g *Grant) Key() string { return g.Account + "/" + g.KeyID + "/" + g.ID }
