package bucket

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
)

// Object is what is known of an object, or of a part of an upload. It stands behind the object's bytes in its file.
type Object struct {
	Key          string            `json:"key"`
	Size         int64             `json:"size"`
	ETag         string            `json:"etag"` // without quotation marks
	ModifiedAt   time.Time         `json:"modifiedAt"`
	Headers      map[string]string `json:"headers,omitempty"`  // what comes back as it was sent, for example Content-Type
	Metadata     map[string]string `json:"metadata,omitempty"` // x-amz-meta-…, names in small letters
	Tags         map[string]string `json:"tags,omitempty"`
	Checksum     string            `json:"checksum,omitempty"`     // base64
	Algorithm    string            `json:"algorithm,omitempty"`    // of Checksum, in small letters
	ChecksumType string            `json:"checksumType,omitempty"` // FULL_OBJECT or COMPOSITE
	Parts        []int64           `json:"parts,omitempty"`        // sizes, of an object that came in parts
}

// magic ends a file that is whole.
const magic = "trellis-object-1"

// files keeps objects as files below a directory, and an index of them in memory, which is made of the files at start:
//
//	DIR/FOLDER/objects/ab/abcd…  bytes, what is known of them as JSON, the length of that, magic; named by the key's SHA-256
//	DIR/FOLDER/uploads/ID/00001  a part of an upload, likewise; 00000 is what the upload began with
//	DIR/new/…                    being written
//
// A file is written, synced and renamed, so that an object is there whole or not at all. Folders of buckets that are gone,
// and what was being written, are removed at start.
type files struct {
	dir string

	mu      sync.Mutex
	folders map[string]*folder
}

// folder is the objects of one bucket.
type folder struct {
	mu      sync.RWMutex
	objects []*Object // by key
	uploads map[string]*upload
	gone    bool
}

// upload is an object that comes in parts.
type upload struct {
	begin Object // of size zero
	parts map[int]*Object
}

// newFiles keeps objects below a directory.
func newFiles(dir string) *files { return &files{dir: dir, folders: map[string]*folder{}} }

// open reads the objects of the buckets that have these folders.
func (f *files) open(folders []string) error {
	if err := os.RemoveAll(filepath.Join(f.dir, "new")); err != nil {
		return fmt.Errorf("clean up objects: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(f.dir, "new"), 0o700); err != nil {
		return fmt.Errorf("make the directory of objects: %w", err)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("read the directory of objects: %w", err)
	}
	for _, e := range entries {
		if e.Name() != "new" && !slices.Contains(folders, e.Name()) {
			if err := os.RemoveAll(filepath.Join(f.dir, e.Name())); err != nil {
				return fmt.Errorf("clean up objects: %w", err)
			}
		}
	}
	for _, name := range folders {
		if err := f.load(name); err != nil {
			return fmt.Errorf("read objects: %w", err)
		}
	}
	return nil
}

// load reads the objects and uploads of one folder.
func (f *files) load(name string) error {
	d := f.folder(name)
	defer func() {
		slices.SortFunc(d.objects, func(a, b *Object) int { return strings.Compare(a.Key, b.Key) })
	}()
	return filepath.WalkDir(filepath.Join(f.dir, name), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		o, err := readObject(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		rel, _ := filepath.Rel(filepath.Join(f.dir, name), path)
		parts := strings.Split(filepath.ToSlash(rel), "/")
		if parts[0] == "objects" {
			d.objects = append(d.objects, o)
			return nil
		}
		u := d.uploads[parts[1]]
		if u == nil {
			u = &upload{parts: map[int]*Object{}}
			d.uploads[parts[1]] = u
		}
		var n int
		if _, err := fmt.Sscanf(parts[2], "%d", &n); err != nil {
			return err
		}
		if n == 0 {
			u.begin = *o
		} else {
			u.parts[n] = o
		}
		return nil
	})
}

// place is where a key is, or is to be.
func (d *folder) place(key string) (int, bool) {
	return slices.BinarySearchFunc(d.objects, key, func(o *Object, k string) int { return strings.Compare(o.Key, k) })
}

// folder finds a bucket's folder, or makes it.
func (f *files) folder(name string) *folder {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.folders[name]
	if d == nil {
		d = &folder{uploads: map[string]*upload{}}
		f.folders[name] = d
	}
	return d
}

// drop removes a folder without objects once remove, which removes the bucket, has ended without an error. No object comes
// meanwhile. It tells whether there were no objects.
func (f *files) drop(name string, remove func() error) (empty bool) {
	d := f.folder(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.objects) > 0 {
		return false
	}
	if remove() == nil {
		d.gone = true
		f.mu.Lock()
		delete(f.folders, name)
		f.mu.Unlock()
		_ = os.RemoveAll(filepath.Join(f.dir, name)) // or at the next start
	}
	return true
}

// objectPath is where an object is.
func (f *files) objectPath(name, key string) string {
	sum := sha256.Sum256([]byte(key))
	text := hex.EncodeToString(sum[:])
	return filepath.Join(f.dir, name, "objects", text[:2], text)
}

// partPath is where a part of an upload is.
func (f *files) partPath(name, id string, n int) string {
	return filepath.Join(f.dir, name, "uploads", id, fmt.Sprintf("%05d", n))
}

// draft is an object that is being written.
type draft struct {
	file *os.File
	size int64
}

// begin starts writing.
func (f *files) begin() (*draft, error) {
	file, err := os.CreateTemp(filepath.Join(f.dir, "new"), "object-*")
	if err != nil {
		return nil, fmt.Errorf("write an object: %w", err)
	}
	return &draft{file: file}, nil
}

// Write writes bytes of the object.
func (w *draft) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.size += int64(n)
	return n, err
}

// abandon removes the draft, unless it became an object.
func (w *draft) abandon() {
	w.file.Close()
	_ = os.Remove(w.file.Name()) // or at the next start
}

// finish makes the draft an object at a path.
func (w *draft) finish(o *Object, path string) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	text = append(binary.BigEndian.AppendUint32(text, uint32(len(text))), magic...)
	if _, err := w.file.Write(text); err != nil {
		return fmt.Errorf("write an object: %w", err)
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("write an object: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write an object: %w", err)
	}
	if err := os.Rename(w.file.Name(), path); err != nil {
		return fmt.Errorf("write an object: %w", err)
	}
	for range 4 { // the directories that may be new, up to that of all buckets
		d, err := os.Open(dir)
		if err != nil {
			return fmt.Errorf("write an object: %w", err)
		}
		err = d.Sync()
		d.Close()
		if err != nil {
			return fmt.Errorf("write an object: %w", err)
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

// readObject reads what is known of an object at the end of its file.
func readObject(path string) (*Object, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	end := make([]byte, 4+len(magic))
	if _, err := file.ReadAt(end, info.Size()-int64(len(end))); err != nil || !bytes.Equal(end[4:], []byte(magic)) {
		return nil, errors.New("it is no object of Trellis")
	}
	length := int64(binary.BigEndian.Uint32(end))
	from := info.Size() - int64(len(end)) - length
	if from < 0 {
		return nil, errors.New("it is no object of Trellis")
	}
	o := new(Object)
	if err := json.NewDecoder(io.NewSectionReader(file, from, length)).Decode(o); err != nil {
		return nil, err
	}
	if o.Size != from {
		return nil, errors.New("it has another size than it says")
	}
	return o, nil
}

// put makes a draft the object of its key. condition is asked about the object that is there, nil without one, while
// nothing else changes.
func (f *files) put(name string, w *draft, o *Object, condition func(*Object) error) error {
	d := f.folder(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	i, found := d.place(o.Key)
	var was *Object
	if found {
		was = d.objects[i]
	}
	if d.gone {
		return noBucket("")
	}
	if condition != nil {
		if err := condition(was); err != nil {
			return err
		}
	}
	if err := w.finish(o, f.objectPath(name, o.Key)); err != nil {
		return err
	}
	if found {
		d.objects[i] = o
	} else {
		d.objects = slices.Insert(d.objects, i, o)
	}
	return nil
}

// get finds an object and opens its file, which stays readable when the object is replaced.
func (f *files) get(name, key string) (*Object, *os.File, error) {
	d := f.folder(name)
	d.mu.RLock()
	defer d.mu.RUnlock()
	i, found := d.place(key)
	if !found {
		return nil, nil, noKey(key)
	}
	file, err := os.Open(f.objectPath(name, key))
	if err != nil {
		return nil, nil, fmt.Errorf("read an object: %w", err)
	}
	return d.objects[i], file, nil
}

// remove removes an object, if it is there.
func (f *files) remove(name, key string) error {
	d := f.folder(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	i, found := d.place(key)
	if !found {
		return nil
	}
	path := f.objectPath(name, key)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove an object: %w", err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // an object that comes back after the power failed can be removed again
		dir.Close()
	}
	d.objects = slices.Delete(d.objects, i, i+1)
	return nil
}

// noKey is for an object that is not there.
func noKey(key string) *trellis.Error {
	return fault(404, "NoSuchKey", key, "The specified key does not exist.")
}
