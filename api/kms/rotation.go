package kms

import (
	"context"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/key"
)

// enableKeyRotation serves EnableKeyRotation. A period that is not named is a year.
func (h *handler) enableKeyRotation(ctx context.Context, c *api.Call, in *EnableKeyRotationInput) (*EnableKeyRotationOutput, error) {
	rev, err := h.keys.SetRotation(ctx, c.Caller, "kms:EnableKeyRotation", in.KeyId, int(api.Or(in.RotationPeriodInDays, 365)))
	return api.Done(c, &EnableKeyRotationOutput{}, rev, err)
}

// disableKeyRotation serves DisableKeyRotation.
func (h *handler) disableKeyRotation(ctx context.Context, c *api.Call, in *DisableKeyRotationInput) (*DisableKeyRotationOutput, error) {
	rev, err := h.keys.SetRotation(ctx, c.Caller, "kms:DisableKeyRotation", in.KeyId, 0)
	return api.Done(c, &DisableKeyRotationOutput{}, rev, err)
}

// getKeyRotationStatus serves GetKeyRotationStatus.
func (h *handler) getKeyRotationStatus(ctx context.Context, c *api.Call, in *GetKeyRotationStatusInput) (*GetKeyRotationStatusOutput, error) {
	k, err := h.keys.Look(ctx, c.Caller, "kms:GetKeyRotationStatus", in.KeyId, true)
	if err != nil {
		return nil, err
	}
	out := &GetKeyRotationStatusOutput{KeyId: new(k.ARN(h.keys.Region)), KeyRotationEnabled: new(k.RotationDays != 0)}
	if next := key.NextRotation(k); !next.IsZero() {
		out.NextRotationDate, out.RotationPeriodInDays = &next, new(int32(k.RotationDays))
	}
	return out, nil
}

// rotateKeyOnDemand serves RotateKeyOnDemand.
func (h *handler) rotateKeyOnDemand(ctx context.Context, c *api.Call, in *RotateKeyOnDemandInput) (*RotateKeyOnDemandOutput, error) {
	k, rev, err := h.keys.RotateNow(ctx, c.Caller, in.KeyId)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &RotateKeyOnDemandOutput{KeyId: new(k.ARN(h.keys.Region))}, rev, nil)
}

// listKeyRotations serves ListKeyRotations. The first material of a key came by no rotation.
func (h *handler) listKeyRotations(ctx context.Context, c *api.Call, in *ListKeyRotationsInput) (*ListKeyRotationsOutput, error) {
	k, err := h.keys.Rotations(ctx, c.Caller, in.KeyId)
	if err != nil {
		return nil, err
	}
	all := k.Materials
	if api.Or(in.IncludeKeyMaterial, "ROTATIONS_ONLY") == "ROTATIONS_ONLY" {
		all = all[1:]
	}
	all, next, more, err := page(c, all, func(m trellis.KeyMaterial) string { return m.MadeAt.Format(time.RFC3339Nano) + m.ID }, in.Limit, in.Marker, 100)
	return &ListKeyRotationsOutput{NextMarker: next, Truncated: more, Rotations: api.Each(all, func(m trellis.KeyMaterial) RotationsListEntry {
		r := RotationsListEntry{KeyId: new(k.ARN(h.keys.Region)), KeyMaterialId: &m.ID, KeyMaterialState: new("NON_CURRENT"), RotationDate: &m.MadeAt, RotationType: new("AUTOMATIC")}
		if m.ID == k.Materials[len(k.Materials)-1].ID {
			r.KeyMaterialState = new("CURRENT")
		}
		if m.OnDemand {
			r.RotationType = new("ON_DEMAND")
		}
		return r
	})}, err
}
