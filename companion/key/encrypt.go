package key

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
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

// Use is how a request asks for a key to be used.
type Use struct {
	Action    string            // for example kms:Encrypt
	KeyID     string            // or an alias, or the ARN of either
	Algorithm string            // empty: of symmetric keys
	Context   map[string]string // the encryption context
	Tokens    []string          // of grants
	DryRun    bool

	keys map[string][]string // further condition keys in lower case
}

// encryption is the use of a key that encrypts or decrypts. A data key is made by symmetric keys alone.
func (u Use) encryption(k *Keys) use {
	algorithm := cmp.Or(u.Algorithm, symmetric)
	keys := map[string][]string{"kms:encryptionalgorithm": {algorithm}}
	for name, v := range u.Context {
		of := "kms:encryptioncontext:" + strings.ToLower(name)
		keys[of] = append(keys[of], v) // of all names that differ in case only
		keys["kms:encryptioncontextkeys"] = append(keys["kms:encryptioncontextkeys"], name)
	}
	return u.with(k, trellis.KeyEncrypts, algorithm, keys)
}

// with is the use of a key for an algorithm.
func (u Use) with(k *Keys, usage trellis.KeyUsage, algorithm string, keys map[string][]string) use {
	maps.Copy(keys, u.keys)
	return use{action: u.Action, keys: keys, tokens: u.Tokens, encryption: u.Context, usable: true, dry: u.DryRun, fits: func(key *trellis.Key) error {
		if err := suits(key, key.ARN(k.Region), u.Action, usage, algorithm); err != nil {
			return err
		}
		if len(u.Context) > 0 && key.Spec != trellis.KeySymmetric {
			return fault("ValidationException", "You cannot specify an encryption context when performing a cryptographic operation with an asymmetric KMS key.")
		}
		return nil
	}}
}

// ForService checks that a caller may have a service of AWS, for example ssm, encrypt or decrypt with a key, and returns the
// key's ARN.
func (k *Keys) ForService(tx *store.Tx, c *authpolicy.Caller, service string, u Use) (arn string, err error) {
	u.keys = map[string][]string{"kms:viaservice": {service + "." + k.Region + ".amazonaws.com"}}
	key, err := k.get(tx, c, u.KeyID, u.encryption(k))
	if due, is := errors.AsType[*dueError](err); is {
		return "", noKey(due.key.ARN(k.Region))
	}
	if err != nil {
		return "", err
	}
	return key.ARN(k.Region), nil
}

// Encrypt encrypts a text of at most 4096 bytes, or of what a public key has room for.
func (k *Keys) Encrypt(ctx context.Context, c *authpolicy.Caller, u Use, plaintext []byte) (e Encrypted, err error) {
	if err := k.rotate(ctx, c, u.KeyID); err != nil {
		return e, err
	}
	err = k.read(ctx, c, u.KeyID, u.encryption(k), func(_ *store.Tx, key *trellis.Key) (err error) {
		if key.Spec == trellis.KeySymmetric {
			e, err = k.seal(key, plaintext, u.Context)
			return err
		}
		e.KeyARN = key.ARN(k.Region)
		e.Ciphertext, err = encryptTo(key, u.Algorithm, plaintext)
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

// badCiphertext is the refusal of what this key has not encrypted so.
func badCiphertext() *trellis.Error {
	return fault("InvalidCiphertextException", "The ciphertext is not valid, or its encryption context is another.")
}

// Decrypt is the reverse of Encrypt. A symmetric key need not be named; when it is, it must be the one that was used. With
// blind a trial looks at no ciphertext.
func (k *Keys) Decrypt(ctx context.Context, c *authpolicy.Caller, u Use, ciphertext []byte, blind bool) (e Encrypted, err error) {
	isSymmetric := cmp.Or(u.Algorithm, symmetric) == symmetric
	if u.KeyID == "" && (!isSymmetric || blind) {
		return e, fault("ValidationException", "The request must say which key it is.")
	}
	if blind {
		return e, k.read(ctx, c, u.KeyID, u.encryption(k), func(*store.Tx, *trellis.Key) error { return nil })
	}
	asked := u.encryption(k)
	open := func(key *trellis.Key) (err error) {
		e.KeyARN = key.ARN(k.Region)
		e.Plaintext, err = decryptBy(key, u.Algorithm, ciphertext)
		return err
	}
	if isSymmetric {
		s, ok := takeApart(ciphertext)
		if !ok {
			return e, badCiphertext()
		}
		used := trellis.ARN{Partition: "aws", Service: "kms", Region: k.Region, Account: s.account, Resource: "key/" + s.id}.String()
		u.KeyID = cmp.Or(u.KeyID, used)
		asked.fits = func(key *trellis.Key) error { // whatever else it is for
			if key.ARN(k.Region) != used {
				return fault("IncorrectKeyException", "The key ID in the request does not identify a key that can perform this operation.")
			}
			return nil
		}
		open = func(key *trellis.Key) (err error) {
			e, err = k.unseal(key, s, u.Context)
			return err
		}
	}
	err = k.read(ctx, c, u.KeyID, asked, func(_ *store.Tx, key *trellis.Key) error { return open(key) })
	if err != nil {
		return Encrypted{}, err
	}
	return e, nil
}

// unseal opens a ciphertext of a symmetric key.
func (k *Keys) unseal(key *trellis.Key, s sealed, encryption map[string]string) (Encrypted, error) {
	if s.number >= len(key.Materials) {
		return Encrypted{}, badCiphertext()
	}
	m := &key.Materials[s.number]
	gcm, err := cipherOf(m, s.salt)
	if err != nil {
		return Encrypted{}, err
	}
	text, err := gcm.Open(nil, make([]byte, gcm.NonceSize()), s.text, authenticated(s.head, encryption))
	if err != nil {
		return Encrypted{}, badCiphertext()
	}
	return Encrypted{Plaintext: text, KeyARN: key.ARN(k.Region), MaterialID: m.ID}, nil
}

// ReEncrypt decrypts by one key and encrypts by another, or the same. It answers what each of them did.
func (k *Keys) ReEncrypt(ctx context.Context, c *authpolicy.Caller, source, destination Use, ciphertext []byte, blind bool) (from, to Encrypted, err error) {
	same, err := k.sameKey(ctx, c, source, destination, ciphertext)
	if err != nil {
		return from, to, err
	}
	keys := map[string][]string{"kms:reencryptonsamekey": {strconv.FormatBool(same)}}
	source.Action, source.keys = "kms:ReEncryptFrom", keys
	destination.Action, destination.keys = "kms:ReEncryptTo", keys
	source.DryRun = blind // of others the destination says that all would have gone well
	from, err = k.Decrypt(ctx, c, source, ciphertext, blind)
	if e, is := errors.AsType[*trellis.Error](err); err != nil && !(blind && is && e.Code == dryRun) {
		return from, to, err
	}
	to, err = k.Encrypt(ctx, c, destination, from.Plaintext)
	return from, to, err
}

// sameKey tells whether what one use encrypted and what another will encrypt is of the same key. A key that is not there is
// none, which is said when it is used.
func (k *Keys) sameKey(ctx context.Context, c *authpolicy.Caller, source, destination Use, ciphertext []byte) (same bool, err error) {
	if s, ok := takeApart(ciphertext); ok && source.KeyID == "" {
		source.KeyID = trellis.ARN{Partition: "aws", Service: "kms", Region: k.Region, Account: s.account, Resource: "key/" + s.id}.String()
	}
	from, err := k.parse(c, source.KeyID)
	if err != nil {
		return false, nil
	}
	to, err := k.parse(c, destination.KeyID)
	if err != nil {
		return false, nil
	}
	return same, k.Store.Read(ctx, func(tx *store.Tx) error {
		a, errA := k.find(tx, from)
		b, errB := k.find(tx, to)
		same = errA == nil && errB == nil && a.Key() == b.Key()
		return nil
	})
}

// DataKey makes a key of some bytes and encrypts it.
func (k *Keys) DataKey(ctx context.Context, c *authpolicy.Caller, u Use, size int) (Encrypted, error) {
	data := Random(size)
	e, err := k.Encrypt(ctx, c, u, data)
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
			if err := k.renew(key, false); err != nil {
				return err
			}
			key.RotationFrom = k.Time()
			tx.Put(key)
		}
		return nil
	})
	return err
}

// rotates refuses keys that have one material for ever.
func (k *Keys) rotates(key *trellis.Key) error {
	if key.Spec != trellis.KeySymmetric {
		return fault("UnsupportedOperationException", "%s has the key spec %s, which is not rotated.", key.ARN(k.Region), key.Spec)
	}
	return nil
}

// rotation is the use of a key whose rotation is changed.
func (k *Keys) rotation(action string, keys map[string][]string) use {
	return use{action: action, keys: keys, alive: true, fits: func(key *trellis.Key) error {
		if err := k.rotates(key); err != nil {
			return err
		}
		if key.State == trellis.KeyDisabled {
			return fault("DisabledException", "%s is disabled.", key.ARN(k.Region))
		}
		return nil
	}}
}

// SetRotation has a key rotated every so many days, or with 0 no more.
func (k *Keys) SetRotation(ctx context.Context, c *authpolicy.Caller, action, id string, days int) (trellis.Revision, error) {
	var keys map[string][]string
	if days != 0 {
		keys = map[string][]string{"kms:rotationperiodindays": {strconv.Itoa(days)}}
	}
	return k.change(ctx, c, id, k.rotation(action, keys), func(_ *store.Tx, key *trellis.Key) error {
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
	rev, err = k.change(ctx, c, id, k.rotation("kms:RotateKeyOnDemand", nil), func(_ *store.Tx, found *trellis.Key) error {
		key = found
		n := 0
		for _, m := range key.Materials {
			if m.OnDemand {
				n++
			}
		}
		if n >= maxOnDemand {
			return fault("LimitExceededException", "A key can be rotated on demand %d times.", maxOnDemand)
		}
		return k.renew(key, true)
	})
	return key, rev, err
}

// Rotations returns the materials of a key, the oldest first.
func (k *Keys) Rotations(ctx context.Context, c *authpolicy.Caller, id string) (key *trellis.Key, err error) {
	err = k.read(ctx, c, id, use{action: "kms:ListKeyRotations", own: true, fits: k.rotates}, func(_ *store.Tx, found *trellis.Key) error {
		key = found
		return nil
	})
	return key, err
}

// Look returns a key for an action that reads what only its own account may know, or with abroad whoever it lets.
func (k *Keys) Look(ctx context.Context, c *authpolicy.Caller, action, id string, abroad bool) (key *trellis.Key, err error) {
	err = k.read(ctx, c, id, use{action: action, own: !abroad}, func(_ *store.Tx, found *trellis.Key) error {
		key = found
		return nil
	})
	return key, err
}
