package controlplane

import (
	"context"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// Subscription is an access log subscription with the ARN of its service, network or resource
// configuration.
type Subscription struct {
	*trellis.AccessLogSubscription
	ResourceARN string
}

// viewSubscription adds the ARN of the resource.
func (p *Plane) viewSubscription(s *trellis.AccessLogSubscription) *Subscription {
	return &Subscription{s, guarded{Ref: s.Resource}.arn(p.Region)}
}

// destination checks the ARN of a destination and returns it as answers show it, a log group with ":*", and
// its type: logs, s3 or firehose. Log groups and streams are of this region.
func (p *Plane) destination(arn string) (shown, typ string, err error) {
	a, perr := trellis.ParseARN(arn)
	bad := field("destinationArn", "destinationArn must be a CloudWatch log group, an S3 bucket or a Firehose delivery stream.")
	switch {
	case perr != nil:
		return "", "", bad
	case a.Service == "logs" && a.Region == p.Region && trellis.IsAccountID(a.Account):
		_, name, err := trellis.ParseLogGroupARN(arn)
		if err != nil {
			return "", "", bad
		}
		a.Resource = "log-group:" + name + ":*"
		return a.String(), "logs", nil
	case a.Service == "s3" && a.Region == "" && a.Account == "":
		return arn, "s3", nil
	case a.Service == "firehose" && a.Region == p.Region && trellis.IsAccountID(a.Account) && strings.HasPrefix(a.Resource, "deliverystream/"):
		return arn, "firehose", nil
	}
	return "", "", bad
}

// CreateAccessLogSubscription subscribes a destination to the access log of a service, network or
// resource configuration of the caller's. logType is SERVICE or RESOURCE, of networks only; SERVICE is the default.
func (p *Plane) CreateAccessLogSubscription(ctx context.Context, c *authpolicy.Caller, token, resource, destination, logType string, tags map[string]string) (*Subscription, trellis.Revision, error) {
	const action = "vpc-lattice:CreateAccessLogSubscription"
	if err := authorize(c, action, authpolicy.TagKeys(nil, tags, nil), trellis.LatticeARN(p.Region, account(c), "accesslogsubscription/*")); err != nil {
		return nil, 0, err
	}
	if err := p.validTags(tags); err != nil {
		return nil, 0, err
	}
	shown, typ, err := p.destination(destination)
	if err != nil {
		return nil, 0, err
	}
	// The resource is looked up before the log group is made, and again in the transaction.
	if err := p.read(ctx, func(tx *store.Tx) error { _, err := p.subscribable(tx, c, resource, action); return err }); err != nil {
		return nil, 0, err
	}
	if err := p.openDestination(ctx, c, shown, typ); err != nil {
		return nil, 0, err
	}
	var s *trellis.AccessLogSubscription
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		g, err := p.subscribable(tx, c, resource, action)
		if err != nil {
			return err
		}
		kind := logType
		network := g.kind() == networkKind
		if network && kind == "" {
			kind = "SERVICE"
		}
		if !network && kind != "" {
			return field("serviceNetworkLogType", "serviceNetworkLogType is for service networks only.")
		}
		s, err = store.Once(tx, account(c)+"/CreateAccessLogSubscription", token, []any{g.Ref, shown, kind, tags}, func() (*trellis.AccessLogSubscription, error) {
			m := &trellis.AccessLogSubscription{Meta: p.meta(c, "als", tags), Resource: g.Ref, DestinationARN: shown, LogType: kind}
			err := claim(tx, subscriptionClaim(m, typ), m.Key(), "ACCESS_LOG_SUBSCRIPTION",
				"Resource %s already has an access log subscription with a destination of this type.", g.ID)
			if err != nil {
				return nil, err
			}
			tx.Mark(subscriptions(g.Key()), m.Key())
			tx.Put(m)
			return m, nil
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return p.viewSubscription(s), rev, nil
}

// openDestination makes sure that a log group takes deliveries. Other types are kept, and not delivered to.
func (p *Plane) openDestination(ctx context.Context, c *authpolicy.Caller, arn, typ string) error {
	if typ != "logs" {
		return nil
	}
	return p.LogGroup(ctx, account(c), strings.TrimSuffix(arn, ":*"))
}

// subscriptionClaim is the claim of the one subscription for each type of destination, and of log.
func subscriptionClaim(s *trellis.AccessLogSubscription, typ string) string {
	return "subscription/" + s.Resource.Key() + "/" + s.LogType + "/" + typ
}

// GetAccessLogSubscription returns a subscription of the caller's.
func (p *Plane) GetAccessLogSubscription(ctx context.Context, c *authpolicy.Caller, identifier string) (*Subscription, error) {
	var s *trellis.AccessLogSubscription
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		s, err = own[*trellis.AccessLogSubscription](p, tx, c, identifier, subscriptionKind, "vpc-lattice:GetAccessLogSubscription", nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p.viewSubscription(s), nil
}

// UpdateAccessLogSubscription changes the destination to another one of the same type.
func (p *Plane) UpdateAccessLogSubscription(ctx context.Context, c *authpolicy.Caller, identifier, destination string) (*Subscription, trellis.Revision, error) {
	const action = "vpc-lattice:UpdateAccessLogSubscription"
	if _, err := p.subscriptionFor(ctx, c, identifier, action); err != nil {
		return nil, 0, err
	}
	shown, typ, err := p.destination(destination)
	if err != nil {
		return nil, 0, err
	}
	if err := p.openDestination(ctx, c, shown, typ); err != nil {
		return nil, 0, err
	}
	var s *trellis.AccessLogSubscription
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		if s, err = own[*trellis.AccessLogSubscription](p, tx, c, identifier, subscriptionKind, action, nil); err != nil {
			return err
		}
		if _, was, _ := p.destination(s.DestinationARN); was != typ {
			return trellis.Conflict("ACCESS_LOG_SUBSCRIPTION", s.ID, "The destination of an access log subscription cannot change its type.")
		}
		s.DestinationARN, s.UpdatedAt = shown, p.now()
		tx.Put(s)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return p.viewSubscription(s), rev, nil
}

// subscriptionFor reads a subscription before something outside of the transaction is done for it.
func (p *Plane) subscriptionFor(ctx context.Context, c *authpolicy.Caller, identifier, action string) (s *trellis.AccessLogSubscription, err error) {
	err = p.read(ctx, func(tx *store.Tx) (err error) {
		s, err = own[*trellis.AccessLogSubscription](p, tx, c, identifier, subscriptionKind, action, nil)
		return err
	})
	return s, err
}

// DeleteAccessLogSubscription removes a subscription.
func (p *Plane) DeleteAccessLogSubscription(ctx context.Context, c *authpolicy.Caller, identifier string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		s, err := own[*trellis.AccessLogSubscription](p, tx, c, identifier, subscriptionKind, "vpc-lattice:DeleteAccessLogSubscription", nil)
		if err != nil {
			return err
		}
		p.dropSubscription(tx, s)
		return nil
	})
}

// dropSubscription removes a subscription with what it holds.
func (p *Plane) dropSubscription(tx *store.Tx, s *trellis.AccessLogSubscription) {
	_, typ, _ := p.destination(s.DestinationARN)
	tx.Release(subscriptionClaim(s, typ))
	tx.Unmark(subscriptions(s.Resource.Key()), s.Key())
	tx.Delete(s)
}

// ListAccessLogSubscriptions lists the subscriptions of a service, network or resource configuration, by id.
func (p *Plane) ListAccessLogSubscriptions(ctx context.Context, c *authpolicy.Caller, resource string, pg Page) ([]*Subscription, string, error) {
	const action = "vpc-lattice:ListAccessLogSubscriptions"
	if err := authorize(c, action, nil, "*"); err != nil {
		return nil, "", err
	}
	var list []*Subscription
	var next string
	err := p.read(ctx, func(tx *store.Tx) error {
		g, err := p.subscribable(tx, c, resource, action)
		if err != nil {
			return err
		}
		marked, err := tx.Marked(subscriptions(g.Key()))
		if err != nil {
			return err
		}
		marked, next = paginate(marked, func(key string) string { return key }, pg)
		list = list[:0]
		for _, key := range marked {
			s, err := store.Get[*trellis.AccessLogSubscription](tx, key)
			if err != nil {
				return err
			}
			list = append(list, p.viewSubscription(s))
		}
		return nil
	})
	return list, next, err
}
