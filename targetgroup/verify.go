package targetgroup

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/trellis-project/trellis"
)

// VerifyTag is the tag of a target group of HTTPS whose value is the name in its targets' certificates: these are
// verified, and the name is sent as SNI. VPC Lattice verifies no certificate of a target, and without the tag nobody does.
const VerifyTag = "trellis:verify"

// verifies is the name that the certificates of a group's targets are verified for, empty when they are not.
func verifies(g *trellis.TargetGroup) string {
	if g.Protocol != trellis.ProtocolHTTPS {
		return ""
	}
	return g.Tags[VerifyTag]
}

// tlsWith is how TLS is spoken with a target, to agree on protocols if there are some.
func (m *Manager) tlsWith(t *Target, protocols ...string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true, NextProtos: protocols,
		ServerName: t.common.verify, InsecureSkipVerify: t.common.verify == ""}
	if t.common.verify != "" && m.roots != nil {
		c.RootCAs = m.roots()
	}
	return c
}

// SystemRoots are the roots that this machine trusts, and some more in PEM.
func SystemRoots(more []byte) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(more)
	return pool
}
