package bucket

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// minPart is the smallest size of a part that is not the last, maxParts how many an upload may have, and maxWhole how large
// it may be in the end (S3 user guide, qfacts, but for the last).
const (
	minPart  = 5 << 20
	maxParts = 10_000
	maxWhole = 16 << 30
)

// noUpload is for an upload that is not there, or no more.
func noUpload(id string) *trellis.Error {
	return fault(404, "NoSuchUpload", id, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
}

// Begin begins an upload in parts of an object, and returns its id.
func (b *Buckets) Begin(ctx context.Context, a Access, o Object) (id string, err error) {
	a.Key = o.Key
	n, err := b.Get(ctx, a)
	if err != nil {
		return "", err
	}
	if err := check(&o); err != nil {
		return "", err
	}
	id = strings.ReplaceAll(trellis.NewUUID()+trellis.NewUUID(), "-", "")
	w, err := b.files.begin()
	if err != nil {
		return "", err
	}
	defer w.abandon()
	o.ModifiedAt = b.Time()
	d := b.files.folder(n.Folder)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return "", noBucket(a.Bucket)
	}
	if err := w.finish(&o, b.files.partPath(n.Folder, id, 0)); err != nil {
		return "", err
	}
	d.uploads[id] = &upload{begin: o, parts: map[int]*Object{}}
	return id, nil
}

// upload finds an upload of a key.
func (d *folder) upload(id, key string) (*upload, error) {
	u := d.uploads[id]
	if u == nil || u.begin.Key != key {
		return nil, noUpload(id)
	}
	return u, nil
}

// PutPart takes a part of an upload.
func (b *Buckets) PutPart(ctx context.Context, a Access, id string, number int, from *Source) (*Object, error) {
	n, err := b.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	if number < 1 || number > maxParts {
		return nil, fault(400, "InvalidArgument", "", "Part number must be an integer between 1 and %d, inclusive", maxParts)
	}
	d := b.files.folder(n.Folder)
	d.mu.RLock()
	_, err = d.upload(id, a.Key)
	d.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	w, err := b.files.begin()
	if err != nil {
		return nil, err
	}
	defer w.abandon()
	o := &Object{Key: a.Key, ModifiedAt: b.Time()}
	if err := w.take(o, from); err != nil {
		return nil, err
	}
	o.Size = w.size
	d.mu.Lock()
	defer d.mu.Unlock()
	u, err := d.upload(id, a.Key)
	if err != nil {
		return nil, err
	}
	if err := w.finish(o, b.files.partPath(n.Folder, id, number)); err != nil {
		return nil, err
	}
	u.parts[number] = o
	return o, nil
}

// Part is a part as the one who completes an upload names it.
type Part struct {
	Number int
	ETag   string
}

// Complete makes an object of the parts of an upload.
func (b *Buckets) Complete(ctx context.Context, a Access, id string, parts []Part, condition Condition) (*Object, error) {
	n, err := b.Get(ctx, a)
	if err != nil {
		return nil, err
	}
	d := b.files.folder(n.Folder)
	d.mu.RLock()
	u, err := d.upload(id, a.Key)
	var have map[int]*Object
	if err == nil {
		have = maps.Clone(u.parts)
	}
	d.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, fault(400, "MalformedXML", "", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	w, err := b.files.begin()
	if err != nil {
		return nil, err
	}
	defer w.abandon()
	o := u.begin
	sums := md5.New()
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number {
			return nil, fault(400, "InvalidPartOrder", "", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
		part := have[p.Number]
		if part == nil || strings.Trim(p.ETag, `"`) != part.ETag {
			return nil, fault(400, "InvalidPart", "", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		}
		if part.Size < minPart && i < len(parts)-1 {
			return nil, fault(400, "EntityTooSmall", "", "Your proposed upload is smaller than the minimum allowed size")
		}
		if w.size+part.Size > maxWhole {
			return nil, fault(400, "EntityTooLarge", "", "Your proposed upload exceeds the maximum allowed size of %d bytes.", int64(maxWhole))
		}
		if err := appendPart(w, b.files.partPath(n.Folder, id, p.Number), part.Size); err != nil {
			return nil, err
		}
		sum, _ := hex.DecodeString(part.ETag) // made by PutPart
		sums.Write(sum)
		o.Parts = append(o.Parts, part.Size)
	}
	o.ETag = fmt.Sprintf("%x-%d", sums.Sum(nil), len(parts))
	o.Size, o.ModifiedAt = w.size, b.Time()
	if err := b.files.put(n.Folder, w, &o, func(was *Object) error { return condition.Holds(was, false) }); err != nil {
		return nil, err
	}
	return &o, b.files.forget(n.Folder, id)
}

// appendPart adds the bytes of a part.
func appendPart(w *draft, path string, size int64) error {
	part, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return noUpload("") // aborted meanwhile
	}
	if err != nil {
		return fmt.Errorf("read a part: %w", err)
	}
	defer part.Close()
	if _, err := io.Copy(w, io.NewSectionReader(part, 0, size)); err != nil {
		return fmt.Errorf("join parts: %w", err)
	}
	return nil
}

// forget removes an upload.
func (f *files) forget(name, id string) error {
	d := f.folder(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	dir := filepath.Dir(f.partPath(name, id, 0))
	// What it began with goes last: while it is there, the upload is whole enough to be aborted again.
	if u := d.uploads[id]; u != nil {
		for n := range u.parts {
			_ = os.Remove(f.partPath(name, id, n))
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove an upload: %w", err)
	}
	delete(d.uploads, id)
	return nil
}

// Abort ends an upload without an object.
func (b *Buckets) Abort(ctx context.Context, a Access, id string) error {
	n, err := b.Get(ctx, a)
	if err != nil {
		return err
	}
	d := b.files.folder(n.Folder)
	d.mu.RLock()
	_, err = d.upload(id, a.Key)
	d.mu.RUnlock()
	if err != nil {
		return err
	}
	return b.files.forget(n.Folder, id)
}

// Numbered is a part with its number.
type Numbered struct {
	Number int
	*Object
}

// Parts lists the parts of an upload by number.
func (b *Buckets) Parts(ctx context.Context, a Access, id string) (n *trellis.Bucket, list []Numbered, err error) {
	if n, err = b.Get(ctx, a); err != nil {
		return nil, nil, err
	}
	d := b.files.folder(n.Folder)
	d.mu.RLock()
	defer d.mu.RUnlock()
	u, err := d.upload(id, a.Key)
	if err != nil {
		return nil, nil, err
	}
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		list = append(list, Numbered{number, u.parts[number]})
	}
	return n, list, nil
}

// Upload is an upload that is under way.
type Upload struct {
	ID string
	Object
}

// Uploads lists the uploads of a bucket by key, then by id.
func (b *Buckets) Uploads(ctx context.Context, a Access) (n *trellis.Bucket, list []Upload, err error) {
	if n, err = b.Get(ctx, a); err != nil {
		return nil, nil, err
	}
	d := b.files.folder(n.Folder)
	d.mu.RLock()
	defer d.mu.RUnlock()
	for id, u := range d.uploads {
		list = append(list, Upload{id, u.begin})
	}
	slices.SortFunc(list, func(x, y Upload) int { return strings.Compare(x.Key+"\x00"+x.ID, y.Key+"\x00"+y.ID) })
	return n, list, nil
}
