package identity

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// eksNoun reads the cluster or association that an ARN of the caller's account names.
func eksNoun(tx *store.Tx, arn string) (n trellis.Noun, m *trellis.Meta, err error) {
	missing := trellis.NewError(404, "NotFoundException", "No resource found for ARN: %s.", arn)
	a, _ := trellis.ParseARN(arn) // Identity.eksARN has read it
	kind, name, _ := strings.Cut(a.Resource, "/")
	if kind == "cluster" {
		cluster, err := get[*trellis.Cluster](tx, a.Account+"/"+name, missing)
		if err != nil {
			return nil, nil, err
		}
		return cluster, &cluster.Meta, nil
	}
	association, err := get[*trellis.PodIdentityAssociation](tx, a.Account+"/"+name, missing)
	if err != nil {
		return nil, nil, err
	}
	return association, &association.Meta, nil
}

// eksARN refuses what is not the ARN of a cluster or association of the caller's account.
func (i *Identity) eksARN(c *authpolicy.Caller, arn string) error {
	a, err := trellis.ParseARN(arn)
	kind, name, _ := strings.Cut(a.Resource, "/")
	parts := strings.Count(name, "/") + 1
	switch {
	case err != nil, a.Partition != "aws", a.Service != "eks", name == "", kind != "cluster" && kind != "podidentityassociation",
		kind == "cluster" && parts != 1, kind == "podidentityassociation" && parts != 2:
		return trellis.NewError(400, "BadRequestException", "%s is not the ARN of a cluster or pod identity association.", arn)
	case a.Account != c.Principal.Account, a.Region != i.o.Region:
		return trellis.NewError(404, "NotFoundException", "No resource found for ARN: %s.", arn)
	}
	return nil
}

// TagEKSResource adds tags to a cluster or association. IssuerTag gives a cluster another issuer, ThumbprintTag other
// certificates of it.
func (i *Identity) TagEKSResource(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	return i.changeEKSTags(ctx, c, "eks:TagResource", arn, authpolicy.TagKeys(nil, tags, nil), func(have map[string]string) error {
		maps.Copy(have, tags)
		return eksTags("BadRequestException", have)
	})
}

// badRequest gives an error the code that the tag operations have for it.
func badRequest(err error) error {
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return trellis.NewError(400, "BadRequestException", "%s", e.Message)
	}
	return err
}

// UntagEKSResource removes tags of a cluster or association. A cluster keeps its IssuerTag.
func (i *Identity) UntagEKSResource(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
	return i.changeEKSTags(ctx, c, "eks:UntagResource", arn, map[string][]string{"aws:tagkeys": keys}, func(have map[string]string) error {
		maps.DeleteFunc(have, func(k, _ string) bool { return slices.Contains(keys, k) })
		return nil
	})
}

// changeEKSTags changes the tags of a cluster or association.
func (i *Identity) changeEKSTags(ctx context.Context, c *authpolicy.Caller, action, arn string, keys map[string][]string, change func(map[string]string) error) (trellis.Revision, error) {
	if err := i.eksARN(c, arn); err != nil {
		return 0, err
	}
	return i.commit(ctx, c, action, arn, keys, func(tx *store.Tx) error {
		n, m, err := eksNoun(tx, arn)
		if err != nil {
			return err
		}
		tags := maps.Clone(m.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		if err := change(tags); err != nil {
			return err
		}
		m.Tags = tags
		if cluster, ok := n.(*trellis.Cluster); ok {
			if err := i.takeIssuer(tx, cluster); err != nil {
				return badRequest(err)
			}
		}
		m.UpdatedAt = i.now()
		tx.Put(n)
		return nil
	})
}

// EKSTags returns the tags of a cluster or association.
func (i *Identity) EKSTags(ctx context.Context, c *authpolicy.Caller, arn string) (tags map[string]string, err error) {
	if err := i.eksARN(c, arn); err != nil {
		return nil, err
	}
	err = i.read(ctx, c, "eks:ListTagsForResource", arn, func(tx *store.Tx) error {
		_, m, err := eksNoun(tx, arn)
		if err == nil {
			tags = m.Tags
		}
		return err
	})
	return tags, err
}
