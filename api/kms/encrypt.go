package kms

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/key"
)

// use is how a request asks for a key: what all operations by keys are told.
func use(c *api.Call, id string, encryption map[string]string, tokens []string, trial *bool) key.Use {
	return key.Use{Action: "kms:" + c.Operation, KeyID: id, Context: encryption, Tokens: tokens, DryRun: api.Value(trial)}
}

// noEnclave refuses that the answer be encrypted for an enclave.
func noEnclave(recipient *RecipientInfo) error {
	if recipient != nil {
		return unsupported("A recipient, an enclave")
	}
	return nil
}

// blind tells whether a trial is to look at no ciphertext; all others must have one.
func blind(trial *bool, modifiers []string, ciphertext []byte) (bool, error) {
	is := slices.Contains(modifiers, "IGNORE_CIPHERTEXT")
	switch {
	case len(modifiers) > 0 && !api.Value(trial):
		return false, trellis.NewError(400, "ValidationException", "DryRunModifiers are for requests with DryRun.")
	case !is && len(ciphertext) == 0:
		return false, trellis.NewError(400, "ValidationException", "1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must not be null")
	}
	return is, nil
}

// encrypt serves Encrypt.
func (h *handler) encrypt(ctx context.Context, c *api.Call, in *EncryptInput) (*EncryptOutput, error) {
	u := use(c, in.KeyId, in.EncryptionContext, in.GrantTokens, in.DryRun)
	u.Algorithm = api.Or(in.EncryptionAlgorithm, symmetric)
	e, err := h.keys.Encrypt(ctx, c.Caller, u, in.Plaintext)
	return &EncryptOutput{CiphertextBlob: e.Ciphertext, EncryptionAlgorithm: &u.Algorithm, KeyId: &e.KeyARN}, err
}

// decrypt serves Decrypt.
func (h *handler) decrypt(ctx context.Context, c *api.Call, in *DecryptInput) (*DecryptOutput, error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	blind, err := blind(in.DryRun, in.DryRunModifiers, in.CiphertextBlob)
	if err != nil {
		return nil, err
	}
	u := use(c, api.Value(in.KeyId), in.EncryptionContext, in.GrantTokens, in.DryRun)
	u.Algorithm = api.Or(in.EncryptionAlgorithm, symmetric)
	e, err := h.keys.Decrypt(ctx, c.Caller, u, in.CiphertextBlob, blind)
	return &DecryptOutput{EncryptionAlgorithm: &u.Algorithm, KeyId: &e.KeyARN, KeyMaterialId: api.Some(e.MaterialID), Plaintext: e.Plaintext}, err
}

// reEncrypt serves ReEncrypt.
func (h *handler) reEncrypt(ctx context.Context, c *api.Call, in *ReEncryptInput) (*ReEncryptOutput, error) {
	blind, err := blind(in.DryRun, in.DryRunModifiers, in.CiphertextBlob)
	if err != nil {
		return nil, err
	}
	source := use(c, api.Value(in.SourceKeyId), in.SourceEncryptionContext, in.GrantTokens, in.DryRun)
	source.Algorithm = api.Or(in.SourceEncryptionAlgorithm, symmetric)
	destination := use(c, in.DestinationKeyId, in.DestinationEncryptionContext, in.GrantTokens, in.DryRun)
	destination.Algorithm = api.Or(in.DestinationEncryptionAlgorithm, symmetric)
	from, to, err := h.keys.ReEncrypt(ctx, c.Caller, source, destination, in.CiphertextBlob, blind)
	return &ReEncryptOutput{CiphertextBlob: to.Ciphertext, DestinationEncryptionAlgorithm: &destination.Algorithm, DestinationKeyMaterialId: api.Some(to.MaterialID), KeyId: &to.KeyARN,
		SourceEncryptionAlgorithm: &source.Algorithm, SourceKeyId: &from.KeyARN, SourceKeyMaterialId: api.Some(from.MaterialID)}, err
}

// size is how long a data key shall be: exactly one of the two says it.
func size(spec *string, bytes *int32) (int, error) {
	switch {
	case (spec == nil) == (bytes == nil):
		return 0, trellis.NewError(400, "ValidationException", "Please specify either number of bytes or key spec.")
	case bytes != nil:
		return int(*bytes), nil
	case *spec == "AES_128":
		return 16, nil
	}
	return 32, nil
}

// generateDataKey serves GenerateDataKey.
func (h *handler) generateDataKey(ctx context.Context, c *api.Call, in *GenerateDataKeyInput) (*GenerateDataKeyOutput, error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	n, err := size(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	e, err := h.keys.DataKey(ctx, c.Caller, use(c, in.KeyId, in.EncryptionContext, in.GrantTokens, in.DryRun), n)
	return &GenerateDataKeyOutput{CiphertextBlob: e.Ciphertext, KeyId: &e.KeyARN, KeyMaterialId: &e.MaterialID, Plaintext: e.Plaintext}, err
}

// generateDataKeyWithoutPlaintext serves GenerateDataKeyWithoutPlaintext.
func (h *handler) generateDataKeyWithoutPlaintext(ctx context.Context, c *api.Call, in *GenerateDataKeyWithoutPlaintextInput) (*GenerateDataKeyWithoutPlaintextOutput, error) {
	n := 32
	if in.KeySpec != nil || in.NumberOfBytes != nil {
		var err error
		if n, err = size(in.KeySpec, in.NumberOfBytes); err != nil {
			return nil, err
		}
	}
	e, err := h.keys.DataKey(ctx, c.Caller, use(c, in.KeyId, in.EncryptionContext, in.GrantTokens, in.DryRun), n)
	return &GenerateDataKeyWithoutPlaintextOutput{CiphertextBlob: e.Ciphertext, KeyId: &e.KeyARN, KeyMaterialId: &e.MaterialID}, err
}

// generateDataKeyPair serves GenerateDataKeyPair.
func (h *handler) generateDataKeyPair(ctx context.Context, c *api.Call, in *GenerateDataKeyPairInput) (*GenerateDataKeyPairOutput, error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	p, err := h.keys.DataKeyPair(ctx, c.Caller, use(c, in.KeyId, in.EncryptionContext, in.GrantTokens, in.DryRun), trellis.KeySpec(in.KeyPairSpec))
	return &GenerateDataKeyPairOutput{KeyId: &p.KeyARN, KeyMaterialId: &p.MaterialID, KeyPairSpec: &in.KeyPairSpec, PrivateKeyCiphertextBlob: p.Ciphertext,
		PrivateKeyPlaintext: p.Plaintext, PublicKey: p.Public}, err
}

// generateDataKeyPairWithoutPlaintext serves GenerateDataKeyPairWithoutPlaintext.
func (h *handler) generateDataKeyPairWithoutPlaintext(ctx context.Context, c *api.Call, in *GenerateDataKeyPairWithoutPlaintextInput) (*GenerateDataKeyPairWithoutPlaintextOutput, error) {
	p, err := h.keys.DataKeyPair(ctx, c.Caller, use(c, in.KeyId, in.EncryptionContext, in.GrantTokens, in.DryRun), trellis.KeySpec(in.KeyPairSpec))
	return &GenerateDataKeyPairWithoutPlaintextOutput{KeyId: &p.KeyARN, KeyMaterialId: &p.MaterialID, KeyPairSpec: &in.KeyPairSpec, PrivateKeyCiphertextBlob: p.Ciphertext, PublicKey: p.Public}, err
}

// generateRandom serves GenerateRandom.
func (h *handler) generateRandom(_ context.Context, c *api.Call, in *GenerateRandomInput) (*GenerateRandomOutput, error) {
	if err := c.Authorize("kms:GenerateRandom", "*", nil); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != nil {
		return nil, unsupported("A custom key store")
	}
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	if in.NumberOfBytes == nil {
		return nil, trellis.NewError(400, "ValidationException", "NumberOfBytes is required.")
	}
	return &GenerateRandomOutput{Plaintext: key.Random(int(*in.NumberOfBytes))}, nil
}
