// Package kms serves the part of the API of AWS KMS (2014-11-01) that symmetric keys need. What its operations mean is in
// package key.
package kms

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/key"
)

// handler translates between the wire and the keys.
type handler struct{ keys *key.Keys }

// New returns the service with its table. Not served are grants, keys that sign or make codes, key pairs, material from
// elsewhere, and keys of several Regions beyond their names.
func New(k *key.Keys) api.Service {
	h := &handler{k}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("CancelKeyDeletion", h.cancelKeyDeletion),
		api.Op("CreateAlias", h.createAlias),
		api.Unserved("CreateGrant"),
		api.Op("CreateKey", h.createKey).Partly("symmetric keys; others, and other origins, are refused"),
		api.Op("Decrypt", h.decrypt),
		api.Op("DeleteAlias", h.deleteAlias),
		api.Unserved("DeleteImportedKeyMaterial"),
		api.Op("DescribeKey", h.describeKey),
		api.Op("DisableKey", h.disableKey),
		api.Op("DisableKeyRotation", h.disableKeyRotation),
		api.Op("EnableKey", h.enableKey),
		api.Op("EnableKeyRotation", h.enableKeyRotation),
		api.Op("Encrypt", h.encrypt),
		api.Op("GenerateDataKey", h.generateDataKey),
		api.Unserved("GenerateDataKeyPair"),
		api.Unserved("GenerateDataKeyPairWithoutPlaintext"),
		api.Op("GenerateDataKeyWithoutPlaintext", h.generateDataKeyWithoutPlaintext),
		api.Unserved("GenerateMac"),
		api.Op("GenerateRandom", h.generateRandom),
		api.Op("GetKeyPolicy", h.getKeyPolicy),
		api.Op("GetKeyRotationStatus", h.getKeyRotationStatus),
		api.Unserved("GetParametersForImport"),
		api.Unserved("GetPublicKey"),
		api.Unserved("ImportKeyMaterial"),
		api.Op("ListAliases", h.listAliases),
		api.Op("ListGrants", h.listGrants).Partly("always empty"),
		api.Op("ListKeyPolicies", h.listKeyPolicies),
		api.Op("ListKeyRotations", h.listKeyRotations),
		api.Op("ListKeys", h.listKeys),
		api.Op("ListResourceTags", h.listResourceTags),
		api.Unserved("ListRetirableGrants"),
		api.Op("PutKeyPolicy", h.putKeyPolicy),
		api.Op("ReEncrypt", h.reEncrypt),
		api.Unserved("ReplicateKey"),
		api.Unserved("RetireGrant"),
		api.Unserved("RevokeGrant"),
		api.Op("RotateKeyOnDemand", h.rotateKeyOnDemand),
		api.Op("ScheduleKeyDeletion", h.scheduleKeyDeletion),
		api.Unserved("Sign"),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Op("UpdateAlias", h.updateAlias),
		api.Op("UpdateKeyDescription", h.updateKeyDescription),
		api.Unserved("UpdatePrimaryRegion"),
		api.Unserved("Verify"),
		api.Unserved("VerifyMac"),
	}}
}

// page cuts a page out of items by their keys; small is its size when the caller names none.
func page[T any](c *api.Call, items []T, key func(T) string, limit *int32, marker *string, small int32) ([]T, *string, *bool, error) {
	items, next, err := api.Cut(c, items, key, marker, int(api.Or(limit, small)))
	if err != nil {
		return nil, nil, nil, trellis.NewError(400, "InvalidMarkerException", "The Marker is not valid.")
	}
	return items, next, new(next != nil), nil
}

// unsupported is the refusal of what only other keys and stores have.
func unsupported(what string) error {
	return trellis.NewError(400, "UnsupportedOperationException", "%s: Trellis has symmetric keys of its own alone.", what)
}
