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

// Key is a symmetric key of KMS that encrypts and decrypts.
type Key struct {
	Meta                       // ID is a UUID
	Description  string        `json:"description,omitempty"`
	State        KeyState      `json:"state"`
	Managed      bool          `json:"managed,omitempty"` // by AWS: of an alias/aws/…
	MultiRegion  bool          `json:"multiRegion,omitempty"`
	Policy       string        `json:"policy"`
	Materials    []KeyMaterial `json:"materials"`              // the newest last encrypts; all decrypt
	RotationDays int           `json:"rotationDays,omitempty"` // 0: it is not rotated
	RotationFrom time.Time     `json:"rotationFrom,omitzero"`  // when rotation was enabled, or last took place
	DeletionDate time.Time     `json:"deletionDate,omitzero"`  // of one that is PendingDeletion
	PendingDays  int           `json:"pendingDays,omitempty"`  // likewise: how long it was told to wait
}

// KeyMaterial is what a key encrypts with.
type KeyMaterial struct {
	ID       string    `json:"id"`     // 64 hexadecimal digits
	Secret   Secret    `json:"secret"` // 32 bytes, hexadecimal
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
