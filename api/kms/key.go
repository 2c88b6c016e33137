package kms

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/key"
)

// symmetric is the spec, and the algorithm, of keys that encrypt and decrypt with one secret.
const symmetric = string(trellis.KeySymmetric)

// metadata is a key as the wire has it.
func (h *handler) metadata(k *trellis.Key) *KeyMetadata {
	m := &KeyMetadata{AWSAccountId: &k.Account, Arn: new(k.ARN(h.keys.Region)), CreationDate: &k.CreatedAt, CustomerMasterKeySpec: new(string(k.Spec)),
		Description: &k.Description, Enabled: new(k.State == trellis.KeyEnabled), KeyId: k.ID, KeyManager: new("CUSTOMER"), KeySpec: new(string(k.Spec)),
		KeyState: new(string(k.State)), KeyUsage: new(string(k.Usage)), MultiRegion: &k.MultiRegion, Origin: new("AWS_KMS")}
	switch algorithms := key.Algorithms(k); k.Usage {
	case trellis.KeyEncrypts:
		m.EncryptionAlgorithms = algorithms
	case trellis.KeySigns:
		m.SigningAlgorithms = algorithms
	case trellis.KeyAuthenticates:
		m.MacAlgorithms = algorithms
	case trellis.KeyAgrees:
		m.KeyAgreementAlgorithms = algorithms
	}
	if k.Spec == trellis.KeySymmetric {
		m.CurrentKeyMaterialId = &k.Materials[len(k.Materials)-1].ID
	}
	if k.Managed {
		m.KeyManager = new("AWS")
	}
	if k.State == trellis.KeyPendingDeletion {
		m.DeletionDate = &k.DeletionDate
	}
	if k.MultiRegion {
		m.MultiRegionConfiguration = &MultiRegionConfiguration{MultiRegionKeyType: new("PRIMARY"), PrimaryKey: &MultiRegionKey{Arn: m.Arn, Region: &h.keys.Region}, ReplicaKeys: []MultiRegionKey{}}
	}
	return m
}

// createKey serves CreateKey.
func (h *handler) createKey(ctx context.Context, c *api.Call, in *CreateKeyInput) (*CreateKeyOutput, error) {
	switch {
	case in.KeySpec != nil && in.CustomerMasterKeySpec != nil:
		return nil, trellis.NewError(400, "ValidationException", "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case api.Or(in.Origin, "AWS_KMS") != "AWS_KMS", in.CustomKeyStoreId != nil, in.XksKeyId != nil:
		return nil, unsupported("The origin " + api.Or(in.Origin, "of another key store"))
	}
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	k, rev, err := h.keys.Create(ctx, c.Caller, key.NewKey{Description: api.Value(in.Description), Policy: api.Value(in.Policy), MultiRegion: api.Value(in.MultiRegion),
		Spec: trellis.KeySpec(api.Or(in.KeySpec, api.Value(in.CustomerMasterKeySpec))), Usage: trellis.KeyUsage(api.Value(in.KeyUsage)),
		Bypass: api.Value(in.BypassPolicyLockoutSafetyCheck), Tags: tags})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateKeyOutput{KeyMetadata: h.metadata(k)}, rev, nil)
}

// describeKey serves DescribeKey.
func (h *handler) describeKey(ctx context.Context, c *api.Call, in *DescribeKeyInput) (*DescribeKeyOutput, error) {
	k, err := h.keys.Describe(ctx, c.Caller, in.KeyId, in.GrantTokens)
	if err != nil {
		return nil, err
	}
	return &DescribeKeyOutput{KeyMetadata: h.metadata(k)}, nil
}

// listKeys serves ListKeys. No account shares keys by RAM.
func (h *handler) listKeys(ctx context.Context, c *api.Call, in *ListKeysInput) (*ListKeysOutput, error) {
	all, err := h.keys.List(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	if len(in.ResourceOwners) > 0 && !slices.Contains(in.ResourceOwners, "SELF") {
		all = nil
	}
	all, next, more, err := page(c, all, func(k *trellis.Key) string { return k.ID }, in.Limit, in.Marker, 100)
	return &ListKeysOutput{NextMarker: next, Truncated: more, Keys: api.Each(all, func(k *trellis.Key) KeyListEntry {
		return KeyListEntry{KeyArn: new(k.ARN(h.keys.Region)), KeyId: &k.ID}
	})}, err
}

// updateKeyDescription serves UpdateKeyDescription.
func (h *handler) updateKeyDescription(ctx context.Context, c *api.Call, in *UpdateKeyDescriptionInput) (*UpdateKeyDescriptionOutput, error) {
	rev, err := h.keys.Change(ctx, c.Caller, "kms:UpdateKeyDescription", in.KeyId, func(k *trellis.Key) error {
		k.Description = in.Description
		return nil
	})
	return api.Done(c, &UpdateKeyDescriptionOutput{}, rev, err)
}

// enableKey serves EnableKey.
func (h *handler) enableKey(ctx context.Context, c *api.Call, in *EnableKeyInput) (*EnableKeyOutput, error) {
	return &EnableKeyOutput{}, h.setState(ctx, c, in.KeyId, trellis.KeyEnabled)
}

// disableKey serves DisableKey.
func (h *handler) disableKey(ctx context.Context, c *api.Call, in *DisableKeyInput) (*DisableKeyOutput, error) {
	return &DisableKeyOutput{}, h.setState(ctx, c, in.KeyId, trellis.KeyDisabled)
}

// setState enables or disables a key.
func (h *handler) setState(ctx context.Context, c *api.Call, id string, to trellis.KeyState) error {
	rev, err := h.keys.Change(ctx, c.Caller, "kms:"+c.Operation, id, func(k *trellis.Key) error {
		k.State = to
		return nil
	})
	c.Committed(rev)
	return err
}

// scheduleKeyDeletion serves ScheduleKeyDeletion.
func (h *handler) scheduleKeyDeletion(ctx context.Context, c *api.Call, in *ScheduleKeyDeletionInput) (*ScheduleKeyDeletionOutput, error) {
	k, rev, err := h.keys.ScheduleDeletion(ctx, c.Caller, in.KeyId, int(api.Or(in.PendingWindowInDays, 30)))
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ScheduleKeyDeletionOutput{DeletionDate: &k.DeletionDate, KeyId: new(k.ARN(h.keys.Region)), KeyState: new(string(k.State)), PendingWindowInDays: new(int32(k.PendingDays))}, rev, nil)
}

// cancelKeyDeletion serves CancelKeyDeletion.
func (h *handler) cancelKeyDeletion(ctx context.Context, c *api.Call, in *CancelKeyDeletionInput) (*CancelKeyDeletionOutput, error) {
	k, rev, err := h.keys.CancelDeletion(ctx, c.Caller, in.KeyId)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CancelKeyDeletionOutput{KeyId: new(k.ARN(h.keys.Region))}, rev, nil)
}
