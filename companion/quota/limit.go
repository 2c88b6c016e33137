package quota

import (
	"errors"
	"fmt"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// near is how close to a limit a count that was taken before a transaction must be to be taken in it. Counting there
// guards the whole range, so that creations below one parent wait for each other.
const near = 100

// Limits are how many of each an account may have. The zero value is what accounts begin with in extended mode.
type Limits struct {
	// Strict takes AWS's default quotas.
	Strict bool
	// Others are limits in place of the table's, for tests.
	Others map[ID]int
}

// Default is how many an account may have that has asked for no more.
func (l Limits) Default(id ID) int {
	if n, ok := l.Others[id]; ok {
		return n
	}
	if l.Strict {
		return table[id].Strict
	}
	return table[id].Extended
}

// Of is how many an account may have.
func (l Limits) Of(tx *store.Tx, account string, id ID) (int, error) {
	a, err := applied(tx, account, &table[id])
	if err != nil || a == nil {
		return l.Default(id), err
	}
	return max(l.Default(id), a.Value), nil
}

// applied reads what an account has asked for, nil when that is nothing.
func applied(tx *store.Tx, account string, q *Quota) (*trellis.AppliedQuota, error) {
	if q.Code == "" {
		return nil, nil
	}
	a, err := store.Get[*trellis.AppliedQuota](tx, account+"/"+q.Service+"/"+q.Code)
	if errors.Is(err, trellis.ErrNotExist) {
		return nil, nil
	}
	return a, err
}

// Reached tells whether an account that has some may have no more, and how many it may have. Limits only grow, so what
// the account has asked for is read only by one that has come to the default.
func (l Limits) Reached(tx *store.Tx, account string, id ID, have int) (limit int, reached bool, err error) {
	if limit = l.Default(id); have < limit {
		return limit, false, nil
	}
	limit, err = l.Of(tx, account, id)
	return limit, have >= limit, err
}

// Count is a count that was taken before the transaction, taken again in it when it is near to the limit, so that the
// limit is exact.
func Count[T trellis.Noun](tx *store.Tx, l Limits, id ID, prefix string, have int) (int, error) {
	if have+near < l.Default(id) {
		return have, nil
	}
	return store.Count[T](tx, prefix)
}

// Room answers full when an account has as many nouns as it may. have were counted before the transaction.
func Room[T trellis.Noun](tx *store.Tx, l Limits, account string, id ID, have int, full func(limit int) *trellis.Error) error {
	have, err := Count[T](tx, l, id, account+"/", have)
	if err != nil {
		return err
	}
	limit, reached, err := l.Reached(tx, account, id, have)
	if err == nil && reached {
		return full(limit)
	}
	return err
}

// CountMarked is Count for the members of a set.
func CountMarked(tx *store.Tx, l Limits, id ID, set string, have int) (int, error) {
	if have+near < l.Default(id) {
		return have, nil
	}
	members, err := tx.Marked(set)
	return len(members), err
}

// Exceeded is a ServiceQuotaExceededException with the quota's code. resourceType is for example SERVICE.
func Exceeded(id ID, limit int, resourceType string) *trellis.Error {
	q := &table[id]
	name := q.Name
	if len(name) > 1 && name[1] >= 'a' && name[1] <= 'z' {
		name = string(name[0]|0x20) + name[1:]
	}
	return &trellis.Error{Status: 402, Code: "ServiceQuotaExceededException", ResourceType: resourceType, ServiceCode: q.Service, QuotaCode: q.Code,
		Message: fmt.Sprintf("You have reached the limit of %d %s.", limit, name)}
}
