package controlplane

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// room answers a ServiceQuotaExceededException when an account has as many as it may, have. resourceType is for example
// SERVICE.
func (p *Plane) room(tx *store.Tx, account string, id quota.ID, have int, resourceType string) error {
	limit, reached, err := p.Quotas.Reached(tx, account, id, have)
	if err == nil && reached {
		return quota.Exceeded(id, limit, resourceType)
	}
	return err
}

// roomFor is room for one noun more below a prefix of keys. have were counted before the transaction.
func roomFor[T trellis.Noun](p *Plane, tx *store.Tx, account string, id quota.ID, prefix string, have int, resourceType string) error {
	have, err := quota.Count[T](tx, p.Quotas, id, prefix, have)
	if err != nil {
		return err
	}
	return p.room(tx, account, id, have, resourceType)
}

// ec2Room answers an error of EC2, with its code, when an account has as many nouns as it may. have were counted before the
// transaction.
func ec2Room[T trellis.Noun](p *Plane, tx *store.Tx, c EC2Call, id quota.ID, have int, code string) error {
	return quota.Room[T](tx, p.Quotas, c.account(), id, have, func(limit int) *trellis.Error {
		return ec2Error(code, "The maximum number of %s has been reached: %d.", quota.Name(id), limit)
	})
}
