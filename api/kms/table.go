// Package kms serves the API of AWS KMS (2014-11-01) for keys that are made here. What its operations mean is in package key.
package kms

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/key"
)

// handler translates between the wire and the keys.
type handler struct{ keys *key.Keys }

// New returns the service with its table. Not served are material from elsewhere, custom key stores, keys of several Regions
// beyond their names, and keys that encapsulate.
func New(k *key.Keys) api.Service {
	h := &handler{k}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("CancelKeyDeletion", h.cancelKeyDeletion),
		api.Unserved("ConnectCustomKeyStore"),
		api.Op("CreateAlias", h.createAlias),
		api.Unserved("CreateCustomKeyStore"),
		api.Op("CreateGrant", h.createGrant),
		api.Op("CreateKey", h.createKey).Partly("keys of SM2, secp256k1, ML-DSA and ML-KEM, and material from elsewhere, are refused"),
		api.Unserved("Decapsulate"),
		api.Op("Decrypt", h.decrypt).Partly("a recipient, an enclave, is refused"),
		api.Op("DeleteAlias", h.deleteAlias),
		api.Unserved("DeleteCustomKeyStore"),
		api.Unserved("DeleteImportedKeyMaterial"),
		api.Op("DeriveSharedSecret", h.deriveSharedSecret).Partly("a recipient, an enclave, is refused"),
		api.Unserved("DescribeCustomKeyStores"),
		api.Op("DescribeKey", h.describeKey),
		api.Op("DisableKey", h.disableKey),
		api.Op("DisableKeyRotation", h.disableKeyRotation),
		api.Unserved("DisconnectCustomKeyStore"),
		api.Op("EnableKey", h.enableKey),
		api.Op("EnableKeyRotation", h.enableKeyRotation),
		api.Unserved("Encapsulate"),
		api.Op("Encrypt", h.encrypt),
		api.Op("GenerateDataKey", h.generateDataKey).Partly("a recipient, an enclave, is refused"),
		api.Op("GenerateDataKeyPair", h.generateDataKeyPair).Partly("a recipient, an enclave, and pairs of SM2, secp256k1 and ML-KEM are refused"),
		api.Op("GenerateDataKeyPairWithoutPlaintext", h.generateDataKeyPairWithoutPlaintext).Partly("pairs of SM2, secp256k1 and ML-KEM are refused"),
		api.Op("GenerateDataKeyWithoutPlaintext", h.generateDataKeyWithoutPlaintext),
		api.Op("GenerateMac", h.generateMac),
		api.Op("GenerateRandom", h.generateRandom).Partly("a recipient, an enclave, and custom key stores are refused"),
		api.Unserved("GetKeyLastUsage"),
		api.Op("GetKeyPolicy", h.getKeyPolicy),
		api.Op("GetKeyRotationStatus", h.getKeyRotationStatus),
		api.Unserved("GetParametersForImport"),
		api.Op("GetPublicKey", h.getPublicKey),
		api.Unserved("ImportKeyMaterial"),
		api.Op("ListAliases", h.listAliases),
		api.Op("ListGrants", h.listGrants),
		api.Op("ListKeyPolicies", h.listKeyPolicies),
		api.Op("ListKeyRotations", h.listKeyRotations),
		api.Op("ListKeys", h.listKeys),
		api.Op("ListResourceTags", h.listResourceTags),
		api.Op("ListRetirableGrants", h.listRetirableGrants),
		api.Op("PutKeyPolicy", h.putKeyPolicy),
		api.Op("ReEncrypt", h.reEncrypt),
		api.Unserved("ReplicateKey"),
		api.Op("RetireGrant", h.retireGrant),
		api.Op("RevokeGrant", h.revokeGrant),
		api.Op("RotateKeyOnDemand", h.rotateKeyOnDemand),
		api.Op("ScheduleKeyDeletion", h.scheduleKeyDeletion),
		api.Op("Sign", h.sign),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Op("UpdateAlias", h.updateAlias),
		api.Unserved("UpdateCustomKeyStore"),
		api.Op("UpdateKeyDescription", h.updateKeyDescription),
		api.Unserved("UpdatePrimaryRegion"),
		api.Op("Verify", h.verify),
		api.Op("VerifyMac", h.verifyMac),
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

// unsupported is the refusal of what keys that are made here do not have.
func unsupported(what string) error {
	return trellis.NewError(400, "UnsupportedOperationException", "%s: Trellis has keys of its own alone.", what)
}
