package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/trellis-project/trellis"
)

// Keys are the key pairs of all certificates at one revision: immutable, and swapped whole, so that the next handshake
// after a change has the new certificate and those under way go on with theirs. A pair is parsed once, when it is first
// asked for: most certificates of large installations may be in nobody's use.
type Keys struct {
	domain  string // a dot and the domain of generated names
	managed string // ARN of their certificate
	pairs   map[string]keyPair
}

// keyPair is one of them, by its ARN.
type keyPair struct {
	noun *trellis.Certificate // what it is made of
	pair func() (*tls.Certificate, error)
}

// ErrNoCertificate says that a service can't be spoken to by TLS under a name: VPC Lattice has no certificate to
// fall back on (VPC Lattice user guide, service-byoc).
var ErrNoCertificate = errors.New("no certificate for this name")

// NewKeys makes the key pairs of a state. What before, which may be nil, has of the same nouns is taken over.
func NewKeys(st *trellis.State, region string, before *Keys) *Keys {
	managed := trellis.ManagedCertificate(region)
	k := &Keys{domain: "." + trellis.GeneratedDomain(region), managed: trellis.CertificateARN(region, managed.Account, managed.ID),
		pairs: make(map[string]keyPair, st.Len(trellis.KindCertificate))}
	for c := range trellis.All[*trellis.Certificate](st) {
		if c.Status != trellis.CertificateReady {
			continue
		}
		arn := c.ARN(region)
		if before != nil && before.pairs[arn].noun == c {
			k.pairs[arn] = before.pairs[arn]
			continue
		}
		k.pairs[arn] = keyPair{c, sync.OnceValues(func() (*tls.Certificate, error) { return tlsPair(c) })}
	}
	return k
}

// tlsPair is a certificate as crypto/tls has it. A root at the end of its chain is not sent: a client has it or does
// not trust it (RFC 8446, section 4.4.2).
func tlsPair(c *trellis.Certificate) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair([]byte(c.Body+c.Chain), []byte(c.PrivateKey.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	if last := len(pair.Certificate) - 1; last > 0 {
		root, err := x509.ParseCertificate(pair.Certificate[last])
		if err == nil && bytes.Equal(root.RawIssuer, root.RawSubject) {
			pair.Certificate = pair.Certificate[:last]
		}
	}
	return &pair, nil
}

// Certificate returns the key pair for a handshake: that of generated names when name, the server name that the client
// asks for, is one of them, and else that with the service's certificate ARN. Only the first that asks for a pair waits,
// while it is parsed; there is no other lock, and nothing is allocated. The error is ErrNoCertificate, or says why a
// certificate can't be used. A certificate that has expired is handed out: it is the client that judges it.
func (k *Keys) Certificate(arn, name string) (*tls.Certificate, error) {
	if from := len(name) - len(k.domain); from > 0 && strings.EqualFold(name[from:], k.domain) {
		arn = k.managed
	}
	p, ok := k.pairs[arn]
	if !ok {
		return nil, ErrNoCertificate
	}
	return p.pair()
}
