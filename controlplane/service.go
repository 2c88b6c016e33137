package controlplane

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// HostedZoneID is the id of the hosted zone that a region's generated names are in. AWS has one a region;
// us-east-1's is known from its answers, the others are made from the region's name.
func HostedZoneID(region string) string {
	if region == "us-east-1" {
		return "Z0681547Z82L3THDFSCZ"
	}
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	id := []byte("Z0")
	sum := sha256.Sum256([]byte("hosted zone " + region))
	for _, b := range sum[:19] {
		id = append(id, letters[int(b)%len(letters)])
	}
	return string(id)
}

// CreateService makes a service. s gives name, auth type, custom domain name, certificate, idle timeout and tags.
func (p *Plane) CreateService(ctx context.Context, c *authpolicy.Caller, token string, s trellis.Service) (*trellis.Service, trellis.Revision, error) {
	if s.AuthType == "" {
		s.AuthType = trellis.AuthNone
	}
	err := authorize(c, "vpc-lattice:CreateService", authpolicy.TagKeys(keys{"vpc-lattice:authtype": {string(s.AuthType)}}, s.Tags, nil),
		trellis.LatticeARN(p.Region, account(c), "service/*"))
	if err != nil {
		return nil, 0, err
	}
	s.CustomDomainName = plainDomain(s.CustomDomainName)
	err = errors.Join(validName("name", s.Name, "svc-", 3, 40), validAuthType(s.AuthType), validCustomDomain("customDomainName", s.CustomDomainName),
		validIdleTimeout(s.IdleTimeoutSeconds), validCertificate(s.CertificateARN, p.Region))
	if err != nil {
		return nil, 0, firstError(err)
	}
	if err := p.validTags(s.Tags); err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.Service](ctx, p, account(c)+"/")
	if err != nil {
		return nil, 0, err
	}
	var made *trellis.Service
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		made, err = store.Once(tx, account(c)+"/CreateService", token, s, func() (*trellis.Service, error) {
			if err := roomFor[*trellis.Service](p, tx, account(c), quota.Services, account(c)+"/", have, "SERVICE"); err != nil {
				return nil, err
			}
			m := s
			m.CertificateARN = ""
			m.Meta, m.Status = p.meta(c, "svc", s.Tags), trellis.StatusCreateInProgress
			if err := claim(tx, "servicename/"+m.Account+"/"+m.Name, m.Key(), "SERVICE", "A service with the name %s already exists.", m.Name); err != nil {
				return nil, err
			}
			if err := p.useCertificate(tx, &m, s.CertificateARN); err != nil {
				return nil, err
			}
			tx.Put(&m)
			return &m, nil
		})
		return err
	})
	if err == nil {
		made.Status = p.shown(made, made.Status)
	}
	return made, rev, err
}

// validDomainName checks a domain name in small letters; empty is none.
func validDomainName(fieldName, name string) error {
	if name == "" {
		return nil
	}
	labels := strings.Split(name, ".")
	bad := len(name) < 3 || len(name) > 255 || len(labels) < 2
	for _, l := range labels {
		bad = bad || l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != ""
	}
	if bad {
		return field(fieldName, fieldName+" is not a valid domain name.")
	}
	return nil
}

// validCustomDomain checks a domain name of the client's own; empty is none.
func validCustomDomain(fieldName, name string) error {
	if strings.HasSuffix(name, ".on.aws") {
		return field(fieldName, fieldName+" must not be a name of AWS.")
	}
	return validDomainName(fieldName, name)
}

// validIdleTimeout checks seconds; 0 is the default.
func validIdleTimeout(s int) error {
	if s != 0 && (s < 60 || s > 600) {
		return field("idleTimeoutSeconds", "idleTimeoutSeconds must be from 60 to 600.")
	}
	return nil
}

// validCertificate checks the ARN of a certificate of a region; empty is none.
func validCertificate(arn, region string) error {
	if arn == "" {
		return nil
	}
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "acm" || a.Region != region || !strings.HasPrefix(a.Resource, "certificate/") {
		return field("certificateArn", "certificateArn must be a certificate of AWS Certificate Manager in this Region.")
	}
	return nil
}

// GetService returns a service of the caller's or one that is shared with it.
func (p *Plane) GetService(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.Service, error) {
	var s *trellis.Service
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		s, err = resolve[*trellis.Service](p, tx, c, identifier, serviceKind, "vpc-lattice:GetService", nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Status = p.shown(s, s.Status)
	return s, nil
}

// ServiceChange is what UpdateService can change; nil leaves as it is.
type ServiceChange struct {
	AuthType           *trellis.AuthType
	CertificateARN     *string // empty takes the certificate away
	IdleTimeoutSeconds *int
}

// UpdateService changes a service.
func (p *Plane) UpdateService(ctx context.Context, c *authpolicy.Caller, identifier string, ch ServiceChange) (*trellis.Service, trellis.Revision, error) {
	var s *trellis.Service
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		k := keys{}
		if ch.AuthType != nil {
			k["vpc-lattice:authtype"] = []string{string(*ch.AuthType)}
		}
		s, err = own[*trellis.Service](p, tx, c, identifier, serviceKind, "vpc-lattice:UpdateService", k)
		if err != nil {
			return err
		}
		if err := p.ready("SERVICE", s.ID, s.Status); err != nil {
			return err
		}
		if ch.AuthType != nil {
			if err := validAuthType(*ch.AuthType); err != nil {
				return err
			}
			s.AuthType = *ch.AuthType
		}
		if ch.CertificateARN != nil {
			if err := p.useCertificate(tx, s, *ch.CertificateARN); err != nil {
				return err
			}
		}
		if ch.IdleTimeoutSeconds != nil {
			if err := validIdleTimeout(*ch.IdleTimeoutSeconds); err != nil {
				return err
			}
			s.IdleTimeoutSeconds = *ch.IdleTimeoutSeconds
		}
		s.UpdatedAt = p.now()
		tx.Put(s)
		return nil
	})
	return s, rev, err
}

// DeleteService begins to delete a service without associations. Its listeners, rules, auth policy and
// access log subscriptions go with it.
func (p *Plane) DeleteService(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.Service, trellis.Revision, error) {
	var s *trellis.Service
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		s, err = own[*trellis.Service](p, tx, c, identifier, serviceKind, "vpc-lattice:DeleteService", nil)
		if err != nil || s.Status == trellis.StatusDeleteInProgress {
			return err
		}
		used, err := tx.Marked(serviceNetworks(s.Key()))
		if err != nil {
			return err
		}
		if len(used) > 0 {
			return trellis.Conflict("SERVICE", s.ID, "Service %s has %d service network associations. Delete them first.", s.ID, len(used))
		}
		s.Status, s.UpdatedAt = trellis.StatusDeleteInProgress, p.now()
		tx.Put(s)
		return nil
	})
	return s, rev, err
}

// ListServices lists the caller's services and those shared with it, by id.
func (p *Plane) ListServices(ctx context.Context, c *authpolicy.Caller, pg Page) ([]*trellis.Service, string, error) {
	if err := authorize(c, "vpc-lattice:ListServices", nil, "*"); err != nil {
		return nil, "", err
	}
	var list []*trellis.Service
	var next string
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		list, next, err = visiblePage[*trellis.Service](p, tx, c, serviceKind, pg)
		return err
	})
	for _, s := range list {
		s.Status = p.shown(s, s.Status)
	}
	return list, next, err
}

// cascadeBatch is how many nouns one transaction of a deletion removes: each takes several keys with it,
// and the store bounds what one transaction may do.
const cascadeBatch = 20

// nextService moves a service on.
func (p *Plane) nextService(s *trellis.Service) *settling {
	key := s.Key()
	switch s.Status {
	case trellis.StatusCreateInProgress:
		return &settling{shown: s.Status, step: func(tx *store.Tx) (bool, error) {
			return activate(tx, key, trellis.StatusCreateInProgress, func(s *trellis.Service) *trellis.Status { return &s.Status })
		}}
	case trellis.StatusDeleteInProgress:
		return &settling{step: func(tx *store.Tx) (again bool, err error) {
			s, err := store.Get[*trellis.Service](tx, key)
			if err != nil || s.Status != trellis.StatusDeleteInProgress {
				return false, err
			}
			listeners, err := store.List[*trellis.Listener](tx, key+"/")
			if err != nil {
				return false, err
			}
			for i, l := range listeners {
				if again, err = dropRules(tx, l); again || err != nil {
					return again, err
				}
				dropListener(tx, l)
				if i+1 < len(listeners) {
					return true, nil
				}
			}
			if err := p.dropGuards(tx, s.Ref()); err != nil {
				return false, err
			}
			p.leaveCertificate(tx, s)
			tx.Release("servicename/" + s.Account + "/" + s.Name)
			tx.Delete(s)
			return false, nil
		}}
	}
	return nil
}
