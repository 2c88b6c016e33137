package loadbalancer

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// checkTags refuses tags that a resource can't have.
func checkTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return bad("TooManyTags", "The maximum number of tags is %d", trellis.MaxTags)
	}
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return invalid("%s", fault)
		}
	}
	return nil
}

// maxTagged is how many resources one call may ask about or tag (DescribeTags).
const maxTagged = 20

// tagged reads what an ARN names, with a pointer to its tags. A default rule's tags stand in its listener, which is the noun
// then.
func (l *LoadBalancers) tagged(tx *store.Tx, c *authpolicy.Caller, arn string) (trellis.Noun, *map[string]string, error) {
	_, sort, _, err := trellis.ParseLoadBalancingARN(arn)
	if _, known := missing[sort]; err != nil || !known {
		return nil, nil, invalid("'%s' is not a valid ARN of a load balancer, target group, listener or rule", arn)
	}
	key, err := l.keyOf(c, sort, arn)
	if err != nil {
		return nil, nil, err
	}
	switch sort {
	case sortLoadBalancer:
		return tagsOf[*trellis.LoadBalancer](tx, key, sort, arn)
	case sortListener:
		return tagsOf[*trellis.LoadBalancerListener](tx, key, sort, arn)
	case sortTargetGroup:
		return tagsOf[*trellis.LoadBalancerTargetGroup](tx, key, sort, arn)
	}
	if n, err := listenerOfDefault(tx, key); n != nil || err != nil {
		return n, &n.DefaultRuleTags, err
	}
	return tagsOf[*trellis.LoadBalancerRule](tx, key, sort, arn)
}

// tagsOf reads a noun with a pointer to its tags.
func tagsOf[T interface {
	trellis.Noun
	Common() *trellis.Meta
}](tx *store.Tx, key, sort, arn string) (trellis.Noun, *map[string]string, error) {
	n, err := companion.Get[T](tx, key, notFound(sort, arn))
	if err != nil {
		return nil, nil, err
	}
	return n, &n.Common().Tags, nil
}

// Tags returns the tags of resources, by ARN.
func (l *LoadBalancers) Tags(ctx context.Context, c *authpolicy.Caller, arns []string) (all map[string]map[string]string, err error) {
	if len(arns) > maxTagged {
		return nil, invalid("At most %d resources can be described at once", maxTagged)
	}
	err = l.Read(ctx, c, service+"DescribeTags", "*", nil, func(tx *store.Tx) error {
		all = map[string]map[string]string{}
		for _, arn := range arns {
			_, tags, err := l.tagged(tx, c, arn)
			if err != nil {
				return err
			}
			all[arn] = *tags
		}
		return nil
	})
	return all, err
}

// AddTags adds tags to resources.
func (l *LoadBalancers) AddTags(ctx context.Context, c *authpolicy.Caller, arns []string, tags map[string]string) (trellis.Revision, error) {
	return l.changeTags(ctx, c, "AddTags", arns, tags, nil, func(have map[string]string) map[string]string { return companion.WithTags(have, tags) })
}

// RemoveTags takes tags from resources.
func (l *LoadBalancers) RemoveTags(ctx context.Context, c *authpolicy.Caller, arns, names []string) (trellis.Revision, error) {
	keys := map[string][]string{"aws:tagkeys": names}
	return l.changeTags(ctx, c, "RemoveTags", arns, nil, keys, func(have map[string]string) map[string]string { return companion.WithoutTags(have, names) })
}

// changeTags changes the tags of resources, all or none.
func (l *LoadBalancers) changeTags(ctx context.Context, c *authpolicy.Caller, action string, arns []string, request map[string]string, keys map[string][]string, change func(map[string]string) map[string]string) (trellis.Revision, error) {
	if len(arns) > maxTagged {
		return 0, invalid("At most %d resources can be tagged at once", maxTagged)
	}
	return l.Store.Commit(ctx, func(tx *store.Tx) error {
		for _, arn := range arns {
			n, tags, err := l.tagged(tx, c, arn)
			var have map[string]string
			if tags != nil {
				have = *tags
			}
			if denied := authorize(c, action, arn, request, have, keys); denied != nil {
				return denied
			}
			if err != nil {
				return err
			}
			*tags = change(have)
			if err := checkTags(*tags); err != nil {
				return err
			}
			tx.Put(n)
		}
		return nil
	})
}
