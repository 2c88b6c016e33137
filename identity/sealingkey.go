package identity

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// The life of a sealing key. It is known to every node that follows the store before it seals, and opens until the last
// session that it may have sealed has ended.
const (
	sealingKeyDelay = time.Minute         // from when it is made until it seals
	sealingKeyAge   = 30 * 24 * time.Hour // until the next one is made
	sealingKeySlack = time.Hour           // by how much clocks, and nodes that are slow, may differ
	lookAtKeys      = time.Hour           // how often Run looks whether a key is due
)

// The versions of session tokens: their first byte. AES-256-GCM seals the JSON of a session.
const (
	tokenByStoreKey   = 1 // nonce (12 bytes), text; the key is the store's own: SessionKeyPurpose
	tokenBySealingKey = 2 // key id (4 bytes), nonce (12 bytes), text
)

// sealingKeys are the keys that session tokens are opened with: those of the store by id, and under 0 the store's own,
// which sealed before there were others.
type sealingKeys map[uint32][]byte

// newSealingKeys reads the keys out of nouns. A noun that is none is left out: its tokens don't open.
func newSealingKeys(storeKey []byte, nouns map[string]*trellis.SealingKey) sealingKeys {
	keys := sealingKeys{0: storeKey}
	for _, n := range nouns {
		if id, key := sealingKeyOf(n); id != 0 {
			keys[id] = key
		}
	}
	return keys
}

// sealingKeyOf is the number and key of a noun; 0 for what is none.
func sealingKeyOf(n *trellis.SealingKey) (id uint32, key []byte) {
	number, err := strconv.ParseUint(n.ID, 10, 32)
	key, err2 := base64.StdEncoding.DecodeString(n.Secret.Reveal())
	if err != nil || err2 != nil || len(key) != 32 {
		return 0, nil
	}
	return uint32(number), key
}

// seal makes a session token with the key of an id.
func (k sealingKeys) seal(id uint32, s *session) (string, error) {
	gcm, err := sessionCipher(k[id])
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("seal session: %w", err)
	}
	head := []byte{tokenByStoreKey}
	if id != 0 {
		head = binary.BigEndian.AppendUint32([]byte{tokenBySealingKey}, id)
	}
	nonce := make([]byte, gcm.NonceSize())
	rand.Read(nonce) // never fails (crypto/rand, Go 1.24)
	return base64.StdEncoding.EncodeToString(gcm.Seal(append(head, nonce...), nonce, plain, []byte("trellis session"))), nil
}

// open opens a session token. It does not look at the clock.
func (k sealingKeys) open(token string) (*session, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || strings.ContainsAny(token, "\r\n") || len(b) < 1 {
		return nil, errors.New("open session: not a session token")
	}
	var id uint32
	switch {
	case b[0] == tokenByStoreKey:
		b = b[1:]
	case b[0] == tokenBySealingKey && len(b) >= 5:
		id, b = binary.BigEndian.Uint32(b[1:]), b[5:]
		if id == 0 {
			return nil, errors.New("open session: not a session token")
		}
	default:
		return nil, errors.New("open session: not a session token")
	}
	key, ok := k[id]
	if !ok {
		return nil, errors.New("open session: the key is not known")
	}
	gcm, err := sessionCipher(key)
	if err != nil {
		return nil, err
	}
	if len(b) < gcm.NonceSize() {
		return nil, errors.New("open session: not a session token")
	}
	plain, err := gcm.Open(nil, b[:gcm.NonceSize()], b[gcm.NonceSize():], []byte("trellis session"))
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	s := new(session)
	if err := json.Unmarshal(plain, s); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return s, nil
}

// sessionCipher is AES-256-GCM under a key of 32 bytes.
func sessionCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealNow seals a session with the newest key that every node knows by now, the store's own when there is none.
func (i *Identity) sealNow(ctx context.Context, s *session) (token string, err error) {
	keys, newest := sealingKeys{0: i.sessionKey}, uint32(0)
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		nouns, err := store.List[*trellis.SealingKey](tx, "")
		for _, n := range nouns {
			if id, key := sealingKeyOf(n); id > newest && !n.CreatedAt.Add(sealingKeyDelay).After(s.IssuedAt) {
				keys[id], newest = key, id
			}
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return keys.seal(newest, s)
}

// RotateSealingKeys makes a sealing key when there is none or the newest is old, and takes away those whose sessions
// have all ended. Members that do it at the same time agree by compare-and-commit.
func (i *Identity) RotateSealingKeys(ctx context.Context) error {
	_, err := i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		now := i.now()
		nouns, err := store.List[*trellis.SealingKey](tx, "")
		if err != nil {
			return err
		}
		var newest *trellis.SealingKey
		var number uint32
		for _, n := range nouns {
			if id, _ := sealingKeyOf(n); newest == nil || id > number {
				newest, number = n, id
			}
		}
		for _, n := range nouns {
			if id, _ := sealingKeyOf(n); id < number && now.After(replacedAt(nouns, id).Add(sealingKeyDelay+maxUserSession*time.Second+sealingKeySlack)) {
				tx.Delete(n)
			}
		}
		if newest != nil && now.Before(newest.CreatedAt.Add(sealingKeyAge)) {
			return nil
		}
		key := make([]byte, 32)
		rand.Read(key) // never fails (crypto/rand, Go 1.24)
		tx.Put(&trellis.SealingKey{ID: strconv.FormatUint(uint64(number)+1, 10), CreatedAt: now,
			Secret: trellis.NewSecret(base64.StdEncoding.EncodeToString(key))})
		return nil
	})
	if err != nil {
		return fmt.Errorf("rotate sealing keys: %w", err)
	}
	return nil
}

// replacedAt is when the key after one of an id was made.
func replacedAt(nouns []*trellis.SealingKey, id uint32) (at time.Time) {
	next := uint32(0)
	for _, n := range nouns {
		if other, _ := sealingKeyOf(n); other > id && (next == 0 || other < next) {
			next, at = other, n.CreatedAt
		}
	}
	return at
}

// Run looks after the sealing keys until ctx is done.
func (i *Identity) Run(ctx context.Context) error {
	tick := time.NewTicker(lookAtKeys)
	defer tick.Stop()
	for {
		if err := i.RotateSealingKeys(ctx); err != nil && ctx.Err() == nil {
			i.o.Log.Warn("sealing keys can't be rotated now", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
