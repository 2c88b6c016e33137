package controlplane

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// taggedBy returns the noun that an ARN names, of the caller's account only: tags of another account's
// resources are never shown, and what exists there is not told.
func (p *Plane) taggedBy(tx *store.Tx, c *authpolicy.Caller, arn, action string, request map[string]string) (trellis.Owned, error) {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "vpc-lattice" || a.Region != p.Region {
		return nil, field("resourceArn", "resourceArn must be the ARN of a VPC Lattice resource of this Region.")
	}
	if a.Account != account(c) {
		return nil, trellis.Denied("User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %s action",
			c.Principal.ARN, action, arn, action)
	}
	kind, typ, key := taggedKey(a)
	var n trellis.Owned
	if kind != "" {
		found, err := tx.Get(kind, key)
		if err != nil && !errors.Is(err, trellis.ErrNotExist) {
			return nil, err
		}
		n, _ = found.(trellis.Owned)
	}
	var own map[string]string
	if n != nil {
		own = n.Common().Tags
	}
	if err := authorize(c, action, authpolicy.TagKeys(nil, request, own), arn); err != nil {
		return nil, err
	}
	if n == nil {
		return nil, trellis.NotFound(typ, trellis.LastPart(arn))
	}
	return n, nil
}

// taggables are what can have tags, by the shape of its ARN: its kind, and its type in errors.
var taggables = map[string]struct {
	kind trellis.Kind
	typ  string
}{
	"service/2":                           {trellis.KindService, "SERVICE"},
	"service/listener/4":                  {trellis.KindListener, "LISTENER"},
	"service/listener/rule/6":             {trellis.KindRule, "RULE"},
	"servicenetwork/2":                    {trellis.KindServiceNetwork, "SERVICE_NETWORK"},
	"targetgroup/2":                       {trellis.KindTargetGroup, "TARGET_GROUP"},
	"servicenetworkserviceassociation/2":  {trellis.KindServiceAssociation, "SERVICE_NETWORK_SERVICE_ASSOCIATION"},
	"servicenetworkvpcassociation/2":      {trellis.KindVPCAssociation, "SERVICE_NETWORK_VPC_ASSOCIATION"},
	"accesslogsubscription/2":             {trellis.KindAccessLogSubscription, "ACCESS_LOG_SUBSCRIPTION"},
	"resourcegateway/2":                   {trellis.KindResourceGateway, "RESOURCE_GATEWAY"},
	"resourceconfiguration/2":             {trellis.KindResourceConfiguration, "RESOURCE_CONFIGURATION"},
	"servicenetworkresourceassociation/2": {trellis.KindResourceAssociation, "SERVICE_NETWORK_RESOURCE_ASSOCIATION"},
	"resourceendpointassociation/2":       {trellis.KindResourceEndpointAssociation, "RESOURCE_ENDPOINT_ASSOCIATION"},
	"domainverification/2":                {trellis.KindDomainVerification, "DOMAIN_VERIFICATION"},
}

// taggedKey is the kind, the type in errors, and the key of what an ARN names; the kind is empty when it cannot
// have tags.
func taggedKey(a trellis.ARN) (kind trellis.Kind, typ, key string) {
	parts := strings.Split(a.Resource, "/")
	shape := ""
	key = a.Account
	for i, part := range parts {
		if part == "" {
			return "", "RESOURCE", ""
		}
		if i%2 == 0 {
			shape += part + "/"
		} else {
			key += "/" + part
		}
	}
	t, ok := taggables[shape+string(rune('0'+min(len(parts), 9)))]
	if !ok {
		return "", "RESOURCE", ""
	}
	return t.kind, t.typ, key
}

// ListTagsForResource returns the tags of a resource.
func (p *Plane) ListTagsForResource(ctx context.Context, c *authpolicy.Caller, arn string) (map[string]string, error) {
	var tags map[string]string
	err := p.read(ctx, func(tx *store.Tx) error {
		n, err := p.taggedBy(tx, c, arn, "vpc-lattice:ListTagsForResource", nil)
		if err == nil {
			tags = n.Common().Tags
		}
		return err
	})
	return tags, err
}

// TagResource adds tags to a resource, and replaces the values of those that it has.
func (p *Plane) TagResource(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		n, err := p.taggedBy(tx, c, arn, "vpc-lattice:TagResource", tags)
		if err != nil {
			return err
		}
		all := maps.Clone(n.Common().Tags)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
		if err := p.validTags(all); err != nil {
			return err
		}
		n.Common().Tags = all
		tx.Put(n)
		return nil
	})
}

// UntagResource removes tags. A tag that the resource does not have is no error.
func (p *Plane) UntagResource(ctx context.Context, c *authpolicy.Caller, arn string, names []string) (trellis.Revision, error) {
	request := map[string]string{}
	for _, k := range names {
		request[k] = ""
	}
	return p.commit(ctx, func(tx *store.Tx) error {
		n, err := p.taggedBy(tx, c, arn, "vpc-lattice:UntagResource", request)
		if err != nil {
			return err
		}
		for _, k := range names {
			delete(n.Common().Tags, k)
		}
		tx.Put(n)
		return nil
	})
}
