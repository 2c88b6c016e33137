package s3

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/bucket"
)

// mostKeys is how many entries a page of a list has at most, and usually.
const mostKeys = 1000

// shown gives texts of a list the form that was asked for: as they are, or URL-encoded, since XML has no form for some
// characters (S3 API reference, ListObjectsV2).
func shown(encoding *string) func(string) *string {
	if api.Value(encoding) != "url" {
		return func(s string) *string { return &s }
	}
	return func(s string) *string {
		return new(strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s)))
	}
}

// optional is a text of the request in the form that was asked for, nil without one.
func optional(show func(string) *string, s *string) *string {
	if s == nil || *s == "" {
		return nil
	}
	return show(*s)
}

// pageOf is how many entries a page is to have.
func pageOf(asked *int32) (int, error) {
	n := api.Or(asked, mostKeys)
	if n < 0 {
		return 0, trellis.NewError(400, "InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647")
	}
	return int(min(n, mostKeys)), nil
}

// toObject is an object as lists have it.
func toObject(show func(string) *string, owner *Owner) func(*bucket.Object) Object {
	return func(o *bucket.Object) Object {
		out := Object{Key: show(o.Key), LastModified: &o.ModifiedAt, ETag: quoted(o.ETag), Size: &o.Size, StorageClass: new(standard), Owner: owner, ChecksumType: api.Some(o.ChecksumType)}
		if o.Algorithm != "" {
			out.ChecksumAlgorithm = []string{strings.ToUpper(o.Algorithm)}
		}
		return out
	}
}

// toPrefixes are the common prefixes of a page.
func toPrefixes(show func(string) *string, page *bucket.Page) []CommonPrefix {
	return api.Each(page.Prefixes, func(p string) CommonPrefix { return CommonPrefix{Prefix: show(p)} })
}

// listObjects serves ListObjects.
func (h *handler) listObjects(ctx context.Context, c *api.Call, in *ListObjectsInput) (*ListObjectsOutput, error) {
	most, err := pageOf(in.MaxKeys)
	if err != nil {
		return nil, err
	}
	page, err := h.buckets.ListObjects(ctx, access(c, "ListBucket", in.Bucket, "", in.ExpectedBucketOwner), bucket.Listing{Prefix: api.Value(in.Prefix), Delimiter: api.Value(in.Delimiter), After: api.Value(in.Marker), Max: most})
	if err != nil {
		return nil, err
	}
	show := shown(in.EncodingType)
	owner, _ := ownGrants(page.Bucket.Account)
	out := &ListObjectsOutput{Name: &in.Bucket, Prefix: show(api.Value(in.Prefix)), Marker: show(api.Value(in.Marker)), Delimiter: optional(show, in.Delimiter), EncodingType: in.EncodingType, MaxKeys: new(int32(most)),
		IsTruncated: new(page.Next != ""), Contents: api.Each(page.Objects, toObject(show, owner)), CommonPrefixes: toPrefixes(show, page)}
	if page.Next != "" && in.Delimiter != nil {
		out.NextMarker = show(page.Next)
	}
	return out, nil
}

// listObjectsV2 serves ListObjectsV2.
func (h *handler) listObjectsV2(ctx context.Context, c *api.Call, in *ListObjectsV2Input) (*ListObjectsV2Output, error) {
	most, err := pageOf(in.MaxKeys)
	if err != nil {
		return nil, err
	}
	after := api.Value(in.StartAfter)
	if in.ContinuationToken != nil {
		b, err := base64.URLEncoding.DecodeString(*in.ContinuationToken)
		if err != nil {
			return nil, trellis.NewError(400, "InvalidArgument", "The continuation token provided is incorrect")
		}
		after = string(b)
	}
	page, err := h.buckets.ListObjects(ctx, access(c, "ListBucket", in.Bucket, "", in.ExpectedBucketOwner), bucket.Listing{Prefix: api.Value(in.Prefix), Delimiter: api.Value(in.Delimiter), After: after, Max: most})
	if err != nil {
		return nil, err
	}
	show := shown(in.EncodingType)
	var owner *Owner
	if api.Value(in.FetchOwner) {
		owner, _ = ownGrants(page.Bucket.Account)
	}
	out := &ListObjectsV2Output{Name: &in.Bucket, Prefix: show(api.Value(in.Prefix)), StartAfter: optional(show, in.StartAfter), Delimiter: optional(show, in.Delimiter), EncodingType: in.EncodingType, MaxKeys: new(int32(most)),
		KeyCount: new(int32(len(page.Objects) + len(page.Prefixes))), ContinuationToken: in.ContinuationToken, IsTruncated: new(page.Next != ""), Contents: api.Each(page.Objects, toObject(show, owner)), CommonPrefixes: toPrefixes(show, page)}
	if page.Next != "" {
		out.NextContinuationToken = new(base64.URLEncoding.EncodeToString([]byte(page.Next)))
	}
	return out, nil
}

// listObjectVersions serves ListObjectVersions: each object has the version null alone, whatever the bucket's versioning is.
func (h *handler) listObjectVersions(ctx context.Context, c *api.Call, in *ListObjectVersionsInput) (*ListObjectVersionsOutput, error) {
	most, err := pageOf(in.MaxKeys)
	if err != nil {
		return nil, err
	}
	page, err := h.buckets.ListObjects(ctx, access(c, "ListBucketVersions", in.Bucket, "", in.ExpectedBucketOwner), bucket.Listing{Prefix: api.Value(in.Prefix), Delimiter: api.Value(in.Delimiter), After: api.Value(in.KeyMarker), Max: most})
	if err != nil {
		return nil, err
	}
	show := shown(in.EncodingType)
	owner, _ := ownGrants(page.Bucket.Account)
	out := &ListObjectVersionsOutput{Name: &in.Bucket, Prefix: show(api.Value(in.Prefix)), KeyMarker: show(api.Value(in.KeyMarker)), VersionIdMarker: in.VersionIdMarker, Delimiter: optional(show, in.Delimiter),
		EncodingType: in.EncodingType, MaxKeys: new(int32(most)), IsTruncated: new(page.Next != ""), CommonPrefixes: toPrefixes(show, page), Versions: api.Each(page.Objects, func(o *bucket.Object) ObjectVersion {
			return ObjectVersion{Key: show(o.Key), VersionId: new("null"), IsLatest: new(true), LastModified: &o.ModifiedAt, ETag: quoted(o.ETag), Size: &o.Size, StorageClass: new(standard), Owner: owner}
		})}
	if page.Next != "" {
		out.NextKeyMarker, out.NextVersionIdMarker = show(page.Next), new("null")
	}
	return out, nil
}
