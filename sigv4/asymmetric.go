package sigv4

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
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

// verifyAsymmetric is the second half of Verify for SigV4A.
func (k *Key) verifyAsymmetric(r *Request, a *Authorization, c *Check, payload string, buf *[]byte) error {
	public, err := k.publicKey(a.AccessKeyID)
	if err != nil {
		return mismatch(r, c)
	}
	if err := a.verifyPublic(r, c, public, Asymmetric, "", payload, buf); err != nil {
		return err
	}
	a.Region = c.Region
	return nil
}

// verifyPublic verifies the signature with a public key, in each form of the request. The region is that of the
// credential scope.
func (a *Authorization) verifyPublic(r *Request, c *Check, public crypto.PublicKey, algorithm, region, payload string, buf *[]byte) error {
	signature, ok := decodeSignature((*buf)[:0], a.Signature)
	if !ok {
		return mismatch(r, c)
	}
	for _, f := range forms {
		if f.same(r) {
			continue
		}
		b, start, err := appendCanonical(signature, r, a, payload, c.DoubleEncode, f)
		*buf = b
		if err != nil {
			return err
		}
		b = appendStringToSign(b[:len(signature)], algorithm, a.Timestamp, a.Date, region, a.Service, sha256.Sum256(b[start:]))
		digest := sha256.Sum256(b[len(signature):])
		switch key := public.(type) {
		case *rsa.PublicKey:
			if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil {
				return nil
			}
		case *ecdsa.PublicKey:
			if ecdsa.VerifyASN1(key, digest[:], signature) {
				return nil
			}
		}
	}
	return mismatch(r, c)
}

// decodeSignature appends the bytes of a signature in hexadecimal, which is in small letters and no longer than that of
// the largest RSA key.
func decodeSignature(b []byte, s string) ([]byte, bool) {
	if len(s)%2 != 0 || len(s) > maxModulus/4 {
		return b, false
	}
	for i := 0; i < len(s); i += 2 {
		high, low := unhex(s[i]), unhex(s[i+1])
		if high < 0 || low < 0 || s[i] >= 'A' && s[i] <= 'F' || s[i+1] >= 'A' && s[i+1] <= 'F' {
			return b, false
		}
		b = append(b, byte(high<<4|low))
	}
	return b, true
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
