package s3

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/bucket"
)

// createMultipartUpload serves CreateMultipartUpload.
func (h *handler) createMultipartUpload(ctx context.Context, c *api.Call, in *CreateMultipartUploadInput) (*CreateMultipartUploadOutput, error) {
	if err := errors.Join(unsupported("SSE-C", in.SSECustomerAlgorithm), unsupported("object lock", in.ObjectLockMode, in.ObjectLockLegalHoldStatus)); err != nil {
		return nil, err
	}
	o, err := head{in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage, in.ContentType, in.WebsiteRedirectLocation, in.Expires, in.Metadata, in.Tagging}.object(in.Key)
	if err != nil {
		return nil, err
	}
	id, err := h.buckets.Begin(ctx, access(c, "PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner), o)
	return &CreateMultipartUploadOutput{Bucket: &in.Bucket, Key: &in.Key, UploadId: &id, ServerSideEncryption: new("AES256"), ChecksumAlgorithm: in.ChecksumAlgorithm, ChecksumType: in.ChecksumType}, err
}

// uploadPart serves UploadPart.
func (h *handler) uploadPart(ctx context.Context, c *api.Call, in *UploadPartInput) (*UploadPartOutput, error) {
	o, err := h.buckets.PutPart(ctx, access(c, "PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner), in.UploadId, int(in.PartNumber), source(in.Body))
	if err != nil {
		return nil, err
	}
	out := &UploadPartOutput{ETag: quoted(o.ETag), ServerSideEncryption: new("AES256")}
	setChecksum(out, o.Algorithm, o.Checksum)
	return out, nil
}

// uploadPartCopy serves UploadPartCopy.
func (h *handler) uploadPartCopy(ctx context.Context, c *api.Call, in *UploadPartCopyInput) (*UploadPartCopyOutput, error) {
	name, key, err := copySource(in.CopySource)
	if err != nil {
		return nil, err
	}
	from, err := h.buckets.Fetch(ctx, access(c, "GetObject", name, key, in.ExpectedSourceBucketOwner))
	if err != nil {
		return nil, err
	}
	defer from.Close()
	begin, length, _, err := span(in.CopySourceRange, from.Size)
	if err != nil {
		return nil, err
	}
	o, err := h.buckets.PutPart(ctx, access(c, "PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner), in.UploadId, int(in.PartNumber), bucket.Own(io.NewSectionReader(from.File, begin, length)))
	if err != nil {
		return nil, err
	}
	return &UploadPartCopyOutput{CopyPartResult: &CopyPartResult{ETag: quoted(o.ETag), LastModified: &o.ModifiedAt}, ServerSideEncryption: new("AES256")}, nil
}

// completeMultipartUpload serves CompleteMultipartUpload.
func (h *handler) completeMultipartUpload(ctx context.Context, c *api.Call, in *CompleteMultipartUploadInput) (*CompleteMultipartUploadOutput, error) {
	var parts []bucket.Part
	if in.MultipartUpload != nil {
		parts = api.Each(in.MultipartUpload.Parts, func(p CompletedPart) bucket.Part {
			return bucket.Part{Number: int(api.Value(p.PartNumber)), ETag: api.Value(p.ETag)}
		})
	}
	o, err := h.buckets.Complete(ctx, access(c, "PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner), in.UploadId, parts, bucket.Condition{Match: api.Value(in.IfMatch), NoneMatch: api.Value(in.IfNoneMatch)})
	if err != nil {
		return nil, err
	}
	return &CompleteMultipartUploadOutput{Bucket: &in.Bucket, Key: &in.Key, ETag: quoted(o.ETag), Location: new("https://" + in.Bucket + ".s3." + h.buckets.Region + ".amazonaws.com/" + *shown(new("url"))(in.Key)), ServerSideEncryption: new("AES256")}, nil
}

// abortMultipartUpload serves AbortMultipartUpload.
func (h *handler) abortMultipartUpload(ctx context.Context, c *api.Call, in *AbortMultipartUploadInput) (*AbortMultipartUploadOutput, error) {
	return new(AbortMultipartUploadOutput), h.buckets.Abort(ctx, access(c, "AbortMultipartUpload", in.Bucket, in.Key, in.ExpectedBucketOwner), in.UploadId)
}

// listParts serves ListParts.
func (h *handler) listParts(ctx context.Context, c *api.Call, in *ListPartsInput) (*ListPartsOutput, error) {
	most, err := pageOf(in.MaxParts)
	if err != nil {
		return nil, err
	}
	n, all, err := h.buckets.Parts(ctx, access(c, "ListMultipartUploadParts", in.Bucket, in.Key, in.ExpectedBucketOwner), in.UploadId)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(p bucket.Numbered) bool { return p.Number <= int(api.Value(in.PartNumberMarker)) })
	truncated := len(all) > most
	all = all[:min(most, len(all))]
	owner, _ := ownGrants(n.Account)
	out := &ListPartsOutput{Bucket: &in.Bucket, Key: &in.Key, UploadId: &in.UploadId, Owner: owner, Initiator: &Initiator{ID: owner.ID}, StorageClass: new(standard), PartNumberMarker: new(api.Value(in.PartNumberMarker)),
		MaxParts: new(int32(most)), IsTruncated: &truncated, Parts: api.Each(all, func(p bucket.Numbered) Part {
			out := Part{PartNumber: new(int32(p.Number)), ETag: quoted(p.ETag), Size: &p.Size, LastModified: &p.ModifiedAt}
			setChecksum(&out, p.Algorithm, p.Checksum)
			return out
		})}
	if truncated && most > 0 {
		out.NextPartNumberMarker = new(int32(all[most-1].Number))
	}
	return out, nil
}

// listMultipartUploads serves ListMultipartUploads.
func (h *handler) listMultipartUploads(ctx context.Context, c *api.Call, in *ListMultipartUploadsInput) (*ListMultipartUploadsOutput, error) {
	if err := unsupported("a delimiter", in.Delimiter); err != nil {
		return nil, err
	}
	most, err := pageOf(in.MaxUploads)
	if err != nil {
		return nil, err
	}
	n, all, err := h.buckets.Uploads(ctx, access(c, "ListBucketMultipartUploads", in.Bucket, "", in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	key, id := api.Value(in.KeyMarker), api.Value(in.UploadIdMarker)
	all = slices.DeleteFunc(all, func(u bucket.Upload) bool {
		return !strings.HasPrefix(u.Key, api.Value(in.Prefix)) || u.Key < key || u.Key == key && key != "" && (id == "" || u.ID <= id)
	})
	truncated := len(all) > most
	all = all[:min(most, len(all))]
	show := shown(in.EncodingType)
	owner, _ := ownGrants(n.Account)
	out := &ListMultipartUploadsOutput{Bucket: &in.Bucket, Prefix: optional(show, in.Prefix), KeyMarker: show(key), UploadIdMarker: &id, EncodingType: in.EncodingType, MaxUploads: new(int32(most)), IsTruncated: &truncated,
		Uploads: api.Each(all, func(u bucket.Upload) MultipartUpload {
			return MultipartUpload{Key: show(u.Key), UploadId: &u.ID, Initiated: &u.ModifiedAt, StorageClass: new(standard), Owner: owner, Initiator: &Initiator{ID: owner.ID}}
		})}
	if truncated && most > 0 {
		out.NextKeyMarker, out.NextUploadIdMarker = show(all[most-1].Key), &all[most-1].ID
	}
	return out, nil
}
