// Package companion is what services of AWS beside VPC Lattice have in common whose resources real clients make and
// read beside Lattice's own: load balancers, functions, buckets, zones, keys. Each has a folder below this one, which
// says what the operations of its service mean; here stands how an operation of any of them reads and changes nouns:
// after the caller's policies allowed it, in one transaction.
package companion

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// Options is what a companion needs. Store and Region are required.
type Options struct {
	Store  *store.Store
	Region string
	// Strict refuses what AWS refuses although it would do no harm here (docs/modes.md), and limits accounts to AWS's
	// default quotas.
	Strict bool
	// Now is the clock, time.Now when nil.
	Now func() time.Time
}

// Records reads and changes the nouns of a companion. It is safe for concurrent use, and starts nothing.
type Records struct{ Options }

// NewRecords returns the Records of a companion.
func NewRecords(o Options) *Records {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Records{o}
}

// Time is the clock in the precision that answers show: whole milliseconds, UTC.
func (r *Records) Time() time.Time { return r.Now().UTC().Truncate(time.Millisecond) }

// Meta is the Meta of a noun that is being made in the caller's account.
func (r *Records) Meta(c *authpolicy.Caller, id string, tags map[string]string) trellis.Meta {
	now := r.Time()
	return trellis.Meta{Account: c.Principal.Account, ID: id, CreatedAt: now, UpdatedAt: now, Tags: maps.Clone(tags)}
}

// ARN is the ARN of a resource of the caller's account in this Region.
func (r *Records) ARN(c *authpolicy.Caller, service, resource string) string {
	return trellis.ARN{Partition: "aws", Service: service, Region: r.Region, Account: c.Principal.Account, Resource: resource}.String()
}

// Read runs fn on one revision, after the caller's policies have allowed an action ("kms:DescribeKey") on an ARN. keys
// are condition keys of the request in lower case, and may be nil.
func (r *Records) Read(ctx context.Context, c *authpolicy.Caller, action, arn string, keys map[string][]string, fn func(*store.Tx) error) error {
	if err := c.Authorize(action, arn, keys); err != nil {
		return err
	}
	return r.Store.Read(ctx, fn)
}

// Commit is Read for a change: fn runs as one transaction, several times when others write what it reads.
func (r *Records) Commit(ctx context.Context, c *authpolicy.Caller, action, arn string, keys map[string][]string, fn func(*store.Tx) error) (trellis.Revision, error) {
	if err := c.Authorize(action, arn, keys); err != nil {
		return 0, err
	}
	return r.Store.Commit(ctx, fn)
}

// Count is how many nouns an account has, as they are before a transaction that makes one more (quota.Room).
func Count[T trellis.Noun](ctx context.Context, r *Records, account string) (n int, err error) {
	err = r.Store.Read(ctx, func(tx *store.Tx) error {
		n, err = store.Count[T](tx, account+"/")
		return err
	})
	return n, err
}

// Get reads a noun, and answers missing when there is none.
func Get[T trellis.Noun](tx *store.Tx, key string, missing *trellis.Error) (T, error) {
	n, err := store.Get[T](tx, key)
	if errors.Is(err, trellis.ErrNotExist) {
		return n, missing
	}
	return n, err
}

// Claim takes a unique name for the key of a noun, and answers taken when another one has it.
func Claim(tx *store.Tx, name, holder string, taken *trellis.Error) error {
	err := tx.Claim(name, holder)
	if _, is := errors.AsType[*store.TakenError](err); is {
		return taken
	}
	return err
}

// Reused answers mismatch instead of the store's error that a client token came again with other parameters.
func Reused(err error, mismatch *trellis.Error) error {
	if _, is := errors.AsType[*store.TokenReusedError](err); is {
		return mismatch
	}
	return err
}

// WithTags is the tags of a resource with more of them, without changing either.
func WithTags(have, more map[string]string) map[string]string {
	all := maps.Clone(have)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	return all
}

// WithoutTags is the tags of a resource without some, without changing them.
func WithoutTags(have map[string]string, names []string) map[string]string {
	all := maps.Clone(have)
	for _, name := range names {
		delete(all, name)
	}
	return all
}
