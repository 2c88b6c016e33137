package key

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// A ciphertext says under which key it stands: a byte of its version, the account (8 bytes), the length of the key's id, the
// id, the number of the material (2 bytes), 16 bytes of salt, and AES-256-GCM under a key made from material and salt
// (HKDF-SHA256), since each such key encrypts once with a nonce of zeros. What is authenticated beside: all that stands before, and the
// encryption context.
const (
	cipherVersion = 1
	saltSize      = 16
)

// Encrypted is what an operation of encryption gives.
type Encrypted struct {
	Ciphertext []byte
	Plaintext  []byte // of a data key, or what was decrypted
	KeyARN     string
	MaterialID string
}

// contextKeys are the condition keys of an encryption context.
func contextKeys(encryption map[string]string) map[string][]string {
	keys := map[string][]string{"kms:encryptionalgorithm": {"SYMMETRIC_DEFAULT"}}
	for name, v := range encryption {
		keys["kms:encryptioncontext:"+strings.ToLower(name)] = []string{v}
		keys["kms:encryptioncontextkeys"] = append(keys["kms:encryptioncontextkeys"], name)
	}
	return keys
}

// Encrypt encrypts a text of at most 4096 bytes, for an action.
func (k *Keys) Encrypt(ctx context.Context, c *authpolicy.Caller, action, id string, plaintext []byte, encryption map[string]string) (e Encrypted, err error) {
	if err := k.rotate(ctx, c, id); err != nil {
		return e, err
	}
	err = k.read(ctx, c, id, use{action: action, keys: contextKeys(encryption), usable: true}, func(_ *store.Tx, key *trellis.Key) (err error) {
		e, err = k.seal(key, plaintext, encryption)
		return err
	})
	return e, err
}

// seal encrypts under the newest material of a key.
func (k *Keys) seal(key *trellis.Key, plaintext []byte, encryption map[string]string) (Encrypted, error) {
	number := len(key.Materials) - 1
	account, err := strconv.ParseUint(key.Account, 10, 64)
	if err != nil {
		return Encrypted{}, fmt.Errorf("encrypt: %w", err)
	}
	head := binary.BigEndian.AppendUint64([]byte{cipherVersion}, account)
	head = append(append(head, byte(len(key.ID))), key.ID...)
	head = binary.BigEndian.AppendUint16(head, uint16(number))
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails (crypto/rand, Go 1.24)
	head = append(head, salt...)
	gcm, err := cipherOf(&key.Materials[number], salt)
	if err != nil {
		return Encrypted{}, err
	}
	text := gcm.Seal(slices.Clone(head), make([]byte, gcm.NonceSize()), plaintext, authenticated(head, encryption))
	return Encrypted{Ciphertext: text, KeyARN: key.ARN(k.Region), MaterialID: key.Materials[number].ID}, nil
}

// cipherOf is the cipher of one ciphertext.
func cipherOf(m *trellis.KeyMaterial, salt []byte) (cipher.AEAD, error) {
	material, err := hex.DecodeString(m.Secret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("key material %s: %w", m.ID, err)
	}
	derived, err := hkdf.Key(sha256.New, material, salt, "trellis kms", 32)
	if err != nil {
		return nil, fmt.Errorf("key material %s: %w", m.ID, err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("key material %s: %w", m.ID, err)
	}
	return cipher.NewGCM(block)
}

// authenticated is what a ciphertext is bound to: its head, and each pair of the context, by name, with the lengths.
func authenticated(head []byte, encryption map[string]string) []byte {
	b := slices.Clone(head)
	for _, name := range slices.Sorted(maps.Keys(encryption)) {
		for _, s := range []string{name, encryption[name]} {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
		}
	}
	return b
}

// sealed is a ciphertext that has been taken apart.
type sealed struct {
	account, id string
	number      int
	head, salt  []byte
	text        []byte
}

// takeApart reads a ciphertext's head; ok is false for what is none.
func takeApart(b []byte) (s sealed, ok bool) {
	const before = 1 + 8 + 1
	if len(b) < before || b[0] != cipherVersion {
		return s, false
	}
	end := before + int(b[before-1])
	if len(b) < end+2+saltSize {
		return s, false
	}
	s.account, s.id = fmt.Sprintf("%012d", binary.BigEndian.Uint64(b[1:9])), string(b[before:end])
	s.number = int(binary.BigEndian.Uint16(b[end:]))
	s.head, s.text = b[:end+2+saltSize], b[end+2+saltSize:]
	s.salt = s.head[end+2:]
	return s, trellis.IsAccountID(s.account) && keyIDForm.MatchString(s.id)
}

// Decrypt is the reverse of Encrypt. id, when it is not empty, names the key that must have been used.
func (k *Keys) Decrypt(ctx context.Context, c *authpolicy.Caller, action, id string, ciphertext []byte, encryption map[string]string) (e Encrypted, err error) {
	broken := fault("InvalidCiphertextException", "The ciphertext is not valid, or its encryption context is another.")
	s, ok := takeApart(ciphertext)
	if !ok {
		return e, broken
	}
	used := trellis.ARN{Partition: "aws", Service: "kms", Region: k.Region, Account: s.account, Resource: "key/" + s.id}.String()
	if id == "" {
		id = used
	}
	err = k.read(ctx, c, id, use{action: action, keys: contextKeys(encryption), usable: true}, func(_ *store.Tx, key *trellis.Key) error {
		if key.ARN(k.Region) != used {
			return fault("IncorrectKeyException", "The key ID in the request does not identify a key that can perform this operation.")
		}
		if s.number >= len(key.Materials) {
			return broken
		}
		m := &key.Materials[s.number]
		gcm, err := cipherOf(m, s.salt)
		if err != nil {
			return err
		}
		text, err := gcm.Open(nil, make([]byte, gcm.NonceSize()), s.text, authenticated(s.head, encryption))
		if err != nil {
			return broken
		}
		e = Encrypted{Plaintext: text, KeyARN: used, MaterialID: m.ID}
		return nil
	})
	return e, err
}

// DataKey makes a key of some bytes and encrypts it, for an action.
func (k *Keys) DataKey(ctx context.Context, c *authpolicy.Caller, action, id string, size int, encryption map[string]string) (Encrypted, error) {
	data := Random(size)
	e, err := k.Encrypt(ctx, c, action, id, data, encryption)
	e.Plaintext = data
	return e, err
}

// Random returns random bytes.
func Random(size int) []byte {
	b := make([]byte, size)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return b
}

// NextRotation is when a key gets its next material, zero when it does not.
func NextRotation(key *trellis.Key) time.Time {
	if key.RotationDays == 0 {
		return time.Time{}
	}
	return key.RotationFrom.Add(time.Duration(key.RotationDays) * 24 * time.Hour)
}

// rotate gives a key new material that is about to encrypt when it is time.
func (k *Keys) rotate(ctx context.Context, c *authpolicy.Caller, id string) error {
	n, err := k.parse(c, id)
	if err != nil {
		return err
	}
	due := func(tx *store.Tx) (*trellis.Key, bool) {
		key, err := k.find(tx, n) // what is wrong is said when the key is used
		if err != nil || key.RotationDays == 0 || key.State != trellis.KeyEnabled {
			return nil, false
		}
		return key, !NextRotation(key).After(k.Now())
	}
	var is bool
	if err := k.Store.Read(ctx, func(tx *store.Tx) error { _, is = due(tx); return nil }); err != nil || !is {
		return err
	}
	_, err = k.Store.Commit(ctx, func(tx *store.Tx) error {
		if key, is := due(tx); is {
			k.renew(key, false)
			key.RotationFrom = k.Time()
			tx.Put(key)
		}
		return nil
	})
	return err
}

// renew gives a key new material.
func (k *Keys) renew(key *trellis.Key, onDemand bool) {
	key.Materials = append(key.Materials, trellis.KeyMaterial{ID: trellis.RandomHex(64), Secret: trellis.NewSecret(trellis.RandomHex(64)), MadeAt: k.Time(), OnDemand: onDemand})
}

// SetRotation has a key rotated every so many days, or with 0 no more.
func (k *Keys) SetRotation(ctx context.Context, c *authpolicy.Caller, action, id string, days int) (trellis.Revision, error) {
	return k.Change(ctx, c, action, id, func(key *trellis.Key) error {
		if key.State == trellis.KeyDisabled {
			return fault("DisabledException", "%s is disabled.", key.ARN(k.Region))
		}
		if key.RotationDays == 0 || days == 0 {
			key.RotationFrom = k.Time()
		}
		key.RotationDays = days
		return nil
	})
}

// maxOnDemand is how often a key can be rotated on demand (KMS developer guide, rotate-keys).
const maxOnDemand = 25

// RotateNow gives a key new material.
func (k *Keys) RotateNow(ctx context.Context, c *authpolicy.Caller, id string) (key *trellis.Key, rev trellis.Revision, err error) {
	rev, err = k.Change(ctx, c, "kms:RotateKeyOnDemand", id, func(found *trellis.Key) error {
		key = found
		if key.State == trellis.KeyDisabled {
			return fault("DisabledException", "%s is disabled.", key.ARN(k.Region))
		}
		n := 0
		for _, m := range key.Materials {
			if m.OnDemand {
				n++
			}
		}
		if n >= maxOnDemand {
			return fault("LimitExceededException", "A key can be rotated on demand %d times.", maxOnDemand)
		}
		k.renew(key, true)
		return nil
	})
	return key, rev, err
}

// Look returns a key for an action that reads what only its own account may know.
func (k *Keys) Look(ctx context.Context, c *authpolicy.Caller, action, id string) (key *trellis.Key, err error) {
	err = k.read(ctx, c, id, use{action: action, own: true}, func(_ *store.Tx, found *trellis.Key) error {
		key = found
		return nil
	})
	return key, err
}
