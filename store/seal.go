package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/trellis-project/trellis"
)

// sealKeyHeader begins each line of the key file, before the key's id and its 32 bytes in base64.
const sealKeyHeader = "trellis-seal-v1"

// sealVersion is the first byte of a sealed secret: AES-256-GCM, key id (4 bytes), nonce (12 bytes), text.
const sealVersion = 1

// keyring holds the keys of a key file. The first line's key seals; all of them open, so that a key can be
// replaced without losing what the old one sealed.
type keyring struct {
	current [4]byte
	root    []byte // of the current key
	aead    map[[4]byte]cipher.AEAD
}

// loadKeyring reads a key file. When it does not exist and mayMake is set, it makes one with mode 0600;
// when data exists already a lost key file must not be replaced by another key.
func loadKeyring(path string, mayMake bool) (*keyring, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !mayMake {
			return nil, fmt.Errorf("sealing key %s is missing although data exists: bring the file back, secrets cannot be read without it", path)
		}
		if err := makeKeyFile(path); err != nil {
			return nil, err
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read sealing key: %w", err)
	}
	return parseKeyring(string(text))
}

// newKeyLine is the line of a new key.
func newKeyLine() string {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand, Go 1.24)
	return fmt.Sprintf("%s %s %s\n", sealKeyHeader, trellis.RandomHex(8), base64.StdEncoding.EncodeToString(key))
}

// makeKeyFile makes a key file with one new key. When two processes race the first one wins.
func makeKeyFile(path string) error {
	return placeKeyFile(path, newKeyLine(), func(from string) error {
		if err := os.Link(from, path); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// writeKeyFile makes a key file of lines, or replaces it.
func writeKeyFile(path, lines string) error {
	return placeKeyFile(path, lines, func(from string) error { return os.Rename(from, path) })
}

// placeKeyFile writes a key file, whole and on the disk, and lets place give it its name.
func placeKeyFile(path, lines string, place func(from string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".seal-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make sealing key: %w", err)
	}
	defer os.Remove(f.Name())
	if _, err = f.WriteString(lines); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = place(f.Name())
	}
	if err != nil {
		return fmt.Errorf("make sealing key: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the directory's entries durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer d.Close()
	return d.Sync()
}

// parseKeyring reads the lines of a key file.
func parseKeyring(text string) (*keyring, error) {
	k := &keyring{aead: map[[4]byte]cipher.AEAD{}}
	for line := range strings.Lines(text) {
		parts := strings.Fields(line)
		if len(parts) == 0 {
			continue
		}
		if len(parts) != 3 || parts[0] != sealKeyHeader {
			return nil, errors.New("sealing key: a line is not of the form \"" + sealKeyHeader + " ID KEY\"")
		}
		id, err := hex.DecodeString(parts[1])
		root, err2 := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || err2 != nil || len(id) != 4 || len(root) != 32 {
			return nil, errors.New("sealing key: an id must be 8 hexadecimal digits and a key 32 bytes in base64")
		}
		block, err := aes.NewCipher(derive(root, "seal"))
		if err != nil {
			return nil, fmt.Errorf("sealing key: %w", err)
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("sealing key: %w", err)
		}
		if k.root == nil {
			k.current, k.root = [4]byte(id), root
		}
		k.aead[[4]byte(id)] = gcm
	}
	if k.root == nil {
		return nil, errors.New("sealing key: the file holds no key")
	}
	return k, nil
}

// derive makes a key for one purpose out of the root key (HKDF-SHA256).
func derive(root []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, root, nil, "trellis "+purpose, 32)
	if err != nil {
		panic("hkdf refused a constant length: " + err.Error())
	}
	return key
}

// id is the current key's id as the store shows it.
func (k *keyring) id() string { return hex.EncodeToString(k.current[:]) }

// seal encrypts a text that belongs at a place (kind, key and number of the secret), so that a sealed
// text copied to another place does not open.
func (k *keyring) seal(plain []byte, place string) ([]byte, error) {
	gcm := k.aead[k.current]
	out := make([]byte, 5, 5+gcm.NonceSize()+len(plain)+gcm.Overhead())
	out[0] = sealVersion
	copy(out[1:], k.current[:])
	nonce := make([]byte, gcm.NonceSize())
	rand.Read(nonce) // never fails (crypto/rand, Go 1.24)
	out = append(out, nonce...)
	return gcm.Seal(out, nonce, plain, []byte(place)), nil
}

// open decrypts what seal made for the same place.
func (k *keyring) open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	if len(sealed) < 5 || sealed[0] != sealVersion {
		return nil, errors.New("open secret: unknown form")
	}
	gcm, ok := k.aead[[4]byte(sealed[1:5])]
	if !ok {
		return nil, fmt.Errorf("open secret: sealed by key %x, which the key file does not hold", sealed[1:5])
	}
	body := sealed[5:]
	if len(body) < gcm.NonceSize() {
		return nil, errors.New("open secret: too short")
	}
	plain, err := gcm.Open(nil, body[:gcm.NonceSize()], body[gcm.NonceSize():], []byte(place))
	if err != nil {
		return nil, fmt.Errorf("open secret: %w", err)
	}
	return plain, nil
}

// place is where a noun's secret number i belongs.
func place(n trellis.Noun, i int) string {
	return fmt.Sprintf("%s/%s#%d", n.Kind(), n.Key(), i)
}

// has tells whether the ring holds a key of that id.
func (k *keyring) has(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 4 && k.aead[[4]byte(b)] != nil
}
