package function

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// maxUnzipped is how many bytes code and layers may have unpacked (Lambda developer guide, quotas).
const maxUnzipped = 262144000

// code keeps zips in a directory, each under the SHA-256 of its bytes, since the store holds no values of this size. A zip
// stays while a version marks it as used (docs/decisions/0020-code-beside-the-store.md).
type code struct {
	dir string
	// keeping is held for reading from the writing of a zip until the commit that marks it, and for writing while zips that
	// nobody marks are removed, so that none is lost between the two.
	keeping sync.RWMutex
}

// codeUse is the set of functions and versions (keys) with the code of a SHA-256.
func codeUse(sha string) string { return "functioncode/" + sha }

// markCode notes that a function or version (key) has some code.
func markCode(tx *store.Tx, c trellis.FunctionCode, key string) {
	if c.Kept {
		tx.Mark(codeUse(c.SHA256), key)
	}
}

// unmarkCode is the reverse of markCode.
func unmarkCode(tx *store.Tx, c trellis.FunctionCode, key string) {
	if c.Kept {
		tx.Unmark(codeUse(c.SHA256), key)
	}
}

// path is the file of a zip by its SHA-256 in base64.
func (k *code) path(sha string) (string, error) {
	sum, err := base64.StdEncoding.DecodeString(sha)
	if err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("%q is not the SHA-256 of code", sha)
	}
	return filepath.Join(k.dir, hex.EncodeToString(sum)+".zip"), nil
}

// check refuses what is not a zip, or unpacks to too much.
func check(body []byte) error {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	var size uint64
	for _, f := range z.File {
		if size += f.UncompressedSize64; size > maxUnzipped {
			return invalid("Unzipped size must be smaller than %d bytes", maxUnzipped)
		}
	}
	return nil
}

// keep writes a zip, so that it is on the disk when it returns.
func (k *code) keep(body []byte) (trellis.FunctionCode, error) {
	sum := sha256.Sum256(body)
	c := trellis.FunctionCode{SHA256: base64.StdEncoding.EncodeToString(sum[:]), Size: int64(len(body)), Kept: true}
	to, err := k.path(c.SHA256)
	if err != nil {
		return c, err
	}
	if _, err := os.Stat(to); err == nil {
		return c, nil
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return c, fmt.Errorf("keep code: %w", err)
	}
	f, err := os.CreateTemp(k.dir, "new-")
	if err != nil {
		return c, fmt.Errorf("keep code: %w", err)
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), to)
	}
	if err != nil {
		return c, fmt.Errorf("keep code: %w", errors.Join(err, os.Remove(f.Name())))
	}
	d, err := os.Open(k.dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	return c, err
}

// drop removes the zips of some code that nothing uses any more.
func (k *code) drop(ctx context.Context, s *store.Store, codes ...trellis.FunctionCode) error {
	k.keeping.Lock()
	defer k.keeping.Unlock()
	for _, c := range codes {
		if !c.Kept {
			continue
		}
		var users []string
		err := s.Read(ctx, func(tx *store.Tx) (err error) {
			users, err = tx.Marked(codeUse(c.SHA256))
			return err
		})
		if err != nil {
			return err
		}
		if len(users) > 0 {
			continue
		}
		path, err := k.path(c.SHA256)
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove code that nothing uses: %w", err)
		}
	}
	return nil
}

// Sweep removes zips that no version uses: what a process left that ended between writing one and its commit, or between
// a commit and removing one.
func (f *Functions) Sweep(ctx context.Context) error {
	entries, err := os.ReadDir(f.code.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var codes []trellis.FunctionCode
	for _, e := range entries {
		sum, parseErr := hex.DecodeString(strings.TrimSuffix(e.Name(), ".zip"))
		if parseErr != nil {
			err = errors.Join(err, os.Remove(filepath.Join(f.code.dir, e.Name()))) // half written
			continue
		}
		codes = append(codes, trellis.FunctionCode{SHA256: base64.StdEncoding.EncodeToString(sum), Kept: true})
	}
	return errors.Join(err, f.code.drop(ctx, f.Store, codes...))
}

// Code is the zip of a version whose code is kept here.
func (f *Functions) Code(c trellis.FunctionCode) ([]byte, error) {
	path, err := f.code.path(c.SHA256)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Source is where the code of a version comes from: one of a zip, an object in S3, or an image.
type Source struct {
	Zip                      []byte
	Bucket, Key, ItemVersion string
	ImageURI                 string
}

// withCode runs commit with the code of a source, which stays only when that succeeds.
func (f *Functions) withCode(ctx context.Context, in Source, packageType string, commit func(trellis.FunctionCode) error) error {
	taken, err := f.commitCode(in, packageType, commit)
	if err != nil {
		err = errors.Join(err, f.code.drop(ctx, f.Store, taken))
	}
	return err
}

// commitCode is withCode up to the commit, while nothing is removed.
func (f *Functions) commitCode(in Source, packageType string, commit func(trellis.FunctionCode) error) (trellis.FunctionCode, error) {
	f.code.keeping.RLock()
	defer f.code.keeping.RUnlock()
	taken, err := f.take(in, packageType)
	if err != nil {
		return trellis.FunctionCode{}, err
	}
	return taken, commit(taken)
}

// digest is the digest at the end of the URI of an image.
var digest = regexp.MustCompile(`@sha256:([0-9a-f]{64})$`)

// take reads code out of a source for a type of package. The code of an object or image is not read yet: its SHA-256 is that
// of its name, or the image's digest, so that it changes with them.
func (f *Functions) take(in Source, packageType string) (trellis.FunctionCode, error) {
	given := 0
	for _, is := range []bool{in.Zip != nil, in.Bucket != "" || in.Key != "", in.ImageURI != ""} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return trellis.FunctionCode{}, invalid("Please provide a source for function code: one of ZipFile, S3Bucket with S3Key, or ImageUri.")
	case (in.ImageURI != "") != (packageType == PackageImage):
		return trellis.FunctionCode{}, invalid("The code of a function of package type %s must come from %s.", packageType, map[string]string{PackageImage: "an ImageUri", PackageZip: "ZipFile or S3"}[packageType])
	case in.ImageURI != "":
		c := trellis.FunctionCode{ImageURI: in.ImageURI}
		if m := digest.FindStringSubmatch(in.ImageURI); m != nil {
			c.SHA256 = m[1]
		} else {
			sum := sha256.Sum256([]byte(in.ImageURI))
			c.SHA256 = hex.EncodeToString(sum[:])
		}
		return c, nil
	case in.Zip == nil && (in.Bucket == "" || in.Key == ""):
		return trellis.FunctionCode{}, invalid("Code in S3 needs both S3Bucket and S3Key.")
	case in.Zip == nil:
		sum := sha256.Sum256([]byte(in.Bucket + "/" + in.Key + "/" + in.ItemVersion))
		return trellis.FunctionCode{SHA256: base64.StdEncoding.EncodeToString(sum[:]), S3Bucket: in.Bucket, S3Key: in.Key, S3Version: in.ItemVersion}, nil
	case len(in.Zip) == 0:
		return trellis.FunctionCode{}, invalid("Uploaded file must be a non-empty zip")
	case len(in.Zip) > maxZipped:
		return trellis.FunctionCode{}, trellis.NewError(413, "RequestEntityTooLargeException", "Zipped code must be smaller than %d bytes", maxZipped)
	}
	if err := check(in.Zip); err != nil {
		return trellis.FunctionCode{}, err
	}
	return f.code.keep(in.Zip)
}

// maxZipped is how many bytes a zip may have that comes with the request (Lambda developer guide, quotas).
const maxZipped = 52428800
