package s3

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/bucket"
)

// access is a request for a bucket, or an object in it.
func access(c *api.Call, action, name, key string, owner *string) bucket.Access {
	return bucket.Access{Caller: c.Caller, Action: "s3:" + action, Bucket: name, Key: key, ExpectedOwner: api.Value(owner)}
}

// fromTags makes a map of a request's tags. A key that comes twice is refused.
func fromTags(tags []Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range tags {
		if _, twice := m[t.Key]; twice {
			return nil, trellis.NewError(400, "InvalidTag", "Cannot provide multiple Tags with the same key")
		}
		m[t.Key] = t.Value
	}
	return m, nil
}

// toTags makes an answer's tags, sorted by key.
func toTags(m map[string]string) []Tag {
	return api.Each(slices.Sorted(maps.Keys(m)), func(k string) Tag { return Tag{Key: k, Value: m[k]} })
}

// createBucket serves CreateBucket.
func (h *handler) createBucket(ctx context.Context, c *api.Call, in *CreateBucketInput) (*CreateBucketOutput, error) {
	n := trellis.Bucket{Meta: trellis.Meta{ID: in.Bucket}}
	location := ""
	if cfg := in.CreateBucketConfiguration; cfg != nil {
		location = api.Value(cfg.LocationConstraint)
		tags, err := fromTags(cfg.Tags)
		if err != nil {
			return nil, err
		}
		n.Tags = tags
	}
	if acl := api.Or(in.ACL, "private"); acl != "private" && api.Value(in.ObjectOwnership) == "" {
		return nil, trellis.NewError(400, "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	}
	settings := map[string]string{}
	if in.ObjectOwnership != nil {
		settings[ownership] = document(&OwnershipControls{Rules: []OwnershipControlsRule{{ObjectOwnership: *in.ObjectOwnership}}})
	}
	if api.Value(in.ObjectLockEnabledForBucket) {
		settings[objectLock] = document(&ObjectLockConfiguration{ObjectLockEnabled: new("Enabled")})
		settings[versioning] = document(&VersioningConfiguration{Status: new("Enabled")})
	}
	if len(settings) > 0 {
		n.Settings = settings
	}
	rev, err := h.buckets.Create(ctx, c.Caller, n, location)
	return api.Done(c, &CreateBucketOutput{Location: new("/" + in.Bucket), BucketArn: new(trellis.BucketARN(in.Bucket))}, rev, err)
}

// headBucket serves HeadBucket.
func (h *handler) headBucket(ctx context.Context, c *api.Call, in *HeadBucketInput) (*HeadBucketOutput, error) {
	n, err := h.buckets.Get(ctx, access(c, "ListBucket", in.Bucket, "", in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	return &HeadBucketOutput{BucketRegion: new(h.buckets.Region), BucketArn: new(n.ARN()), AccessPointAlias: new(false)}, nil
}

// getBucketLocation serves GetBucketLocation. The location of us-east-1 is none.
func (h *handler) getBucketLocation(ctx context.Context, c *api.Call, in *GetBucketLocationInput) (*GetBucketLocationOutput, error) {
	_, err := h.buckets.Get(ctx, access(c, "GetBucketLocation", in.Bucket, "", in.ExpectedBucketOwner))
	location := new(h.buckets.Region)
	if *location == "us-east-1" {
		location = nil
	}
	return &GetBucketLocationOutput{LocationConstraint: location}, err
}

// listBuckets serves ListBuckets.
func (h *handler) listBuckets(ctx context.Context, c *api.Call, in *ListBucketsInput) (*ListBucketsOutput, error) {
	all, err := h.buckets.List(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(n *trellis.Bucket) bool {
		return !strings.HasPrefix(n.ID, api.Value(in.Prefix)) || in.BucketRegion != nil && *in.BucketRegion != h.buckets.Region
	})
	page, next, err := api.Cut(c, all, func(n *trellis.Bucket) string { return n.ID }, in.ContinuationToken, int(api.Value(in.MaxBuckets)))
	if err != nil {
		return nil, trellis.NewError(400, "InvalidArgument", "The continuation token provided is incorrect")
	}
	return &ListBucketsOutput{Owner: &Owner{ID: new(bucket.Owner(c.Account))}, Prefix: in.Prefix, ContinuationToken: next, Buckets: api.Each(page, func(n *trellis.Bucket) Bucket {
		b := Bucket{Name: &n.ID, CreationDate: &n.CreatedAt}
		if in.MaxBuckets != nil || in.Prefix != nil || in.BucketRegion != nil {
			b.BucketRegion = new(h.buckets.Region)
		}
		return b
	})}, nil
}

// deleteBucket serves DeleteBucket.
func (h *handler) deleteBucket(ctx context.Context, c *api.Call, in *DeleteBucketInput) (*DeleteBucketOutput, error) {
	rev, err := h.buckets.Delete(ctx, access(c, "DeleteBucket", in.Bucket, "", in.ExpectedBucketOwner))
	return api.Done(c, new(DeleteBucketOutput), rev, err)
}

// getBucketPolicy serves GetBucketPolicy.
func (h *handler) getBucketPolicy(ctx context.Context, c *api.Call, in *GetBucketPolicyInput) (*GetBucketPolicyOutput, error) {
	n, err := h.buckets.Get(ctx, access(c, "GetBucketPolicy", in.Bucket, "", in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	if n.Policy == "" {
		return nil, absent("NoSuchBucketPolicy", "The bucket policy does not exist", in.Bucket)
	}
	return &GetBucketPolicyOutput{Policy: &n.Policy}, nil
}

// getBucketPolicyStatus serves GetBucketPolicyStatus: no bucket is public, since every request must be signed.
func (h *handler) getBucketPolicyStatus(ctx context.Context, c *api.Call, in *GetBucketPolicyStatusInput) (*GetBucketPolicyStatusOutput, error) {
	n, err := h.buckets.Get(ctx, access(c, "GetBucketPolicyStatus", in.Bucket, "", in.ExpectedBucketOwner))
	if err == nil && n.Policy == "" {
		err = absent("NoSuchBucketPolicy", "The bucket policy does not exist", in.Bucket)
	}
	return &GetBucketPolicyStatusOutput{PolicyStatus: &PolicyStatus{IsPublic: new(false)}}, err
}

// putBucketPolicy serves PutBucketPolicy.
func (h *handler) putBucketPolicy(ctx context.Context, c *api.Call, in *PutBucketPolicyInput) (*PutBucketPolicyOutput, error) {
	rev, err := h.buckets.SetPolicy(ctx, access(c, "PutBucketPolicy", in.Bucket, "", in.ExpectedBucketOwner), in.Policy)
	return api.Done(c, new(PutBucketPolicyOutput), rev, err)
}

// deleteBucketPolicy serves DeleteBucketPolicy.
func (h *handler) deleteBucketPolicy(ctx context.Context, c *api.Call, in *DeleteBucketPolicyInput) (*DeleteBucketPolicyOutput, error) {
	rev, err := h.buckets.SetPolicy(ctx, access(c, "DeleteBucketPolicy", in.Bucket, "", in.ExpectedBucketOwner), "")
	return api.Done(c, new(DeleteBucketPolicyOutput), rev, err)
}

// getBucketTagging serves GetBucketTagging.
func (h *handler) getBucketTagging(ctx context.Context, c *api.Call, in *GetBucketTaggingInput) (*GetBucketTaggingOutput, error) {
	n, err := h.buckets.Get(ctx, access(c, "GetBucketTagging", in.Bucket, "", in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	if len(n.Tags) == 0 {
		return nil, absent("NoSuchTagSet", "The TagSet does not exist", in.Bucket)
	}
	return &GetBucketTaggingOutput{TagSet: toTags(n.Tags)}, nil
}

// setTags sets the tags of a bucket.
func (h *handler) setTags(ctx context.Context, c *api.Call, name string, owner *string, tags []Tag) (trellis.Revision, error) {
	m, err := fromTags(tags)
	if err == nil {
		err = bucket.CheckTags(m)
	}
	if err != nil {
		return 0, err
	}
	return h.buckets.Change(ctx, access(c, "PutBucketTagging", name, "", owner), func(n *trellis.Bucket) error {
		n.Tags = m
		return nil
	})
}

// putBucketTagging serves PutBucketTagging.
func (h *handler) putBucketTagging(ctx context.Context, c *api.Call, in *PutBucketTaggingInput) (*PutBucketTaggingOutput, error) {
	rev, err := h.setTags(ctx, c, in.Bucket, in.ExpectedBucketOwner, in.Tagging.TagSet)
	return api.Done(c, new(PutBucketTaggingOutput), rev, err)
}

// deleteBucketTagging serves DeleteBucketTagging.
func (h *handler) deleteBucketTagging(ctx context.Context, c *api.Call, in *DeleteBucketTaggingInput) (*DeleteBucketTaggingOutput, error) {
	rev, err := h.setTags(ctx, c, in.Bucket, in.ExpectedBucketOwner, nil)
	return api.Done(c, new(DeleteBucketTaggingOutput), rev, err)
}

// ownGrants are the grants of what only its owner has: all there are, as with BucketOwnerEnforced.
func ownGrants(account string) (*Owner, []Grant) {
	id := bucket.Owner(account)
	return &Owner{ID: &id}, []Grant{{Grantee: &Grantee{Type: "CanonicalUser", ID: &id}, Permission: new("FULL_CONTROL")}}
}

// getBucketACL serves GetBucketAcl.
func (h *handler) getBucketACL(ctx context.Context, c *api.Call, in *GetBucketAclInput) (*GetBucketAclOutput, error) {
	n, err := h.buckets.Get(ctx, access(c, "GetBucketAcl", in.Bucket, "", in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	owner, grants := ownGrants(n.Account)
	return &GetBucketAclOutput{Owner: owner, Grants: grants}, nil
}

// putBucketACL serves PutBucketAcl. Only what says that the owner has all is taken: access of others is the policy's
// business (S3 user guide, about-object-ownership).
func (h *handler) putBucketACL(ctx context.Context, c *api.Call, in *PutBucketAclInput) (*PutBucketAclOutput, error) {
	_, err := h.buckets.Get(ctx, access(c, "PutBucketAcl", in.Bucket, "", in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	others := in.GrantFullControl != nil || in.GrantRead != nil || in.GrantReadACP != nil || in.GrantWrite != nil || in.GrantWriteACP != nil
	if p := in.AccessControlPolicy; p != nil {
		others = others || len(p.Grants) > 1
	}
	if acl := api.Or(in.ACL, "private"); others || acl != "private" {
		return nil, trellis.NewError(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	}
	return new(PutBucketAclOutput), nil
}
