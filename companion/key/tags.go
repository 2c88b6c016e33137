package key

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// checkTags refuses tags that KMS would refuse.
func checkTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return fault("LimitExceededException", "A key has at most %d tags.", trellis.MaxTags)
	}
	for name, v := range tags {
		if t := trellis.CheckTag(name, v); t != "" {
			return fault("TagException", "%s", t)
		}
	}
	return nil
}

// Tag gives a key tags.
func (k *Keys) Tag(ctx context.Context, c *authpolicy.Caller, id string, tags map[string]string) (trellis.Revision, error) {
	return k.changeTags(ctx, c, "kms:TagResource", id, authpolicy.TagKeys(nil, tags, nil), func(key *trellis.Key) {
		key.Tags = companion.WithTags(key.Tags, tags)
	})
}

// Untag takes tags from a key.
func (k *Keys) Untag(ctx context.Context, c *authpolicy.Caller, id string, names []string) (trellis.Revision, error) {
	return k.changeTags(ctx, c, "kms:UntagResource", id, map[string][]string{"aws:tagkeys": names}, func(key *trellis.Key) {
		key.Tags = companion.WithoutTags(key.Tags, names)
	})
}

// changeTags changes the tags of a key, which an alias can't name.
func (k *Keys) changeTags(ctx context.Context, c *authpolicy.Caller, action, id string, keys map[string][]string, change func(*trellis.Key)) (trellis.Revision, error) {
	if err := noAlias(id); err != nil {
		return 0, err
	}
	return k.change(ctx, c, id, use{action: action, keys: keys, alive: true}, func(_ *store.Tx, key *trellis.Key) error {
		change(key)
		return checkTags(key.Tags)
	})
}
