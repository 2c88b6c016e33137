package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// createKeyPair is CreateKeyPair.
func (h *handler) createKeyPair(ctx context.Context, c *api.Call, in *CreateKeyPairInput) (*CreateKeyPairOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "key-pair")
	if err != nil {
		return nil, err
	}
	if format := api.Value(in.KeyFormat); format != "" && format != "pem" {
		return nil, trellis.NewError(400, "InvalidParameterValue", "Value (%s) for parameter KeyFormat is invalid. Private keys are given as pem only.", format)
	}
	k, private, rev, err := h.plane.CreateKeyPair(ctx, caller(c, in.DryRun), in.KeyName, api.Value(in.KeyType), t)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateKeyPairOutput{KeyFingerprint: &k.Fingerprint, KeyMaterial: api.Some(private.Reveal()), KeyName: &k.Name, KeyPairId: &k.ID, Tags: tags(k.Tags)}, rev, nil)
}

// importKeyPair is ImportKeyPair.
func (h *handler) importKeyPair(ctx context.Context, c *api.Call, in *ImportKeyPairInput) (*ImportKeyPairOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "key-pair")
	if err != nil {
		return nil, err
	}
	k, rev, err := h.plane.ImportKeyPair(ctx, caller(c, in.DryRun), in.KeyName, in.PublicKeyMaterial, t)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ImportKeyPairOutput{KeyFingerprint: &k.Fingerprint, KeyName: &k.Name, KeyPairId: &k.ID, Tags: tags(k.Tags)}, rev, nil)
}

// describeKeyPairs is DescribeKeyPairs.
func (h *handler) describeKeyPairs(ctx context.Context, c *api.Call, in *DescribeKeyPairsInput) (*DescribeKeyPairsOutput, error) {
	all, err := h.plane.KeyPairs(ctx, caller(c, in.DryRun), in.KeyNames, query(in.KeyPairIds, in.Filters))
	return &DescribeKeyPairsOutput{KeyPairs: api.Each(all, func(k *trellis.KeyPair) KeyPairInfo {
		out := KeyPairInfo{CreateTime: &k.CreatedAt, KeyFingerprint: &k.Fingerprint, KeyName: &k.Name, KeyPairId: &k.ID, KeyType: &k.Type, Tags: tags(k.Tags)}
		if api.Value(in.IncludePublicKey) {
			out.PublicKey = &k.PublicKey
		}
		return out
	})}, err
}

// deleteKeyPair is DeleteKeyPair.
func (h *handler) deleteKeyPair(ctx context.Context, c *api.Call, in *DeleteKeyPairInput) (*DeleteKeyPairOutput, error) {
	id, rev, err := h.plane.DeleteKeyPair(ctx, caller(c, in.DryRun), api.Value(in.KeyName), api.Value(in.KeyPairId))
	return api.Done(c, &DeleteKeyPairOutput{KeyPairId: api.Some(id), Return: new(true)}, rev, err)
}
