package controlplane

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// The types of key pairs (EC2 API reference, KeyType).
const (
	keyRSA     = "rsa"
	keyED25519 = "ed25519"
)

const (
	// maxKeyPairs is how many key pairs an account may have (EC2 user guide, quotas). Service Quotas does not list it.
	maxKeyPairs = 5000
	// createdKeyBits is the length of RSA keys that CreateKeyPair makes.
	createdKeyBits = 2048
	// fewestImportedBits is the least length of RSA keys that ImportKeyPair takes (EC2 user guide, key pairs).
	fewestImportedBits = 1024
	// mostImportedBits is the most.
	mostImportedBits = 4096
)

// keyPairARN is the ARN by which policies name a key pair: by its name, not by its id as its tags are.
func (p *Plane) keyPairARN(c EC2Call, name string) string { return p.ec2ARN(c, "key-pair/"+name) }

// keyPairNamed finds a key pair of an account by its name; nil when there is none.
func keyPairNamed(tx *store.Tx, account, name string) (*trellis.KeyPair, error) {
	all, err := store.List[*trellis.KeyPair](tx, account+"/")
	if i := slices.IndexFunc(all, func(k *trellis.KeyPair) bool { return k.Name == name }); i >= 0 {
		return all[i], err
	}
	return nil, err
}

// noKeyPair says that there is no key pair of a name or id.
func noKeyPair(name string) error {
	return ec2Error("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", name)
}

// keyPairClaim is the name that keeps the names of key pairs apart.
func keyPairClaim(account, name string) string { return "keypair/" + account + "/" + name }

// CreateKeyPair makes a key pair of a type, rsa when it is empty. The private key, as PEM, is in this answer alone.
func (p *Plane) CreateKeyPair(ctx context.Context, c EC2Call, name, typ string, tags map[string]string) (*trellis.KeyPair, trellis.Secret, trellis.Revision, error) {
	if typ == "" {
		typ = keyRSA
	}
	var public *trellis.KeyPair
	var private trellis.Secret
	k, rev, err := p.newKeyPair(ctx, c, "CreateKeyPair", name, tags, func() (_ *trellis.KeyPair, err error) {
		if public == nil { // not once more when the transaction has to be tried again
			public, private, err = generate(name, typ)
		}
		return public, err
	})
	return k, private, rev, err
}

// ImportKeyPair takes the public key of a pair that somebody has made elsewhere.
func (p *Plane) ImportKeyPair(ctx context.Context, c EC2Call, name string, material []byte, tags map[string]string) (*trellis.KeyPair, trellis.Revision, error) {
	return p.newKeyPair(ctx, c, "ImportKeyPair", name, tags, func() (*trellis.KeyPair, error) {
		key, err := importedKey(material)
		if err != nil {
			return nil, err
		}
		return describeKey(name, key, nil)
	})
}

// newKeyPair stores a key pair under a name that is free.
func (p *Plane) newKeyPair(ctx context.Context, c EC2Call, action, name string, tags map[string]string, key func() (*trellis.KeyPair, error)) (k *trellis.KeyPair, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, authpolicy.TagKeys(nil, tags, nil), p.keyPairARN(c, name)); err != nil {
			return err
		}
		if err := checkKeyName(name); err != nil {
			return err
		}
		all, err := store.List[*trellis.KeyPair](tx, c.account()+"/")
		if err != nil {
			return err
		}
		if len(all) >= maxKeyPairs {
			return ec2Error("KeyPairLimitExceeded", "The maximum number of key pairs has been reached: %d.", maxKeyPairs)
		}
		meta, err := p.ec2Meta(tx, c, idKeyPair, tags)
		if err != nil {
			return err
		}
		var taken *store.TakenError
		if err := tx.Claim(keyPairClaim(c.account(), name), meta.ID); errors.As(err, &taken) {
			return ec2Error("InvalidKeyPair.Duplicate", "The keypair '%s' already exists.", name)
		} else if err != nil {
			return err
		}
		if k, err = key(); err != nil {
			return err
		}
		k.Meta = meta
		tx.Put(k)
		return nil
	})
	return k, rev, err
}

// checkKeyName refuses names that no key pair can have: more than 255 characters, others than ASCII's, spaces at an end.
func checkKeyName(name string) error {
	switch {
	case name == "":
		return missingParameter("KeyName")
	case len(name) > 255 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }):
		return invalidParameter("KeyName", name, "A name has up to 255 ASCII characters, and no spaces at its ends.")
	}
	return nil
}

// generate makes a key pair and its private key: RSA in PKCS #1, ED25519 as OpenSSH has it.
func generate(name, typ string) (*trellis.KeyPair, trellis.Secret, error) {
	var private crypto.Signer
	var block *pem.Block
	var err error
	if typ == keyRSA {
		var key *rsa.PrivateKey
		if key, err = rsa.GenerateKey(rand.Reader, createdKeyBits); err != nil {
			return nil, trellis.Secret{}, fmt.Errorf("generate a key pair: %w", err)
		}
		private, block = key, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	} else {
		_, key, _ := ed25519.GenerateKey(rand.Reader) // never fails (crypto/rand, Go 1.24)
		if block, err = ssh.MarshalPrivateKey(key, name); err != nil {
			return nil, trellis.Secret{}, fmt.Errorf("write a private key: %w", err)
		}
		private = key
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		return nil, trellis.Secret{}, fmt.Errorf("write a public key: %w", err)
	}
	k, err := describeKey(name, public, private)
	return k, trellis.NewSecret(string(pem.EncodeToMemory(block))), err
}

// describeKey is the key pair of a public key. Its fingerprint is that of the key's DER, of RSA: MD5 of the public one's when it was
// imported, SHA-1 of the private one's in PKCS #8 when it was made here; of ED25519 SHA-256 of the public key as SSH sends it
// (EC2 user guide, key pair fingerprints).
func describeKey(name string, public ssh.PublicKey, private crypto.Signer) (*trellis.KeyPair, error) {
	k := &trellis.KeyPair{Name: name, Type: keyED25519, PublicKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))) + " " + name}
	if public.Type() == ssh.KeyAlgoED25519 {
		sum := sha256.Sum256(public.Marshal())
		k.Fingerprint = base64.StdEncoding.EncodeToString(sum[:])
		return k, nil
	}
	k.Type = keyRSA
	if private != nil {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		sum := sha1.Sum(der)
		k.Fingerprint = colons(sum[:])
		return k, err
	}
	der, err := x509.MarshalPKIXPublicKey(public.(ssh.CryptoPublicKey).CryptoPublicKey())
	sum := md5.Sum(der)
	k.Fingerprint = colons(sum[:])
	return k, err
}

// colons writes bytes in hexadecimal with colons between them.
func colons(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":") }

// importedKey reads a public key as OpenSSH writes it, as RFC 4716 does, or as DER in base 64 or PEM, of a type that key pairs can
// have.
func importedKey(material []byte) (ssh.PublicKey, error) {
	unknown := ec2Error("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	text := bytes.TrimSpace(material)
	var key ssh.PublicKey
	var err error
	switch block, _ := pem.Decode(text); {
	case bytes.HasPrefix(text, []byte(sshBegin)):
		key, err = readRFC4716(text)
	case block != nil:
		key, err = readDER(block.Bytes)
	case bytes.HasPrefix(text, []byte("ssh-")):
		var options []string
		var rest []byte
		if key, _, options, rest, err = ssh.ParseAuthorizedKey(text); err == nil && len(options)+len(rest) > 0 {
			return nil, unknown
		}
	default:
		var der []byte
		if der, err = base64.StdEncoding.DecodeString(string(text)); err == nil {
			key, err = readDER(der)
		}
	}
	if err != nil {
		return nil, unknown
	}
	public, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return nil, unknown
	}
	switch k := public.CryptoPublicKey().(type) {
	case ed25519.PublicKey:
		return key, nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < fewestImportedBits || bits > mostImportedBits {
			return nil, ec2Error("InvalidKeyPair.Format", "The RSA key has %d bits; it must have from %d to %d.", bits, fewestImportedBits, mostImportedBits)
		}
		return key, nil
	}
	return nil, unknown
}

// readDER reads a public key in DER, with or without what says its algorithm.
func readDER(der []byte) (ssh.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		if key, err = x509.ParsePKCS1PublicKey(der); err != nil {
			return nil, err
		}
	}
	return ssh.NewPublicKey(key)
}

// sshBegin is the first line of a public key in the form of RFC 4716, and sshEnd the last one.
const sshBegin, sshEnd = "---- BEGIN SSH2 PUBLIC KEY ----", "---- END SSH2 PUBLIC KEY ----"

// readRFC4716 reads a public key in the form of RFC 4716: headers, whose lines a backslash continues, and base 64.
func readRFC4716(text []byte) (ssh.PublicKey, error) {
	var body strings.Builder
	header := false
	for line := range strings.Lines(strings.TrimPrefix(string(text), sshBegin)) {
		line = strings.TrimSpace(line)
		if line == sshEnd {
			break
		}
		if header = header || strings.Contains(line, ":"); header {
			header = strings.HasSuffix(line, `\`)
			continue
		}
		body.WriteString(line)
	}
	wire, err := base64.StdEncoding.DecodeString(body.String())
	if err != nil {
		return nil, err
	}
	return ssh.ParsePublicKey(wire)
}

// DeleteKeyPair removes a key pair by its name, its id or both, and returns its id. One that is not there is no error.
func (p *Plane) DeleteKeyPair(ctx context.Context, c EC2Call, name, id string) (deleted string, rev trellis.Revision, err error) {
	if name == "" && id == "" {
		return "", 0, ec2Error("MissingParameter", "The request must contain the parameter KeyName or KeyPairId")
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.KeyPair](tx, c.account()+"/")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(k *trellis.KeyPair) bool { return (name == "" || k.Name == name) && (id == "" || k.ID == id) })
		called := name + id
		if i >= 0 {
			called = all[i].Name
		}
		if err := p.allow(tx, c, "DeleteKeyPair", nil, p.keyPairARN(c, called)); err != nil || i < 0 {
			return err
		}
		deleted = all[i].ID
		tx.Release(keyPairClaim(c.account(), all[i].Name))
		releaseEC2ID(tx, deleted)
		tx.Delete(all[i])
		return nil
	})
	return deleted, rev, err
}

// KeyPairs is DescribeKeyPairs: of those with some names and ids, which must be there, or of all when there are neither.
func (p *Plane) KeyPairs(ctx context.Context, c EC2Call, names []string, q Query) (out []*trellis.KeyPair, err error) {
	if err := c.allow("DescribeKeyPairs", nil, "*"); err != nil {
		return nil, err
	}
	attrs := func(k *trellis.KeyPair) attributes {
		return attributes{"key-pair-id": {k.ID}, "key-name": {k.Name}, "fingerprint": {k.Fingerprint}}
	}
	if err := q.check(attrs(&trellis.KeyPair{})); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.KeyPair](tx, c.account()+"/")
		if err != nil {
			return err
		}
		have := map[string]bool{}
		for _, k := range all {
			have["name "+k.Name], have["id "+k.ID] = true, true
		}
		for _, name := range names {
			if !have["name "+name] {
				return noKeyPair(name)
			}
		}
		for _, id := range q.IDs {
			if !have["id "+id] {
				return noKeyPair(id)
			}
		}
		out = nil
		for _, k := range all {
			if len(names) > 0 && !slices.Contains(names, k.Name) || len(q.IDs) > 0 && !slices.Contains(q.IDs, k.ID) {
				continue
			}
			if ok, err := q.matches(attrs(k), k.Tags); err != nil {
				return err
			} else if ok {
				out = append(out, k)
			}
		}
		return nil
	})
	return out, err
}
