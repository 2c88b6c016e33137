package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/bucket"
)

// standard is the storage class of all objects.
const standard = "STANDARD"

// quoted is an entity tag as it stands in answers.
func quoted(tag string) *string { return new(`"` + tag + `"`) }

// setChecksum sets the member of an answer for a checksum, Checksum and the algorithm's name.
func setChecksum(out any, algorithm, value string) {
	if f := reflect.ValueOf(out).Elem().FieldByName("Checksum" + strings.ToUpper(algorithm)); value != "" && f.IsValid() {
		f.Set(reflect.ValueOf(&value))
	}
}

// unsupported refuses what an object would have to have and has not here, rather than to leave it out in silence, with S3's own
// error for that (S3 API reference, error responses). docs/compatibility.md names each.
func unsupported(what string, given ...*string) error {
	for _, g := range given {
		if g != nil && *g != "" {
			return trellis.NewError(501, "NotImplemented", "%s: a header you provided implies functionality that is not implemented", what)
		}
	}
	return nil
}

// noVersion refuses another version of an object than the only one, null.
func noVersion(id *string) error {
	if v := api.Value(id); v != "" && v != "null" {
		return trellis.NewError(404, "NoSuchVersion", "The specified version does not exist.")
	}
	return nil
}

// head is what an object has that comes back as it was sent.
type head struct {
	cacheControl, contentDisposition, contentEncoding, contentLanguage, contentType, websiteRedirect, expires *string
	metadata                                                                                                  map[string]string
	tagging                                                                                                   *string
}

// object makes what is known of an object of a key.
func (h head) object(key string) (bucket.Object, error) {
	o := bucket.Object{Key: key, Metadata: h.metadata, Headers: map[string]string{}}
	for name, v := range map[string]*string{"Cache-Control": h.cacheControl, "Content-Disposition": h.contentDisposition, "Content-Encoding": h.contentEncoding,
		"Content-Language": h.contentLanguage, "Content-Type": h.contentType, "X-Amz-Website-Redirect-Location": h.websiteRedirect, "Expires": h.expires} {
		if v != nil && *v != "" {
			o.Headers[name] = *v
		}
	}
	if v := plainEncoding(o.Headers["Content-Encoding"]); v == "" {
		delete(o.Headers, "Content-Encoding")
	} else {
		o.Headers["Content-Encoding"] = v
	}
	if o.Headers["Content-Type"] == "" {
		o.Headers["Content-Type"] = "binary/octet-stream" // S3 API reference, PutObject
	}
	if h.tagging != nil {
		q, err := url.ParseQuery(*h.tagging)
		if err != nil {
			return o, trellis.NewError(400, "InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		o.Tags = map[string]string{}
		for k, v := range q {
			o.Tags[k] = v[0]
		}
	}
	return o, nil
}

// plainEncoding is a Content-Encoding without aws-chunked, which is of the request alone.
func plainEncoding(v string) string {
	var list []string
	for e := range strings.SplitSeq(v, ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			list = append(list, e)
		}
	}
	return strings.Join(list, ",")
}

// source is the body of a request, nil for none.
func source(body io.Reader) *bucket.Source {
	b, ok := body.(*api.Body)
	if !ok {
		return nil
	}
	return &bucket.Source{Reader: b, Sums: b.Sums}
}

// putObject serves PutObject.
func (h *handler) putObject(ctx context.Context, c *api.Call, in *PutObjectInput) (*PutObjectOutput, error) {
	if err := errors.Join(unsupported("SSE-C", in.SSECustomerAlgorithm), unsupported("append", text(in.WriteOffsetBytes)), unsupported("object lock", in.ObjectLockMode, in.ObjectLockLegalHoldStatus)); err != nil {
		return nil, err
	}
	o, err := head{in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage, in.ContentType, in.WebsiteRedirectLocation, in.Expires, in.Metadata, in.Tagging}.object(in.Key)
	if err != nil {
		return nil, err
	}
	made, err := h.buckets.Put(ctx, access(c, "PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner), o, source(in.Body), bucket.Condition{Match: api.Value(in.IfMatch), NoneMatch: api.Value(in.IfNoneMatch)})
	if err != nil {
		return nil, err
	}
	out := &PutObjectOutput{ETag: quoted(made.ETag), ServerSideEncryption: new("AES256"), ChecksumType: api.Some(made.ChecksumType)}
	setChecksum(out, made.Algorithm, made.Checksum)
	return out, nil
}

// text is a number as a header has it.
func text(n *int64) *string {
	if n == nil {
		return nil
	}
	return new(strconv.FormatInt(*n, 10))
}

// span is the part of an object that a Range asks for (RFC 9110, section 14.2). Without one, or with several, it is the
// whole object.
func span(header *string, size int64) (from, length int64, partial bool, err error) {
	spec, ok := strings.CutPrefix(api.Value(header), "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return 0, size, false, nil
	}
	begin, end, ok := strings.Cut(spec, "-")
	if !ok {
		return 0, size, false, nil
	}
	first, ferr := strconv.ParseInt(begin, 10, 64)
	last, lerr := strconv.ParseInt(end, 10, 64)
	switch {
	case begin == "" && lerr == nil && last > 0: // the last bytes
		first, last = max(size-last, 0), size-1
	case ferr != nil || first < 0 || end != "" && (lerr != nil || last < first):
		return 0, size, false, nil
	case end == "" || last >= size:
		last = size - 1
	}
	if first >= size {
		return 0, 0, false, trellis.NewError(416, "InvalidRange", "The requested range is not satisfiable")
	}
	return first, last - first + 1, true, nil
}

// partSpan is the part of an object that a part number asks for.
func partSpan(o *bucket.Object, number int32) (from, length int64, err error) {
	if len(o.Parts) == 0 && number == 1 {
		return 0, o.Size, nil
	}
	if number < 1 || int(number) > len(o.Parts) {
		return 0, 0, trellis.NewError(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
	}
	for _, size := range o.Parts[:number-1] {
		from += size
	}
	return from, o.Parts[number-1], nil
}

// content is a part of an open object as the body of an answer.
type content struct {
	io.Reader
	*os.File
}

// Read reads the part.
func (c content) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// getObject serves GetObject.
func (h *handler) getObject(ctx context.Context, c *api.Call, in *GetObjectInput) (*GetObjectOutput, error) {
	if err := errors.Join(noVersion(in.VersionId), unsupported("SSE-C", in.SSECustomerAlgorithm)); err != nil {
		return nil, err
	}
	o, err := h.buckets.Fetch(ctx, access(c, "GetObject", in.Bucket, in.Key, in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	out, err := describe(o.Object, in)
	if err != nil {
		o.Close()
		return nil, err
	}
	out.Body = content{io.NewSectionReader(o.File, out.from, *out.ContentLength), o.File}
	return &out.GetObjectOutput, nil
}

// described is an answer about an object, of which a part may have been asked for.
type described struct {
	GetObjectOutput
	from    int64
	partial bool
}

// describe answers what is known of an object.
func describe(o *bucket.Object, in *GetObjectInput) (*described, error) {
	if err := (bucket.Condition{Match: api.Value(in.IfMatch), NoneMatch: api.Value(in.IfNoneMatch), ModifiedSince: api.Value(in.IfModifiedSince), Unchanged: api.Value(in.IfUnmodifiedSince)}).Holds(o, true); err != nil {
		return nil, err
	}
	from, length, partial, err := span(in.Range, o.Size)
	if in.PartNumber != nil && err == nil {
		partial = true
		from, length, err = partSpan(o, *in.PartNumber)
	}
	if err != nil {
		return nil, err
	}
	or := func(asked *string, name string) *string {
		if asked != nil {
			return asked
		}
		return api.Some(o.Headers[name])
	}
	out := &described{from: from, partial: partial}
	out.GetObjectOutput = GetObjectOutput{AcceptRanges: new("bytes"), ContentLength: &length, ETag: quoted(o.ETag), LastModified: &o.ModifiedAt, Metadata: o.Metadata, ServerSideEncryption: new("AES256"),
		CacheControl: or(in.ResponseCacheControl, "Cache-Control"), ContentDisposition: or(in.ResponseContentDisposition, "Content-Disposition"), ContentEncoding: or(in.ResponseContentEncoding, "Content-Encoding"),
		ContentLanguage: or(in.ResponseContentLanguage, "Content-Language"), ContentType: or(in.ResponseContentType, "Content-Type"), WebsiteRedirectLocation: api.Some(o.Headers["X-Amz-Website-Redirect-Location"]), Expires: api.Some(o.Headers["Expires"])}
	if in.ResponseExpires != nil {
		out.Expires = new(in.ResponseExpires.UTC().Format(http.TimeFormat))
	}
	if len(o.Tags) > 0 {
		out.TagCount = new(int32(len(o.Tags)))
	}
	if in.PartNumber != nil && len(o.Parts) > 0 {
		out.PartsCount = new(int32(len(o.Parts)))
	}
	switch {
	case partial:
		out.ContentRange = new(fmt.Sprintf("bytes %d-%d/%d", from, from+length-1, o.Size))
	case api.Value(in.ChecksumMode) == "ENABLED" && o.Checksum != "":
		out.ChecksumType = api.Some(o.ChecksumType)
		setChecksum(&out.GetObjectOutput, o.Algorithm, o.Checksum)
	}
	return out, nil
}

// headObject serves HeadObject: all that GetObject answers but the body.
func (h *handler) headObject(ctx context.Context, c *api.Call, in *HeadObjectInput) (*HeadObjectOutput, error) {
	if err := errors.Join(noVersion(in.VersionId), unsupported("SSE-C", in.SSECustomerAlgorithm)); err != nil {
		return nil, err
	}
	o, err := h.buckets.Fetch(ctx, access(c, "GetObject", in.Bucket, in.Key, in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	defer o.Close()
	d, err := describe(o.Object, (*GetObjectInput)(in))
	if err != nil {
		return nil, err
	}
	g := d.GetObjectOutput
	out := &HeadObjectOutput{AcceptRanges: g.AcceptRanges, ContentLength: g.ContentLength, ETag: g.ETag, LastModified: g.LastModified, Metadata: g.Metadata, ServerSideEncryption: g.ServerSideEncryption,
		CacheControl: g.CacheControl, ContentDisposition: g.ContentDisposition, ContentEncoding: g.ContentEncoding, ContentLanguage: g.ContentLanguage, ContentType: g.ContentType,
		WebsiteRedirectLocation: g.WebsiteRedirectLocation, Expires: g.Expires, TagCount: g.TagCount, PartsCount: g.PartsCount, ContentRange: g.ContentRange, ChecksumType: g.ChecksumType}
	if g.ChecksumType != nil {
		setChecksum(out, o.Algorithm, o.Checksum)
	}
	return out, nil
}

// deleteObject serves DeleteObject.
func (h *handler) deleteObject(ctx context.Context, c *api.Call, in *DeleteObjectInput) (*DeleteObjectOutput, error) {
	if noVersion(in.VersionId) != nil {
		return new(DeleteObjectOutput), nil // a version that is not there is gone
	}
	return new(DeleteObjectOutput), h.buckets.Remove(ctx, access(c, "DeleteObject", in.Bucket, in.Key, in.ExpectedBucketOwner))
}

// deleteObjects serves DeleteObjects.
func (h *handler) deleteObjects(ctx context.Context, c *api.Call, in *DeleteObjectsInput) (*DeleteObjectsOutput, error) {
	if n := len(in.Delete.Objects); n == 0 || n > 1000 {
		return nil, trellis.NewError(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	keys := api.Each(in.Delete.Objects, func(o ObjectIdentifier) string { return o.Key })
	failed, err := h.buckets.RemoveAll(ctx, access(c, "DeleteObject", in.Bucket, "", in.ExpectedBucketOwner), keys)
	if err != nil {
		return nil, err
	}
	out := new(DeleteObjectsOutput)
	for _, o := range in.Delete.Objects {
		err := failed[o.Key]
		e, known := errors.AsType[*trellis.Error](err)
		switch {
		case err == nil && !api.Value(in.Delete.Quiet):
			out.Deleted = append(out.Deleted, DeletedObject{Key: &o.Key, VersionId: o.VersionId})
		case known:
			out.Errors = append(out.Errors, Error{Key: &o.Key, Code: new(strings.TrimSuffix(e.Code, "Exception")), Message: &e.Message})
		case err != nil:
			return nil, err
		}
	}
	return out, nil
}

// copySource reads x-amz-copy-source: BUCKET/KEY, URL-encoded, perhaps with a version.
func copySource(s string) (name, key string, err error) {
	s, query, _ := strings.Cut(s, "?")
	name, key, ok := strings.Cut(strings.TrimPrefix(s, "/"), "/")
	plain, uerr := url.PathUnescape(key)
	if b, e := url.PathUnescape(name); e == nil && strings.Contains(b, "/") { // encoded as a whole
		name, plain, ok = strings.Cut(strings.TrimPrefix(b, "/"), "/")
	}
	if !ok || uerr != nil || plain == "" {
		return "", "", trellis.NewError(400, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	if v, ok := strings.CutPrefix(query, "versionId="); ok {
		err = noVersion(&v)
	}
	return name, plain, err
}

// copyObject serves CopyObject.
func (h *handler) copyObject(ctx context.Context, c *api.Call, in *CopyObjectInput) (*CopyObjectOutput, error) {
	name, key, err := copySource(in.CopySource)
	if err = errors.Join(err, unsupported("SSE-C", in.SSECustomerAlgorithm, in.CopySourceSSECustomerAlgorithm)); err != nil {
		return nil, err
	}
	fresh, err := head{in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage, in.ContentType, in.WebsiteRedirectLocation, in.Expires, in.Metadata, in.Tagging}.object(in.Key)
	if err != nil {
		return nil, err
	}
	var change func(*bucket.Object)
	headers, tags := api.Value(in.MetadataDirective) == "REPLACE", api.Value(in.TaggingDirective) == "REPLACE"
	if headers || tags {
		change = func(o *bucket.Object) {
			if headers {
				o.Headers, o.Metadata = fresh.Headers, fresh.Metadata
			}
			if tags {
				o.Tags = fresh.Tags
			}
		}
	}
	condition := bucket.Condition{Match: api.Value(in.CopySourceIfMatch), NoneMatch: api.Value(in.CopySourceIfNoneMatch), ModifiedSince: api.Value(in.CopySourceIfModifiedSince), Unchanged: api.Value(in.CopySourceIfUnmodifiedSince)}
	o, err := h.buckets.Copy(ctx, access(c, "GetObject", name, key, in.ExpectedSourceBucketOwner), access(c, "PutObject", in.Bucket, in.Key, in.ExpectedBucketOwner), condition, change)
	if err != nil {
		return nil, err
	}
	out := &CopyObjectResult{ETag: quoted(o.ETag), LastModified: &o.ModifiedAt, ChecksumType: api.Some(o.ChecksumType)}
	setChecksum(out, o.Algorithm, o.Checksum)
	return &CopyObjectOutput{CopyObjectResult: out, ServerSideEncryption: new("AES256")}, nil
}

// getObjectTagging serves GetObjectTagging.
func (h *handler) getObjectTagging(ctx context.Context, c *api.Call, in *GetObjectTaggingInput) (*GetObjectTaggingOutput, error) {
	o, err := h.buckets.Fetch(ctx, access(c, "GetObjectTagging", in.Bucket, in.Key, in.ExpectedBucketOwner))
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return &GetObjectTaggingOutput{TagSet: toTags(o.Tags)}, nil
}

// putObjectTagging serves PutObjectTagging.
func (h *handler) putObjectTagging(ctx context.Context, c *api.Call, in *PutObjectTaggingInput) (*PutObjectTaggingOutput, error) {
	tags, err := fromTags(in.Tagging.TagSet)
	if err != nil {
		return nil, err
	}
	return new(PutObjectTaggingOutput), h.buckets.Tag(ctx, access(c, "PutObjectTagging", in.Bucket, in.Key, in.ExpectedBucketOwner), tags)
}

// deleteObjectTagging serves DeleteObjectTagging.
func (h *handler) deleteObjectTagging(ctx context.Context, c *api.Call, in *DeleteObjectTaggingInput) (*DeleteObjectTaggingOutput, error) {
	return new(DeleteObjectTaggingOutput), h.buckets.Tag(ctx, access(c, "DeleteObjectTagging", in.Bucket, in.Key, in.ExpectedBucketOwner), nil)
}

// getObjectACL serves GetObjectAcl.
func (h *handler) getObjectACL(ctx context.Context, c *api.Call, in *GetObjectAclInput) (*GetObjectAclOutput, error) {
	a := access(c, "GetObjectAcl", in.Bucket, in.Key, in.ExpectedBucketOwner)
	o, err := h.buckets.Fetch(ctx, a)
	if err != nil {
		return nil, err
	}
	o.Close()
	n, err := h.buckets.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	owner, grants := ownGrants(n.Account)
	return &GetObjectAclOutput{Owner: owner, Grants: grants}, nil
}
