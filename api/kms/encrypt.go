package kms

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/key"
)

// algorithm refuses algorithms of other keys, enclaves, and trials.
func algorithm(recipient *RecipientInfo, trial *bool, names ...*string) error {
	for _, n := range names {
		if api.Or(n, symmetric) != symmetric {
			return trellis.NewError(400, "InvalidKeyUsageException", "The key's algorithm is %s.", symmetric)
		}
	}
	switch {
	case recipient != nil:
		return unsupported("A recipient, an enclave")
	case api.Value(trial):
		return unsupported("DryRun")
	}
	return nil
}

// encrypt serves Encrypt.
func (h *handler) encrypt(ctx context.Context, c *api.Call, in *EncryptInput) (*EncryptOutput, error) {
	if err := algorithm(nil, in.DryRun, in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	e, err := h.keys.Encrypt(ctx, c.Caller, "kms:Encrypt", in.KeyId, in.Plaintext, in.EncryptionContext)
	return &EncryptOutput{CiphertextBlob: e.Ciphertext, EncryptionAlgorithm: new(symmetric), KeyId: &e.KeyARN}, err
}

// decrypt serves Decrypt.
func (h *handler) decrypt(ctx context.Context, c *api.Call, in *DecryptInput) (*DecryptOutput, error) {
	if err := algorithm(in.Recipient, in.DryRun, in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	e, err := h.keys.Decrypt(ctx, c.Caller, "kms:Decrypt", api.Value(in.KeyId), in.CiphertextBlob, in.EncryptionContext)
	return &DecryptOutput{EncryptionAlgorithm: new(symmetric), KeyId: &e.KeyARN, KeyMaterialId: &e.MaterialID, Plaintext: e.Plaintext}, err
}

// reEncrypt serves ReEncrypt.
func (h *handler) reEncrypt(ctx context.Context, c *api.Call, in *ReEncryptInput) (*ReEncryptOutput, error) {
	if err := algorithm(nil, in.DryRun, in.SourceEncryptionAlgorithm, in.DestinationEncryptionAlgorithm); err != nil {
		return nil, err
	}
	from, err := h.keys.Decrypt(ctx, c.Caller, "kms:ReEncryptFrom", api.Value(in.SourceKeyId), in.CiphertextBlob, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	to, err := h.keys.Encrypt(ctx, c.Caller, "kms:ReEncryptTo", in.DestinationKeyId, from.Plaintext, in.DestinationEncryptionContext)
	return &ReEncryptOutput{CiphertextBlob: to.Ciphertext, DestinationEncryptionAlgorithm: new(symmetric), DestinationKeyMaterialId: &to.MaterialID, KeyId: &to.KeyARN,
		SourceEncryptionAlgorithm: new(symmetric), SourceKeyId: &from.KeyARN, SourceKeyMaterialId: &from.MaterialID}, err
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
	if err := algorithm(in.Recipient, in.DryRun); err != nil {
		return nil, err
	}
	n, err := size(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	e, err := h.keys.DataKey(ctx, c.Caller, "kms:GenerateDataKey", in.KeyId, n, in.EncryptionContext)
	return &GenerateDataKeyOutput{CiphertextBlob: e.Ciphertext, KeyId: &e.KeyARN, KeyMaterialId: &e.MaterialID, Plaintext: e.Plaintext}, err
}

// generateDataKeyWithoutPlaintext serves GenerateDataKeyWithoutPlaintext.
func (h *handler) generateDataKeyWithoutPlaintext(ctx context.Context, c *api.Call, in *GenerateDataKeyWithoutPlaintextInput) (*GenerateDataKeyWithoutPlaintextOutput, error) {
	if err := algorithm(nil, in.DryRun); err != nil {
		return nil, err
	}
	n := 32
	if in.KeySpec != nil || in.NumberOfBytes != nil {
		var err error
		if n, err = size(in.KeySpec, in.NumberOfBytes); err != nil {
			return nil, err
		}
	}
	e, err := h.keys.DataKey(ctx, c.Caller, "kms:GenerateDataKeyWithoutPlaintext", in.KeyId, n, in.EncryptionContext)
	return &GenerateDataKeyWithoutPlaintextOutput{CiphertextBlob: e.Ciphertext, KeyId: &e.KeyARN, KeyMaterialId: &e.MaterialID}, err
}

// generateRandom serves GenerateRandom.
func (h *handler) generateRandom(_ context.Context, c *api.Call, in *GenerateRandomInput) (*GenerateRandomOutput, error) {
	if err := c.Authorize("kms:GenerateRandom", "*", nil); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != nil {
		return nil, unsupported("A custom key store")
	}
	if err := algorithm(in.Recipient, nil); err != nil {
		return nil, err
	}
	if in.NumberOfBytes == nil {
		return nil, trellis.NewError(400, "ValidationException", "NumberOfBytes is required.")
	}
	return &GenerateRandomOutput{Plaintext: key.Random(int(*in.NumberOfBytes))}, nil
}
