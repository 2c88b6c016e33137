package kms

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/key"
)

// by is use for an operation by an algorithm that has no encryption context.
func by(c *api.Call, id, algorithm string, tokens []string, trial *bool) key.Use {
	u := use(c, id, nil, tokens, trial)
	u.Algorithm = algorithm
	return u
}

// getPublicKey serves GetPublicKey.
func (h *handler) getPublicKey(ctx context.Context, c *api.Call, in *GetPublicKeyInput) (*GetPublicKeyOutput, error) {
	k, der, err := h.keys.PublicKey(ctx, c.Caller, in.KeyId, in.GrantTokens)
	if err != nil {
		return nil, err
	}
	m := h.metadata(k)
	return &GetPublicKeyOutput{CustomerMasterKeySpec: m.KeySpec, EncryptionAlgorithms: m.EncryptionAlgorithms, KeyAgreementAlgorithms: m.KeyAgreementAlgorithms,
		KeyId: m.Arn, KeySpec: m.KeySpec, KeyUsage: m.KeyUsage, PublicKey: der, SigningAlgorithms: m.SigningAlgorithms}, nil
}

// sign serves Sign.
func (h *handler) sign(ctx context.Context, c *api.Call, in *SignInput) (*SignOutput, error) {
	signature, arn, err := h.keys.Sign(ctx, c.Caller, by(c, in.KeyId, in.SigningAlgorithm, in.GrantTokens, in.DryRun), key.Message{Text: in.Message, Type: api.Or(in.MessageType, "RAW")})
	return &SignOutput{KeyId: &arn, Signature: signature, SigningAlgorithm: &in.SigningAlgorithm}, err
}

// verify serves Verify. A signature that is not good is an error.
func (h *handler) verify(ctx context.Context, c *api.Call, in *VerifyInput) (*VerifyOutput, error) {
	arn, err := h.keys.Verify(ctx, c.Caller, by(c, in.KeyId, in.SigningAlgorithm, in.GrantTokens, in.DryRun), key.Message{Text: in.Message, Type: api.Or(in.MessageType, "RAW")}, in.Signature)
	return &VerifyOutput{KeyId: &arn, SignatureValid: new(true), SigningAlgorithm: &in.SigningAlgorithm}, err
}

// generateMac serves GenerateMac.
func (h *handler) generateMac(ctx context.Context, c *api.Call, in *GenerateMacInput) (*GenerateMacOutput, error) {
	code, arn, err := h.keys.MAC(ctx, c.Caller, by(c, in.KeyId, in.MacAlgorithm, in.GrantTokens, in.DryRun), in.Message)
	return &GenerateMacOutput{KeyId: &arn, Mac: code, MacAlgorithm: &in.MacAlgorithm}, err
}

// verifyMac serves VerifyMac. A code that is not good is an error.
func (h *handler) verifyMac(ctx context.Context, c *api.Call, in *VerifyMacInput) (*VerifyMacOutput, error) {
	arn, err := h.keys.VerifyMAC(ctx, c.Caller, by(c, in.KeyId, in.MacAlgorithm, in.GrantTokens, in.DryRun), in.Message, in.Mac)
	return &VerifyMacOutput{KeyId: &arn, MacAlgorithm: &in.MacAlgorithm, MacValid: new(true)}, err
}

// deriveSharedSecret serves DeriveSharedSecret.
func (h *handler) deriveSharedSecret(ctx context.Context, c *api.Call, in *DeriveSharedSecretInput) (*DeriveSharedSecretOutput, error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	secret, arn, err := h.keys.SharedSecret(ctx, c.Caller, by(c, in.KeyId, in.KeyAgreementAlgorithm, in.GrantTokens, in.DryRun), in.PublicKey)
	return &DeriveSharedSecretOutput{KeyAgreementAlgorithm: &in.KeyAgreementAlgorithm, KeyId: &arn, KeyOrigin: new("AWS_KMS"), SharedSecret: secret}, err
}
