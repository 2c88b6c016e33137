package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"

	"github.com/trellis-project/trellis/certificate"
)

// certificate returns the key pair for a handshake by the certificate ARN of a service, empty for none, and the server
// name that the client asks for, as the nouns of the revision say that this node carries. See
// certificate.Keys.Certificate; before the first revision there is none.
func (d *Daemon) certificate(arn, name string) (*tls.Certificate, error) {
	k := d.keys.Load()
	if k == nil {
		return nil, certificate.ErrNoCertificate
	}
	return k.Certificate(arn, name)
}

// writeRoot writes the certificate of this installation's authority for everybody to read, since clients must
// trust it. It is written whole or not at all.
func (d *Daemon) writeRoot(ctx context.Context) error {
	root, err := d.plane.RootCertificate(ctx)
	if err != nil {
		return err
	}
	if root != string(d.root) { // else it is read by others already
		d.root = []byte(root)
	}
	path := d.config.RootFile()
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, d.root) {
		return nil
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, d.root, 0o644); err != nil {
		return fmt.Errorf("write the authority's certificate: %w", err)
	}
	return os.Rename(tmp, path)
}
