package certificate

import (
	"crypto/x509"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// domain is the form of names that a certificate can have (ACM API, DomainNameString), in small letters.
var domain = regexp.MustCompile(`^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$`)

// Fill writes a pair and what stands in its certificate into a noun.
func (p *Pair) Fill(c *trellis.Certificate) {
	x := p.Leaf
	c.Body, c.Chain, c.PrivateKey, c.KeyAlgorithm = p.Body, p.Chain, p.Key, p.Algorithm
	c.NotBefore, c.NotAfter = x.NotBefore.UTC(), x.NotAfter.UTC()
	c.Serial = serial(x)
	c.Subject, c.Issuer = x.Subject.String(), issuer(x)
	c.SignatureAlgorithm = signatureAlgorithm(x)
	c.KeyUsages, c.ExtendedKeyUsages = keyUsages(x), extendedKeyUsages(x)
}

// Names are the names of the certificate in small letters: its subject alternative names if there are any, else
// its common name. first is the one that ACM calls the domain name.
func (p *Pair) Names() (first string, all []string) {
	for _, n := range p.Leaf.DNSNames {
		if n = strings.ToLower(n); domain.MatchString(n) && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	common := strings.ToLower(p.Leaf.Subject.CommonName)
	switch {
	case !domain.MatchString(common):
		if len(all) > 0 {
			first = all[0]
		}
		return first, all
	case len(p.Leaf.DNSNames) == 0:
		all = []string{common}
	}
	return common, all
}

// serial is the serial number as ACM writes it.
func serial(x *x509.Certificate) string {
	var parts []string
	for _, b := range x.SerialNumber.Bytes() {
		parts = append(parts, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}

// issuer is the name of who issued the certificate: its organization, else its common name.
func issuer(x *x509.Certificate) string {
	if len(x.Issuer.Organization) > 0 {
		return x.Issuer.Organization[0]
	}
	return x.Issuer.CommonName
}

// signatureAlgorithm is the algorithm in ACM's words, such as SHA256WITHRSA.
func signatureAlgorithm(x *x509.Certificate) string {
	kind, hash, ok := strings.Cut(x.SignatureAlgorithm.String(), "-") // SHA256-RSA, ECDSA-SHA256
	switch {
	case !ok:
		return strings.ToUpper(kind)
	case kind == "ECDSA":
		return hash + "WITHECDSA"
	}
	return kind + "WITH" + hash
}

// keyUsageNames are ACM's names of the bits of the key usage extension (RFC 5280, section 4.2.1.3), in their order.
var keyUsageNames = []struct {
	bit  x509.KeyUsage
	name string
}{
	{x509.KeyUsageDigitalSignature, "DIGITAL_SIGNATURE"},
	{x509.KeyUsageContentCommitment, "NON_REPUDIATION"},
	{x509.KeyUsageKeyEncipherment, "KEY_ENCIPHERMENT"},
	{x509.KeyUsageDataEncipherment, "DATA_ENCIPHERMENT"},
	{x509.KeyUsageKeyAgreement, "KEY_AGREEMENT"},
	{x509.KeyUsageCertSign, "CERTIFICATE_SIGNING"},
	{x509.KeyUsageCRLSign, "CRL_SIGNING"},
	{x509.KeyUsageEncipherOnly, "ENCIPHER_ONLY"},
	{x509.KeyUsageDecipherOnly, "DECIPHER_ONLY"},
}

// keyUsages are the usages of the key in ACM's words; a certificate without the extension may be used for any.
func keyUsages(x *x509.Certificate) (names []string) {
	for _, u := range keyUsageNames {
		if x.KeyUsage&u.bit != 0 {
			names = append(names, u.name)
		}
	}
	if names == nil {
		return []string{"ANY"}
	}
	return names
}

// extendedKeyUsageNames are ACM's names of purposes (RFC 5280, section 4.2.1.12).
var extendedKeyUsageNames = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageServerAuth:      "TLS_WEB_SERVER_AUTHENTICATION",
	x509.ExtKeyUsageClientAuth:      "TLS_WEB_CLIENT_AUTHENTICATION",
	x509.ExtKeyUsageCodeSigning:     "CODE_SIGNING",
	x509.ExtKeyUsageEmailProtection: "EMAIL_PROTECTION",
	x509.ExtKeyUsageTimeStamping:    "TIME_STAMPING",
	x509.ExtKeyUsageOCSPSigning:     "OCSP_SIGNING",
	x509.ExtKeyUsageIPSECEndSystem:  "IPSEC_END_SYSTEM",
	x509.ExtKeyUsageIPSECTunnel:     "IPSEC_TUNNEL",
	x509.ExtKeyUsageIPSECUser:       "IPSEC_USER",
	x509.ExtKeyUsageAny:             "ANY",
}

// extendedKeyUsages are the purposes in ACM's words.
func extendedKeyUsages(x *x509.Certificate) (names []string) {
	for _, u := range x.ExtKeyUsage {
		if n := extendedKeyUsageNames[u]; n != "" {
			names = append(names, n)
		} else {
			names = append(names, "CUSTOM")
		}
	}
	for range x.UnknownExtKeyUsage {
		names = append(names, "CUSTOM")
	}
	if names == nil {
		return []string{"NONE"}
	}
	return names
}
