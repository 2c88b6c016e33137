// Package deliverystream is what the operations of Firehose mean (Firehose API reference): streams with one destination, a
// bucket or an HTTP endpoint. Records are not delivered yet: who puts one is told so.
package deliverystream

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// DestinationID is the id of a stream's only destination.
const DestinationID = "destinationId-000000000001"

// Streams is what the operations of Firehose mean.
type Streams struct {
	*companion.Records
	Quotas quota.Limits
}

// New returns Streams. It starts nothing.
func New(o companion.Options) *Streams {
	return &Streams{companion.NewRecords(o), quota.Limits{Strict: o.Strict}}
}

// invalid is an InvalidArgumentException.
func invalid(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "InvalidArgumentException", format, args...)
}

// arn is the ARN of a stream of the caller's account.
func (s *Streams) arn(c *authpolicy.Caller, name string) string {
	return s.ARN(c, "firehose", "deliverystream/"+name)
}

// get reads a stream of the caller's account.
func get(tx *store.Tx, c *authpolicy.Caller, name string) (*trellis.DeliveryStream, error) {
	return companion.Get[*trellis.DeliveryStream](tx, c.Principal.Account+"/"+name,
		trellis.NewError(400, "ResourceNotFoundException", "Firehose %s under account %s not found.", name, c.Principal.Account))
}

// Destination is where a stream leads.
type Destination struct {
	Kind      string // S3, ExtendedS3 or HttpEndpoint
	Settings  json.RawMessage
	AccessKey *string  // of an HTTP endpoint; nil leaves it as it is
	Roles     []string // ARNs of the roles that Firehose is handed
}

// Encryption is how a stream is encrypted. The zero value is not at all.
type Encryption struct{ KeyType, KeyARN string }

// check refuses a key that is missing where there must be one, or the reverse.
func (e Encryption) check() error {
	if (e.KeyType == "CUSTOMER_MANAGED_CMK") != (e.KeyARN != "") {
		return invalid("KeyARN goes with the key type CUSTOMER_MANAGED_CMK, and with that alone.")
	}
	return nil
}

// pass refuses roles that don't exist, or that the caller may not hand to Firehose.
func (s *Streams) pass(tx *store.Tx, c *authpolicy.Caller, roles []string) error {
	for _, arn := range slices.Compact(slices.Sorted(slices.Values(roles))) {
		a, err := trellis.ParseARN(arn)
		if err != nil || a.Account != c.Principal.Account {
			return invalid("The role %s is not of this account.", arn)
		}
		missing := invalid("Firehose is unable to assume role %s. Please check the role provided.", arn)
		r, err := companion.Get[*trellis.Role](tx, a.Account+"/"+trellis.LastPart(a.Resource), missing)
		if err != nil {
			return err
		}
		if r.ARN() != arn {
			return missing
		}
		if err := c.Authorize("iam:PassRole", arn, authpolicy.TagKeys(map[string][]string{"iam:passedtoservice": {"firehose.amazonaws.com"}}, nil, r.Tags)); err != nil {
			return err
		}
	}
	return nil
}

// Create makes a stream, which is active at once.
func (s *Streams) Create(ctx context.Context, c *authpolicy.Caller, name string, d Destination, e Encryption, tags map[string]string) (arn string, rev trellis.Revision, err error) {
	if err := errors.Join(checkTags(tags), e.check()); err != nil {
		return "", 0, err
	}
	have, err := companion.Count[*trellis.DeliveryStream](ctx, s.Records, c.Principal.Account)
	if err != nil {
		return "", 0, err
	}
	arn = s.arn(c, name)
	rev, err = s.Commit(ctx, c, "firehose:CreateDeliveryStream", arn, authpolicy.TagKeys(nil, tags, nil), func(tx *store.Tx) error {
		switch _, err := store.Get[*trellis.DeliveryStream](tx, c.Principal.Account+"/"+name); {
		case err == nil:
			return trellis.NewError(400, "ResourceInUseException", "Firehose %s under accountId %s already exists", name, c.Principal.Account)
		case !errors.Is(err, trellis.ErrNotExist):
			return err
		}
		err := quota.Room[*trellis.DeliveryStream](tx, s.Quotas, c.Principal.Account, quota.DeliveryStreams, have, func(limit int) *trellis.Error {
			return trellis.NewError(400, "LimitExceededException", "You have already consumed your firehose quota of %d hoses.", limit)
		})
		if err != nil {
			return err
		}
		if err := s.pass(tx, c, d.Roles); err != nil {
			return err
		}
		n := &trellis.DeliveryStream{Meta: s.Meta(c, name, tags), Version: 1, Destination: d.Kind, Settings: d.Settings, EncryptionType: e.KeyType, EncryptionKeyARN: e.KeyARN}
		if d.AccessKey != nil {
			n.AccessKey = trellis.NewSecret(*d.AccessKey)
		}
		tx.Put(n)
		return nil
	})
	return arn, rev, err
}

// Look returns a stream for an action that reads it.
func (s *Streams) Look(ctx context.Context, c *authpolicy.Caller, action, name string) (n *trellis.DeliveryStream, err error) {
	err = s.Read(ctx, c, action, s.arn(c, name), nil, func(tx *store.Tx) error {
		n, err = get(tx, c, name)
		return err
	})
	return n, err
}

// List returns the names of the caller's streams that follow one.
func (s *Streams) List(ctx context.Context, c *authpolicy.Caller, after string) (names []string, err error) {
	err = s.Read(ctx, c, "firehose:ListDeliveryStreams", "*", nil, func(tx *store.Tx) error {
		all, err := store.List[*trellis.DeliveryStream](tx, c.Principal.Account+"/")
		names = nil
		for _, n := range all {
			if n.ID > after {
				names = append(names, n.ID)
			}
		}
		return err
	})
	return names, err
}

// Delete removes a stream.
func (s *Streams) Delete(ctx context.Context, c *authpolicy.Caller, name string) (trellis.Revision, error) {
	return s.Commit(ctx, c, "firehose:DeleteDeliveryStream", s.arn(c, name), nil, func(tx *store.Tx) error {
		n, err := get(tx, c, name)
		if err == nil {
			tx.Delete(n)
		}
		return err
	})
}

// change changes a stream for an action.
func (s *Streams) change(ctx context.Context, c *authpolicy.Caller, action, name string, keys map[string][]string, fn func(*store.Tx, *trellis.DeliveryStream) error) (trellis.Revision, error) {
	return s.Commit(ctx, c, action, s.arn(c, name), keys, func(tx *store.Tx) error {
		n, err := get(tx, c, name)
		if err != nil {
			return err
		}
		if err := fn(tx, n); err != nil {
			return err
		}
		n.UpdatedAt = s.Time()
		tx.Put(n)
		return nil
	})
}

// Update changes the destination of a stream whose version the caller must know. fn makes the new one of the present one.
func (s *Streams) Update(ctx context.Context, c *authpolicy.Caller, name, version, destination string, fn func(*trellis.DeliveryStream) (Destination, error)) (trellis.Revision, error) {
	return s.change(ctx, c, "firehose:UpdateDestination", name, nil, func(tx *store.Tx, n *trellis.DeliveryStream) error {
		switch {
		case version != strconv.Itoa(n.Version):
			return trellis.NewError(400, "ConcurrentModificationException", "Cannot update firehose: %s since the current version id: %d and specified version id: %s do not match", name, n.Version, version)
		case destination != DestinationID:
			return invalid("Destination Id %s not found", destination)
		}
		d, err := fn(n)
		if err != nil {
			return err
		}
		if err := s.pass(tx, c, d.Roles); err != nil {
			return err
		}
		n.Destination, n.Settings, n.Version = d.Kind, d.Settings, n.Version+1
		if d.AccessKey != nil {
			n.AccessKey = trellis.NewSecret(*d.AccessKey)
		}
		return nil
	})
}

// Encrypt sets how a stream is encrypted, for an action.
func (s *Streams) Encrypt(ctx context.Context, c *authpolicy.Caller, action, name string, e Encryption) (trellis.Revision, error) {
	if err := e.check(); err != nil {
		return 0, err
	}
	return s.change(ctx, c, action, name, nil, func(_ *store.Tx, n *trellis.DeliveryStream) error {
		n.EncryptionType, n.EncryptionKeyARN = e.KeyType, e.KeyARN
		return nil
	})
}

// Put says that records are not delivered, to who may put them into a stream that exists.
func (s *Streams) Put(ctx context.Context, c *authpolicy.Caller, action, name string) error {
	if _, err := s.Look(ctx, c, action, name); err != nil {
		return err
	}
	return trellis.NewError(503, "ServiceUnavailableException", "Trellis does not deliver records to the destinations of streams yet.")
}

// checkTags refuses tags that Firehose would refuse.
func checkTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return trellis.NewError(400, "LimitExceededException", "A stream has at most %d tags.", trellis.MaxTags)
	}
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return invalid("%s", fault)
		}
	}
	return nil
}

// Tag gives a stream tags.
func (s *Streams) Tag(ctx context.Context, c *authpolicy.Caller, name string, tags map[string]string) (trellis.Revision, error) {
	return s.change(ctx, c, "firehose:TagDeliveryStream", name, authpolicy.TagKeys(nil, tags, nil), func(_ *store.Tx, n *trellis.DeliveryStream) error {
		n.Tags = companion.WithTags(n.Tags, tags)
		return checkTags(n.Tags)
	})
}

// Untag takes tags from a stream.
func (s *Streams) Untag(ctx context.Context, c *authpolicy.Caller, name string, keys []string) (trellis.Revision, error) {
	return s.change(ctx, c, "firehose:UntagDeliveryStream", name, map[string][]string{"aws:tagkeys": keys}, func(_ *store.Tx, n *trellis.DeliveryStream) error {
		n.Tags = companion.WithoutTags(n.Tags, keys)
		return nil
	})
}
