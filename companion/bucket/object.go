package bucket

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// maxKey is how many bytes a key may have, maxMetadata those of all x-amz-meta-… (S3 user guide, object-keys and
// UsingMetadata).
const (
	maxKey      = 1024
	maxMetadata = 2 << 10
)

// Source is the bytes of an object. Reading them to their end verifies them, and Sums tells what was found then: their
// MD5, and the checksum that came with them, in base64; both empty for none.
type Source struct {
	io.Reader
	Sums func() (md5 []byte, algorithm, checksum string)
}

// Condition is what must be so of the object that a key has: If-Match, If-None-Match and the times of the same
// (RFC 9110, section 13.1). Empty members ask for nothing.
type Condition struct {
	Match, NoneMatch         string
	ModifiedSince, Unchanged time.Time
}

// Holds refuses an object that is not as it must be. reading says that nothing is to be changed, so that an object that is
// known already is answered with 304.
func (c Condition) Holds(o *Object, reading bool) error {
	failed := fault(412, "PreconditionFailed", "", "At least one of the pre-conditions you specified did not hold")
	same := func(tags string) bool {
		if o == nil {
			return false
		}
		for tag := range strings.SplitSeq(tags, ",") {
			if tag = strings.Trim(strings.TrimSpace(tag), `"`); tag == "*" || tag == o.ETag {
				return true
			}
		}
		return false
	}
	switch {
	case c.Match != "" && o == nil:
		return noKey("")
	case c.Match != "" && !same(c.Match):
		return failed
	case c.Match == "" && !c.Unchanged.IsZero() && o != nil && o.ModifiedAt.Truncate(time.Second).After(c.Unchanged):
		return failed
	case c.NoneMatch != "" && same(c.NoneMatch), c.NoneMatch == "" && !c.ModifiedSince.IsZero() && o != nil && !o.ModifiedAt.Truncate(time.Second).After(c.ModifiedSince):
		if reading {
			return fault(304, "NotModified", "", "Not Modified")
		}
		return failed
	}
	return nil
}

// check refuses keys and metadata that no object has.
func check(o *Object) error {
	if o.Key == "" || len(o.Key) > maxKey {
		return fault(400, "KeyTooLongError", o.Key, "Your key is too long")
	}
	size := 0
	for k, v := range o.Metadata {
		size += len(k) + len(v)
	}
	if size > maxMetadata {
		return fault(400, "MetadataTooLarge", "", "Your metadata headers exceed the maximum allowed metadata size")
	}
	if len(o.Tags) > 10 {
		return fault(400, "BadRequest", "", "Object tags cannot be greater than 10")
	}
	return CheckTags(o.Tags)
}

// Put makes an object of what is known of it and its bytes.
func (b *Buckets) Put(ctx context.Context, a Access, o Object, from *Source, condition Condition) (*Object, error) {
	a.Key = o.Key
	n, err := b.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := check(&o); err != nil {
		return nil, err
	}
	w, err := b.files.begin()
	if err != nil {
		return nil, err
	}
	defer w.abandon()
	if from != nil {
		if err := w.take(&o, from); err != nil {
			return nil, err
		}
		if o.Checksum != "" {
			o.ChecksumType = "FULL_OBJECT"
		}
	}
	o.Size, o.ModifiedAt = w.size, b.Time()
	return &o, b.files.put(n.Folder, w, &o, func(was *Object) error { return condition.Holds(was, false) })
}

// take writes the bytes of a source and notes what they are.
func (w *draft) take(o *Object, from *Source) error {
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{from}, make([]byte, 256<<10)); err != nil {
		return err
	}
	sum, algorithm, checksum := from.Sums()
	o.ETag, o.Algorithm, o.Checksum = hex.EncodeToString(sum), algorithm, checksum
	return nil
}

// Content is an object with its bytes, which must be closed.
type Content struct {
	*Object
	*os.File
}

// Fetch opens an object. Who may not list the bucket is not told that there is no such object.
func (b *Buckets) Fetch(ctx context.Context, a Access) (*Content, error) {
	n, err := b.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	o, file, err := b.files.get(n.Folder, a.Key)
	if e, ok := err.(*trellis.Error); ok && e.Code == "NoSuchKey" && authorize(a.Caller, n, "s3:ListBucket", n.ARN(), nil) != nil {
		return nil, trellis.Denied("Access Denied")
	}
	if err != nil {
		return nil, err
	}
	return &Content{o, file}, nil
}

// Remove removes an object, if it is there.
func (b *Buckets) Remove(ctx context.Context, a Access) error {
	n, err := b.Get(ctx, a)
	if err != nil {
		return err
	}
	return b.files.remove(n.Folder, a.Key)
}

// RemoveAll removes objects, each as Remove does, and returns the errors of those that stay, by key.
func (b *Buckets) RemoveAll(ctx context.Context, a Access, keys []string) (map[string]error, error) {
	var n *trellis.Bucket
	err := b.Store.Read(ctx, func(tx *store.Tx) (err error) {
		n, err = find(tx, a.Bucket)
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.ExpectedOwner != "" && a.ExpectedOwner != n.Account {
		return nil, trellis.Denied("Access Denied")
	}
	failed := map[string]error{}
	for _, key := range keys {
		err := authorize(a.Caller, n, a.Action, n.ARN()+"/"+key, nil)
		if err == nil {
			err = b.files.remove(n.Folder, key)
		}
		if err != nil {
			failed[key] = err
		}
	}
	return failed, nil
}

// Copy makes an object of another one, of whatever bucket the caller may read. With change what is known of it is
// changed.
func (b *Buckets) Copy(ctx context.Context, from, to Access, condition Condition, change func(*Object)) (*Object, error) {
	source, err := b.Fetch(ctx, from)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if err := condition.Holds(source.Object, false); err != nil {
		return nil, err
	}
	n, err := b.Get(ctx, to)
	if err != nil {
		return nil, err
	}
	o := *source.Object
	o.Key = to.Key
	if change != nil {
		change(&o)
	} else if from.Bucket == to.Bucket && from.Key == to.Key {
		return nil, fault(400, "InvalidRequest", "", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if err := check(&o); err != nil {
		return nil, err
	}
	w, err := b.files.begin()
	if err != nil {
		return nil, err
	}
	defer w.abandon()
	if _, err := io.Copy(w, io.NewSectionReader(source.File, 0, source.Size)); err != nil {
		return nil, err
	}
	o.Size, o.ModifiedAt = w.size, b.Time()
	return &o, b.files.put(n.Folder, w, &o, nil)
}

// Tag changes the tags of an object.
func (b *Buckets) Tag(ctx context.Context, a Access, tags map[string]string) error {
	n, err := b.Get(ctx, a)
	if err != nil {
		return err
	}
	was, file, err := b.files.get(n.Folder, a.Key)
	if err != nil {
		return err
	}
	defer file.Close()
	o := *was
	o.Tags = tags
	if err := check(&o); err != nil {
		return err
	}
	w, err := b.files.begin()
	if err != nil {
		return err
	}
	defer w.abandon()
	if _, err := io.Copy(w, io.NewSectionReader(file, 0, o.Size)); err != nil {
		return err
	}
	return b.files.put(n.Folder, w, &o, func(is *Object) error {
		if is != was {
			return fault(409, "OperationAborted", a.Key, "A conflicting conditional operation is currently in progress against this resource. Please try again.")
		}
		return nil
	})
}

// Listing is what a list of objects asks for.
type Listing struct {
	Prefix, Delimiter, After string // After is the last key, or common prefix, of the page before
	Max                      int
}

// Page is a page of objects, and of what those beyond the delimiter have in common.
type Page struct {
	Bucket   *trellis.Bucket
	Objects  []*Object
	Prefixes []string
	Next     string // After of the next page, empty without one
}

// ListObjects lists objects by key.
func (b *Buckets) ListObjects(ctx context.Context, a Access, l Listing) (*Page, error) {
	a.Keys = map[string][]string{"s3:prefix": {l.Prefix}, "s3:delimiter": {l.Delimiter}}
	n, err := b.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	page := &Page{Bucket: n}
	d := b.files.folder(n.Folder)
	d.mu.RLock()
	defer d.mu.RUnlock()
	last := ""
	i, _ := d.place(max(l.Prefix, l.After))
	for ; i < len(d.objects); i++ {
		o := d.objects[i]
		if !strings.HasPrefix(o.Key, l.Prefix) {
			if o.Key > l.Prefix {
				break
			}
			continue
		}
		common := ""
		if end := strings.Index(o.Key[len(l.Prefix):], l.Delimiter); l.Delimiter != "" && end >= 0 {
			common = o.Key[:len(l.Prefix)+end+len(l.Delimiter)]
		}
		if o.Key <= l.After || common != "" && (common == last || common <= l.After) {
			continue
		}
		if len(page.Objects)+len(page.Prefixes) >= l.Max {
			if l.Max > 0 {
				page.Next = last
			}
			break
		}
		if common != "" {
			page.Prefixes, last = append(page.Prefixes, common), common
		} else {
			page.Objects, last = append(page.Objects, o), o.Key
		}
	}
	return page, nil
}

// Owner is the canonical id of an account, as owners are named in answers: its 12 digits, 64 characters long as S3's are.
func Owner(account string) string { return strings.Repeat("0", 64-len(account)) + account }

// Own makes a Source of bytes that are here already.
func Own(from io.Reader) *Source {
	sum := md5.New()
	return &Source{io.TeeReader(from, sum), func() ([]byte, string, string) { return sum.Sum(nil), "", "" }}
}
