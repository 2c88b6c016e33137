package identity

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// Bounds of what is remembered of who asked for sessions. The subject that was not seen for the longest time makes room.
const (
	maxSubjects             = 1000
	maxCredentialsOfSubject = 5
)

// GetSubject returns a subject of the caller's account.
func (i *Identity) GetSubject(ctx context.Context, c *authpolicy.Caller, id string) (*trellis.AnywhereSubject, error) {
	return anywhereGet[*trellis.AnywhereSubject](ctx, i, c, "rolesanywhere:GetSubject", id)
}

// ListSubjects returns the subjects of the caller's account.
func (i *Identity) ListSubjects(ctx context.Context, c *authpolicy.Caller) ([]*trellis.AnywhereSubject, error) {
	return anywhereList[*trellis.AnywhereSubject](ctx, i, c, "rolesanywhere:ListSubjects")
}

// subjectID is the id of the subject of a certificate in an account: the same for all certificates of that subject name,
// or of that SPIFFE id when there is no name.
func subjectID(account, name string) string {
	sum := sha256.Sum256([]byte(account + "\x00" + name))
	h := []byte(hex.EncodeToString(sum[:16]))
	h[12], h[16] = '5', "89ab"[h[16]&3] // a UUID made of a name (RFC 9562, section 5.5, with another digest)
	return trellis.FormatUUID(string(h))
}

// subjectName is what a subject is known by.
func subjectName(c *x509.Certificate) string {
	if name := c.Subject.String(); name != "" {
		return name
	}
	for _, u := range c.URIs {
		return u.String()
	}
	return "serial number " + c.SerialNumber.String() + " of " + c.Issuer.String()
}

// see remembers that somebody asked for a session with a certificate whose chain is good.
func (i *Identity) see(ctx context.Context, account string, c *x509.Certificate, failed bool) (*trellis.AnywhereSubject, error) {
	name, now := subjectName(c), i.now()
	key := account + "/" + subjectID(account, name)
	var n *trellis.AnywhereSubject
	_, err := i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		var missing trellis.Error
		var err error
		n, err = get[*trellis.AnywhereSubject](tx, key, &missing)
		if err == &missing {
			n = &trellis.AnywhereSubject{Meta: trellis.Meta{Account: account, ID: subjectID(account, name), CreatedAt: now}, Name: name}
			err = forgetSubject(tx, account)
		}
		if err != nil {
			return err
		}
		serial := c.SerialNumber.String()
		n.Credentials = slices.DeleteFunc(n.Credentials, func(o trellis.AnywhereCredential) bool { return o.Serial == serial && o.Issuer == c.Issuer.String() })
		n.Credentials = append([]trellis.AnywhereCredential{{Serial: serial, Issuer: c.Issuer.String(), SeenAt: now, Failed: failed,
			CertificatePEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))}}, n.Credentials...)
		n.Credentials = n.Credentials[:min(len(n.Credentials), maxCredentialsOfSubject)]
		n.UpdatedAt, n.LastSeenAt = now, now
		tx.Put(n)
		return nil
	})
	return n, err
}

// forgetSubject makes room for one more subject.
func forgetSubject(tx *store.Tx, account string) error {
	all, err := store.List[*trellis.AnywhereSubject](tx, account+"/")
	if err != nil || len(all) < maxSubjects {
		return err
	}
	tx.Delete(slices.MinFunc(all, func(a, b *trellis.AnywhereSubject) int { return a.LastSeenAt.Compare(b.LastSeenAt) }))
	return nil
}
