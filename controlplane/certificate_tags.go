package controlplane

import (
	"context"
	"maps"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// checkCertificateTags refuses tags that ACM would refuse (ACM API, AddTagsToCertificate).
func checkCertificateTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return acmError("TooManyTagsException", "A certificate can have at most %d tags.", trellis.MaxTags)
	}
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return acmError("InvalidTagException", "%s", fault)
		}
	}
	return nil
}

// ListTagsForCertificate returns the tags of a certificate. action is the operation's, which has two names.
func (p *Plane) ListTagsForCertificate(ctx context.Context, c *authpolicy.Caller, arn, action string) (tags map[string]string, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		n, err := p.ownCertificate(tx, c, arn, action, nil)
		if err == nil {
			tags = n.Tags
		}
		return err
	})
	return tags, err
}

// TagCertificate adds tags to a certificate, and replaces the values of those that it has.
func (p *Plane) TagCertificate(ctx context.Context, c *authpolicy.Caller, arn, action string, tags map[string]string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		n, err := p.ownCertificate(tx, c, arn, action, tags)
		if err != nil {
			return err
		}
		all := maps.Clone(n.Tags)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
		if err := checkCertificateTags(all); err != nil {
			return err
		}
		n.Tags = all
		tx.Put(n)
		return nil
	})
}

// UntagCertificate removes tags, one that is given with a value only when it has that value. A tag that the
// certificate does not have is no error.
func (p *Plane) UntagCertificate(ctx context.Context, c *authpolicy.Caller, arn, action string, tags map[string]*string) (trellis.Revision, error) {
	request := map[string]string{}
	for k, v := range tags {
		request[k] = ""
		if v != nil {
			request[k] = *v
		}
	}
	return p.commit(ctx, func(tx *store.Tx) error {
		n, err := p.ownCertificate(tx, c, arn, action, request)
		if err != nil {
			return err
		}
		for k, v := range tags {
			if have, ok := n.Tags[k]; ok && (v == nil || *v == have) {
				delete(n.Tags, k)
			}
		}
		tx.Put(n)
		return nil
	})
}
