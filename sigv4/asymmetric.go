package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
)

// Asymmetric is the algorithm of SigV4A: an ECDSA key pair is derived from the access key, its scope names no
// region, and the header x-amz-region-set says where the signature holds. Verify takes it beside Algorithm; it
// costs a verification of ECDSA, tens of microseconds, and allocates.
const Asymmetric = "AWS4-ECDSA-P256-SHA256"

// regionSetHeader names the regions of a SigV4A signature. It must be signed.
const regionSetHeader = "x-amz-region-set"

// keyPair is the public half of what SigV4A derives from an access key.
type keyPair struct {
	accessKeyID string
	public      *ecdsa.PublicKey
}

// publicKey returns the public key that belongs to an access key id and the secret.
func (k *Key) publicKey(accessKeyID string) (*ecdsa.PublicKey, error) {
	if p := k.pair.Load(); p != nil && p.accessKeyID == accessKeyID {
		return p.public, nil
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), deriveScalar(k.secret, accessKeyID))
	if err != nil {
		return nil, err
	}
	k.pair.Store(&keyPair{accessKeyID: strings.Clone(accessKeyID), public: &private.PublicKey})
	return &private.PublicKey, nil
}

// deriveScalar is SigV4A's key derivation: the KDF of NIST SP 800-108 in counter mode with HMAC-SHA256, again
// with the next counter when the result is above the order of the curve less two.
func deriveScalar(secret, accessKeyID string) []byte {
	limit := new(big.Int).Sub(elliptic.P256().Params().N, big.NewInt(2))
	for counter := byte(1); ; counter++ {
		m := hmac.New(sha256.New, []byte("AWS4A"+secret))
		m.Write(binary.BigEndian.AppendUint32(nil, 1))
		m.Write([]byte(Asymmetric))
		m.Write([]byte{0})
		m.Write([]byte(accessKeyID))
		m.Write([]byte{counter})
		m.Write(binary.BigEndian.AppendUint32(nil, 8*sha256.Size))
		// A second round is needed once in 2^32 keys, so the loop ends.
		if d := new(big.Int).SetBytes(m.Sum(nil)); d.Cmp(limit) <= 0 {
			return d.Add(d, big.NewInt(1)).FillBytes(make([]byte, 32))
		}
	}
}

// verifyAsymmetric compares the signature with one form of the canonical request.
func verifyAsymmetric(public *ecdsa.PublicKey, a *Authorization, signature []byte, canonical [sha256.Size]byte) bool {
	digest := sha256.Sum256([]byte(Asymmetric + "\n" + a.Timestamp + "\n" + a.Date + "/" + a.Service + "/" + terminator + "\n" + hex.EncodeToString(canonical[:])))
	return ecdsa.VerifyASN1(public, digest[:], signature)
}

// inRegionSet tells whether a region is in a set: a list by commas, whose members may hold stars.
func inRegionSet(set, region string) bool {
	for more := true; more; {
		var p string
		p, set, more = strings.Cut(set, ",")
		if p = trim(p); p != "" && starMatch(p, region) {
			return true
		}
	}
	return false
}

// starMatch compares a text with a pattern in which a star stands for any run of bytes.
func starMatch(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for {
		head, rest, star = strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, head)
		}
		at := strings.Index(s, head)
		if at < 0 {
			return false
		}
		s = s[at+len(head):]
	}
}
